"""What the settings of off-policy algorithms have in common, and the messages where they are out of range."""

from collections.abc import Mapping

from entropax.errors import EntropaxError
from entropax.optimiser import Rate
from entropax.temperature.checks import holds, require_positive


def check_settings(
    owner: str, counts: Mapping[str, int], rates: Mapping[str, Rate], discount: Rate, polyak: Rate
) -> None:
    """Refuses counts below 1, learning rates that are not positive, and a discount or Polyak share out of its range.

    Args:
        owner: whose settings they are, for the message.
        counts: by name.
        rates: Adam's steps by name.
        discount: per environment step.
        polyak: share that targets take in per update.

    Raises:
        EntropaxError: one is out of range.
    """
    check_counts_and_rates(owner, counts, rates, discount)
    check_share(owner, polyak)


def check_counts_and_rates(owner: str, counts: Mapping[str, int], rates: Mapping[str, Rate], discount: Rate) -> None:
    """The same without a Polyak share.

    Raises:
        EntropaxError: one is out of range.
    """
    for name, count in counts.items():
        if count < 1:
            raise EntropaxError(f"{owner}: {name} is {count}, but 1 is the least.")
    for name, rate in rates.items():
        require_positive(owner, name, rate, "Adam needs a step; 3e-4 is the published one.")
    if not holds(lambda discount: (discount >= 0) & (discount <= 1), discount):
        raise EntropaxError(f"{owner}: discount is {discount}, but values diverge outside [0, 1]. Try 0.99.")


def check_share(owner: str, polyak: Rate) -> None:
    """Refuses a Polyak share outside (0, 1].

    Raises:
        EntropaxError: it is.
    """
    if not holds(lambda share: (share > 0) & (share <= 1), polyak):
        raise EntropaxError(f"{owner}: polyak is {polyak}, but is the share, in (0, 1], to take in. Try 0.005.")
