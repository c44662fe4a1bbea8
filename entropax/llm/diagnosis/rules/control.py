"""Controllers that have come to the end of their range, wind up, push without effect, or miss their target."""

import math
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.dialects import TokenKnob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed, holds_since
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_half, in_last_quarter, number
from entropax.llm.diagnosis.change import Saturation, saturation
from entropax.llm.diagnosis.rules.entropy import TARGET_SLACK, VOCABULARY
from entropax.llm.diagnosis.rules.entropy import read as read_entropy

WOUND = 5
"""Rows at an end after the entropy has crossed its target: a law that is not wound up leaves it at the next one."""
GROWTH = 1.5
"""Factor of the knob over the last half: one to which a law adds the same at every step from the first on doubles."""
ONE_WAY = 0.9
"""Share of the last half's rows in which such a knob moves the same way."""


class Control(NamedTuple):
    """Rows that have a knob, an entropy and a target."""

    steps: np.ndarray
    knob: np.ndarray
    slack: np.ndarray
    """H - target, nats a token."""
    goal: float
    ends: Saturation


def read(one: OneSeed) -> Control | None:
    """Reads a seed's controller; None where it has too few rows in common with the slack."""
    steps, knob = one.rows("entropax/knob")
    at, slack = one.rows("entropy/slack")
    _, target = one.rows("entropy/target")
    both, mine, theirs = np.intersect1d(steps, at, return_indices=True)
    if not len(both) or not len(target) or not target[-1] > 0:
        return None
    knob, slack = knob[mine], slack[theirs]
    ends = saturation(knob, slack, one.late("entropax/knob_least"), one.late("entropax/knob_most"))
    return Control(both, knob, slack, float(target[-1]), ends)


def _numbers(seen: Control) -> dict[str, float]:
    late = in_last_quarter(seen.steps)
    return {
        "knob": float(seen.knob[late].mean()),
        "entropy less target (nats per token)": float(seen.slack[late].mean()),
        "rows at an end (%)": 100 * float((seen.ends.at_least | seen.ends.at_most).mean()),
    }


def saturated(one: OneSeed) -> Evidence | None:
    """The knob has been at its upper end for a quarter of the run, and the entropy is under its target."""
    seen = read(one)
    if seen is None:
        return None
    late = in_last_quarter(seen.steps)
    since = holds_since(seen.steps, seen.ends.at_most)
    if since is None or since > seen.steps[late][0] or not seen.slack[late].mean() < -TARGET_SLACK * seen.goal:
        return None
    return Evidence(
        Kind.TARGET_NOT_REACHED,
        Severity.WARNING,
        (since, int(seen.steps[-1])),
        _numbers(seen),
        "entropax/knob",
        f"The knob has been at the end of its range, {number(float(seen.knob[-1]))}, since step {since}, and the "
        f"entropy is {number(-float(seen.slack[late].mean()))} nats a token under its target.",
        (
            "a range that ends before the knob has its effect",
            "a knob that does not move this entropy: see inert-method",
        ),
        (one.say(TokenKnob.BONUS_MAXIMUM, number(3 * float(seen.knob[-1]))), "a target nearer to the entropy seen"),
    )


def wound_up(one: OneSeed) -> Evidence | None:
    """The knob stays at an end long after the entropy has crossed the target."""
    seen = read(one)
    if seen is None or seen.ends.overhang < max(WOUND, 0.05 * len(seen.steps)) or _rests(seen):
        return None
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(seen.steps[0]), int(seen.steps[-1])),
        _numbers(seen) | {"rows at an end after the target was crossed": float(seen.ends.overhang)},
        "entropax/knob",
        f"The controller winds up: for {seen.ends.overhang} rows in a row its knob stayed at an end although the "
        "entropy had crossed the target and asked it to leave.",
        ("an integral that went on growing while the knob could not move", "a response that is slower than the law"),
        ("a law with anti-windup", "a smaller integral gain"),
    )


def _rests(seen: Control) -> bool:
    """Whether the knob never left the end it stays at: then nothing moves it, and nothing was wound up."""
    return bool(np.ptp(seen.knob) == 0)


