"""`run.json`: what a run is, written once when it starts."""

import dataclasses
import datetime
import importlib.metadata
import json
import platform
import re
import shlex
import subprocess
import sys
import types
import typing
from pathlib import Path
from typing import Any

from entropax.errors import EntropaxError
from entropax.runs.atomic import RunWriteError, check_schema, explain, write_json

SCHEMA = 1
_FILE = "run.json"


@dataclasses.dataclass(frozen=True)
class RunManifest:
    """Everything needed to know, repeat or resume a run; every value is plain JSON."""

    algorithm: dict[str, Any]
    """Nested configuration, as `to_config` writes it."""
    environment: dict[str, Any]
    """`id`, `backend` ("jax" or "gymnasium") and `num_envs` per seed."""
    training: dict[str, Any]
    """Fields of the training settings."""
    seeds: tuple[int, ...]
    """One per independent learner."""
    spec: dict[str, Any]
    """`observation_size` and `action`: bounds in environment units, or a number of categories."""
    command: str
    """The command line that started the run."""
    versions: dict[str, str]
    """Versions of entropax, jax, gymnasium and python."""
    commit: str | None
    """The commit checked out in the working directory; null where there is none."""
    created: str
    """ISO 8601 with the offset from UTC."""
    baselines: dict[str, float]
    """Numbers a reader needs, such as `entropy_maximum_per_dimension` in nats."""
    exploration: dict[str, Any] | None = None
    """Nested configuration of noise and bonus; None, and not in the file, where the policy explores as it is."""


def installed_versions() -> dict[str, str]:
    """Versions of what decides a run's numbers."""
    found = {"python": platform.python_version()}
    for name in ("entropax", "jax", "gymnasium"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def current_commit() -> str | None:
    """The commit of the working directory, or None where git or a repository is missing."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def new_manifest(
    *,
    algorithm: dict[str, Any],
    environment: dict[str, Any],
    training: dict[str, Any],
    seeds: tuple[int, ...],
    spec: dict[str, Any],
    baselines: dict[str, float],
    exploration: dict[str, Any] | None = None,
) -> RunManifest:
    """A manifest of a run that starts now, with this process's command, versions and commit."""
    return RunManifest(
        algorithm=algorithm,
        environment=environment,
        training=training,
        seeds=seeds,
        spec=spec,
        command=shlex.join(sys.argv),
        versions=installed_versions(),
        commit=current_commit(),
        created=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        baselines=baselines,
        exploration=exploration,
    )


def create_run(root: Path, hint: str, manifest: RunManifest) -> Path:
    """Makes a new run folder, such as `runs/sac-Pendulum-v1-20261121-142233`, and writes `run.json`.

    Args:
        root: folder of all runs; made if absent.
        hint: start of the folder's name; characters that file systems dislike become `-`.
        manifest: what the run is.

    Raises:
        RunWriteError: the folder or the file cannot be written.
    """
    stem = re.sub(r"[^A-Za-z0-9._]+", "-", hint).strip("-.") or "run"
    base = f"{stem}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    attempt = 1
    while True:
        folder = root / (base if attempt == 1 else f"{base}-{attempt}")
        try:
            folder.mkdir(parents=True, exist_ok=False)
            break
        except FileExistsError as cause:
            if not folder.is_dir():
                raise RunWriteError(explain(folder, cause)) from cause
            attempt += 1
        except OSError as cause:
            raise RunWriteError(explain(folder, cause)) from cause
    content = dataclasses.asdict(manifest)
    if manifest.exploration is None:
        del content["exploration"]
    write_json(folder / _FILE, {"schema": SCHEMA, **content})
    return folder


def _kinds() -> dict[str, tuple[type, ...]]:
    """What each entry may be, by its annotation."""
    hints = typing.get_type_hints(RunManifest)
    options = {
        name: typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,) for name, hint in hints.items()
    }
    return {name: tuple(typing.get_origin(one) or one for one in each) for name, each in options.items()}


def read_manifest(path: Path) -> RunManifest:
    """Reads the manifest of a run folder.

    Raises:
        EntropaxError: the folder does not exist, is no run, or its manifest is damaged or newer than this version.
    """
    file = path / _FILE
    try:
        exists, is_run = path.exists(), file.is_file()
    except OSError as cause:
        raise EntropaxError(f"{path} cannot be looked at: {cause}. Pass the folder of a run, as in runs/.") from cause
    if not exists:
        raise EntropaxError(f"{path} does not exist. Pass the folder of a run, for example one in runs/.")
    if not is_run:
        raise EntropaxError(f"{path} is no run: it holds no {_FILE}. Pass the folder of a run itself.")
    try:
        content = check_schema(json.loads(file.read_text()), SCHEMA, file)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise EntropaxError(f"{file} is not valid JSON: {cause}. Restore it from a backup.") from cause
    content = {"exploration": None, **content}
    names = {field.name for field in dataclasses.fields(RunManifest)}
    if names ^ (content.keys() - {"schema"}):
        wrong = sorted(names ^ (content.keys() - {"schema"}))
        raise EntropaxError(f"{file} has missing or unknown entries {wrong}. Restore it as entropax wrote it.")
    seeds = content["seeds"]
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise EntropaxError(
            f"{file}: seeds must be a list of one or more whole numbers, not {seeds!r}. Restore it from a backup."
        )
    entries: dict[str, Any] = {name: content[name] for name in names}
    for name, kinds in _kinds().items():
        if name != "seeds" and not isinstance(entries[name], kinds):
            raise EntropaxError(f"{file}: {name} cannot be {entries[name]!r}. Restore it from a backup.")
    for name, value in entries["baselines"].items():
        if not _is_number(value):
            raise EntropaxError(f"{file}: baselines.{name} is {value!r}, not a number. Restore it from a backup.")
    return RunManifest(**{**entries, "seeds": tuple(seeds)})


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number; a whole one beyond all floats is none."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max
