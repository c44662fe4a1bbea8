"""The smallest problem on which entropy misleads: a narrow gate that pays, beside a wide one that does not."""

import numpy as np

from entropax.tabular.mdp import MDP


def toy(discount: float = 0.99) -> MDP:
    """The toy of Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025), section 4.

    ```
              a <= 0 (1)            |a| < 0.1 (0.2)
      start ------------> good ------------------------> centred    pays   1
        |                  +---------------------------> missed     pays -20
        |     a > 0  (1)           |a| >= 0.1 (1.8)
        +---------------> bad -------------------------> mediocre   pays  -1
                                       any a (2)
    ```

    The action is one number in [-1, 1]; in brackets is the measure of the set. The best plain policy goes to `good`
    and earns 1 there. But at `good` all must be put on a tenth of the box, which costs log 10 nats against `bad`, so
    above alpha = 2 / log 10 = 0.869 the MaxEnt-optimal policy prefers `bad`.
    """
    names = ("start", "good", "bad", "centred", "missed", "mediocre")
    measure, rewards, transitions = np.zeros((6, 2)), np.zeros((6, 2)), np.zeros((6, 2, 6))
    measure[:3] = [[1, 1], [0.2, 1.8], [2, 0]]
    rewards[1:3] = [[1, -20], [-1, 0]]
    for state, action, following in [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 1, 4), (2, 0, 5)]:
        transitions[state, action, following] = 1
    return MDP(rewards, transitions, measure, discount, names)
