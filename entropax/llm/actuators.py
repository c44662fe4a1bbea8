"""Actuators: which number a controller moves, from where, how far, and which way raises entropy."""

import abc
import math
from dataclasses import dataclass
from typing import ClassVar

from entropax.errors import EntropaxError
from entropax.llm.method import State


class AbstractActuator(abc.ABC):
    """A number at rest, and the range in which an effort moves it.

    An effort is how far the number is moved, in its own unit; above 0 it raises entropy, whether the number itself must
    rise or fall for that. Implementations are frozen dataclasses.

    Attributes:
        knob: name of the number.
        direction: 1 where a larger number raises entropy, -1 where a smaller one does.
        least: what the number may not fall below, whatever the range.
    """

    knob: ClassVar[str]
    direction: ClassVar[int]
    least: ClassVar[float]
    low: float
    rest: float
    high: float

    def __post_init__(self) -> None:
        ordered = self.least <= self.low <= self.rest <= self.high and self.low < self.high
        if not (ordered and math.isfinite(self.low) and math.isfinite(self.high)):
            bound = "" if math.isinf(self.least) else f" and at least {self.least:g}"
            raise EntropaxError(
                f"{type(self).__name__}: the range must hold the rest, low <= rest <= high, with low < high, all "
                f"finite{bound}; got low {self.low}, rest {self.rest}, high {self.high}."
            )

    @abc.abstractmethod
    def apply(self, value: float, state: State) -> State:
        """A method's state with this number in it. Raises EntropaxError where the method has none of that name."""

    def place(self, effort: float) -> float:
        """The number at an effort, within its range."""
        return min(max(self.rest + self.direction * effort, self.low), self.high)

    def room(self) -> tuple[float, float]:
        """The least and the largest effort: what brings the number to the ends of its range."""
        ends = sorted((self.direction * (self.low - self.rest), self.direction * (self.high - self.rest)))
        return ends[0], ends[1]


class AbstractKnob(AbstractActuator):
    """A number that is one of a method's knobs.

    Attributes:
        methods: which methods have it, for the message when one has not.
    """

    methods: ClassVar[str]

    def apply(self, value: float, state: State) -> State:
        """A method's state with this number in it. Raises EntropaxError where the method has none of that name."""
        if self.knob not in state.knobs:
            raise EntropaxError(
                f"{type(self).__name__} moves the knob '{self.knob}', but the method has "
                f"{', '.join(map(repr, sorted(state.knobs))) or 'none'}. Use {self.methods}."
            )
        return state._replace(knobs={**state.knobs, self.knob: value})


@dataclass(frozen=True)
class BonusCoefficient(AbstractKnob):
    """The coefficient of an entropy bonus, reward per nat: `EntropyBonus` and `Corridor`; larger raises entropy.

    Attributes:
        low: below 0 it is a penalty, which only a two-sided controller reaches.
        rest: 0 is no bonus.
        high: 0.005 is Skywork-OR1's largest (arXiv 2505.22312); fixed at 0.01 it explodes (arXiv 2505.22617).

    Raises:
        EntropaxError: the three are out of order.
    """

    knob: ClassVar[str] = "bonus"
    direction: ClassVar[int] = 1
    least: ClassVar[float] = -math.inf
    methods: ClassVar[str] = "EntropyBonus(inner)"
    low: float = 0.0
    rest: float = 0.0
    high: float = 5e-3


@dataclass(frozen=True)
class RepoBeta(AbstractKnob):
    """REPO's beta in the advantage, reward per nat: `ScoreBonus`; larger raises entropy (arXiv 2603.11682).

    While the policy that learns drew the tokens, its mean gradient is that of a bonus with the same coefficient, so its
    range is taken from there.

    Attributes:
        low: below 0 it is a penalty, which only a two-sided controller reaches.
        rest: 0 leaves the advantages as they are.
        high: the largest.

    Raises:
        EntropaxError: the three are out of order.
    """

    knob: ClassVar[str] = "score_bonus"
    direction: ClassVar[int] = 1
    least: ClassVar[float] = -math.inf
    methods: ClassVar[str] = "ScoreBonus(inner)"
    low: float = 0.0
    rest: float = 0.0
    high: float = 5e-3


