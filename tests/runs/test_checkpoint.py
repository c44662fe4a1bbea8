"""A checkpoint is whole or absent, comes back bit for bit, and never runs code."""

import errno
import hashlib
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.runs import (
    CheckpointReadError,
    CheckpointWriteError,
    read_checkpoint_meta,
    restore_checkpoint,
    restore_part,
    save_checkpoint,
)
from entropax.runs import checkpoint as module


class Inner(eqx.Module):
    weight: Any
    count: Any


class Carry(NamedTuple):
    inner: Inner
    key: Any
    keys: Any
    extra: dict[str, Any]


def state(seed: int = 0) -> Carry:
    numbers = jax.random.normal(jax.random.key(seed), (4, 3))
    return Carry(
        Inner(numbers, jnp.asarray(2**31 - 1, jnp.int32)),
        jax.random.key(seed + 7),
        jax.random.split(jax.random.key(seed, impl="rbg"), 5),
        {
            "half": numbers.astype(jnp.bfloat16),
            "eighth": numbers.astype(jnp.float8_e4m3fn),
            "mask": jnp.asarray([True, False, True]),
            "unsigned": jnp.asarray([0, 2**32 - 1], jnp.uint32),
            "special": jnp.asarray([jnp.nan, -jnp.inf, -0.0, 1e-45], jnp.float32),
            "empty": jnp.zeros((0, 3)),
            "tuple": (jnp.zeros((), jnp.int8), [jnp.asarray(1.5, jnp.float16)]),
        },
    )


def like() -> Carry:
    return jax.eval_shape(state)


def memory(leaf: Any) -> tuple[str, tuple[int, ...], bytes]:
    raw = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    return str(leaf.dtype), leaf.shape, np.asarray(raw).tobytes()


def assert_same(first: Any, second: Any) -> None:
    assert jax.tree.structure(first) == jax.tree.structure(second)
    assert [memory(leaf) for leaf in jax.tree.leaves(first)] == [memory(leaf) for leaf in jax.tree.leaves(second)]


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def test_every_dtype_returns_bit_for_bit(tmp_path):
    save_checkpoint(tmp_path, 12000, state(), {"updates": 7, "seconds": 1.5})
    restored, meta, step = restore_checkpoint(tmp_path, like())
    assert_same(restored, state())
    assert (meta, step) == ({"updates": 7, "seconds": 1.5}, 12000)
    assert names(tmp_path) == ["step_000012000"]


def test_a_restored_key_draws_the_same_numbers(tmp_path):
    save_checkpoint(tmp_path, 1, state(), {})
    restored, _, _ = restore_checkpoint(tmp_path, like())
    assert jax.random.bits(restored.key) == jax.random.bits(state().key)
    assert jax.random.bits(restored.keys[4]) == jax.random.bits(state().keys[4])


def test_restored_state_compiles_nothing_again(tmp_path):
    traces = []

    @jax.jit
    def step(carry: Carry) -> Carry:
        traces.append(1)
        return carry._replace(inner=Inner(carry.inner.weight + 1, carry.inner.count))

    save_checkpoint(tmp_path, 1, step(step(state())), {})
    step(restore_checkpoint(tmp_path, like())[0])
    assert len(traces) == 1


def test_host_memory_returns_as_writable_host_memory(tmp_path):
    buffer = {"wide": np.arange(6, dtype=np.float64).reshape(2, 3).T, "count": np.int64(2**40)}
    save_checkpoint(tmp_path, 1, buffer, {})
    restored, _, _ = restore_checkpoint(tmp_path, buffer)
    assert type(restored["wide"]) is np.ndarray
    assert restored["wide"].dtype == np.float64
    np.testing.assert_array_equal(restored["wide"], buffer["wide"])
    assert restored["count"] == 2**40
    restored["wide"][0, 0] = 9
    assert restore_checkpoint(tmp_path, buffer)[0]["wide"][0, 0] == 0


def test_the_last_checkpoints_are_kept_and_the_newest_is_read(tmp_path):
    for step in (10, 900, 1000, 2000):
        save_checkpoint(tmp_path, step, state(step), {"at": step}, keep=2)
    assert names(tmp_path) == ["step_000001000", "step_000002000"]
    restored, meta, step = restore_checkpoint(tmp_path, like())
    assert (step, meta) == (2000, {"at": 2000})
    assert_same(restored, state(2000))


def test_saving_a_step_twice_keeps_the_later_state(tmp_path):
    for seed in range(12):
        save_checkpoint(tmp_path, 5, state(seed), {"seed": seed}, keep=1)
    restored, meta, step = restore_checkpoint(tmp_path, like())
    assert (step, meta) == (5, {"seed": 11})
    assert_same(restored, state(11))
    assert names(tmp_path) == ["step_000000005_r11"]


