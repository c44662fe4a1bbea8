"""What the toy shows: from which alpha on does SAC take the wrong way, and what does theory say?"""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import altair as alt
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr

from entropax.envs.toy import START
from entropax.experiments.budget import Budget
from entropax.experiments.charts import SHARE, Rule, line_chart, over_seeds, shares, without_band
from entropax.experiments.findings import Findings, Table, middle_words, numbers_of, undone_words
from entropax.experiments.sweeps import Swept
from entropax.experiments.toy import ALPHAS, LEARNING_RATE, PUBLISHED_ALPHA, Trained
from entropax.experiments.toy_theory import EXACT_CHANGE, GaussianTheory, exact, gaussian, gaussian_change
from entropax.policies import AbstractActor, Actor
from entropax.report.charts import Chart


class ChangeOver(NamedTuple):
    """The alpha at which half of the seeds succeed, with an interval that also holds the distance between alphas."""

    value: float
    low: float
    high: float


def good_way(actors: AbstractActor) -> Float[np.ndarray, " seeds"]:
    """P(a <= 0 | start): the probability of each seed's policy, a tanh-Gaussian, of taking the good way."""
    assert isinstance(actors, Actor)
    start = jnp.asarray(np.eye(6, dtype=np.float32)[START])

    def one(actor: Actor) -> tuple[jax.Array, jax.Array]:
        policy = actor(start)
        return policy.mean[0], policy.log_std[0]

    mean, log_std = jax.vmap(one)(jax.tree.map(jnp.asarray, actors))
    return np.asarray(ndtr(-np.asarray(mean, np.float64) / np.exp(np.asarray(log_std, np.float64))))


def change_over(alphas: Sequence[float], success: Bool[np.ndarray, "alpha seeds"]) -> ChangeOver:
    """Where the share of successful seeds first falls below a half.

    The value is interpolated between the two alphas around it. Each of 2000 resamples of the seeds, the same ones at
    every alpha, gives such two alphas; the interval reaches from the 2.5 % quantile of the lower to the 97.5 % quantile
    of the upper. Before the first alpha the lower one is 0, after the last the upper one is infinite.
    """
    generator, seeds = np.random.default_rng(0), success.shape[1]

    def around(shares: Float[np.ndarray, " alpha"]) -> tuple[float, float, float]:
        edges, known = np.array([0.0, *alphas, np.inf]), np.array([1.0, *shares, 0.0])
        after = int(np.argmax(known < 0.5))
        low, high = edges[after - 1], edges[after]
        fall = (known[after - 1] - 0.5) / (known[after - 1] - known[after])
        return low, low + fall * (high - low) if fall > 0 else low, high  # Nothing of an infinite way is no number.

    drawn = [around(success[:, generator.integers(seeds, size=seeds)].mean(axis=1)) for _ in range(2000)]
    low, high = (np.array([ends[side] for ends in drawn]) for side in (0, 2))
    ends = (float(np.quantile(one, share, method="nearest")) for one, share in ((low, 0.025), (high, 0.975)))
    return ChangeOver(around(success.mean(axis=1))[1], *ends)


def findings(budget: Budget, trained: Trained) -> Findings:
    """Theory beside what was learned."""
    sweep, methods = trained
    every = (*sweep, *(one for name, one in methods.items() if name != "SAC"))
    theory = gaussian(np.linspace(ALPHAS[0], ALPHAS[-1], 81))
    measured = change_over(ALPHAS, np.stack([one.cell.returns >= one.cell.solved for one in sweep]))
    changes = (Rule("exact Boltzmann", EXACT_CHANGE), Rule("tanh-Gaussian", gaussian_change()))
    upright = (*changes, *([Rule("measured", measured.value)] if np.isfinite(measured.value) else []))
    return Findings(
        name="toy",
        title="The toy: from which alpha on does SAC take the wrong way?",
        about=_about(budget),
        sentences=(
            *_change_words(measured),
            *_method_words(methods),
            *_share_words(sweep),
            *undone_words(one.skipped for one in every),
        ),
        tables=(_alpha_table(sweep), outcomes(f"Methods at alpha {PUBLISHED_ALPHA:g}", "method", methods)),
        charts=(*_alpha_charts(sweep, theory, upright), _method_chart(methods)),
        numbers=tuple(
            numbers_of(one.cell, alpha=float(one.cell.alpha[-1, 0]), drawn=one.drawn, good_way=good_way(one.actors))
            for one in every
        ),
    )


def _about(budget: Budget) -> tuple[str, ...]:
    return (
        budget.words(),
        "A seed succeeds if the mean of the last two evaluations of its deterministic policy, "
        f"{budget.episodes} episodes each, is 0 or more; the optimum is 1, the wrong way pays -1.",
        f"Published are 100,000 steps, networks of 32 and 32, a learning rate of {LEARNING_RATE:g}, batches of 256 and "
        "an alpha of 1. Published, too, is a smaller first draw of the head of log sigma (weights times 0.01); here it "
        "is drawn like every other layer. A hundredth of the steps is random, where the authors' are none.",
    )


def _change_words(measured: ChangeOver) -> list[str]:
    low, high = measured.low, measured.high
    if measured.value < ALPHAS[0]:
        return [
            f"Fewer than half of SAC's seeds succeed already at the smallest alpha, {ALPHAS[0]:g}, so these steps are "
            "too few to show where entropy begins to mislead."
        ]
    upper = f"{high:.3g}" if np.isfinite(high) else "beyond the sweep"
    value = f"{measured.value:.3g}" if np.isfinite(measured.value) else f"above {ALPHAS[-1]:g}"
    inside = [
        f"{name} ({at:.3f}) lies {'inside' if low <= at <= high else 'outside'}"
        for name, at in (("tanh-Gaussian", gaussian_change()), ("exact Boltzmann policy", EXACT_CHANGE))
    ]
    return [
        f"Half of SAC's seeds succeed up to an alpha of {value} (95 % [{low:.3g}, {upper}], which holds the distance "
        f"between the alphas that were run).",
        f"The change-over that theory gives for the best {inside[0]} that interval, the one for the {inside[1]}.",
    ]


