"""A shared policy acts the same, describes itself, and a foreign file is refused."""

import errno
import json
import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from entropax.algorithms.sac import SAC
from entropax.errors import EntropaxError
from entropax.networks import LayerNormed
from entropax.policies import Actor
from entropax.runs import (
    RunWriteError,
    export_policy,
    from_config,
    load_policy,
    read_policy_description,
    to_config,
)
from entropax.types import Bounds, Spec

SPEC = Spec(3, Bounds((-2.0,), (2.0,)))
ALGORITHM = SAC(torso=LayerNormed(hidden_sizes=(16, 8)))
DESCRIPTION = {"algorithm": to_config(ALGORITHM), "spec": to_config(SPEC), "trained": {"step": 7}}


def actor() -> Actor:
    return ALGORITHM.init(SPEC, key=jax.random.key(3)).actor


def test_a_policy_is_rebuilt_from_its_file_alone(tmp_path):
    path = tmp_path / "policy.safetensors"
    export_policy(path, actor(), DESCRIPTION)
    description = read_policy_description(path)
    algorithm, spec = from_config(description["algorithm"]), from_config(description["spec"])
    like = jax.eval_shape(lambda: algorithm.init(spec, key=jax.random.key(0)).actor)
    loaded, again = load_policy(path, like)
    assert again == description == DESCRIPTION
    for first, second in zip(jax.tree.leaves(actor()), jax.tree.leaves(loaded), strict=True):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    observation = jnp.asarray([0.5, -1.0, 2.0])
    assert loaded(observation).mode() == actor()(observation).mode()


def test_any_safetensors_reader_can_open_it(tmp_path):
    path = tmp_path / "policy.safetensors"
    export_policy(path, {"weight": jnp.asarray([[1.0, 2.0]])}, {"a": 1})
    assert load_file(path)["['weight']"].tolist() == [[1.0, 2.0]]
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["entropax"])
    assert header["schema"] == 1
    assert header["leaves"] == {"['weight']": {"dtype": "float32", "shape": [1, 2], "generator": None}}


def test_a_failed_export_leaves_the_policy_before_it(tmp_path, monkeypatch):
    path = tmp_path / "policy.safetensors"
    export_policy(path, {"x": jnp.ones(2)}, {"number": 1})

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(RunWriteError, match=r"policy\.safetensors: .*No space left"):
            export_policy(path, {"x": jnp.zeros(2)}, {"number": 2})
    params, description = load_policy(path, {"x": jnp.zeros(2)})
    assert params["x"].tolist() == [1, 1]
    assert description == {"number": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["policy.safetensors"]


def header(schema: int = 1, **changes) -> dict[str, str]:
    leaves = {"['x']": {"dtype": "float32", "shape": [2], "generator": None}}
    return {"entropax": json.dumps({"schema": schema, "description": {}, "leaves": leaves, **changes})}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "no schema number"),
        ({"entropax": "{"}, "no readable policy file"),
        (header(schema=2), r"schema 2.*Upgrade"),
        (header(description=3), "carries no description"),
        (header(leaves=[]), "is no object"),
        (header(leaves={"['x']": {"dtype": "float32"}}), "malformed"),
        (header(leaves={"['x']": {"dtype": "float32", "shape": [2], "generator": "made-up"}}), "not what their"),
        (header(leaves={"['y']": {"dtype": "float32", "shape": [2], "generator": None}}), r"missing \[\"\['x'\]\"\]"),
        (header(leaves={"['x']": {"dtype": "int64", "shape": [2], "generator": None}}), r"stored as int64\[2\]"),
    ],
)
def test_a_forged_header_is_refused(tmp_path, metadata, message):
    path = tmp_path / "policy.safetensors"
    save_file({"['x']": np.zeros(2, np.float32)}, path, metadata)
    with pytest.raises(EntropaxError, match=message):
        load_policy(path, {"x": jnp.zeros(2)})


def test_a_tensor_that_is_not_what_the_header_says(tmp_path):
    path = tmp_path / "policy.safetensors"
    save_file({"['x']": np.zeros(3, np.float32)}, path, header())
    with pytest.raises(EntropaxError, match="not what their description says"):
        load_policy(path, {"x": jnp.zeros(2)})
    save_file({"['z']": np.zeros(2, np.float32)}, path, header())
    with pytest.raises(EntropaxError, match="not what their description says"):
        load_policy(path, {"x": jnp.zeros(2)})


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_policy(tmp_path, share):
    path = tmp_path / "policy.safetensors"
    export_policy(path, actor(), DESCRIPTION)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(EntropaxError, match="no readable policy file"):
        read_policy_description(path)


def test_a_pickle_and_a_missing_file_are_no_policies(tmp_path):
    path = tmp_path / "policy.safetensors"
    with pytest.raises(EntropaxError, match="no readable policy file"):
        read_policy_description(path)
    path.write_bytes(pickle.dumps({"x": np.zeros(1000)}))
    with pytest.raises(EntropaxError, match="no readable policy file"):
        read_policy_description(path)


def test_a_description_that_is_not_json_is_refused(tmp_path):
    with pytest.raises(EntropaxError, match="is not JSON"):
        export_policy(tmp_path / "policy.safetensors", {"x": jnp.ones(1)}, {"loss": float("inf")})
    assert list(tmp_path.iterdir()) == []


def test_a_header_that_names_a_type_numpy_lacks_is_refused(tmp_path):
    about = json.dumps({"schema": 1, "description": {}, "leaves": {}})
    header = {"__metadata__": {"entropax": about}, "a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}
    text = json.dumps(header).encode()
    path = tmp_path / "policy.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0\0")
    with pytest.raises(EntropaxError, match="no readable policy file"):
        read_policy_description(path)
