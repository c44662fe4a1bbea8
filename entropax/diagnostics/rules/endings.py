"""How episodes end: terminations and time limits that have changed places."""

import numpy as np

from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import number

LEAST_EPISODES = 10
"""Episodes whose lengths are compared."""
LEAST_LENGTH = 10
"""Steps of an episode that may be a time limit: tasks of a step or two do end at the same step each time."""


def swapped(one: OneSeed) -> Evidence | None:
    """All episodes terminate at one and the same length; or all are cut short, at different ones.

    A time limit always comes at the same step, and the end of a task hardly ever, unless it is known to.
    """
    steps, episodes = one.rows("rollout/episodes")
    _, terminations = one.rows("rollout/terminations")
    _, lengths = one.rows("rollout/ep_len_mean")
    count, ended = float(episodes.sum()), float(terminations.sum())
    if count < LEAST_EPISODES or not len(lengths):
        return None
    equal = bool(np.ptp(lengths) == 0)
    if ended == count and equal and lengths[0] >= LEAST_LENGTH and lengths[0] != one.facts.task_length:
        said = f"all {number(count)} episodes terminated at step {number(float(lengths[0]))}, as a time limit would"
        effect = "the value of what comes after is cut off there, in states that look like any other"
    elif ended == 0 and not equal:
        said = f"no episode terminated, yet they last {number(float(lengths.min()))} to {number(float(lengths.max()))} "
        said += "steps, as no time limit would"
        effect = "the critics are told that the value goes on after what may be the end of the task"
    else:
        return None
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[0]), int(steps[-1])),
        {
            "episodes": count,
            "terminations": ended,
            "shortest mean episode (steps)": float(lengths.min()),
            "longest mean episode (steps)": float(lengths.max()),
        },
        "rollout/ep_len_mean",
        f"Termination and time limit may have changed places: {said}; {effect}.",
        (
            "an environment that returns `terminated` at its time limit, or `truncated` at the end of a task",
            "an old interface whose single `done` was read as one of the two",
            "a task of a fixed length, or a wrapper that cuts episodes early on purpose: then all is right",
        ),
        (
            "return terminated=False, truncated=True at the time limit, and the reverse where the task is over",
            "for a task that does end at a fixed step, show the policy the time that is left",
        ),
    )


RULES = (Rule("episode-ends", swapped, ("rollout/terminations", "rollout/episodes", "rollout/ep_len_mean")),)
