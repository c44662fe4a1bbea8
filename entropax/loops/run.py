"""A run on disk, as an object: its policy, its metrics, its verdict."""

import dataclasses
import functools
import shlex
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.exploration import PLAIN, Exploration
from entropax.loops.training import Training
from entropax.policies import AbstractActor, HostPolicy
from entropax.runs import (
    MetricsTable,
    RunManifest,
    export_policy,
    from_config,
    load_policy,
    read_manifest,
    read_metrics,
)
from entropax.types import Bounds, Categories, Spec

POLICY = "policy.safetensors"
"""The newest policies of all seeds, in the run folder."""


def _rebuilt(config: dict[str, Any], kind: type[Any]) -> Any:
    """What a configuration of run.json describes.

    Raises:
        EntropaxError: it is of another kind, or cannot be rebuilt.
    """
    found = from_config(config)
    if not isinstance(found, kind):
        raise EntropaxError(
            f"run.json has a {type(found).__name__} in the place of a {kind.__name__}. Restore it from a backup."
        )
    return found


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """A specification as a manifest holds it."""
    if isinstance(spec.action, Categories):
        action = {"kind": "categories", "size": spec.action.count}
    else:
        action = {"kind": "bounds", "low": list(spec.action.low), "high": list(spec.action.high)}
    one_hot = {"one_hot": True} if spec.one_hot else {}
    return {"observation_size": spec.observation_size, "action": action, **one_hot}


def spec_from_json(content: dict[str, Any]) -> Spec:
    """The specification that a manifest holds.

    Raises:
        EntropaxError: it is none.
    """

    def whole(value: Any, least: int) -> int:
        if type(value) is not int or value < least:
            raise ValueError(f"{value!r} is no whole number of {least} or more")
        return value

    try:
        action, one_hot = content["action"], content.get("one_hot", False)
        size = whole(content["observation_size"], 0)
        if action["kind"] == "categories":
            return Spec(size, Categories(whole(action["size"], 1)), one_hot)
        low, high = tuple(action["low"]), tuple(action["high"])
        if len(low) != len(high) or not {float, int} >= {type(end) for end in low + high}:
            raise ValueError("low and high are no numbers, as many of the one as of the other")
        return Spec(size, Bounds(low, high), one_hot)
    except (KeyError, TypeError, ValueError) as cause:
        raise EntropaxError(
            f"run.json says of the environment {content!r}, which is no specification ({cause}). Restore it from a "
            "backup."
        ) from cause


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained or training run. `fit` and `load` return one."""

    path: Path
    manifest: RunManifest

    @property
    def algorithm(self) -> AbstractAlgorithm[Any]:
        """The algorithm with its settings."""
        return _rebuilt(self.manifest.algorithm, AbstractAlgorithm)

    @property
    def training(self) -> Training:
        """The loop's settings."""
        return _rebuilt(self.manifest.training, Training)

    @property
    def exploration(self) -> Exploration:
        """Noise and bonus that it explored with."""
        return PLAIN if self.manifest.exploration is None else _rebuilt(self.manifest.exploration, Exploration)

    @property
    def spec(self) -> Spec:
        """Sizes and actions of the environment."""
        return spec_from_json(self.manifest.spec)

    @property
    def metrics(self) -> MetricsTable:
        """All rows logged so far."""
        return read_metrics(self.path)

    @functools.cached_property
    def actors(self) -> AbstractActor:
        """The newest policies in NumPy, leaves `[seeds, ...]`.

        Raises:
            EntropaxError: the run has not saved a policy yet.
        """
        if not (self.path / POLICY).exists():
            raise EntropaxError(
                f"{self.path} has no {POLICY}: the run ended before its first checkpoint, or another library keeps its "
                "policy. Start it again, or set --checkpoint-every lower; or use that library."
            )
        return load_policy(self.path / POLICY, actors_like(self.algorithm, self.spec, len(self.manifest.seeds)))[0]

    def actor(self, seed: int = 0) -> AbstractActor:
        """The policy of the seed at this position among the run's seeds, in NumPy."""
        count = len(self.manifest.seeds)
        if not 0 <= seed < count:
            raise EntropaxError(f"{self.path} has {count} seeds; seed {seed} is not among 0 to {count - 1}.")
        return jax.tree.map(lambda leaf: np.asarray(leaf)[seed], self.actors)

    def host_policy(self, seed: int = 0) -> HostPolicy:
        """The same policy as functions of NumPy batches, made once."""
        if seed not in self._host_policies:
            self._host_policies[seed] = self.actor(seed).on_host()
        return self._host_policies[seed]

    @functools.cached_property
    def _host_policies(self) -> dict[int, HostPolicy]:
        return {}

    def policy(self, observation: np.ndarray, *, seed: int = 0) -> np.ndarray:
        """The deterministic action in the environment's units, for one observation or a batch of them.

        Of a finite set of actions its index, counted from 0: an environment whose `Discrete` begins elsewhere, or that
        has a `MultiDiscrete` or a box of more than one axis, takes `taker(env.action_space)` of a batch of them
        (`entropax.envs.gymnasium_adapter`). An observation of a `Discrete` is passed one-hot.
        """
        observation = np.asarray(observation, np.float32)
        if observation.shape[-1:] != (self.spec.observation_size,):
            raise EntropaxError(
                f"The observation has shape {observation.shape}, but this policy was trained on vectors of "
                f"{self.spec.observation_size}. Flatten it as training did (gymnasium.spaces.utils.flatten)."
            )
        flat = observation.reshape(-1, self.spec.observation_size)
        actions = self.spec.action.to_environment(self.host_policy(seed).mode(flat))
        return actions.reshape((*observation.shape[:-1], *actions.shape[1:]))


