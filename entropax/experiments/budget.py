"""How much of an experiment is run."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Budget:
    """The sizes that a page has to state.

    Attributes:
        envs: ids of the tasks.
        seeds: of every setting.
        steps: environment steps per seed after the warm-up, or as many as were published where that is less.
        hidden: units of each hidden layer.
        batch_size: transitions per update.
        samples: actions at which SAC-AdaEnt compares landscapes; 100 are published. 0 where it is no part.
        episodes: of an evaluation, per seed.
        rate: times the published learning rates.
        rollout: steps of each of PPO's environment copies between its updates; 128 of 16 copies are published.
        methods: names of those that `exploration` compares; all that fit a task where none is named.
    """

    envs: tuple[str, ...]
    seeds: int
    steps: int
    hidden: tuple[int, ...]
    batch_size: int
    samples: int
    episodes: int
    rate: float
    rollout: int = 128
    methods: tuple[str, ...] = ()

    def words(self) -> str:
        """The same as a sentence."""
        rates = (
            "the published learning rates" if self.rate == 1 else f"{self.rate:g} times the published learning rates"
        )
        compared = f" {self.samples} actions where SAC-AdaEnt compares landscapes," if self.samples else ""
        return (
            f"{self.seeds} seeds a setting, {self.steps:,} steps of learning each at most, hidden layers of "
            f"{' and '.join(map(str, self.hidden))} units, batches of {self.batch_size},{compared} "
            f"{self.episodes} episodes an evaluation, {rates}."
        )


@dataclasses.dataclass(frozen=True)
class TokenBudget:
    """How much of an experiment on tokens is run.

    Attributes:
        seeds: of every setting.
        steps: optimiser steps by rewards, `updates` a rollout.
        examples: steps of pre-training.
        follow_up: rollouts in which kept policies learn the harder question.
        quiz: rollouts of the quiz.
    """

    seeds: int
    steps: int
    examples: int
    follow_up: int
    quiz: int
