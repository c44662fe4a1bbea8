"""How a learner explores: the noise on its actions, and rewards of its own; `docs/exploration.md` has the formulas."""

from entropax.exploration.base import AbstractBonus as AbstractBonus
from entropax.exploration.base import AbstractNoise as AbstractNoise
from entropax.exploration.base import NoBonus as NoBonus
from entropax.exploration.base import Policy as Policy
from entropax.exploration.counts import Counts as Counts
from entropax.exploration.exploration import PLAIN as PLAIN
from entropax.exploration.exploration import Exploration as Exploration
from entropax.exploration.exploration import ExplorationState as ExplorationState
from entropax.exploration.gsde import GSDE as GSDE
from entropax.exploration.lengths import Every as Every
from entropax.exploration.lengths import WholeEpisode as WholeEpisode
from entropax.exploration.lengths import Zeta as Zeta
from entropax.exploration.ou import OU as OU
from entropax.exploration.parameter_noise import ParameterNoise as ParameterNoise
from entropax.exploration.pink import Pink as Pink
from entropax.exploration.processes import Coloured as Coloured
from entropax.exploration.processes import Held as Held
from entropax.exploration.repeated import Repeated as Repeated
from entropax.exploration.through_policy import ThroughPolicy as ThroughPolicy
from entropax.exploration.white import White as White
