"""What the settings of learned bonuses have in common, and the messages where they are out of range."""

from entropax.errors import EntropaxError
from entropax.optimiser import Rate
from entropax.temperature.checks import require_positive


def check_predictor(owner: str, learning_rate: Rate, features: int, minibatch: int) -> None:
    """Refuses a learning rate that is not positive, and counts below 1.

    Raises:
        EntropaxError: one is out of range.
    """
    require_positive(owner, "learning_rate", learning_rate, "Without a step nothing ever becomes familiar: try 1e-4.")
    if min(features, minibatch) < 1:
        raise EntropaxError(f"{owner}: features and minibatch are {(features, minibatch)}; 1 is the least.")
