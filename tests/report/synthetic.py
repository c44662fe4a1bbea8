"""Synthetic run folders, written by the run folder's contract: one per verdict."""

import json
import math
from pathlib import Path

import numpy as np

H_MAX = 0.684
RATE = 3e-4
UPDATES_PER_ROW = 400
DIMENSIONS = 3


def _sigma(nats_per_dimension):
    """A Gaussian's sigma of this entropy: close enough below 0.3 for a picture."""
    return np.minimum(np.exp(nats_per_dimension - 0.5 * math.log(2 * math.pi * math.e)), 0.87)


def _entropy_and_alpha(case: str, rows: int, generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Entropy per dimension and log alpha, `[rows]`, and the target per dimension."""
    t = np.arange(rows)
    noise = 0.03 * generator.standard_normal(rows)
    falling = np.maximum(-RATE * UPDATES_PER_ROW * t, math.log(0.03))
    if case == "healthy":
        return 0.6 - 1.6 * (1 - np.exp(-t / 12)) + noise, falling, -1.0
    if case == "collapsed":
        return 0.6 - 4.9 * (1 - np.exp(-t / 15)) + noise, -RATE * UPDATES_PER_ROW * t, -1.0
    if case == "exploding":
        return 0.6 + 0.05 * (1 - np.exp(-t / 15)) + 0.2 * noise, 0.9 * RATE * UPDATES_PER_ROW * t, 1.0
    if case == "missed":
        return 0.6 - 0.4 * (1 - np.exp(-t / 12)) + noise, -0.2 * RATE * UPDATES_PER_ROW * t, -1.0
    raise ValueError(case)


def _seed(case: str, rows: int, generator) -> dict[str, np.ndarray]:
    """All metrics of one seed, `[rows]` or `[rows, dims]`; NaN where a row has none."""
    nats, log_alpha, target = _entropy_and_alpha(case, rows, generator)
    t = np.arange(rows)
    alpha = np.exp(log_alpha)
    best = {"healthy": 850, "collapsed": 60, "exploding": 20, "missed": 500}[case]
    returns = best / (1 + np.exp(-(t - 20) / 6)) * (1 + 0.05 * generator.standard_normal(rows))
    returns[: min(3, rows)] = np.nan
    spread = np.linspace(-0.4, 0.4, DIMENSIONS)
    dims = nats[:, None] + spread
    q = returns.copy() / 10
    q[np.isnan(q)] = 0.1
    share = alpha * np.abs(nats * DIMENSIONS) / (np.abs(q) + alpha * np.abs(nats * DIMENSIONS))
    evaluation = np.where(t % 10 == 9, returns * 1.05, np.nan)
    noise = generator.lognormal(0, 0.2, (6, rows))
    return {
        "rollout/ep_rew_mean": returns,
        "rollout/ep_len_mean": np.where(np.isnan(returns), np.nan, 200.0),
        "rollout/episodes": 5.0 * t,
        "time/fps": 3000 * noise[5],
        "eval/mean_reward": evaluation,
        "train/n_updates": UPDATES_PER_ROW * (t + 1.0),
        "train/ent_coef": alpha,
        "train/ent_coef_step": np.gradient(log_alpha) / UPDATES_PER_ROW if rows > 1 else np.full(rows, -RATE),
        "train/actor_loss": -q,
        "train/critic_loss": noise[0],
        "train/q_mean": q,
        "train/actor_grad_norm": noise[1],
        "train/critic_grad_norm": 5 * noise[2],
        "train/skipped_updates": np.zeros(rows),
        "entropy/nats": nats * DIMENSIONS,
        "entropy/per_dimension": dims,
        "entropy/sigma": _sigma(nats),
        "entropy/sigma_per_dimension": _sigma(dims),
        "entropy/fraction_of_feasible": np.exp(nats - H_MAX),
        "entropy/target": np.full(rows, target * DIMENSIONS),
        "entropy/slack": (nats - target) * DIMENSIONS,
        "entropy/saturation": np.clip(0.3 - 0.1 * (0.6 - nats), 0, 1) * noise[3],
        "entropy/share_of_soft_value": share,
        "entropy/policy_kl": 0.02 * noise[4],
    }


def series(case: str, *, rows: int = 60, seeds: int = 4, generator_seed: int = 0) -> dict[str, np.ndarray]:
    """All metrics, `[rows, seeds]` or `[rows, seeds, dims]`."""
    generator = np.random.default_rng(generator_seed)
    each = [_seed(case, rows, generator) for _ in range(seeds)]
    return {name: np.stack([one[name] for one in each], axis=1) for name in each[0]}


def _plain(value):
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if math.isfinite(value) else None


def manifest(seeds: int) -> dict:
    """A `run.json`."""
    law = {"type": "Dual", "learning_rate": RATE, "initial_alpha": 1.0, "target_entropy": {"type": "PerDimension"}}
    bounds = {"kind": "bounds", "low": [-2.0] * DIMENSIONS, "high": [2.0] * DIMENSIONS}
    return {
        "schema": 1,
        "algorithm": {"type": "SAC", "discount": 0.99, "temperature": law, "hidden_sizes": [256, 256]},
        "environment": {"id": "Synthetic-v0", "backend": "jax", "num_envs": 1},
        "training": {"steps": 60_000, "log_every": 1000},
        "seeds": list(range(seeds)),
        "spec": {"observation_size": 3, "action": bounds},
        "command": "entropax train Synthetic-v0 --seeds 4 --note '<b>&\"quoted\"</b></script>'",
        "versions": {"entropax": "0.1.0", "jax": "0.10.0", "gymnasium": "1.4.0", "python": "3.11.9"},
        "commit": None,
        "created": "2026-11-21T14:31:02+00:00",
        "baselines": {"entropy_maximum_per_dimension": H_MAX},
    }


def write_run(folder: Path, case: str, *, rows: int = 60, seeds: int = 4, generator_seed: int = 0) -> Path:
    """Writes a run folder and returns it."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(manifest(seeds)))
    values = series(case, rows=rows, seeds=seeds, generator_seed=generator_seed) if rows else {}
    lines = [_event(0, "start", "seeds 0 to 3"), _event(1000, "warmup_done", "first update")]
    for row in range(rows):
        names = {name: _plain(value[row].tolist()) for name, value in values.items()}
        lines.append({"schema": 1, "kind": "metrics", "step": 1000 * (row + 1), "seconds": 2.0 * row, "values": names})
        if row % 10 == 9:
            lines.append(_event(1000 * (row + 1), "checkpoint", f"checkpoints/step_{1000 * (row + 1):09d}"))
    if rows > 30:
        lines.insert(33, _event(25_000, "resume", "from <step_000025000> & on"))
        lines.append(_event(1000 * rows, "finished", "all steps done"))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"schema": 1, "ki')
    return folder


def _event(step: int, name: str, message: str) -> dict:
    return {"schema": 1, "kind": "event", "step": step, "seconds": step / 500, "name": name, "message": message}
