"""A run of another library: files to series under our names, seeds side by side, and what can be derived."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from entropax.diagnostics.readers.columns import Column, Content, joined
from entropax.diagnostics.readers.derive import Known, derive, derive_tokens, facts_of
from entropax.diagnostics.readers.lines import read_lines, read_trainer_state, vocabulary_beside
from entropax.diagnostics.readers.names import OF_TOKENS, OURS, SHARED, Library, recognise
from entropax.diagnostics.readers.table import read_table
from entropax.diagnostics.readers.tensorboard import is_event_file, read_events
from entropax.diagnostics.window import VECTORS, Facts, Series
from entropax.errors import EntropaxError

__all__ = ["Known", "Log", "read_log", "read_mapping"]

STATE = "trainer_state.json"
"""What Transformers' trainer writes into a checkpoint."""
_MOST_NAMES = 12


@dataclass(frozen=True)
class Log:
    """A run of another library as the rules see it."""

    library: Library
    series: Mapping[str, Series]
    facts: Facts
    sources: tuple[Path, ...]
    """Where each seed was read, in the order of `facts.seeds`."""
    notes: tuple[str, ...]
    """What was left out, assumed or derived, one sentence each."""


def read_mapping(path: Path) -> dict[str, str]:
    """Reads a mapping file, `{"their name": "our name"}`; one name may map to `step`.

    Raises:
        EntropaxError: it cannot be read, is no such object, or names a metric that we do not have.
    """
    try:
        mapping = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as cause:
        raise EntropaxError(f"Cannot read the mapping {path}: {cause}. It is JSON, one object.") from cause
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for name in mapping.values()):
        raise EntropaxError(f'The mapping {path} is not of the form {{"their name": "our name"}}. Write it so.')
    known = OURS | OF_TOKENS
    unknown = sorted(set(mapping.values()) - known - {"step"})
    if unknown:
        raise EntropaxError(
            f"The mapping {path} leads to {', '.join(unknown)}, which no rule knows. Known are: step, "
            f"{', '.join(sorted(known))}."
        )
    return mapping


def read_log(paths: Sequence[Path], mapping: Mapping[str, str], known: Known) -> Log:
    """Reads one run of another library, whose seeds are several paths, or the sub-folders of one.

    Args:
        paths: files (TensorBoard events, CSV, `trainer_state.json` or JSON lines) or folders of such; a folder without
            any stands for its sub-folders.
        mapping: their names to ours, for names outside the table; it goes before the table.
        known: what the log does not say.

    Raises:
        EntropaxError: a path does not exist or holds no log, or no scalar of it is known.
    """
    sources = [source for path in paths for source in _sources(path)]
    contents = [_content(source, mapping) for source in sources]
    names = frozenset(name for content in contents for name in content.columns)
    library = recognise(names, mapping)
    notes = [note for content in contents for note in content.notes]
    seeds, empty, misfits = [], [], dict[str, str]()
    for source, content in zip(sources, contents, strict=True):
        columns, misfit = _translated(content.columns, library, mapping)
        misfits |= misfit
        (seeds if columns else empty).append((source, content.columns, columns))
    if not seeds:
        raise EntropaxError(_nothing_known(sources, names, notes))
    notes += [f"{source} has no known scalar and is left out." for source, _, _ in empty] + _misfit_notes(misfits)
    if library.of_tokens:
        known, found = _with_vocabulary(known, [source for source, _, _ in seeds])
        notes += found
    derived = [(derive_tokens if library.of_tokens else derive)(columns, library, known) for _, _, columns in seeds]
    numbers = _seed_numbers([source for source, _, _ in seeds])
    facts = facts_of(numbers, library, known, [raw for _, raw, _ in seeds], [one.columns for one in derived])
    notes += _length_notes([source for source, _, _ in seeds], [one.columns for one in derived])
    notes += dict.fromkeys(note for one in derived for note in one.notes)
    series = _aligned([one.columns for one in derived])
    apart = sorted({_base(name) for one in derived for name in one.columns} - series.keys())
    notes += [f"{name} is left out: its dimensions were not logged at the same steps." for name in apart]
    return Log(library, series, facts, tuple(source for source, _, _ in seeds), tuple(notes))