def _method_words(methods: Mapping[str, Swept]) -> list[str]:
    counts = [f"{name} {one.cell.solved_seeds()} of {one.cell.seeds}" for name, one in methods.items()]
    return [f"At the published alpha of {PUBLISHED_ALPHA:g} there succeed: {', '.join(counts)} seeds."]


def _share_words(sweep: Sequence[Swept]) -> list[str]:
    """How far the learned probabilities of the good way are from those that theory gives the class of policies."""
    learned = np.array([np.median(good_way(one.actors)) for one in sweep])
    error = np.abs(learned - gaussian(np.array(ALPHAS)).good_way)
    worst = int(np.argmax(error))
    return [
        f"The median probability of the good way is {error.mean():.2f} from that of the best tanh-Gaussian on average "
        f"over the alphas, and {error[worst]:.2f} at most (alpha {ALPHAS[worst]:g})."
    ]


def _alpha_table(sweep: Sequence[Swept]) -> Table:
    theory = gaussian(np.array(ALPHAS))
    rows = tuple(
        (
            f"{alpha:g}",
            f"{one.cell.solved_seeds()} of {one.cell.seeds}",
            middle_words(good_way(one.actors)),
            f"{theory.good_way[index]:.3f}",
            f"{exact(alpha).good_way:.3f}",
            middle_words(one.drawn[-2:].mean(axis=0)),
            f"{theory.returns[index]:.3f}",
            f"{exact(alpha).returns:.3f}",
        )
        for index, (alpha, one) in enumerate(zip(ALPHAS, sweep, strict=True))
    )
    heads = ("alpha", "seeds that succeed", "P(good way)", "tanh-Gaussian", "exact", "return", "tanh-Gaussian", "exact")
    note = (
        "P(good way) and the return of drawn actions are interquartile means over seeds with 95 % bootstrap intervals; "
        "beside them what the MaxEnt-optimal tanh-Gaussian and the MaxEnt-optimal policy of all have."
    )
    return Table("SAC by alpha", heads, rows, note)


def outcomes(title: str, kind: str, by_name: Mapping[str, Swept]) -> Table:
    """Success, returns and the probability of the good way, a row a name; `kind` is what is named."""
    rows = tuple(
        (
            name,
            f"{one.cell.solved_seeds()} of {one.cell.seeds}",
            middle_words(one.cell.returns),
            middle_words(one.drawn[-2:].mean(axis=0)),
            middle_words(good_way(one.actors)),
        )
        for name, one in by_name.items()
    )
    heads = (kind, "seeds that succeed", "return, deterministic", "return, drawn", "P(good way)")
    return Table(title, heads, rows, "Interquartile means over seeds with 95 % bootstrap intervals.")


def _alpha_charts(sweep: Sequence[Swept], theory: GaussianTheory, upright: Sequence[Rule]) -> list[Chart]:
    of_all = [exact(alpha) for alpha in theory.alphas]
    draw = functools.partial(
        line_chart, x=alt.X("x:Q", title="alpha", scale=alt.Scale(nice=False, zero=False)), upright=upright
    )
    curve = functools.partial(without_band, x=theory.alphas.tolist())
    success = np.stack([one.cell.returns >= one.cell.solved for one in sweep])
    return [
        draw(
            "good-way",
            "Probability of the good way",
            "SAC: interquartile mean over seeds with its 95 % bootstrap interval. Upright: the changes of side.",
            [
                over_seeds("SAC", ALPHAS, np.stack([good_way(one.actors) for one in sweep])),
                curve("best tanh-Gaussian", values=theory.good_way),
                curve("exact Boltzmann", values=np.array([one.good_way for one in of_all])),
            ],
            y="P(a <= 0) at the start",
            scale=SHARE,
        ),
        draw(
            "success",
            "Share of seeds whose deterministic policy succeeds",
            "With Wilson's 95 % interval. The measured change-over is where it falls below a half.",
            [shares("SAC", ALPHAS, success)],
            y="share of seeds",
            scale=SHARE,
        ),
        draw(
            "return",
            "Return of drawn actions",
            "SAC: interquartile mean over seeds with its 95 % bootstrap interval.",
            [
                over_seeds("SAC", ALPHAS, np.stack([one.drawn[-2:].mean(axis=0) for one in sweep])),
                curve("best tanh-Gaussian", values=theory.returns),
                curve("exact Boltzmann", values=np.array([one.returns for one in of_all])),
            ],
            y="episode return",
        ),
    ]


def _method_chart(methods: Mapping[str, Swept]) -> Chart:
    lines = [over_seeds(name, one.cell.evaluation_steps.tolist(), one.drawn) for name, one in methods.items()]
    return line_chart(
        "methods",
        f"Methods at alpha {PUBLISHED_ALPHA:g}",
        "Return of drawn actions on the way: interquartile mean over seeds with its 95 % bootstrap interval.",
        lines,
        x=alt.X("x:Q", title="steps per seed", scale=alt.Scale(nice=False, zero=False)),
        y="episode return",
        level=(Rule("optimum", 1.0), Rule("the wrong way", -1.0)),
    )
