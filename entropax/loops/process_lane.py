"""Seeds in a process of their own: the lane that a driver holds, which has the one in its child do the work.

A child is a Python of its own on one core, with one XLA device and one thread of NumPy's, and knows its work from the
configurations that a run's manifest holds. It is sent stretches of rounds and is always one ahead, so that it waits for
nobody but at a row of metrics.
"""

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium
import jax
import numpy as np

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.exploration import Exploration
from entropax.loops.devices import cores
from entropax.loops.lane import AbstractLane, Sums
from entropax.loops.messages import Arrays, Channel, Content, Named, Shape, named
from entropax.loops.run import spec_from_json
from entropax.loops.signals import StopNow
from entropax.loops.training import Training
from entropax.runs import to_config
from entropax.runs.tensors import name_leaves

STRETCH = 0.5
"""Seconds of work sent at a time; two stretches at most are under way, so that a signal is soon heard."""
UNDER_WAY = 2
PATIENCE = 10
"""Seconds that a child has to end by itself."""
SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_disable_most_optimizations",
    "jax_enable_x64",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_default_matmul_precision",
    "jax_debug_nans",
)
"""Of JAX's configuration, what a child must share to compute the same and to compile nothing twice."""


def process_lanes(
    algorithm: AbstractAlgorithm[Any],
    environment: str,
    training: Training,
    groups: Sequence[tuple[int, ...]],
    exploration: Exploration,
) -> list[AbstractLane]:
    """One process a group of seeds, dealt to the cores in turn; they start beside one another.

    Raises:
        EntropaxError: a child cannot be started, or cannot make the environment or the lane.
    """
    lanes: list[ProcessLane] = []
    try:
        for index, seeds in enumerate(groups):
            lanes.append(ProcessLane(algorithm, environment, training, seeds, exploration, index))
        for lane in lanes:
            lane.wait_until_built()
    except BaseException:
        for lane in lanes:
            lane.close()
        raise
    return list(lanes)


