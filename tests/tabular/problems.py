"""The random problems and targets that claims about all of them are held to."""

import numpy as np

from entropax.tabular import plain_policy_iteration, random_mdp

CASES = [
    # alpha, discount, branches, terminals, share of the target on the plain-worst action of state 0, seed
    *((0.5, 0.95, 1, 0, 0.95, seed) for seed in range(4)),
    *((0.2, 0.95, 2, 0, 0.95, seed) for seed in range(4)),
    *((1.0, 0.9, 3, 1, 0.95, seed) for seed in range(4)),
    *((0.2, 0.99, 1, 0, 0.95, seed) for seed in range(4)),
    *((0.05, 0.99, 2, 0, 0.6, seed) for seed in (0, 1, 4)),
    *((2.0, 0.8, 6, 0, 0.3, seed) for seed in (0, 2, 4)),
    *((2.0, 0.5, 2, 3, 0.3, seed) for seed in (0, 7)),
]


def problem(case):
    """Its random problem, and its target for state 0."""
    _, discount, branches, terminals, share, seed = case
    mdp = random_mdp(np.random.default_rng(seed), branches=branches, terminals=terminals, discount=discount)
    return mdp, worst_action_target(mdp, 0, share)


def worst_action_target(mdp, state, share):
    """Density that puts `share` of the probability on the plain-worst action, the rest evenly on the others."""
    worst = int(np.argmin(plain_policy_iteration(mdp).action_values[state]))
    probability = np.full(mdp.measure.shape[1], (1 - share) / (mdp.measure.shape[1] - 1))
    probability[worst] = share
    return probability / mdp.measure[state]
