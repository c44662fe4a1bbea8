"""A policy to share: one safetensors file that carries its own description."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import PyTree
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from entropax.errors import EntropaxError
from entropax.runs.atomic import check_schema, write_bytes
from entropax.runs.tensors import Records, fill, name_leaves, read_records

SCHEMA = 1


def export_policy(path: Path, actor_params: PyTree, description: dict[str, Any]) -> None:
    """Writes an actor's parameters and what is needed to use them; replaces the file in one step.

    Args:
        path: for example `policy.safetensors`.
        actor_params: the parameters of one actor, arrays only.
        description: plain JSON: the environment's spec, the network's configuration.

    Raises:
        RunWriteError: the file cannot be written.
        EntropaxError: a leaf is not an array, or the description is not JSON.
    """
    tensors, records = name_leaves(actor_params)
    try:
        header = json.dumps({"schema": SCHEMA, "description": description, "leaves": records}, allow_nan=False)
    except (TypeError, ValueError) as cause:
        raise EntropaxError(f"The description of {path} is not JSON: {cause}. Pass finite plain values.") from cause
    write_bytes(path, save(tensors, {"entropax": header}))


def _read(path: Path) -> tuple[dict[str, np.ndarray], Records, dict[str, Any]]:
    try:
        with safe_open(path, framework="np") as file:
            header = (file.metadata() or {}).get("entropax")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        content = check_schema(json.loads(header or "null"), SCHEMA, path)
    except (OSError, SafetensorError, json.JSONDecodeError) as cause:
        raise EntropaxError(f"{path} is no readable policy file: {cause}. Export the policy again.") from cause
    if not isinstance(content.get("description"), dict):
        raise EntropaxError(f"{path} carries no description of its policy. Export the policy again.")
    return tensors, read_records(content.get("leaves")), content["description"]


def read_policy_description(path: Path) -> dict[str, Any]:
    """The description alone: enough to build the actor whose parameters `load_policy` fills.

    Raises:
        EntropaxError: the file is missing, damaged, not a policy, or newer than this version.
    """
    return _read(path)[2]


def load_policy(path: Path, like: PyTree) -> tuple[PyTree, dict[str, Any]]:
    """Reads an actor's parameters, bit for bit, and the description exported with them.

    Args:
        path: a file that `export_policy` wrote.
        like: the parameters' structure, from `jax.eval_shape` of the actor built from the description.

    Raises:
        EntropaxError: the file is missing, damaged, newer, or holds another network's parameters.
    """
    tensors, records, description = _read(path)
    return fill(like, tensors, records), description
