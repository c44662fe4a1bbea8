"""Targets that are missed, and why alpha does not help."""

import math

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import LEAST_GAIN, learning, returns
from entropax.diagnostics.one_seed import OneSeed, holds_since, late_change
from entropax.diagnostics.rules.entropy import log_alpha
from entropax.diagnostics.rules.motion import at_limit, share_of_limit, travelling
from entropax.diagnostics.rules.noise import noise_shows
from entropax.diagnostics.rules.rule import DIMENSIONS, TOLERANCE, UNSPENT, Evidence, Rule, on_target
from entropax.diagnostics.window import in_last_half, in_last_quarter, number

PINNED = 1e-5
"""Spread of log alpha over the last quarter that counts as none: rounding of float32, far under one step of Adam."""
MOSTLY = 0.5
"""Share of the rows of the last quarter at an end of the band above which alpha is pinned there."""
NEGLIGIBLE = 0.01
"""Share of the value that the entropy of all steps to come makes up, under which alpha cannot move the policy: a
critic's own error is of that order."""

FOLLOWS = 0.5
"""Nats per dimension that the entropy of a narrow policy moves with an e-fold of alpha: sigma squared is alpha over the
critic's curvature (`docs/diagnose.md`, formulas). A wide policy follows less."""
QUARTERS = 4
"""Of one more run, through which alpha is taken to keep the pace of the last."""

_PATIENCE = "nothing, while the return still rises or the task is unsolved: entropy above its target is exploration"


def _slack(one: OneSeed) -> tuple[np.ndarray, np.ndarray]:
    steps, slack = one.rows("entropy/slack")
    return steps, slack / one.dimensions


def _outside(one: OneSeed, above: float = TOLERANCE) -> tuple[float, tuple[int, int]] | None:
    """Mean slack of the last quarter per dimension, and the steps since it left the tolerance; None if it is small."""
    steps, slack = _slack(one)
    late = one.late("entropy/slack") / one.dimensions
    if on_target(late, above):
        return None
    since = holds_since(steps, np.abs(slack) > TOLERANCE)
    return late, (int(steps[0]) if since is None else since, int(steps[-1]))


def _numbers(one: OneSeed, slack: float) -> dict[str, float]:
    return {
        f"slack, {'above' if slack > 0 else 'below'} (nats per dimension)": slack,
        "alpha": one.late("train/ent_coef"),
        "alpha's step (share of its limit)": share_of_limit(one),
    }


def _nearer(one: OneSeed, slack: float) -> str:
    alpha = one.late("train/ent_coef")
    return number(alpha / 10 if slack > 0 else alpha * 10)


def _pinned(one: OneSeed, upper: bool) -> np.ndarray:
    """Mask `[t]` of the rows where alpha sits at this end of its band: the law's, or where it has come to lie.

    Where it has come to lie tells a band only if alpha mostly moves from row to row elsewhere: in a log with more rows
    than updates it lies still everywhere.
    """
    _, alpha = log_alpha(one)
    low, high = one.facts.alpha_band
    end = high if upper else low
    if end > 0:
        return np.abs(alpha - math.log(end)) <= PINNED
    there = np.abs(alpha - (alpha.max() if upper else alpha.min())) <= PINNED
    elsewhere = ~(there[1:] & there[:-1])
    moves = np.abs(np.diff(alpha)) > PINNED
    return there & bool(elsewhere.any() and moves[elsewhere].mean() > MOSTLY)


def clamped(one: OneSeed) -> Evidence | None:
    """Alpha sits at the end of its band while the entropy asks it to go on; a law may kick it off now and then."""
    missed = _outside(one)
    steps, alpha = log_alpha(one)
    if missed is None or len(alpha) < 2:
        return None
    slack, _ = missed
    pinned, late = _pinned(one, upper=slack < 0), in_last_quarter(steps)
    share = float(pinned[late].mean())
    if share <= MOSTLY:
        return None
    since = holds_since(steps, pinned)
    side, bound = "lower" if slack > 0 else "upper", float(np.median(alpha[late & pinned]))
    return Evidence(
        Kind.TARGET_NOT_REACHED,
        Severity.WARNING,
        (int(steps[late][0]) if since is None else since, int(steps[-1])),
        _numbers(one, slack) | {"rows at the bound (%)": 100 * share},
        "train/ent_coef",
        f"Alpha is pinned at its {side} bound, {number(math.exp(bound))}, while the entropy is "
        f"{number(abs(slack))} nats per dimension {'above' if slack > 0 else 'below'} its target; the law can do no "
        "more.",
        ("a band of alpha that excludes the value this task needs", "a target that the task does not support"),
        (
            one.say(Knob.NO_CLAMP),
            one.say(Knob.ALPHA_MINIMUM if slack > 0 else Knob.ALPHA_MAXIMUM, _nearer(one, slack)),
            "a target nearer to the entropy seen",
        ),
    )