def without_effect(one: OneSeed) -> Evidence | None:
    """The knob goes on growing while the entropy stays under its target and does not answer."""
    seen = read(one)
    if seen is None:
        return None
    half = in_last_half(seen.steps)
    knob, slack = seen.knob[half], seen.slack[half]
    if len(knob) < 8 or not slack.max() < -TARGET_SLACK * seen.goal or not knob[0] > 0:
        return None
    growing = float(np.mean(np.diff(knob) > 0)) >= ONE_WAY and knob[-1] >= GROWTH * knob[0]
    quarter = max(len(slack) // 4, 1)
    answer = float(slack[-quarter:].mean() - slack[:quarter].mean())
    if not growing or answer > -float(slack.mean()) / 4:
        return None
    return Evidence(
        Kind.EXPLODING,
        Severity.CRITICAL,
        (int(seen.steps[half][0]), int(seen.steps[-1])),
        _numbers(seen) | {"growth over the last half (factor)": float(knob[-1] / knob[0])},
        "entropax/knob",
        f"The knob runs away: it has grown {number(float(knob[-1] / knob[0]))}-fold over the last half, the entropy "
        f"stays {number(-float(slack.mean()))} nats a token under its target and does not answer.",
        (
            "a knob that has no effect in this trainer: a bonus on an entropy without gradient, a clip on-policy",
            "a law that moves the knob in steps too small for its effect, so that it is far off when that comes",
        ),
        (
            one.say(TokenKnob.BONUS_MAXIMUM, number(float(np.median(knob)))),
            "another actuator, such as ScoreBonus's beta",
        ),
    )


def missed(one: OneSeed) -> Evidence | None:
    """The entropy is under its target; or above it, and the knob, not at rest at its lower end, keeps it there."""
    steps, slack = one.rows("entropy/slack")
    _, target = one.rows("entropy/target")
    if not len(steps) or not len(target):
        return None
    late = in_last_quarter(steps)
    miss, goal = float(slack[late].mean()), float(target[-1])
    seen = read(one)
    driven = seen is not None and not seen.ends.at_least[in_last_quarter(seen.steps)].all() and not _rests(seen)
    if not goal > 0 or not (miss < -TARGET_SLACK * goal or (driven and miss > goal)):
        return None
    since = holds_since(steps, np.abs(slack) > TARGET_SLACK * goal)
    knob, side = one.late("entropax/knob"), "under" if miss < 0 else "above"
    return Evidence(
        Kind.TARGET_NOT_REACHED,
        Severity.WARNING,
        (int(steps[0]) if since is None else since, int(steps[-1])),
        {"entropy less target (nats per token)": miss, "target (nats per token)": goal, "knob": knob},
        "entropy/slack",
        f"The entropy is {number(abs(miss))} nats a token {side} its target of {number(goal)}.",
        (
            "a knob that was moved too slowly for the run",
            "a target that this actuator cannot hold: a share of the tokens, or of the batch, that is too small",
        ),
        (
            *((one.say(TokenKnob.BONUS, number(knob * 3)),) if miss < 0 and math.isfinite(knob) and knob > 0 else ()),
            "a target nearer to the entropy seen",
        ),
    )


def out_of_reach(one: OneSeed) -> Evidence | None:
    """The target is no less than the uniform policy's entropy."""
    steps, target = one.rows("entropy/target")
    size, seen = one.late(VOCABULARY), read_entropy(one)
    if not len(target) or not size > 1 or target[-1] < math.log(size):
        return None
    goal, largest = float(target[-1]), math.log(size)
    return Evidence(
        Kind.TARGET_NOT_REACHED,
        Severity.CRITICAL,
        (int(steps[0]), int(steps[-1])),
        {"target (nats per token)": goal, "largest possible (nats per token)": largest},
        "entropy/target",
        f"The target of {number(goal)} nats a token is out of reach: of {size:.0f} tokens the uniform policy has "
        f"{number(largest)}, and no finite coefficient holds that. Nothing ever stops the knob.",
        ("a target in bits, or of a whole completion", "a target meant for a larger vocabulary"),
        (one.say(TokenKnob.TARGET, number(0.4 * seen.start)) + ", 0.4 of the entropy at the start",) if seen else (),
    )


_NEEDS = ("entropax/knob", "entropy/slack")
_OF_REACH = ("token-target-missed", "knob-saturated", "knob-runaway")
RULES = (
    Rule("token-target-unreachable", out_of_reach, ("entropy/target", VOCABULARY), silences=_OF_REACH),
    Rule("knob-runaway", without_effect, _NEEDS, silences=("token-target-missed", "knob-saturated")),
    Rule("knob-saturated", saturated, _NEEDS, silences=("token-target-missed",)),
    Rule("knob-winding", wound_up, _NEEDS),
    Rule("token-target-missed", missed, ("entropy/slack",)),
)
