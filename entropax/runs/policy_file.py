"""A policy to share: one safetensors file that carries its own description."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import PyTree

from entropax.runs.tensor_file import read_tensor_file, write_tensor_file
from entropax.runs.tensors import Records, fill


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
    write_tensor_file(path, actor_params, description)


def _read(path: Path) -> tuple[dict[str, np.ndarray], Records, dict[str, Any]]:
    return read_tensor_file(path, "policy", "Export the policy again.")


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
