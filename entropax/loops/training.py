"""How a training loop runs: counts of steps, all static, and what to do when numbers break."""

import dataclasses
from typing import Literal

from entropax.errors import EntropaxError
from entropax.replay import AbstractData


@dataclasses.dataclass(frozen=True)
class Training:
    """The loop around an algorithm; every count is in environment steps per seed unless it says otherwise.

    Raises:
        EntropaxError: the counts contradict each other.
    """

    steps: int = 100_000
    """Environment steps to train for, per seed."""
    num_envs: int = 1
    """Copies of the environment that each seed steps together."""
    warmup: int = 1_000
    """Steps of uniformly random actions before the first update."""
    train_every: int = 1
    """Steps of each copy between rounds of updates."""
    updates: int = 1
    """Gradient updates per round; updates / (train_every * num_envs) is the update-to-data ratio."""
    capacity: int = 1_000_000
    """Steps that the replay holds, per seed."""
    log_every: int = 1_000
    """Steps between two rows of metrics; rows are more frequent where evaluations or checkpoints are."""
    evaluate_every: int = 10_000
    """Steps between two deterministic evaluations, each with the next row of metrics; 0 for none."""
    evaluation_episodes: int = 5
    """Episodes of one evaluation, per seed."""
    checkpoint_every: int = 50_000
    """Steps between two checkpoints, each with the next row; one more is written at the end and on Ctrl-C."""
    acting: Literal["newest", "overlapped"] = "newest"
    """Host environments: act with the newest parameters, or one round of updates late while the update runs."""
    seeds_in: Literal["program", "processes"] = "program"
    """Gymnasium environments: all seeds in one program, or dealt to processes of their own, one a core of a CPU."""
    on_nonfinite: Literal["stop", "skip"] = "stop"
    """NaN or Inf: stop with the culprit's name, or skip the step or update and count it."""

    def __post_init__(self) -> None:
        positive = ("steps", "num_envs", "train_every", "updates", "capacity", "log_every", "evaluation_episodes")
        for name in (*positive, "checkpoint_every"):
            if vars(self)[name] < 1:
                raise EntropaxError(f"Training: {name} is {vars(self)[name]}, but 1 is the least.")
        if self.evaluate_every < 0 or self.warmup < 0:
            raise EntropaxError("Training: evaluate_every and warmup count steps and cannot be negative; 0 is none.")
        if self.capacity < self.num_envs * 2:
            raise EntropaxError(
                f"Training: a replay of {self.capacity} steps is too small for {self.num_envs} environments, which "
                f"need a ring of at least 2 each. Set capacity to {2 * self.num_envs} or more."
            )

    def fed_by(self, data: AbstractData) -> "Training":
        """The counts as an algorithm fed with this data needs them: some of them may be no choice with it.

        What is dictated overrides a default; applied twice, it changes nothing more.

        Raises:
            EntropaxError: another value than the default was asked for where the data dictates one, the warm-up leaves
                no round to learn in, or the first batch is longer than what a ring then holds.

        Example:
            >>> Training(num_envs=4).fed_by(Rollout(512)).stride
            2048
        """
        dictated = data.dictates(self.num_envs)
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name, value in dictated.items():
            if vars(self)[name] not in (defaults[name], value):
                raise EntropaxError(
                    f"Training: {name} is {vars(self)[name]}, but this algorithm learns from {data} and from nothing "
                    f"else, so it can only be {value}. Leave {name} out; the length of a rollout is the algorithm's."
                )
        fed = dataclasses.replace(self, **dictated)
        if fed.rounds <= fed.warmup_rounds:
            raise EntropaxError(
                f"Training: {fed.steps} steps are over before the {fed.warmup_rounds * fed.stride} random ones of the "
                f"warm-up (warmup is {fed.warmup}, in rounds of {fed.stride}), so nothing would be learned. Raise "
                "steps or lower warmup."
            )
        fed.check_first(data.first())
        return fed

    def check_first(self, steps: int) -> None:
        """Refuses a first batch longer than the steps that a ring holds when it is drawn.

        Raises:
            EntropaxError: `steps` exceed the warm-up of one environment copy, or the room of its ring.
        """
        held = min(max(self.warmup_rounds, 1) * self.train_every, self.rows // self.num_envs)
        if steps > held:
            raise EntropaxError(
                f"n_step is {steps}, but the first batch is drawn when each environment copy has {held} steps in "
                f"the replay. Set warmup and capacity to {steps * self.num_envs} or more."
            )

    @property
    def stride(self) -> int:
        """Environment steps of one round: `train_every` steps of each copy."""
        return self.train_every * self.num_envs

    @property
    def rows(self) -> int:
        """Steps that the replay has room for: never more than the run will take."""
        ring = min(-(-self.capacity // self.num_envs), self.rounds * self.train_every)
        return ring * self.num_envs

    @property
    def warmup_rounds(self) -> int:
        """Rounds without updates, of random actions."""
        return -(-self.warmup // self.stride)

    @property
    def rounds(self) -> int:
        """Rounds in all, warm-up included."""
        return max(-(-self.steps // self.stride), self.warmup_rounds)

    @property
    def row_every(self) -> int:
        """Rounds between two rows of metrics: evaluations and checkpoints, which come with a row, are never rarer."""
        return self.every(min(self.log_every, self.checkpoint_every, self.evaluate_every or self.log_every))

    def every(self, steps: int) -> int:
        """Rounds in so many steps, at least one."""
        return max(steps // self.stride, 1)