def _sources(path: Path) -> list[Path]:
    """The seeds in a path: itself if it is a log, else each of its sub-folders that is one."""
    if not path.exists():
        raise EntropaxError(f"{path} does not exist. Pass the folder or file of a run.")
    if path.is_file() or _files(path):
        return [path]
    below = sorted(folder for folder in path.iterdir() if folder.is_dir() and _files(folder))
    if not below:
        raise EntropaxError(
            f"{path} holds no log: neither run.json, nor TensorBoard events (*tfevents*), nor trainer_state.json, nor "
            "progress.csv or a single CSV or JSON-lines file, itself or in its sub-folders. Pass the folder that has "
            "one, or the file."
        )
    return below


def _files(folder: Path) -> list[Path]:
    """The files of a folder's log.

    They are its trainer_state.json or its newest checkpoint's; or its progress.csv; or its event files in the order
    written; or its only CSV or JSON-lines file.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file())
        states = list(folder.glob("checkpoint-*/trainer_state.json"))
    except OSError as cause:
        raise EntropaxError(f"Cannot read {folder}: {cause}. Pass a folder that you may read.") from cause
    if folder / STATE in files or states:
        return [folder / STATE if folder / STATE in files else max(states, key=_checkpoint)]
    tables = [file for file in files if file.suffix in (".csv", ".jsonl")]
    progress = [file for file in tables if file.name == "progress.csv"]
    # Stable-Baselines3 leaves train/n_updates out of its events, so its table knows more.
    return progress or [file for file in files if is_event_file(file)] or (tables if len(tables) == 1 else [])


def _checkpoint(state: Path) -> int:
    """The number of the checkpoint that a file belongs to."""
    end = state.parent.name.rpartition("-")[2]
    return int(end) if end.isdecimal() else -1


def _with_vocabulary(known: Known, sources: Sequence[Path]) -> tuple[Known, list[str]]:
    """What is known, with the vocabulary that the models of all seeds have, if they are found beside the logs."""
    files = [file for source in sources for file in ([source] if source.is_file() else _files(source))]
    sizes = {vocabulary_beside(file) for file in files if file.name == STATE}
    size = sizes.pop() if len(sizes) == 1 else None
    if size is None or math.isfinite(known.vocabulary):
        return known, []
    return replace(known, vocabulary=size), [f"The vocabulary has {size} tokens, as config.json beside the log says."]


def _content(source: Path, mapping: Mapping[str, str]) -> Content:
    files = [source] if source.is_file() else _files(source)
    return joined([_read(file, mapping) for file in files])


def _read(file: Path, mapping: Mapping[str, str]) -> Content:
    if is_event_file(file):
        return read_events(file)
    if file.suffix == ".json":
        return read_trainer_state(file)
    return read_lines(file) if file.suffix == ".jsonl" else read_table(file, mapping)


def _translated(
    columns: Mapping[str, Column], library: Library, mapping: Mapping[str, str]
) -> tuple[dict[str, Column], dict[str, str]]:
    """Columns under our names, in our signs and units; what no table knows is left out.

    Where several stand for one of ours, the mapping's goes first, then our own name, then the table's order.

    Returns:
        The columns, and the names of what was left out, each with ours, because one is a vector and the other is not.
    """
    found: dict[str, Column] = {}
    misfits: dict[str, str] = {}
    places = {name: place for place, name in enumerate(dict.fromkeys([*SHARED, *library.names]))}

    def rank(name: str) -> tuple[bool, bool, int]:
        return name not in mapping, _base(name) not in OURS, places.get(library.bare(name), len(places))

    first = sorted(columns, key=rank)
    for name in first:
        one, bare = columns[name], library.bare(name)
        ours, factor = (mapping[name], 1.0) if name in mapping else library.names.get(bare, (bare, 1.0))
        if _base(ours) not in OURS | OF_TOKENS or ours in found:
            continue
        if (_base(ours) != ours) is (_base(ours) in VECTORS):
            found[ours] = Column(one.steps, factor * one.values)
        else:
            misfits[name] = _base(ours)
    return found, misfits


def _misfit_notes(misfits: Mapping[str, str]) -> list[str]:
    """One note for each metric of ours that a log has as a vector where it is none, or the other way round."""
    notes = []
    for ours in dict.fromkeys(misfits.values()):
        shown = _listed([name for name, base in misfits.items() if base == ours])
        why = f"has a value for each dimension, as in {ours}/0" if ours in VECTORS else "is one number, not a vector"
        notes.append(f"Left out: {shown}, since {ours} {why}.")
    return notes


def _base(name: str) -> str:
    """A name without the dimension at its end."""
    return re.sub(r"/\d{1,6}$", "", name)


def _nothing_known(sources: Sequence[Path], names: frozenset[str], notes: Sequence[str]) -> str:
    where = ", ".join(map(str, sources))
    if not names:
        return " ".join([f"{where} holds no scalar.", *notes, "Pass a run that has logged at least one interval."])
    return (
        f"{where} holds no scalar with a known name; it has: {_listed(sorted(names))}. Say what they are in a "
        f'JSON file such as {{"{min(names)}": "rollout/ep_rew_mean"}} and pass it with --mapping; docs/diagnose.md '
        "lists our names."
    )


def _listed(names: Sequence[str]) -> str:
    """Names with commas between; of many, the first and how many more there are."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _seed_numbers(sources: Sequence[Path]) -> tuple[int, ...]:
    """The number at the end of each seed's folder if that tells them apart, else their position."""
    ends = [re.search(r"(\d+)$", source.parent.name if source.is_file() else source.name) for source in sources]
    numbers = tuple(int(end[1]) for end in ends if end and len(end[1]) < 7)
    return numbers if len(set(numbers)) == len(sources) else tuple(range(len(sources)))