@dataclass(frozen=True)
class UpperClip(AbstractKnob):
    """The ratio's upper bound, as a distance from 1: `Clip`, `ClipCov`, `CISPO`, `GSPO`; larger raises entropy.

    What it clips are mostly improbable tokens that were good, whose gain raises entropy (DAPO's clip-higher,
    arXiv 2503.14476). Nothing is clipped, and nothing moves, while the policy that learns drew the tokens.

    Attributes:
        low: the least.
        rest: PPO's 0.2. GSPO's ratios are those of whole completions: its rest is 4e-4.
        high: DAPO's 0.28.

    Raises:
        EntropaxError: the three are out of order, or below 0.
    """

    knob: ClassVar[str] = "clip_upper"
    direction: ClassVar[int] = 1
    least: ClassVar[float] = 0.0
    methods: ClassVar[str] = "a method that clips, such as Clip, CISPO or GSPO"
    low: float = 0.0
    rest: float = 0.2
    high: float = 0.28


@dataclass(frozen=True)
class NegativeBeta(AbstractKnob):
    """CE-GPPO's b_1, at clipped tokens that were bad: `CEGPPO`; smaller raises entropy.

    These are mostly improbable tokens made more so, which lowers entropy (arXiv 2509.20712, section 5.1). Nothing is
    clipped, and nothing moves, while the policy that learns drew the tokens.

    Attributes:
        low: 0 drops these tokens, as PPO does.
        rest: the authors' general default, 0.5.
        high: 1 is the gradient at the clip's bound.

    Raises:
        EntropaxError: the three are out of order, or below 0.
    """

    knob: ClassVar[str] = "negative"
    direction: ClassVar[int] = -1
    least: ClassVar[float] = 0.0
    methods: ClassVar[str] = "CEGPPO"
    low: float = 0.0
    rest: float = 0.5
    high: float = 1.0


@dataclass(frozen=True)
class PositiveBeta(AbstractKnob):
    """CE-GPPO's b_2, at clipped tokens that were good: `CEGPPO`; larger raises entropy.

    These are mostly improbable tokens made less so, which raises entropy (arXiv 2509.20712, section 5.1). Nothing is
    clipped, and nothing moves, while the policy that learns drew the tokens.

    Attributes:
        low: 0 drops these tokens, as PPO does.
        rest: 0.5 leaves room upwards; the authors' general default is `high`.
        high: 1 is the gradient at the clip's bound.

    Raises:
        EntropaxError: the three are out of order, or below 0.
    """

    knob: ClassVar[str] = "positive"
    direction: ClassVar[int] = 1
    least: ClassVar[float] = 0.0
    methods: ClassVar[str] = "CEGPPO"
    low: float = 0.0
    rest: float = 0.5
    high: float = 1.0


@dataclass(frozen=True)
class SamplingTemperature(AbstractActuator):
    """The temperature at which completions are drawn, while their gradient is taken at 1; larger raises entropy.

    So it is where good completions alone are learned from (AEPO and SCOPE-RL, arXiv 2510.08141); bad ones have the
    reverse effect. It belongs to the trainer's sampler: set it there from `Controller.value`.

    Attributes:
        low: the authors' least, 0.8.
        rest: 1 draws from the policy itself.
        high: the authors' largest, 1.2.

    Raises:
        EntropaxError: the three are out of order, or near 0.
    """

    knob: ClassVar[str] = "sampling_temperature"
    direction: ClassVar[int] = 1
    least: ClassVar[float] = 0.01
    low: float = 0.8
    rest: float = 1.0
    high: float = 1.2

    def apply(self, value: float, state: State) -> State:
        """The method's state as it is: no method has this number."""
        return state
