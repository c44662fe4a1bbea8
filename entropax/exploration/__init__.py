"""How a learner explores: the noise on its actions, and rewards of its own; `docs/exploration.md` has the formulas."""

from entropax.exploration.base import AbstractBonus as AbstractBonus
from entropax.exploration.base import AbstractNoise as AbstractNoise
from entropax.exploration.base import NoBonus as NoBonus
from entropax.exploration.base import Policy as Policy
from entropax.exploration.bonus import AbstractNovelty as AbstractNovelty
from entropax.exploration.counts import Counts as Counts
from entropax.exploration.counts import TableCounts as TableCounts
from entropax.exploration.disagreement import Disagreement as Disagreement
from entropax.exploration.exploration import PLAIN as PLAIN
from entropax.exploration.exploration import Exploration as Exploration
from entropax.exploration.exploration import ExplorationState as ExplorationState
from entropax.exploration.icm import ICM as ICM
from entropax.exploration.ou import OU as OU
from entropax.exploration.parameter_noise import ParameterNoise as ParameterNoise
from entropax.exploration.pink import Pink as Pink
from entropax.exploration.rnd import RND as RND
from entropax.exploration.scale import AbstractScale as AbstractScale
from entropax.exploration.scale import AsMeasured as AsMeasured
from entropax.exploration.scale import PerReturnDeviation as PerReturnDeviation
from entropax.exploration.scale import PerRootMeanSquare as PerRootMeanSquare
from entropax.exploration.white import White as White