def fail_with(number: int):
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("place", ["save_file", "write_json", "fsync_file", "fsync_folder"])
def test_a_failed_write_leaves_the_checkpoint_before_it(tmp_path, monkeypatch, place, number):
    save_checkpoint(tmp_path, 1, state(1), {})
    with monkeypatch.context() as patch:
        patch.setattr(module, place, fail_with(number))
        with pytest.raises(CheckpointWriteError) as caught:
            save_checkpoint(tmp_path, 2, state(2), {}, keep=1)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert os.strerror(number) in message
    assert "resume" in message
    assert names(tmp_path) == ["step_000000001"]
    restored, _, step = restore_checkpoint(tmp_path, like())
    assert step == 1
    assert_same(restored, state(1))


def test_a_failed_rename_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, state(1), {})
    real = os.rename

    def rename(source: Any, target: Any) -> None:
        if Path(target).name.startswith("step_"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with pytest.raises(CheckpointWriteError, match="No space left"):
            save_checkpoint(tmp_path, 2, state(2), {}, keep=1)
    assert names(tmp_path) == ["step_000000001"]
    assert restore_checkpoint(tmp_path, like())[2] == 1
    save_checkpoint(tmp_path, 2, state(2), {}, keep=1)
    assert names(tmp_path) == ["step_000000002"]


def test_a_disk_limit_of_the_operating_system_is_reported(tmp_path):
    """No monkeypatch: the kernel refuses the write."""
    save_checkpoint(tmp_path, 1, {"x": jnp.zeros(8)}, {})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CheckpointWriteError, match="step_000000002"):
            save_checkpoint(tmp_path, 2, {"x": np.zeros(10**6)}, {}, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert names(tmp_path) == ["step_000000001"]
    assert restore_checkpoint(tmp_path, {"x": jnp.ones(8)})[2] == 1


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "checkpoints").write_text("a file in the way")
    with pytest.raises(CheckpointWriteError, match="checkpoints"):
        save_checkpoint(tmp_path, 1, state(), {})


SAVER = """
import sys, numpy as np
from pathlib import Path
from entropax.runs import save_checkpoint
print("ready", flush=True)
for step in range(1, 10**6):
    save_checkpoint(Path(sys.argv[1]), step, {"x": np.full(400_000, step, np.int32)}, {"step": step}, keep=1)
    print(step, flush=True)
"""


def test_kill_in_the_middle_of_saving_leaves_a_whole_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    for attempt in range(3):
        run = tmp_path / str(attempt)
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(run)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(3):  # "ready" and two complete saves
            process.stdout.readline()
        time.sleep(rng.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        completed = int((["2", *process.stdout.read().split()])[-1])
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        restored, meta, step = restore_checkpoint(run, {"x": np.zeros(400_000, np.int32)})
        assert completed <= step <= completed + 1
        assert meta == {"step": step}
        assert (restored["x"] == step).all()
        save_checkpoint(run, step + 1, restored, {}, keep=1)
        assert names(run) == [f"step_{step + 1:09d}"]


def two_checkpoints(run: Path) -> Path:
    save_checkpoint(run, 1, state(1), {})
    return save_checkpoint(run, 2, state(2), {})


@pytest.mark.parametrize("file", ["state.safetensors", "meta.json"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused_and_the_older_one_named(tmp_path, file, share):
    damaged = two_checkpoints(tmp_path) / file
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(EntropaxError, match=r"step 1 is whole: move the damaged folder away"):
        restore_checkpoint(tmp_path, like())


def test_following_the_advice_restores_the_older_one(tmp_path):
    newest = two_checkpoints(tmp_path)
    (newest / "state.safetensors").unlink()
    with pytest.raises(CheckpointReadError, match="incomplete"):
        restore_checkpoint(tmp_path, like())
    newest.rename(tmp_path / "damaged")
    assert restore_checkpoint(tmp_path, like())[2] == 1


def test_without_an_older_whole_one_the_message_says_so(tmp_path):
    two_checkpoints(tmp_path)
    for path in (tmp_path / "checkpoints").glob("*/state.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointReadError, match="No older checkpoint is whole"):
        restore_checkpoint(tmp_path, like())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9999])
def test_one_changed_bit_is_noticed(tmp_path, share):
    path = save_checkpoint(tmp_path, 1, state(), {}) / "state.safetensors"
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointReadError, match="does not match its digest"):
        restore_checkpoint(tmp_path, like())


@pytest.mark.parametrize("entry", ["step", "meta", "leaves"])
def test_edited_meta_is_noticed(tmp_path, entry):
    path = save_checkpoint(tmp_path, 1, state(), {"updates": 7}) / "meta.json"
    content = json.loads(path.read_text())
    content[entry] = 3 if entry == "step" else {}
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointReadError, match="was changed"):
        restore_checkpoint(tmp_path, like())


def forge(folder: Path, changes: dict[str, Any]) -> None:
    """Rewrites meta.json with a valid seal, as somebody who knows the format could."""
    path = folder / "meta.json"
    content = json.loads(path.read_text()) | changes
    content.pop("seal")
    path.write_text(json.dumps({**content, "seal": module._seal(content)}))


class Bomb:
    fired = False

    def __reduce__(self) -> Any:
        return (setattr, (Bomb, "fired", True))