def _last_step(columns: Mapping[str, Column]) -> int:
    return max(int(one.steps[-1]) for one in columns.values())


def _length_notes(sources: Sequence[Path], seeds: Sequence[Mapping[str, Column]]) -> list[str]:
    """Names seeds that are clearly shorter than the longest; each is judged up to its own end."""
    ends = [_last_step(columns) for columns in seeds]
    return [
        f"{source} ends at step {end} of {max(ends)} and is judged up to there."
        for source, end in zip(sources, ends, strict=True)
        if end < 0.9 * max(ends)
    ]


def _aligned(seeds: Sequence[Mapping[str, Column]]) -> dict[str, Series]:
    """Seeds side by side: per metric the rows of the seed that has most, each other seed's rows to the nearest."""
    series: dict[str, Series] = {}
    for name in dict.fromkeys(name for columns in seeds for name in columns):
        having = [columns.get(name) for columns in seeds]
        grid = _grid([one for one in having if one is not None])
        values = np.full((len(grid), len(seeds)), math.nan)
        for seed, one in enumerate(having):
            if one is not None:
                values[:, seed] = _on_grid(one, grid)
        series[name] = Series(grid, values)
    return _stacked(series)


def _grid(columns: Sequence[Column]) -> np.ndarray:
    """The steps of the column with most rows, gone on with those of the longest one."""
    most = max(columns, key=lambda one: len(one.steps)).steps
    longest = max(columns, key=lambda one: one.steps[-1]).steps
    gap = np.median(np.diff(most)) if len(most) > 1 else 0.0
    return np.concatenate([most, longest[longest > most[-1] + gap]])


def _on_grid(one: Column, grid: np.ndarray) -> np.ndarray:
    """Values at the nearest row of the grid; rows that meet there are averaged, rows that nobody has are NaN."""
    after = np.clip(np.searchsorted(grid, one.steps), 1, max(len(grid) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(grid) - 1)
    nearest = np.where(one.steps - grid[before] <= grid[after] - one.steps, before, after)
    total, count = np.zeros(len(grid)), np.zeros(len(grid))
    np.add.at(total, nearest, one.values)
    np.add.at(count, nearest, 1)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


def _stacked(series: dict[str, Series]) -> dict[str, Series]:
    """Puts `name/0`, `name/1`, … back together as one vector metric."""
    groups: dict[str, list[str]] = {}
    for name in series:
        base = _base(name)
        if base != name:
            groups.setdefault(base, []).append(name)
    for base, parts in groups.items():
        parts.sort(key=lambda name: int(name.rpartition("/")[2]))
        steps = series[parts[0]].steps
        if all(np.array_equal(series[part].steps, steps) for part in parts):
            series[base] = Series(steps, np.stack([series[part].values for part in parts], axis=2))
        for part in parts:
            del series[part]
    return series