class ProcessLane(AbstractLane):
    """A group of seeds in a child process; `wait_until_built` comes before all else."""

    elsewhere = True

    def __init__(
        self,
        algorithm: AbstractAlgorithm[Any],
        environment: str,
        training: Training,
        seeds: tuple[int, ...],
        exploration: Exploration,
        place: int,
    ):
        self.algorithm, self.training, self.seeds = algorithm, training, seeds
        self._environment = environment
        self._pieces = {"warm_up": 1, "advance": 1}
        self._count(0)
        self._under_way: deque[tuple[str, int]] = deque()
        self._process, self._channel = _start(place)
        build = {"algorithm": to_config(algorithm), "training": to_config(training), "seeds": list(seeds)}
        build |= {"exploration": to_config(exploration), "environment": environment}
        self._send("build", build | {"settings": {name: jax.config.values[name] for name in SETTINGS}})

    def wait_until_built(self) -> None:
        """Waits until the child has its lane.

        Raises:
            EntropaxError: it cannot make it; the message says why.
        """
        content, _ = self._receive()
        self.spec, self.warnings = spec_from_json(content["spec"]), tuple(content["warnings"])

    def _send(self, do: str, content: Content, arrays: Arrays | None = None) -> None:
        # The reason why nobody reads is in the pipe, or in how the child ended.
        with contextlib.suppress(BrokenPipeError):
            self._channel.send({"do": do, **content}, arrays)

    def _receive(self) -> tuple[Content, dict[str, np.ndarray]]:
        try:
            content, arrays = self._channel.receive()
        except EOFError:
            raise self._death() from None
        if "failed" in content:
            raise self._failure(content)
        return content, arrays

    def _ask(
        self, do: str, content: Content | None = None, arrays: Arrays | None = None
    ) -> tuple[Content, dict[str, np.ndarray]]:
        """Sends what is asked for, and waits for the stretches under way and then for the answer."""
        self._send(do, content or {}, arrays)
        while self._under_way:
            self._finish()
        return self._receive()

    def _stretch(self, kind: str, rounds: int) -> None:
        while len(self._under_way) >= UNDER_WAY:
            self._finish()
        self._send(kind, {"rounds": rounds})
        self._under_way.append((kind, rounds))
        self._count(self._rounds + rounds)

    def _count(self, rounds: int) -> None:
        """Notes how far the run is: a stretch of the warm-up has more rounds than one of training."""
        self._rounds = rounds
        self.piece = self._pieces["warm_up" if rounds < self.training.warmup_rounds else "advance"]

    def _finish(self) -> None:
        """Waits for the oldest stretch under way, and learns from its time how long the next ones should be."""
        kind, rounds = self._under_way.popleft()
        content, _ = self._receive()
        self._pieces[kind] = next_piece(self._pieces[kind], rounds, content["seconds"])

    def warm_up(self, rounds: int) -> None:
        """Steps with random actions, without updates; returns while the child makes them."""
        self._stretch("warm_up", rounds)

    def advance(self, rounds: int) -> None:
        """Steps and updates; returns while the child makes them."""
        self._stretch("advance", rounds)

    def collect(self) -> Sums:
        """Waits, and hands out the sums since the last call."""
        return self._ask("collect")[1]

    def measures(self) -> dict[str, np.ndarray]:
        """`policy_measures` on stored states."""
        return self._ask("measures")[1]

    def actor(self) -> Named:
        """The policies in NumPy."""
        return _tree(*self._ask("actor"))

    def snapshot(self) -> Named:
        """Policies, critics, alphas and stored states in NumPy."""
        return _tree(*self._ask("snapshot"))

    def evaluate(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean return and length of deterministic episodes from fixed starts.

        Raises:
            StopNow: it was cut short.
        """
        content, arrays = self._ask("evaluate", {"episodes": episodes})
        if content["cut_short"]:
            raise StopNow
        return arrays["returns"], arrays["lengths"]

    def cut_short(self) -> None:
        """Leaves the child's evaluation, or its next one where none is under way."""
        self._process.send_signal(signal.SIGUSR1)

    def save(self) -> tuple[Named, dict[str, Any]]:
        """What the child's lane saves: a checkpoint is the same with processes and without."""
        content, arrays = self._ask("save")
        return _tree(content, arrays), content["meta"]

    def like(self, meta: dict[str, Any]) -> Named:
        """Shapes of what `save` gave."""
        content, _ = self._ask("like", {"meta": meta})
        return Named({name: Shape(dtype, tuple(shape)) for name, (dtype, shape) in content["leaves"].items()})

    def load(self, tree: Named, meta: dict[str, Any]) -> None:
        """Gives the child back what `save` gave."""
        arrays, records = name_leaves(tree)
        self._ask("load", {"meta": meta, "leaves": records}, arrays)
        self._count(meta["rounds"])

    def close(self) -> None:
        """Ends the child, by force where it does not end by itself."""
        with contextlib.suppress(OSError):
            self._channel.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _death(self) -> EntropaxError:
        """The error for a child that ended without a word."""
        code = self._process.wait()
        how = f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"
        return EntropaxError(
            f"{self._name} ended with {how}, so the run cannot go on; what it wrote stands above. SIGKILL often means "
            "that memory ran out: lower capacity, or keep all seeds in one program."
        )

    def _failure(self, content: Content) -> EntropaxError:
        """The error for what a child said."""
        said = content["said"]
        if content["failed"] == "UnknownEnvironment" and self._environment in gymnasium.registry:
            return EntropaxError(
                f"{self._environment!r} is registered in this program, but not in a process of its own, which knows "
                "only what a module registers when it is imported. Register it in a module and name that, "
                f"'module:{self._environment}', or leave seeds_in out."
            )
        if content["expected"]:
            return EntropaxError(said)
        return EntropaxError(f"{self._name} failed:\n{said}\nMend what it names.")

    @property
    def _name(self) -> str:
        return f"The process of seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"


def next_piece(piece: int, rounds: int, seconds: float) -> int:
    """Rounds in half a second where so many took so long: at least one, and at most twice those of now."""
    return max(1, min(int(rounds * STRETCH / max(seconds, 1e-6)), 2 * piece))


def _tree(content: Content, arrays: dict[str, np.ndarray]) -> Named:
    return named(arrays, content["leaves"])


def _start(place: int) -> tuple[subprocess.Popen[bytes], Channel]:
    """Starts a child that finds modules where this program does, out of reach of a terminal's Ctrl-C."""
    found = os.pathsep.join(path or os.getcwd() for path in sys.path)
    command = [sys.executable, "-P", "-m", "entropax.loops.process_child"]
    with _on_core(place):
        process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": found, "JAX_PLATFORMS": "cpu"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    assert isinstance(process.stdout, io.BufferedReader)
    assert isinstance(process.stdin, io.BufferedWriter)
    return process, Channel(process.stdout, process.stdin)


@contextlib.contextmanager
def _on_core(place: int) -> Iterator[None]:
    """Lends this thread's place on one core to what it starts, whose libraries then begin with one thread each."""
    usable = cores()
    if "sched_setaffinity" not in vars(os):
        yield
        return
    os.sched_setaffinity(0, {usable[place % len(usable)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)
