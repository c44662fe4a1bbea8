"""PPO and A2C among discrete actions: cart-pole against published returns, and two tasks that ask for exploration.

python benchmarks/learning/choosing.py            all that results/choosing.json lacks, then the table
python benchmarks/learning/choosing.py --table    the table alone
"""

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tasks
from scipy import stats

import entropax
from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.registry import TASKS
from entropax.runs import to_config

PATH = tasks.RESULTS / "choosing.json"
ZOO_PPO = entropax.PPO(
    discount=0.98, gae_lambda=0.8, learning_rate=1e-3, num_steps=32, epochs=20, minibatches=1, entropy_coefficient=0.0
)
"""As the RL Zoo tunes it on CartPole-v1 (eight copies), but for its clip, which falls to 0 as its rate does."""
CLEANRL_PPO = entropax.PPO(learning_rate=2.5e-4, num_steps=128, epochs=4, minibatches=4, entropy_coefficient=0.01)
"""CleanRL's `ppo.py` (four copies), but for its clipped loss of the critic."""
EXPLORING_PPO = entropax.PPO(learning_rate=2.5e-4, num_steps=128, epochs=4, minibatches=4)
"""CleanRL's again, on eight copies; the weight of its bonus varies."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A setting on a task, for some seeds."""

    env: str
    algorithm: AbstractAlgorithm
    copies: int
    steps: int
    seeds: int = 8


def exploring(task: str, weight: float) -> Case:
    """PPO with a bonus of this weight on a task that asks for exploration."""
    bonus = dataclasses.replace(EXPLORING_PPO, entropy_coefficient=weight)
    return Case(f"entropax/{task}-v0", bonus, 8, 102_400, 10)


def annealed(algorithm: AbstractAlgorithm) -> AbstractAlgorithm:
    """The same, its rate falling to 0 over the run, as in the RL Zoo's PPO and CleanRL's."""
    return dataclasses.replace(algorithm, annealing=entropax.LinearToZero())


CASES = {
    "PPO, as the RL Zoo's": Case("entropax/CartPole-v0", ZOO_PPO, 8, 100_000),
    "PPO, as CleanRL's": Case("entropax/CartPole-v0", CLEANRL_PPO, 4, 500_000),
    "A2C, as the RL Zoo's": Case("entropax/CartPole-v0", entropax.A2C(), 8, 500_000),
    "PPO, as the RL Zoo's, rate to 0": Case("entropax/CartPole-v0", annealed(ZOO_PPO), 8, 100_000),
    "PPO, as CleanRL's, rate to 0": Case("entropax/CartPole-v0", annealed(CLEANRL_PPO), 4, 500_000),
    "A2C, as the RL Zoo's, rate to 0": Case("entropax/CartPole-v0", annealed(entropax.A2C()), 8, 500_000),
    **{
        f"PPO, bonus {weight:g}, {task}": exploring(task, weight)
        for task in ("DeepSea10", "Gridworld")
        for weight in (0.0, 0.01, 0.1, 1.0)
    },
}


def learn(case: Case) -> dict[str, Any]:
    """Steps of ten evaluations, their returns `[evaluation][seed]`, and how the run was made."""
    training = entropax.Training(
        steps=case.steps,
        num_envs=case.copies,
        warmup=0,
        log_every=case.steps // 10,
        evaluate_every=case.steps // 10,
        evaluation_episodes=tasks.EPISODES,
        checkpoint_every=case.steps,
    ).fed_by(case.algorithm.data())
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as root:
        run = entropax.fit(case.algorithm, case.env, training, seeds=case.seeds, root=root, progress=False)
        steps, returns = run.metrics.series("eval/mean_reward")
        _, nats = run.metrics.series("entropy/nats")
    return {
        "env": case.env,
        "algorithm": to_config(case.algorithm),
        "copies": case.copies,
        "steps": steps.tolist(),
        "returns": np.round(returns.astype(float), 3).tolist(),
        "entropy_at_the_end": np.round(nats[-1].astype(float), 4).tolist(),
        "seconds": round(time.perf_counter() - began, 1),
    }


def line(name: str, result: dict[str, Any]) -> str:
    """A row of the table: the last evaluation's interquartile mean, range, and share of seeds that solve the task."""
    last, solved = np.array(result["returns"][-1]), TASKS[result["env"]].solved
    middle = stats.trim_mean(last, 0.25)
    share = f"{int(np.sum(last >= solved))} of {len(last)}"
    steps, entropy = f"{result['steps'][-1]:,}", np.mean(result["entropy_at_the_end"])
    spread = f"{last.min():.3g} to {last.max():.3g}"
    return f"| {name} | {result['env']} | {steps} | {middle:.3g} | {spread} | {share} | {entropy:.2f} |"


def main() -> None:
    """Runs what is not there, one case after the other, and prints all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="run nothing")
    alone = parser.parse_args().table
    found: dict[str, Any] = json.loads(PATH.read_text()) if PATH.exists() else {"cases": {}}
    for name in () if alone else CASES:
        if name not in found["cases"]:
            found["cases"][name] = learn(CASES[name])
            header = {
                "command": f"python benchmarks/learning/{Path(__file__).name}",
                "evaluation": f"mean return of {tasks.EPISODES} deterministic episodes",
                "versions": tasks.versions("entropax", "jax", "equinox", "optax", "gymnasium", "numpy"),
            }
            tasks.write(PATH, {**header, "cases": found["cases"]})
    print(
        "| setting | task | steps | return, IQM | range | solved | nats |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for name, result in found["cases"].items():
        print(line(name, result))


if __name__ == "__main__":
    main()
