"""What each command does: a dataclass of its flags, and a function."""

import contextlib
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import tyro

from entropax.algorithms.base import AbstractAlgorithm
from entropax.cli.baselines import host_environment
from entropax.cli.diagnose import announce_attribution
from entropax.envs.listing import action_text, available
from entropax.errors import EntropaxError
from entropax.exploration import Exploration
from entropax.loops.fit import fit
from entropax.loops.fit import resume as resume_run
from entropax.loops.host_lane import run_episodes
from entropax.loops.run import POLICY, Run, check_spec, environment_id, load, save_policy
from entropax.loops.training import Training
from entropax.networks import HostFunction
from entropax.policies import HostPolicy
from entropax.runs import read_policy_description

Algorithm = TypeVar("Algorithm")


@dataclasses.dataclass
class Train(Generic[Algorithm]):
    """Train an algorithm into a new run folder."""

    env: str
    """Environment id: one of `entropax envs`, or any Gymnasium id whose actions suit the algorithm."""
    training: Annotated[Training, tyro.conf.OmitArgPrefixes]
    """Counts of steps, and what to do when numbers break."""
    algorithm: Algorithm
    """The algorithm's settings."""
    exploration: Exploration
    """Noise on the actions, and rewards of the learner's own."""
    seeds: int = 1
    """Number of seeds, trained beside one another."""
    root: Path = Path("runs")
    """Folder in which the run's folder is made."""


def train(flags: Any) -> None:
    """Trains, then prints the verdict."""
    algorithm: AbstractAlgorithm[Any] = flags.algorithm
    run = fit(algorithm, flags.env, flags.training, seeds=flags.seeds, root=flags.root, exploration=flags.exploration)
    _conclude(run)


def _conclude(run: Run) -> None:
    from entropax.report import read_run

    print(read_run(run.path).verdict.line())
    print(f"run     {run.path}\nreport  entropax report {shlex.quote(str(run.path))}")


@dataclasses.dataclass
class Resume:
    """Go on with a run from its newest checkpoint to its last step."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""


def resume(flags: Resume) -> None:
    """Resumes, then prints the verdict."""
    _conclude(resume_run(flags.run))


@dataclasses.dataclass
class Evaluate:
    """Run whole episodes of a trained policy and print their returns."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    episodes: int = 10
    """Episodes per seed."""
    stochastic: bool = False
    """Draw actions from the policy, where the default takes its mode."""
    seed: int = 0
    """Seed of the first episode's start."""


def evaluate(flags: Evaluate) -> None:
    """Evaluates each seed's policy on the run's environment."""
    if flags.episodes < 1:
        raise EntropaxError(f"--episodes is {flags.episodes}: there is nothing to average. Use 1 or more.")
    if flags.seed < 0:
        raise EntropaxError(f"--seed is {flags.seed}, but seeds begin at 0. Use 0 or more.")
    run = load(flags.run)
    id = environment_id(run, "evaluate")
    policies = [run.host_policy(position) for position in range(len(run.manifest.seeds))]
    generator = np.random.default_rng(flags.seed)
    with contextlib.closing(host_environment(id)) as environment:
        check_spec(run, environment.spec)
        print("seed  episodes  return mean  return std  length mean")
        for seed, policy in zip(run.manifest.seeds, policies, strict=True):
            act = _sampling(policy, generator) if flags.stochastic else policy.mode
            returns, lengths = run_episodes(environment, act, flags.episodes, flags.seed)
            mean, std = np.mean(returns), np.std(returns)
            print(f"{seed:>4}  {len(returns):>8}  {mean:>11.2f}  {std:>10.2f}  {np.mean(lengths):>11.1f}")


def _sampling(policy: HostPolicy, generator: np.random.Generator) -> HostFunction:
    return lambda observations: policy.sample(observations, generator)


@dataclasses.dataclass
class Report:
    """Write one self-contained HTML page about one run or several."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """The runs' folders."""
    output: Path | None = None
    """The file to write; by default report.html in the first run's folder."""


def report(flags: Report) -> None:
    """Writes the page and prints the verdicts and the path."""
    from entropax.report import read_run, write_report

    for path in flags.runs:
        print(f"{path}: {read_run(path).verdict.line()}")
    if len(flags.runs) == 1:
        announce_attribution(flags.runs)
    print(write_report(flags.runs, flags.output, command=shlex.join(["entropax", *sys.argv[1:]])))


@dataclasses.dataclass
class Envs:
    """List the environments that can be trained on."""


def envs(flags: Envs) -> None:
    """Prints a line an environment: id, backend, action bounds, description."""
    del flags
    for entry in available():
        print(f"{entry.id:<44} {entry.backend:<10} {action_text(entry.action):<18} {entry.description}")


@dataclasses.dataclass
class Export:
    """Write a run's newest policies to one safetensors file, with what is needed to use them."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    output: tyro.conf.Positional[Path]
    """The file to write."""


def export(flags: Export) -> None:
    """Copies the policies out of the run."""
    run = load(flags.run)
    if flags.output.suffix != ".safetensors":
        raise EntropaxError(f"{flags.output} does not end in .safetensors, the only format written. Name it so.")
    save_policy(flags.output, run.actors, run.manifest, read_policy_description(run.path / POLICY)["step"])
    print(flags.output)
