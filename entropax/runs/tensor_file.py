"""One safetensors file that carries its own description: what policies and snapshots are kept in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import PyTree
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from entropax.errors import EntropaxError
from entropax.runs.atomic import check_schema, write_bytes
from entropax.runs.tensors import Records, name_leaves, read_records

SCHEMA = 1


def write_tensor_file(path: Path, tree: PyTree, description: dict[str, Any]) -> None:
    """Writes arrays and plain JSON to one file; replaces the file in one step.

    Raises:
        RunWriteError: the file cannot be written.
        EntropaxError: a leaf is not an array, or the description is not JSON.
    """
    tensors, records = name_leaves(tree)
    try:
        header = json.dumps({"schema": SCHEMA, "description": description, "leaves": records}, allow_nan=False)
    except (TypeError, ValueError) as cause:
        raise EntropaxError(f"The description of {path} is not JSON: {cause}. Pass finite plain values.") from cause
    write_bytes(path, save(tensors, {"entropax": header}))


def read_tensor_file(path: Path, what: str, remedy: str) -> tuple[dict[str, np.ndarray], Records, dict[str, Any]]:
    """Reads memory by key path, what the file says of its leaves, and its description.

    Args:
        path: a file that `write_tensor_file` wrote.
        what: what it holds, for the message: "policy".
        remedy: what to do where it cannot be read.

    Raises:
        EntropaxError: the file is missing, damaged, of another kind, or newer than this version.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = (file.metadata() or {}).get("entropax")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        content = check_schema(json.loads(header or "null"), SCHEMA, path)
    # NumPy lacks types that a header may name; JSON may be nested without end.
    except (OSError, SafetensorError, AttributeError, RecursionError, json.JSONDecodeError) as cause:
        raise EntropaxError(f"{path} is no readable {what} file: {cause}. {remedy}") from cause
    if not isinstance(content.get("description"), dict):
        raise EntropaxError(f"{path} carries no description of its {what}. {remedy}")
    return tensors, read_records(content.get("leaves")), content["description"]
