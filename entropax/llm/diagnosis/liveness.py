"""Whether a method does anything: against the plain policy gradient on-policy, against PPO's clip off it.

With one optimiser step a rollout the policy that learns is the one that drew the tokens. Its ratios are all 1, and a
method that acts by the ratio alone then changes no gradient, whatever it is called.
"""

import warnings

import numpy as np

from entropax.llm.checks import SettingWarning
from entropax.llm.method import AbstractMethod, Need, State, Weights, begin
from entropax.llm.methods.aepo import AEPO
from entropax.llm.methods.bonus import Corridor, EntropyBonus
from entropax.llm.methods.covariance import ClipCov, KLCov
from entropax.llm.methods.ratio import CEGPPO, CISPO, GSPO, Clip, Reinforce
from entropax.llm.methods.shaping import ScoreBonus, ShapedAdvantage, TopEntropy
from entropax.llm.reduce import AbstractReducer, ThisBatch
from entropax.llm.tokens import Tokens, tokens

_ROWS, _LENGTH = 32, 64
"""Completions and tokens of the batch that methods are tried on: enough that a share of 2e-4 is the one token that any
share is at least."""
_SPREAD = 0.5
"""Standard deviation of the log-ratio off-policy: a third of the tokens are then beyond a clip of 0.2 and pushed on."""
_UNCLIPPED = Clip(1.0, 1e30)
"""w = r A."""


def plain(method: AbstractMethod) -> AbstractMethod:
    """What a method is without what sets it apart.

    The method around which it is wrapped; for Clip-Cov its clip; for Clip and CE-GPPO the symmetric clip of the same
    lower width; for KL-Cov, CISPO and GSPO the ratio times the advantage. Itself where nothing sets it apart.
    """
    match method:
        case AEPO() | Corridor() | EntropyBonus() | ScoreBonus() | ShapedAdvantage() | TopEntropy():
            return method.inner
        case ClipCov():
            return method.clip
        case KLCov() | CISPO() | GSPO():
            return _UNCLIPPED
        case Clip() | CEGPPO():
            return Clip(method.lower, method.lower)
        case Reinforce():
            return method
        case _:
            return Clip()


def plain_weights(method: AbstractMethod, batch: Tokens, state: State, over: AbstractReducer) -> Weights | None:
    """The weights of `plain(method)` for the same batch.

    Knobs that a part of the method brings stand as they are now; those of another method at its setting. None where the
    two cannot differ: nothing sets the method apart, or only completions that it draws besides.
    """
    other = plain(method)
    if other == method or isinstance(method, AEPO):
        return None
    part = not isinstance(method, Clip | CEGPPO | CISPO | GSPO | KLCov)
    knobs = {name: state.knobs.get(name, value) if part else value for name, value in other.knobs.items()}
    return other.weights(batch, state._replace(knobs=knobs), over)


def inert(method: AbstractMethod, steered: str = "") -> str | None:
    """One sentence where a method changes no gradient when strictly on-policy; None where it does.

    It is found by trying: on a batch whose log-probabilities are those of the policy that drew it, the weights are
    compared with those of `Reinforce`, number by number.

    Args:
        method: which is tried.
        steered: the knob that a controller moves, if one does; that it is 0 at first is then no fault.

    Example:
        >>> from entropax.llm import KLCov, ClipCov
        >>> inert(KLCov()) is None, inert(ClipCov()) is None
        (False, True)
    """
    name, state = type(method).__name__, begin(method)
    if steered in state.knobs:
        state = state._replace(knobs={**state.knobs, steered: state.knobs[steered] or 1.0})
    if Need.EXTRA_ROLLOUT in method.needs or not _same(method, Reinforce(), state, spread=0.0):
        return None
    moved = state._replace(knobs={knob: value or 1.0 for knob, value in state.knobs.items()})
    if not _same(method, Reinforce(), moved, spread=0.0):
        idle = ", ".join(knob for knob, value in state.knobs.items() if not value)
        return f"{name} is the plain policy gradient as long as its knob {idle} is 0: let a controller move it."
    off = "it is PPO's clip" if _same(method, Clip(), state, spread=_SPREAD) else "it acts"
    return (
        f"{name} is exactly the plain policy gradient with one optimiser step a rollout, where every ratio is 1; {off} "
        "only from the second step on: take several steps a rollout, or a method that acts at a ratio of 1 (ClipCov, "
        "ScoreBonus, EntropyBonus)."
    )


def idle(method: AbstractMethod, knob: str) -> str | None:
    """One sentence where a knob of a method changes no weight when strictly on-policy; None where it does.

    Args:
        method: which is tried with the knob as it is and with twice that, on the batch of `inert`.
        knob: name; of one that the method does not have nothing is said.

    Example:
        >>> from entropax.llm import EntropyBonus
        >>> idle(EntropyBonus(), "clip_upper") is None, idle(EntropyBonus(), "bonus") is None
        (False, True)
    """
    state = begin(method)
    if knob not in state.knobs or Need.EXTRA_ROLLOUT in method.needs:
        return None
    value = state.knobs[knob] or 1.0
    moved = [state._replace(knobs={**state.knobs, knob: factor * value}) for factor in (1.0, 2.0)]
    one, two = (method.weights(_batch(0.0), each, ThisBatch()) for each in moved)
    if not (np.array_equal(one.w, two.w) and np.array_equal(one.c, two.c)):
        return None
    return (
        f"The knob {knob} of {type(method).__name__} changes nothing with one optimiser step a rollout, where every "
        "ratio is 1, so a controller of it holds no entropy: take several steps a rollout, or an actuator that acts at "
        "a ratio of 1 (BonusCoefficient, RepoBeta)."
    )


def warn_if_inert(method: AbstractMethod, steered: str = "") -> None:
    """Warns that a method or a controller which is to act on the entropy will not, in a strictly on-policy trainer.

    `Reinforce` and a symmetric `Clip` promise nothing beyond the policy gradient and pass, but for a knob of theirs
    that a controller moves.

    Args:
        method: which is tried.
        steered: the knob that a controller moves, if one does.
    """
    why = inert(method, steered) if plain(method) != method else None
    why = idle(method, steered) if why is None else why
    if why is not None:
        warnings.warn(why, SettingWarning, stacklevel=2)


def _same(one: AbstractMethod, other: AbstractMethod, state: State, spread: float) -> bool:
    """Whether two methods weigh every token of the made-up batch alike."""
    batch = _batch(spread)
    ours, theirs = one.weights(batch, state, ThisBatch()), other.weights(batch, begin(other), ThisBatch())
    return bool(np.array_equal(ours.w, theirs.w) and np.array_equal(ours.c, theirs.c))


def _batch(spread: float) -> Tokens:
    """Tokens of a wide range of probabilities and entropies, advantages of unit deviation, and completions' lengths."""
    draw = np.random.default_rng(0)
    shape = (_ROWS, _LENGTH)
    log_prob = -draw.exponential(1.5, shape)
    entropy = draw.exponential(1.0, shape)
    advantages = draw.normal(size=_ROWS)
    mask = np.arange(_LENGTH) < draw.integers(_LENGTH // 2, _LENGTH + 1, _ROWS)[:, None]
    return tokens(log_prob, log_prob - spread * draw.normal(size=shape), advantages, mask, entropy)
