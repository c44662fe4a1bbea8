"""The callback: measures the policy, writes a run folder, and judges the run while it goes on."""

import collections
import dataclasses
import importlib.metadata
import math
import time
import warnings
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback  # pyright: ignore[reportMissingImports]

from entropax.diagnostics.findings import Finding, Kind, Severity
from entropax.diagnostics.measures import entropy_readings, share_of_soft_value
from entropax.errors import EntropaxError
from entropax.loops.run import spec_to_json
from entropax.loops.update import recent_return
from entropax.plugins.sb3.alpha import AbstractAlpha, TheirAlpha
from entropax.plugins.sb3.models import AbstractModel, model_of
from entropax.report import read_run
from entropax.runs import MetricsLog, RunManifest, create_run, new_manifest
from entropax.types import Progress, continuous, unknown_progress

STATES = 256
"""States that the policy is looked at in a row of metrics: of the last `log_every` steps, evenly spaced."""
_THEIRS = ("train/actor_loss", "train/critic_loss")
"""Taken from Stable-Baselines3's logger where it has them: means over its newest call of `train`."""

_THEIR_ALPHA = TheirAlpha()


class FindingWarning(UserWarning):
    """A critical finding about a run that goes on."""


class EntropyCallback(BaseCallback):
    """Logs the true entropy of a SAC or PPO, writes our run folder, and warns or stops when something is wrong.

    The metrics are those of `docs/metrics.md`. They go to the model's own logger, under the same names, and to
    `metrics.jsonl` of a new folder, on which `entropax report` works. Each call of `learn` is a run of its own.

    Attributes:
        alpha: `TheirAlpha()` to measure only, `LawAlpha(law)` to let one of our laws set `ent_coef`.
        path: the run folder; set when training starts.

    Raises:
        EntropaxError: a setting is out of its range, or (from `learn`) the model or the law does not fit.
    """

    def __init__(
        self,
        alpha: AbstractAlpha = _THEIR_ALPHA,
        *,
        runs: str | Path = "runs",
        log_every: int = 1_000,
        judge_every: int = 10_000,
        on_finding: Literal["warn", "stop"] = "warn",
    ):
        """Settings; nothing is written before training starts.

        Args:
            alpha: who sets alpha; `TheirAlpha()` by default.
            runs: folder of all runs; made if absent.
            log_every: environment steps between two rows of metrics.
            judge_every: environment steps between two verdicts.
            on_finding: what a critical finding does: a `FindingWarning`, once a kind, or the end of the training.
        """
        BaseCallback.__init__(self)
        if log_every < 1 or judge_every < 1:
            raise EntropaxError(
                f"EntropyCallback: log_every is {log_every} and judge_every {judge_every}, but both count environment "
                "steps and 1 is the least. The defaults are 1,000 and 10,000."
            )
        if on_finding not in ("warn", "stop"):
            raise EntropaxError(f'EntropyCallback: on_finding is {on_finding!r}. Use "warn" or "stop".')
        self.alpha = alpha
        self._runs, self._log_every, self._judge_every = Path(runs), log_every, judge_every
        self._on_finding = on_finding

    def _on_training_start(self) -> None:
        self._reader = model_of(self.model)
        environments = self.training_env.num_envs
        self._states = collections.deque[Any](maxlen=-(-STATES // environments))
        self._returns, self._lengths = list[float](), list[int]()
        self._recent = np.float32(np.nan)
        self._first_step, self._last_step = self.num_timesteps, self.locals["total_timesteps"]
        self._starts = unknown_progress(self._reader.spec).starts
        self.alpha.begin(self._reader, self._progress)
        manifest = _manifest(self.model, self._reader, self.alpha, self._last_step, self.training_env)
        self.path = create_run(self._runs, f"sb3-{type(self.model).__name__}-{manifest.environment['id']}", manifest)
        self._log = MetricsLog(self.path, manifest.seeds)
        self._warned = set[Kind]()
        self._began = self._clock = time.perf_counter()
        self._row_step, self._losses = self.num_timesteps, dict[str, float]()
        self._row_updates, self._row_alpha = self.alpha.updates(self._reader), self._reader.alpha
        self._event("start", manifest.command)

    def _progress(self) -> Progress:
        share = (self.num_timesteps - self._first_step) / max(self._last_step - self._first_step, 1)
        return Progress(np.float32(min(share, 1.0)), self._recent, self._starts)

    def _on_step(self) -> bool:
        if not self._states or self.n_calls % max(self._log_every // STATES, 1) == 0:
            self._states.append(jax.tree.map(np.copy, self.locals["new_obs"]))
        ended = [info["episode"] for info in self.locals["infos"] if "episode" in info]
        for episode in ended:
            self._returns.append(float(episode["r"]))
            self._lengths.append(int(episode["l"]))
            self._recent = recent_return(self._recent, np.float32(episode["r"]), np.float32(1))
        if self._due(self._log_every):
            self._row()
        return self._judge() if self._due(self._judge_every) else True

    def _due(self, every: int) -> bool:
        """Whether this step completed another `every` environment steps, and there was an update to look at."""
        before = self.num_timesteps - self.training_env.num_envs
        return self.num_timesteps // every > before // every and self._reader.updates > 0

    def _on_rollout_start(self) -> None:
        # An episode's end may empty their logger before the next row, and training comes only after the rollout.
        self._losses |= self._logged()

    def _on_rollout_end(self) -> None:
        self._reader.rollout_ended(self._observations)

    def _on_training_end(self) -> None:
        self.model.policy.set_training_mode(False)
        if self.num_timesteps > self._row_step and self._reader.updates > 0:
            self._row()
        self.alpha.end(self._reader)
        self._event("finished", read_run(self.path).verdict.line())
        self._log.close()

    def _observations(self) -> Any:
        """The kept states as one batch, always of the same size, so that nothing is compiled twice."""

        def joined(*parts: np.ndarray) -> np.ndarray:
            states = np.concatenate(parts)
            return states[np.linspace(0, len(states) - 1, STATES).astype(int)]

        return jax.tree.map(joined, *self._states)

    def _row(self) -> None:
        values = {**self._measures(), **self._counts()}
        self._log.metrics(self.num_timesteps, time.perf_counter() - self._began, _with_seed_axis(values))
        for name, value in values.items():
            if name.startswith("entropy/") or name in self._reader.unlogged:
                self._record(name, value)
        self._returns, self._lengths = [], []
        self._row_step, self._clock = self.num_timesteps, time.perf_counter()
        self._row_updates, self._row_alpha = self.alpha.updates(self._reader), self._reader.alpha

    def _record(self, name: str, value: np.ndarray) -> None:
        """To Stable-Baselines3's logger; a vector as `name/0`, `name/1`, …."""
        tagged = [(name, value)] if value.ndim == 0 else [(f"{name}/{i}", item) for i, item in enumerate(value)]
        for tag, scalar in tagged:
            if math.isfinite(scalar):
                self.logger.record(tag, float(scalar))

    def _measures(self) -> dict[str, np.ndarray]:
        """The policy at the newest states, and alpha."""
        observations = self._observations()
        policy = self._reader.policy(observations)
        alpha, q = self._reader.alpha, self._reader.q(observations, policy)
        found = entropy_readings(
            continuous(self._reader.spec),
            *self._reader.look(policy),
            jnp.asarray(self.alpha.target(self._reader), jnp.float32),
            widest=self._reader.widest,
            sigma_of=self._reader.sigma_of,
        )
        steps = self.alpha.updates(self._reader) - self._row_updates
        moved = math.log(alpha / self._row_alpha) / steps if steps and min(alpha, self._row_alpha) > 0 else math.nan
        share = share_of_soft_value(alpha * float(found["entropy/nats"]), q)
        more = {"train/ent_coef": alpha, "train/ent_coef_step": moved, "train/q_mean": q}
        values = {**found, **more, "entropy/share_of_soft_value": share}
        return {name: np.asarray(value, np.float64) for name, value in values.items()}

    def _counts(self) -> dict[str, np.ndarray]:
        """Episodes, updates and speed since the row before, and the losses that Stable-Baselines3 has logged."""
        seconds = max(time.perf_counter() - self._clock, 1e-9)
        values = {
            "rollout/ep_rew_mean": np.mean(self._returns) if self._returns else math.nan,
            "rollout/ep_len_mean": np.mean(self._lengths) if self._lengths else math.nan,
            "rollout/episodes": len(self._returns),
            "train/n_updates": self._reader.updates,
            "time/fps": (self.num_timesteps - self._row_step) / seconds,
        }
        values |= self._losses | self._logged()
        return {name: np.asarray(value, np.float64) for name, value in values.items()}

    def _logged(self) -> dict[str, float]:
        """The losses that stand in Stable-Baselines3's logger now."""
        logged = self.logger.name_to_value
        return {name: logged[name] for name in _THEIRS if name in logged}

    def _judge(self) -> bool:
        """Whether to go on."""
        critical = [one for one in read_run(self.path).verdict.findings if one.severity is Severity.CRITICAL]
        for finding in critical:
            if finding.kind not in self._warned:
                self._warned.add(finding.kind)
                self._event("finding", finding.explanation)
                warnings.warn(_message(finding, self.path), FindingWarning, stacklevel=2)
        return not critical or self._on_finding == "warn"

    def _event(self, name: str, message: str) -> None:
        self._log.event(self.num_timesteps, time.perf_counter() - self._began, name, message)


def _message(finding: Finding, path: Path) -> str:
    remedies = "; ".join(finding.remedy)
    return f"{finding.explanation} What to change: {remedies}. The evidence: entropax report {path}"


def _with_seed_axis(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value[None] for name, value in values.items()}


def _manifest(model: Any, reader: AbstractModel, alpha: AbstractAlpha, steps: int, environments: Any) -> RunManifest:
    """What the run is. Its algorithm is Stable-Baselines3's, so it can be read and judged here, not resumed."""
    name = type(model).__name__
    known = environments.get_attr("spec")[0]
    manifest = new_manifest(
        algorithm={
            "type": f"stable_baselines3.{name}",
            "discount": float(model.gamma),
            "learning_rate": float(model.lr_schedule(1.0)),
            "batch_size": int(model.batch_size),
            "temperature": alpha.configuration(reader),
        },
        environment={
            "id": "unregistered" if known is None else known.id,
            "backend": "gymnasium",
            "num_envs": int(environments.num_envs),
        },
        training={"type": "stable_baselines3.learn", "total_timesteps": int(steps)},
        seeds=(0 if model.seed is None else int(model.seed),),
        spec=spec_to_json(reader.spec),
        baselines={"entropy_maximum_per_dimension": reader.widest},
    )
    theirs = {name: importlib.metadata.version(name) for name in ("stable_baselines3", "torch")}
    return dataclasses.replace(manifest, versions={**manifest.versions, **theirs})