def test_a_planted_pickle_is_refused_and_never_run(tmp_path):
    folder = save_checkpoint(tmp_path, 1, state(), {})
    payload = pickle.dumps(Bomb())
    (folder / "state.safetensors").write_bytes(payload)
    forge(folder, {"sha256": hashlib.sha256(payload).hexdigest()})
    with pytest.raises(CheckpointReadError, match="Damaged checkpoint"):
        restore_checkpoint(tmp_path, like())
    assert not Bomb.fired


@pytest.mark.parametrize("changes", [{"leaves": 3}, {"leaves": {".key": {}}}, {"meta": None, "sha256": 4}])
def test_a_forged_meta_is_an_error_to_read_not_a_crash(tmp_path, changes):
    forge(save_checkpoint(tmp_path, 1, state(), {}), changes)
    with pytest.raises(EntropaxError):
        restore_checkpoint(tmp_path, like())


def test_an_older_schema_names_what_still_reads_it(tmp_path):
    forge(save_checkpoint(tmp_path, 1, state(), {}), {"schema": 1})
    with pytest.raises(EntropaxError, match=r"schema 1.*from 2 on.*anew.*`report`"):
        read_checkpoint_meta(tmp_path)


def test_a_newer_schema_asks_for_an_upgrade(tmp_path):
    forge(save_checkpoint(tmp_path, 1, state(), {}), {"schema": 3})
    with pytest.raises(EntropaxError, match=r"schema 3.*Upgrade"):
        restore_checkpoint(tmp_path, like())


def test_no_checkpoint_is_said_plainly(tmp_path):
    (tmp_path / "checkpoints" / ".tmp-half").mkdir(parents=True)
    with pytest.raises(CheckpointReadError, match="no complete checkpoint"):
        restore_checkpoint(tmp_path, like())


def test_a_part_is_read_alone(tmp_path):
    whole = {"learner": jnp.arange(3.0), "replay": jnp.zeros((5, 2))}
    save_checkpoint(tmp_path, 7, whole, {})
    part, step = restore_part(tmp_path, {"learner": jax.ShapeDtypeStruct((3,), jnp.float32)})
    assert (step, part.keys()) == (7, {"learner"})
    np.testing.assert_array_equal(part["learner"], whole["learner"])
    with pytest.raises(EntropaxError, match=r"missing .*'other'"):
        restore_part(tmp_path, {"other": jax.ShapeDtypeStruct((3,), jnp.float32)})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"x": jnp.zeros(3), "n": jnp.zeros((), jnp.int32)}, r"\['x'\] was stored as float32\[2\].*float32\[3\]"),
        ({"x": jnp.zeros(2), "n": jnp.zeros((), jnp.uint32)}, r"\['n'\] was stored as int32"),
        ({"x": jnp.zeros(2)}, r"unknown .*\['n'\]"),
        ({"x": jnp.zeros(2), "n": jnp.zeros((), jnp.int32), "m": jnp.zeros(1)}, r"missing .*\['m'\]"),
        ({"x": jnp.zeros(2), "n": jax.random.key(0)}, r"\['n'\] was stored as int32"),
    ],
)
def test_another_configuration_is_refused_by_leaf(tmp_path, wanted, message):
    save_checkpoint(tmp_path, 1, {"x": jnp.ones(2), "n": jnp.zeros((), jnp.int32)}, {})
    with pytest.raises(EntropaxError, match=message):
        restore_checkpoint(tmp_path, jax.eval_shape(lambda: wanted))


@pytest.mark.parametrize(
    ("tree", "meta", "keep", "message"),
    [
        ({"x": 1.0}, {}, 1, "not an array"),
        ({"x": np.ones(1)}, {"loss": float("nan")}, 1, "plain JSON"),
        ({"x": np.ones(1)}, {"set": {1}}, 1, "plain JSON"),
        ({"x": np.ones(1)}, {}, 0, "keep=0"),
        ({"x": np.array(["text"])}, {}, 1, "not an array of numbers"),
    ],
)
def test_what_cannot_be_stored_is_refused_without_trace(tmp_path, tree, meta, keep, message):
    with pytest.raises(EntropaxError, match=message):
        save_checkpoint(tmp_path, 1, tree, meta, keep=keep)
    assert list(tmp_path.glob("checkpoints/*")) == []


def test_meta_can_be_read_before_the_shapes_are_known(tmp_path):
    newest = two_checkpoints(tmp_path)
    save_checkpoint(tmp_path, 3, {"x": jnp.zeros(2)}, {"rounds": 3}, keep=3)
    assert read_checkpoint_meta(tmp_path) == ({"rounds": 3}, 3)
    (tmp_path / "checkpoints" / "step_000000003" / "meta.json").unlink()
    with pytest.raises(CheckpointReadError, match="step 2 is whole"):
        read_checkpoint_meta(tmp_path)
    assert newest.is_dir()


def test_files_are_as_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        folder = save_checkpoint(tmp_path, 1, state(), {})
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())}
    assert modes == {folder.name: "0o750", "state.safetensors": "0o640", "meta.json": "0o640"}