def actors_like(algorithm: AbstractAlgorithm[Any], spec: Spec, seeds: int) -> AbstractActor:
    """Shapes of the actors of so many seeds."""
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), seeds))
    return jax.eval_shape(jax.vmap(lambda key: algorithm.actor(algorithm.init(spec, key=key))), keys)


def environment_id(run: Run, wanted: str) -> str:
    """The id of a run's environment, which makes it again; `wanted` is what for, for the message.

    Raises:
        EntropaxError: the run was given a function or an environment in JAX itself.
    """
    id = run.manifest.environment.get("id")
    if not isinstance(id, str):
        raise EntropaxError(f"{run.path / 'run.json'} names no environment. Restore it from a backup.")
    # Runs of before this entry do not say.
    if run.manifest.environment.get("by_id", True):
        return id
    raise EntropaxError(
        f"Cannot {wanted} {run.path} by itself: its environment was no id but {id}, which "
        "only the program that made it can make again. There, call "
        f"entropax.resume({str(run.path)!r}, environment=...), or entropax.load(...).policy(observation); or register "
        "it, and train on its id."
    )


def check_spec(run: Run, spec: Spec) -> None:
    """Refuses an environment whose observations or actions are not those that a run was trained on.

    Raises:
        EntropaxError: the sizes or the bounds differ.
    """
    was, now = ((one.observation_size, one.action) for one in (run.spec, spec))
    if was != now:
        raise EntropaxError(
            f"{run.path} was trained on {was[0]} observation entries and actions {was[1]}, but the environment has "
            f"{now[0]} and {now[1]}. Use the same one, in the versions that run.json names."
        )


def way_on(run: Run) -> str:
    """What a person types to go on with a run that has a checkpoint."""
    if run.manifest.environment.get("by_id", True):
        return f"entropax resume {shlex.quote(str(run.path))}"
    return f"entropax.resume({str(run.path)!r}, environment=...), in Python, with the environment it had"


def save_policy(path: Path, actors: PyTree, manifest: RunManifest, step: int) -> None:
    """Writes policies, arrays with the key paths that an actor's have, with all that is needed to use them."""
    description = {
        "algorithm": manifest.algorithm,
        "spec": manifest.spec,
        "environment": manifest.environment,
        "seeds": list(manifest.seeds),
        "step": step,
    }
    export_policy(path, actors, description)


def load(path: str | Path) -> Run:
    """Opens a run folder.

    Raises:
        EntropaxError: there is no run, or a newer version wrote it.
    """
    return Run(Path(path), read_manifest(Path(path)))
