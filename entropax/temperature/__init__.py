"""Temperature laws and target rules: the part that steers the entropy, exchangeable like an optimiser."""

from entropax.temperature.base import AbstractTarget as AbstractTarget
from entropax.temperature.base import AbstractTemperature as AbstractTemperature
from entropax.temperature.dual import AbstractBand as AbstractBand
from entropax.temperature.dual import AbstractObjective as AbstractObjective
from entropax.temperature.dual import Clamp as Clamp
from entropax.temperature.dual import Dual as Dual
from entropax.temperature.dual import DualState as DualState
from entropax.temperature.dual import InAlpha as InAlpha
from entropax.temperature.dual import InLogAlpha as InLogAlpha
from entropax.temperature.dual import Unclamped as Unclamped
from entropax.temperature.fixed import Fixed as Fixed
from entropax.temperature.fixed import FixedState as FixedState
from entropax.temperature.scheduled import AbstractSchedule as AbstractSchedule
from entropax.temperature.scheduled import Cosine as Cosine
from entropax.temperature.scheduled import Exponential as Exponential
from entropax.temperature.scheduled import Linear as Linear
from entropax.temperature.scheduled import Scheduled as Scheduled
from entropax.temperature.scheduled import ScheduledState as ScheduledState
from entropax.temperature.targets import Anneal as Anneal
from entropax.temperature.targets import FractionOfUniform as FractionOfUniform
from entropax.temperature.targets import FromSigma as FromSigma
from entropax.temperature.targets import PerDimension as PerDimension
