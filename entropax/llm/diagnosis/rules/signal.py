"""Numbers that stopped being finite, and prompts that teach nothing."""

from entropax.diagnostics.dialects import TokenKnob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.numbers import lost_rows
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

WATCHED = ("entropy/nats", "entropax/grad_norm", "entropax/policy_loss", "entropax/predicted_change")
"""One of these not finite, and an update was lost or the weights soon will be."""
SILENT = 0.8
"""Share of prompts whose samples all have one reward: the gradient then comes from a fifth of the batch or less."""


def nonfinite(one: OneSeed) -> Evidence | None:
    """A watched number was logged as NaN or infinite; critical where its last row is."""
    lost = {name: found for name in WATCHED if (found := lost_rows(one, name)).rows}
    if not lost:
        return None
    name = min(lost, key=lambda each: lost[each].first)
    first, rows, _, unbroken = lost[name]
    said = f"{name} is not finite from step {first} on" if unbroken else f"{name} was not finite in {rows} rows"
    return Evidence(
        Kind.EXPLODING,
        Severity.CRITICAL if any(found.stays for found in lost.values()) else Severity.WARNING,
        (first, int(one.series[name].steps[-1])),
        {"metrics not finite": float(len(lost)), "rows": float(rows)},
        name,
        f"Numbers stopped being finite: {said}.",
        (
            "logits of -inf at a token that was drawn: a mask or top-k at scoring that the sampler did not have",
            "0 log 0 in an entropy over the vocabulary",
            "gradients that overflow in half precision",
        ),
        (one.say(TokenKnob.RATE, "half of now"), "score with the sampler's temperature and masks"),
    )


def no_signal(one: OneSeed) -> Evidence | None:
    """Nearly all groups have one reward, so that their advantages are 0."""
    steps, silent = one.rows("entropax/groups_without_signal")
    late = in_last_quarter(steps)
    share = float(silent[late].mean()) if len(steps) else 0.0
    if share < SILENT:
        return None
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[late][0]), int(steps[-1])),
        {"prompts without an advantage (%)": 100 * share, "reward": one.late("rollout/ep_rew_mean")},
        "entropax/groups_without_signal",
        f"{number(100 * share)} % of the prompts teach nothing: all their samples have the same reward.",
        (
            "prompts that the model always or never solves",
            "samples that are all alike: look at the entropy",
        ),
        ("filter prompts by their pass rate, or sample until a group differs (DAPO)", "more samples a prompt"),
    )


RULES = (
    Rule("token-nonfinite", nonfinite, ("entropy/nats",), least_rows=0),
    Rule("groups-without-signal", no_signal, ("entropax/groups_without_signal",)),
)
