"""Exact dynamic programming on finite problems, plain and soft, and the entropy bifurcation extension.

Everything here is NumPy in float64: it is the truth that learners are held to.
"""

from entropax.tabular.bifurcation import Extension as Extension
from entropax.tabular.bifurcation import bifurcation_extension as bifurcation_extension
from entropax.tabular.environment import Choices as Choices
from entropax.tabular.environment import Finite as Finite
from entropax.tabular.evaluation import entropy_values as entropy_values
from entropax.tabular.evaluation import occupancy as occupancy
from entropax.tabular.evaluation import reward_values as reward_values
from entropax.tabular.games import AbstractGame as AbstractGame
from entropax.tabular.games import Planning as Planning
from entropax.tabular.games import TicTacToe as TicTacToe
from entropax.tabular.games import board as board
from entropax.tabular.games import move_values as move_values
from entropax.tabular.inverse import Likelihood as Likelihood
from entropax.tabular.inverse import Recovered as Recovered
from entropax.tabular.inverse import causal_likelihood as causal_likelihood
from entropax.tabular.inverse import demonstrated_policy as demonstrated_policy
from entropax.tabular.inverse import maximum_causal_entropy as maximum_causal_entropy
from entropax.tabular.mdp import MDP as MDP
from entropax.tabular.mdp import action_values as action_values
from entropax.tabular.plain import PlainSolution as PlainSolution
from entropax.tabular.plain import plain_policy_iteration as plain_policy_iteration
from entropax.tabular.plain import plain_value_iteration as plain_value_iteration
from entropax.tabular.random_mdp import random_mdp as random_mdp
from entropax.tabular.search import AbstractRule as AbstractRule
from entropax.tabular.search import Opinion as Opinion
from entropax.tabular.search import RandomPlayout as RandomPlayout
from entropax.tabular.search import Searched as Searched
from entropax.tabular.search import search as search
from entropax.tabular.soft import SoftSolution as SoftSolution
from entropax.tabular.soft import soft_policy_iteration as soft_policy_iteration
from entropax.tabular.soft import soft_value_iteration as soft_value_iteration
from entropax.tabular.toy import toy as toy
from entropax.tabular.tree_rules import MENTS as MENTS
from entropax.tabular.tree_rules import PUCT as PUCT
