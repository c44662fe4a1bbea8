"""What becomes of a learning rate as the run goes on."""

import abc

import equinox as eqx

from entropax.optimiser import Rate
from entropax.types import Progress


class AbstractAnnealing(eqx.Module):
    """The learning rate after a share of the run."""

    @abc.abstractmethod
    def rate(self, initial: Rate, progress: Progress) -> Rate:
        """The rate of an update, from the one that is set."""


class KeepRate(AbstractAnnealing):
    """It stays as it is set."""

    def rate(self, initial: Rate, progress: Progress) -> Rate:
        """The rate that is set."""
        return initial


class LinearToZero(AbstractAnnealing):
    """initial * (1 - share of the run done before the rollout): from the rate that is set down to 0 at the run's end.

    As in OpenAI's baselines and CleanRL's `ppo.py`. Of n updates the first has the whole rate, the last one n-th of it.
    """

    def rate(self, initial: Rate, progress: Progress) -> Rate:
        """The rate that is left."""
        return initial * (1 - progress.share)
