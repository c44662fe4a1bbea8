"""The host driver: advances lanes, and owns clocks, files, printing, evaluation, checkpoints and signals."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import numpy as np

from entropax.algorithms.base import AbstractSoftActorCritic
from entropax.diagnostics.measures import share_of_soft_value
from entropax.errors import EntropaxError
from entropax.loops.lane import AbstractLane, Sums
from entropax.loops.progress import Display
from entropax.loops.run import POLICY, Run, save_policy, way_on
from entropax.loops.signals import StopNow, StopRequest
from entropax.loops.training import Training
from entropax.loops.update import BROKEN, CULPRITS, STEP_CULPRITS, means
from entropax.runs import (
    MetricsLog,
    drop_snapshots_after,
    has_checkpoint,
    save_checkpoint,
    save_snapshot,
    snapshot_steps,
)

Answer = TypeVar("Answer")

FIRST_ROW = 100
"""Rounds of updates before the first row of metrics, so that a person soon sees something."""


class Interrupted(KeyboardInterrupt):
    """A signal ended the run after a checkpoint; the message names the command that goes on."""

    def __init__(self, message: str, number: int):
        self.args = (message,)
        self.number = number


class NonFiniteError(EntropaxError):
    """NaN or Inf in environment or update, and the run was told to stop."""


class Driver:
    """One run from its first round, or from a checkpoint's, to its last."""

    def __init__(self, run: Run, lanes: Sequence[AbstractLane], training: Training, log: MetricsLog, display: Display):
        self.run_folder, self.path = run, run.path
        self.lanes, self.training, self.log, self.display = lanes, training, log, display
        self.rounds = 0
        self._began = self._clock = time.perf_counter()
        self._logged_rounds = 0
        self._evaluation_owed = False

    @property
    def step(self) -> int:
        """Environment steps taken, per seed."""
        return self.rounds * self.training.stride

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def event(self, name: str, message: str) -> None:
        """Notes something that happened."""
        self.log.event(self.step, self._seconds, name, message)

    def _each(self, ask: Callable[..., Answer], *parts: Sequence[Any]) -> list[Answer]:
        """What the lanes answer, each asked with its own parts; at the same time where they are processes."""
        if not self.lanes[0].elsewhere:
            return [ask(*each) for each in zip(self.lanes, *parts, strict=True)]
        with ThreadPoolExecutor(len(self.lanes)) as pool:
            try:
                return list(pool.map(ask, self.lanes, *parts))
            except StopNow:  # The pool waits for its threads, and these for the processes.
                for lane in self.lanes:
                    lane.cut_short()
                raise

    def restore(self, tree: Any, meta: dict[str, Any]) -> None:
        """Goes on from a checkpoint, with the snapshots up to it; its own is made up for if it was not written."""
        self._each(lambda lane, part, one: lane.load(part, one), tree, meta["lanes"])
        self.rounds = self._logged_rounds = meta["rounds"]
        self._evaluation_owed = meta.get("evaluation_owed", False)
        self._began -= meta["seconds"]
        drop_snapshots_after(self.path, self.step)
        if self._looks_back and self.step not in snapshot_steps(self.path):
            self._snapshot()

    def save(self) -> None:
        """Writes a checkpoint of everything."""
        parts = self._each(lambda lane: lane.save())
        meta = {"rounds": self.rounds, "seconds": self._seconds, "lanes": [meta for _, meta in parts]}
        meta["groups"] = [list(lane.seeds) for lane in self.lanes]
        meta["evaluation_owed"] = self._evaluation_owed
        save_checkpoint(self.path, self.step, [tree for tree, _ in parts], meta)
        actors = jax.tree.map(lambda *parts: np.concatenate(parts), *self._each(lambda lane: lane.actor()))
        save_policy(self.path / POLICY, actors, self.run_folder.manifest, self.step)
        self.event("checkpoint", f"step {self.step}")
        if self._looks_back:
            self._snapshot()

    @property
    def _looks_back(self) -> bool:
        """Whether there is anything to look back at by now: stored states, and a policy that climbs action values."""
        begun = self.rounds >= max(self.training.warmup_rounds, 1)
        return begun and isinstance(self.lanes[0].algorithm, AbstractSoftActorCritic)

    def _snapshot(self) -> None:
        """Keeps what there is to look back at; after the checkpoint, which counts for more."""
        together = jax.tree.map(lambda *parts: np.concatenate(parts), *self._each(lambda lane: lane.snapshot()))
        save_snapshot(self.path, self.step, together, {"seeds": list(self.run_folder.manifest.seeds)})

    def run(self) -> None:
        """Trains to the end.

        Raises:
            Interrupted: a signal came; a checkpoint has been written.
            NonFiniteError: NaN or Inf turned up and `on_nonfinite` is "stop"; the last checkpoint is whole.
        """
        with StopRequest() as stop:
            if self._evaluation_owed and (values := self._evaluate(stop)):
                self.log.metrics(self.step, self._seconds, values)
            if stop.requested:
                self._leave(stop)
            owed = False
            while self.rounds < self.training.rounds:
                before = self.step
                warming = self.rounds < self.training.warmup_rounds
                self._advance_to(self._next_stop(), stop)
                if not warming:
                    self._log_row(before, stop)
                elif self.rounds == self.training.warmup_rounds:
                    self.event("warmup_done", "updates begin")
                    if self._looks_back:
                        self._snapshot()
                if stop.requested:
                    self._leave(stop)
                owed = owed or self._due(self.training.checkpoint_every, before)
                # Not at the warm-up's end: what it saw is in the first row, and in no checkpoint.
                if owed and not warming and self.rounds < self.training.rounds:
                    self.save()
                    owed = False
            self.save()
            self.event("finished", f"{self.step} steps")

    def _due(self, every: int, before: int) -> bool:
        """Whether a multiple of so many steps lies past `before`, and not past the step of now."""
        return self.step // every > before // every

    def _next_stop(self) -> int:
        """The round of the next row of metrics, or of the end of the warm-up."""
        warmup, every = self.training.warmup_rounds, self.training.row_every
        if self.rounds < warmup:
            return warmup
        if self.rounds == warmup:
            return min(warmup + min(FIRST_ROW, every), self.training.rounds)
        return min((self.rounds // every + 1) * every, self.training.rounds)

    def _advance_to(self, goal: int, stop: StopRequest) -> None:
        while self.rounds < goal and not stop.requested:
            rounds = min(self.lanes[0].piece, goal - self.rounds)
            for lane in self.lanes:
                if self.rounds < self.training.warmup_rounds:
                    lane.warm_up(rounds)
                else:
                    lane.advance(rounds)
            self.rounds += rounds
            self.display.step(self.step)

    def _log_row(self, before: int, stop: StopRequest) -> None:
        if self.rounds == max(self._logged_rounds, self.training.warmup_rounds):
            return  # A signal came between two stretches: nothing is new, and the row there is stays.
        sums = _join(self._each(lambda lane: lane.collect()))
        if "train/kept_updates" not in sums:
            return
        values = {**means(sums), **_join(self._each(lambda lane: lane.measures()))}
        seeds = len(sums["rollout/episodes"])
        broken = culprits(sums, self.run_folder.manifest.seeds)
        values = {name: value for name, value in values.items() if not name.startswith(BROKEN)}
        if "train/q_mean" in values:
            bonus = np.sum(values["train/ent_coef_per_dimension"] * values["entropy/per_dimension"], axis=-1)
            values["entropy/share_of_soft_value"] = share_of_soft_value(bonus, values["train/q_mean"])
        now = time.perf_counter()
        done = (self.rounds - self._logged_rounds) * self.training.stride * seeds
        values["time/fps"] = np.full(seeds, done / (now - self._clock))
        updates = max(self.rounds - self.training.warmup_rounds, 0) * self.training.updates
        values["train/n_updates"] = np.full(seeds, updates)
        every = self.training.evaluate_every
        if every and (self._due(every, before) or self.rounds >= self.training.rounds):
            values.update(self._evaluate(stop))
        self.log.metrics(self.step, self._seconds, values)
        self.display.row(self.step, values)
        self._clock, self._logged_rounds = time.perf_counter(), self.rounds
        if broken:
            self._report(broken)

    def _evaluate(self, stop: StopRequest) -> Sums:
        """Deterministic episodes; nothing where a signal cut them short, and then a resumed run makes up for them."""
        self._evaluation_owed = True
        try:
            with stop.cutting_short():
                results = self._each(lambda lane: lane.evaluate(self.training.evaluation_episodes))
        except StopNow:
            return {}
        self._evaluation_owed = False
        returns, lengths = (np.concatenate(part) for part in zip(*results, strict=True))
        return {"eval/mean_reward": returns, "eval/mean_ep_length": lengths}

    def _report(self, broken: str) -> None:
        message = f"NaN or Inf up to step {self.step}, first in: {broken}"
        self.event("nonfinite", message)
        if self.training.on_nonfinite == "stop":
            kept = f"No checkpoint was written before it: set checkpoint_every below {self.step}."
            if has_checkpoint(self.path):
                kept = f"The last checkpoint is whole: {way_on(self.run_folder)}."
            raise NonFiniteError(
                f"{message}. Such steps are not stored and such updates not kept. {kept} Mend the environment, or "
                "train anew with lower learning rates, or without such steps and updates: --on-nonfinite skip."
            )
        self.display.say(f"{message}; skipped.")

    def _leave(self, stop: StopRequest) -> None:
        number = stop.signal or 0
        self.event("interrupted", f"signal {number}")
        self.save()
        raise Interrupted(f"Stopped and saved at step {self.step:,}. Go on with:  {way_on(self.run_folder)}", number)


def culprits(sums: Sums, seeds: Sequence[int]) -> str:
    """What was not finite, with its counts: each step and update under its first culprit; empty where all was."""
    found = [(name, sums[f"{BROKEN}{name}"]) for name in (*STEP_CULPRITS, *CULPRITS[1:])]
    return ", ".join(
        f"{name} ({', '.join(f'seed {seed}: {int(n)}' for seed, n in zip(seeds, counts, strict=True) if n)})"
        for name, counts in found
        if counts.any()
    )


def _join(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Puts the lanes' seeds side by side."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
