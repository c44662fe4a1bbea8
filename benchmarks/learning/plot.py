"""Draws the learning curves in `results/`: interquartile mean over seeds with a 95 % bootstrap interval.

python benchmarks/learning/plot.py        writes results/learning.svg and .png, prints the final table
"""

import argparse
import json
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import tasks
from scipy import stats

LABELS = {"entropax": "Entropax", "sbx": "SBX"}
COLOURS = {
    "Entropax": "#0072b2",
    "SBX": "#d55e00",
    "Entropax, TD3": "#009e73",
    "Entropax, DDPG": "#cc79a7",
    "Entropax, SAC-LITE": "#e69f00",
    "Entropax, SAC-ADAENT": "#882255",
    "Entropax, DECOMPOSED-SAC": "#56b4e9",
    "Entropax, META-SAC": "#999999",
    "Entropax, MAX-INFO-SAC": "#117733",
    "Entropax, SOFT-Q": "#000000",
    "Entropax, PPO": "#e69f00",
    "Entropax, PPO-CLIPPED": "#56b4e9",
    "Entropax, A2C": "#999999",
    "Entropax, A2C-BARE": "#000000",
    "Entropax, DISCRETE-SAC": "#332288",
    "Entropax, DISCRETE-SAC-0.89": "#88ccee",
    "Entropax, DQN": "#117733",
    "Entropax, DQN-HUBER": "#661100",
    "Entropax, DQN-DOUBLE-DUELING": "#44aa99",
    "Entropax, DQN-BOLTZMANN": "#aa4499",
    "Entropax, DQN-NOISY": "#ddcc77",
    "Entropax, DQN-ZOO": "#999933",
}


def interquartile_mean(returns: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of the middle half of the seeds."""
    return stats.trim_mean(returns, 0.25, axis=axis)


def summary(returns: np.ndarray) -> tuple[float, float, float]:
    """Interquartile mean of `[seeds]` returns and its 95 % percentile-bootstrap interval over seeds."""
    middle = float(interquartile_mean(returns))
    if len(returns) < 2 or np.ptp(returns) == 0:
        return middle, middle, middle
    interval = stats.bootstrap(
        (returns,), interquartile_mean, n_resamples=5_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return middle, float(interval.low), float(interval.high)


def rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per evaluation that all of the finished seeds have."""
    seeds = list(result["seeds"].values())
    steps = seeds[0]["steps"]
    if any(seed["steps"] != steps for seed in seeds):
        raise ValueError(
            f"{result['library']} on {result['env']}: seeds were evaluated at different steps; run it anew."
        )
    found = []
    for index, step in enumerate(steps):
        middle, low, high = summary(np.array([seed["returns"][index] for seed in seeds]))
        # Results from before there was another algorithm do not name it.
        algorithm = result.get("algorithm", "sac")
        name = LABELS[result["library"]] + ("" if algorithm == "sac" else f", {algorithm.upper()}")
        task = f"{result['env']} ({len(seeds)} seeds, {steps[-1]:,.0f} steps)"
        found.append({"library": name, "task": task, "step": step, "return": middle, "low": low, "high": high})
    return found


def main() -> None:
    """Draws a panel for each environment and budget, and prints the last point of each curve as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=tasks.RESULTS, help="folder of the result files")
    folder = parser.parse_args().results
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*--*.json"))]
    if not results:
        raise SystemExit(f"No results in {folder}. Run benchmarks/learning/run.py first.")
    data = [row for result in results for row in rows(result)]
    there = {row["library"] for row in data}
    shown = {name: colour for name, colour in COLOURS.items() if name in there}
    colour = alt.Color("library:N", title=None, scale=alt.Scale(domain=list(shown), range=list(shown.values())))
    panels = []
    for task in dict.fromkeys(row["task"] for row in data):
        base = alt.Chart(alt.Data(values=[row for row in data if row["task"] == task])).encode(
            x=alt.X("step:Q", title="environment steps per seed"), color=colour
        )
        band = base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title="return"), y2="high:Q")
        panels.append((band + base.mark_line().encode(y="return:Q")).properties(title=task, width=300, height=200))
    chart = alt.concat(
        *panels, columns=2, title="Interquartile mean over seeds, 95 % bootstrap interval; SAC where no other is named"
    )
    for suffix, options in (("svg", {}), ("png", {"ppi": 144})):
        chart.save(folder / f"learning.{suffix}", **options)
    print("| task | library | steps | return: interquartile mean (95 % interval) |\n| --- | --- | --- | --- |")
    for task, name in dict.fromkeys((row["task"], row["library"]) for row in data):
        last = [row for row in data if (row["task"], row["library"]) == (task, name)][-1]
        spread = f"{last['return']:,.0f} ({last['low']:,.0f} to {last['high']:,.0f})"
        print(f"| {task} | {name} | {last['step']:,.0f} | {spread} |")


if __name__ == "__main__":
    main()
