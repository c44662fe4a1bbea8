"""Entropax: maximum-entropy reinforcement learning whose entropy you can see, steer and explain."""

from entropax.algorithms.ddpg import DDPG as DDPG
from entropax.algorithms.meta_sac import MetaSAC as MetaSAC
from entropax.algorithms.sac import SAC as SAC
from entropax.algorithms.sac import SACState as SACState
from entropax.algorithms.sac_adaent import SACAdaEnt as SACAdaEnt
from entropax.algorithms.sac_lite import SACLite as SACLite
from entropax.algorithms.td3 import TD3 as TD3
from entropax.distributions import Categorical as Categorical
from entropax.distributions import Normal as Normal
from entropax.distributions import TanhNormal as TanhNormal
from entropax.envs.base import AbstractDynamics as AbstractDynamics
from entropax.envs.base import Episodes as Episodes
from entropax.envs.registration import register_all as _register_all
from entropax.envs.registry import available as available
from entropax.envs.registry import make as make
from entropax.errors import EntropaxError as EntropaxError
from entropax.loops.chunk import begin as begin
from entropax.loops.chunk import chunk as chunk
from entropax.loops.chunk import warm_up as warm_up
from entropax.loops.driver import Interrupted as Interrupted
from entropax.loops.fit import fit as fit
from entropax.loops.fit import resume as resume
from entropax.loops.run import Run as Run
from entropax.loops.run import load as load
from entropax.loops.train import train as train
from entropax.loops.training import Training as Training
from entropax.networks import Dense as Dense
from entropax.networks import LayerNormed as LayerNormed
from entropax.temperature import PI as PI
from entropax.temperature import Anneal as Anneal
from entropax.temperature import AnnealOverRun as AnnealOverRun
from entropax.temperature import Dual as Dual
from entropax.temperature import EachDimension as EachDimension
from entropax.temperature import Fixed as Fixed
from entropax.temperature import FractionOfInitial as FractionOfInitial
from entropax.temperature import FractionOfUniform as FractionOfUniform
from entropax.temperature import FromSigma as FromSigma
from entropax.temperature import Guard as Guard
from entropax.temperature import PerDimension as PerDimension
from entropax.temperature import Plateau as Plateau
from entropax.temperature import Scheduled as Scheduled
from entropax.temperature import StepRule as StepRule

_register_all()
