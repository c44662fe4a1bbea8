"""Random finite problems, to hold claims about all problems to many of them."""

import numpy as np

from entropax.errors import EntropaxError
from entropax.tabular.mdp import MDP


def random_mdp(
    generator: np.random.Generator,
    *,
    states: int = 6,
    actions: int = 5,
    branches: int = 2,
    terminals: int = 0,
    mass: float = 2.0,
    discount: float = 0.95,
) -> MDP:
    """Draws rewards, transitions and a measure.

    Rewards are standard normal. An action leads to `branches` different states, with probabilities uniform on the
    simplex; 1 makes the problem deterministic. The measures of a state's actions add up to `mass`, and none is more
    than three times another.

    Args:
        generator: What is drawn from.
        states: Number of states, the terminal ones included.
        actions: Number of actions.
        branches: Number of states that an action can lead to.
        terminals: How many states, the last ones, are terminal.
        mass: Measure of all actions of a state; 2 is that of the box [-1, 1].
        discount: Of the problem.

    Raises:
        EntropaxError: A number is out of range.
    """
    if not (1 <= branches <= states and 0 <= terminals < states and actions >= 1 and mass > 0):
        raise EntropaxError(
            f"No problem has {states} states ({terminals} terminal), {actions} actions of total measure {mass} and "
            f"{branches} branches. Ask for 1 to `states` branches, at least one action and one state that is not "
            "terminal, and a positive mass."
        )
    rewards = generator.standard_normal((states, actions))
    transitions = np.zeros((states, actions, states))
    for row in transitions.reshape(-1, states):
        row[generator.choice(states, branches, replace=False)] = generator.dirichlet(np.ones(branches))
    measure = generator.uniform(0.5, 1.5, (states, actions))
    measure *= mass / measure.sum(axis=1, keepdims=True)
    measure[states - terminals :] = 0
    return MDP(rewards, transitions, measure, discount, tuple(f"s{state}" for state in range(states)))
