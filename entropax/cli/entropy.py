"""`entropax entropy`: what a target means on an environment, before anything is trained."""

import dataclasses

import numpy as np

from entropax.algorithms.sac import SAC
from entropax.distributions import max_tanh_normal_entropy, max_tanh_normal_sigma
from entropax.envs.base import AbstractHostEnvironments
from entropax.envs.listing import action_text
from entropax.envs.registry import make
from entropax.errors import EntropaxError
from entropax.temperature import Dual, FromSigma, PerDimension
from entropax.temperature.checks import require_positive
from entropax.temperature.meaning import Meaning, least_updates, meaning, published_targets
from entropax.types import Bounds, Spec, continuous

_LADDER = (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.3, 0.5)
"""Targets in nats per dimension that the table always shows."""


@dataclasses.dataclass
class Entropy:
    """Show what target entropies mean on an environment: as sigma, as action noise, as share of what is feasible."""

    env: str
    """Environment id: one of `entropax envs`, or any Gymnasium id with continuous actions."""
    target: float | None = None
    """A target entropy to add to the table: nats in [-1, 1] space, summed over action dimensions."""
    sigma: float | None = None
    """A sigma before squashing to add to the table, in (0, 0.874]."""
    initial_alpha: float = Dual().initial_alpha
    """Alpha from which `Dual` would start, reward per nat."""
    final_alpha: float = 0.01
    """Alpha to which it would have to travel, reward per nat."""
    learning_rate: float = Dual().learning_rate
    """Learning rate of `Dual`, on log alpha."""


def entropy(flags: Entropy) -> None:
    """Prints the table and the speed limit."""
    spec = _spec(flags.env)
    bounds = continuous(spec)
    asked = _asked(flags, spec)
    law = Dual(flags.learning_rate, flags.initial_alpha)
    require_positive("entropax entropy", "final_alpha", flags.final_alpha, "Dual never reaches 0.")
    limit = max_tanh_normal_entropy()
    print(f"{flags.env}: actions {action_text(bounds)}, d = {bounds.size}. Entropies in nats of [-1, 1] space.")
    print(
        f"A tanh-Gaussian has at most {bounds.size * limit:.3f} nats ({limit:.3f} a dimension, at sigma "
        f"{max_tanh_normal_sigma():.3f}).\n"
    )
    print(f"{'target':>9}  {'a dimension':>11}  {'sigma':>6}  {'action std':>18}  {'of feasible':>11}")
    for nats, names in _rows(bounds, spec, asked):
        print(f"{_line(meaning(bounds, nats))}  {', '.join(names)}".rstrip())
    for name, nats in published_targets(bounds).items():
        if nats > limit:
            print(f"{name} would take {nats:.3f} nats a dimension, which no tanh-Gaussian has: its alpha runs away.")
    updates = least_updates(law.initial_alpha, flags.final_alpha, law.learning_rate)
    print(
        "\naction std: of the action in the environment's units, from the middle of its box; two numbers where "
        "dimensions\ndiffer. of feasible: effective support against the widest tanh-Gaussian's.\n\n"
        f"Dual's alpha needs at least {updates:,.0f} updates from {law.initial_alpha:g} to {flags.final_alpha:g} at a "
        f"learning rate of {law.learning_rate:g}:\nAdam moves log alpha by about its rate an update, a factor e in "
        f"{1 / law.learning_rate:,.0f}. Start it near where it should end."
    )


def _spec(id: str) -> Spec:
    """What an environment's policy must know of it."""
    environment = make(id)
    if isinstance(environment, AbstractHostEnvironments):
        environment.close()
    return environment.spec


def _asked(flags: Entropy, spec: Spec) -> float | None:
    """The target asked for, in nats per dimension; refused where no policy has it."""
    if flags.target is not None and flags.sigma is not None:
        raise EntropaxError("--target and --sigma both name the target: one of them is enough.")
    if flags.target is not None:
        nats = flags.target / spec.action.size
        PerDimension(nats).init(spec)
        return nats
    if flags.sigma is not None:
        return float(FromSigma(flags.sigma).value(spec, ())) / spec.action.size
    return None


def _rows(bounds: Bounds, spec: Spec, asked: float | None) -> list[tuple[float, list[str]]]:
    """Targets in nats per dimension, lowest first, each with the names of those who take it."""
    law = SAC().temperature
    ours = float(law.target(spec, law.init(spec))) / bounds.size
    named = [*published_targets(bounds).items(), ("Entropax", ours)]
    named += [("asked for", asked)] if asked is not None else []
    rows: dict[float, list[str]] = {nats: [] for nats in (*_LADDER, max_tanh_normal_entropy())}
    rows[max_tanh_normal_entropy()].append("the widest")
    for name, nats in named:
        near = next((known for known in rows if abs(known - nats) < 5e-4), nats)
        rows.setdefault(near, []).append(name)
    return [(nats, rows[nats]) for nats in sorted(rows) if nats <= max_tanh_normal_entropy()]


def _line(row: Meaning) -> str:
    low, high = float(np.min(row.action_std)), float(np.max(row.action_std))
    std = f"{low:.3g}" if high - low < 1e-3 * high else f"{low:.3g} to {high:.3g}"
    return (
        f"{row.nats:>9.3f}  {row.nats_per_dimension:>11.3f}  {row.sigma:>6.3f}  {std:>18}  "
        f"{row.fraction_of_feasible:>11.3f}"
    )