def inactive(one: OneSeed) -> Evidence | None:
    """Entropy stays above its target though alpha has become too small to matter: the constraint does not bind."""
    missed = _outside(one)
    steps, slack = _slack(one)
    if missed is None or missed[0] < 0:
        return None
    half = in_last_half(steps)
    share = one.late("entropy/share_of_soft_value") / max(1 - one.facts.discount, 1e-3)
    if not share < NEGLIGIBLE or slack[half].min() < 0:
        return None
    return Evidence(
        Kind.TARGET_NOT_REACHED,
        Severity.WARNING,
        (int(steps[half][0]), int(steps[-1])),
        _numbers(one, missed[0]) | {"entropy's share of the value (%)": 100 * share},
        "entropy/slack",
        f"The target does not bind: the entropy is {number(missed[0])} nats per dimension above it although alpha, at "
        f"{number(one.late('train/ent_coef'))}, no longer matters. Something else holds the entropy up.",
        (
            "a floor of the actor's log-std that is above the sigma of the target",
            "a critic that is flat over the actions: no reward was found yet, or actions hardly change it",
            "an actor that learns too slowly to follow",
        ),
        (
            _PATIENCE,
            "lower the floor of the actor's log-std",
            "a target nearer to the entropy seen, so that alpha keeps a say",
        ),
    )


def _settled(one: OneSeed) -> bool:
    """Whether every late return, of samples and of the mode, is the same to within `LEAST_GAIN` of what was learned."""
    steps, values = returns(one)
    mode_steps, mode = one.rows("eval/mean_reward")
    late = np.concatenate([values[in_last_quarter(steps)], mode[in_last_quarter(mode_steps)]])
    return float(np.ptp(late)) <= LEAST_GAIN * float(learning(one).gains[-1])


def _spared(one: OneSeed, slack: float) -> bool:
    """Whether alpha is about to mend the miss, and the return, of which half the gain is kept, is none the worse.

    Above its target entropy costs return by its noise. A law slower than its limit is let be whatever that is, since
    `noise-costs-return` watches it; one at its limit only while the noise costs nothing that shows, or the return still
    rises. What entropy under its target costs shows nowhere, unless the return has settled and nothing moves it.
    """
    learned = learning(one)
    reach = -math.copysign(QUARTERS * FOLLOWS, slack) * late_change(*log_alpha(one))
    if not learned.kept or reach < abs(slack):
        return False
    if slack < 0:
        return _settled(one)
    return not at_limit(one) or learned.rising or not noise_shows(one)


def alpha_travelling(one: OneSeed) -> Evidence | None:
    """The run ended while alpha was on its way: Adam moves it one e-fold per 1 / learning rate updates at most."""
    missed = _outside(one, above=UNSPENT)
    if missed is None or travelling(one) != (-1 if missed[0] > 0 else 1) or _spared(one, missed[0]):
        return None
    slack, steps = missed
    rate = one.facts.temperature_rate
    pace = f" Adam moves it a factor e in {number(1 / rate)} updates at most." if rate > 0 else ""
    faster = (one.say(Knob.ALPHA_RATE, number(3 * rate)),) if rate > 0 else ()
    return Evidence(
        Kind.TARGET_NOT_REACHED,
        Severity.WARNING,
        steps,
        _numbers(one, slack),
        "train/ent_coef",
        f"The entropy is {number(abs(slack))} nats per dimension {'above' if slack > 0 else 'below'} its target and "
        f"alpha still {'falls' if slack > 0 else 'rises'}: it has not had the updates to arrive.{pace}",
        ("alpha started too far from where it has to end", "too few updates for its learning rate"),
        (
            one.say(Knob.INITIAL_ALPHA, _nearer(one, slack)) + ", where alpha is heading",
            *faster,
            one.say(Knob.MORE_STEPS, f"{2 * steps[1]}") + ": train longer",
            *((_PATIENCE,) if slack > 0 else ()),
        ),
    )


def target_missed(one: OneSeed) -> Evidence | None:
    """The entropy misses its target, on either side, and alpha does not move to mend it."""
    missed = _outside(one, above=UNSPENT)
    if missed is None or _spared(one, missed[0]):
        return None
    slack, steps = missed
    known = len(log_alpha(one)[1]) > 0
    moving = {1: "still rises", -1: "still falls", 0: "is at rest" if known else "was not logged"}[travelling(one)]
    return Evidence(
        Kind.TARGET_NOT_REACHED,
        Severity.WARNING,
        steps,
        _numbers(one, slack),
        "entropy/slack",
        f"The entropy is {number(abs(slack))} nats per dimension {'above' if slack > 0 else 'below'} its target and "
        f"alpha {moving}.",
        (
            "a temperature whose learning rate is too small for the run, or that is fixed or scheduled",
            "a loss of the temperature with another sign or unit than the target",
        ),
        (
            *((one.say(Knob.INITIAL_ALPHA, _nearer(one, slack)),) if known else ()),
            "a target nearer to the entropy seen",
            *((_PATIENCE,) if slack > 0 else ()),
        ),
    )


_NEEDS = ("entropy/slack", "train/ent_coef")
RULES = (
    Rule("alpha-clamped", clamped, _NEEDS, (DIMENSIONS,), silences=("target-missed", "constraint-inactive")),
    Rule(
        "constraint-inactive",
        inactive,
        (*_NEEDS, "entropy/share_of_soft_value"),
        (DIMENSIONS,),
        silences=("target-missed", "alpha-travelling", "alpha-irrelevant"),
    ),
    Rule("alpha-travelling", alpha_travelling, _NEEDS, (DIMENSIONS,), silences=("target-missed",)),
    Rule("target-missed", target_missed, ("entropy/slack",), (DIMENSIONS,)),
)
