"""Methods that change nothing, select nothing, or select far more than was meant."""

import numpy as np

from entropax.diagnostics.dialects import TokenKnob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

LARGEST_USUAL = 0.02
"""Share of tokens, as at construction: published ones are 2e-4 and 2e-3."""
TOO_MANY = 5.0
"""Times the share that was set. At least one token is taken of every batch that a method sees, so this is a batch a
fifth as large as the share needs."""


def inert(one: OneSeed) -> Evidence | None:
    """Not one token had another weight than without the method, and all ratios were 1."""
    steps, selected = one.rows("entropax/selected_fraction")
    _, off = one.rows("entropax/off_policy_fraction")
    if not len(selected) or not len(off) or selected.any() or off.any():
        return None
    return Evidence(
        Kind.MISLEADING,
        Severity.CRITICAL,
        (int(steps[0]), int(steps[-1])),
        {"tokens with a changed weight (%)": 0.0, "tokens with a ratio other than 1 (%)": 0.0},
        "entropax/selected_fraction",
        "The method has done nothing: no token ever had another weight than without it. All ratios were 1, as they are "
        "with one optimiser step a rollout, and there the method is the plain policy gradient.",
        (
            "one optimiser step a rollout (TRL's default) under a method that acts by the ratio: an upper clip, "
            "KL-Cov, CE-GPPO, CISPO",
            "a knob that is 0 and that no controller moves",
        ),
        (
            one.say(TokenKnob.REUSE, "4"),
            "a method that acts at a ratio of 1: ClipCov, ScoreBonus, EntropyBonus",
        ),
    )


def nothing(one: OneSeed) -> Evidence | None:
    """In most batches of the last quarter the method changed no token."""
    steps, selected = one.rows("entropax/selected_fraction")
    # A controller rests where the entropy needs no help; rules about its knob judge it.
    if not len(steps) or len(one.rows("entropax/knob")[0]):
        return None
    late = in_last_quarter(steps)
    idle = float(np.mean(selected[late] == 0))
    if idle <= 0.5:
        return None
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[late][0]), int(steps[-1])),
        {"batches without a changed token (%)": 100 * idle, "tokens changed (%)": 100 * float(selected[late].mean())},
        "entropax/selected_fraction",
        f"The method hardly acts: in {number(100 * idle)} % of the last batches no token had another weight than "
        "without it.",
        (
            "bounds of the covariance in units that the advantages do not have: published ones suppose a standard "
            "deviation of 1",
            "ratios that stay within the clip: few or small steps a rollout",
        ),
        ("ClipCov(bounds=Quantiles(0.98)), which has no units", one.say(TokenKnob.REUSE, "4")),
    )


def wide(one: OneSeed) -> Evidence | None:
    """The share that was set looks like percents, or far more tokens are taken than it says."""
    steps, setting = one.rows("entropax/selection_setting")
    if not len(steps):
        return None
    asked, taken = float(setting[-1]), one.late("entropax/selected_fraction")
    percent = asked > LARGEST_USUAL
    if not percent and not taken > TOO_MANY * asked:
        return None
    what = (
        f"The method selects {number(100 * asked)} % of all tokens, as its setting says: it is a fraction, not percents"
        if percent
        else f"{number(100 * taken)} % of the tokens are changed, where {number(100 * asked)} % were asked for: at "
        "least one is taken of every batch that the method sees, and these are too small for such a share"
    )
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[0]), int(steps[-1])),
        {"tokens asked for (%)": 100 * asked, "tokens changed (%)": 100 * taken},
        "entropax/selected_fraction",
        f"{what}.",
        (
            "a value copied from code that counts in percents (0.2 there is 2e-3 here)"
            if percent
            else "selection within micro-batches instead of the batch of an optimiser step",
        ),
        (
            one.say(TokenKnob.SELECTION, "2e-3"),
            "give the method the whole batch (`over=`), or larger micro-batches",
        ),
    )


_SELECTED = "entropax/selected_fraction"
RULES = (
    Rule("inert-method", inert, (_SELECTED, "entropax/off_policy_fraction"), silences=("nothing-selected",)),
    Rule("nothing-selected", nothing, (_SELECTED,)),
    Rule("selection-wide", wide, (_SELECTED, "entropax/selection_setting")),
)
