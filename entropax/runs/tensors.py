"""A PyTree of arrays as named, typed, plain memory, and back: what both kinds of tensor file share."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from entropax.errors import EntropaxError

_PLAIN = frozenset(
    [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
    ]
)
_FORGED = "The file was changed after it was written: restore it from a backup."
Records = dict[str, dict[str, Any]]
"""For each leaf, by key path: dtype, shape and, for a random key, the generator it belongs to."""


def is_key(leaf: Any) -> bool:
    """Whether a leaf (array or its abstract value) is a typed random key."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _stored(name: str, leaf: np.ndarray) -> np.ndarray:
    """The memory as a dtype that every safetensors reader knows: same bits, same shape, no copy where dense.

    Raises:
        EntropaxError: text, objects or complex128, which no tensor file holds.
    """
    numbers = leaf.dtype == np.bool_ or jnp.issubdtype(leaf.dtype, np.number)
    if not numbers or leaf.dtype.itemsize > 8:
        raise EntropaxError(
            f"Leaf {name or '(root)'} is not an array of numbers of at most 8 bytes but of {leaf.dtype}. "
            "Keep it out of the state, or convert it to numbers."
        )
    dense = np.ascontiguousarray(leaf).reshape(leaf.shape)
    return dense if leaf.dtype.name in _PLAIN else dense.view(f"uint{8 * leaf.dtype.itemsize}")


def name_leaves(tree: PyTree) -> tuple[dict[str, np.ndarray], Records]:
    """Names every leaf by its key path, for example `.actor.layers[0].weight`.

    Args:
        tree: jax or NumPy arrays of any shapes and dtypes, typed random keys included.

    Returns:
        The memory to store and, per leaf, what is needed to rebuild it bit for bit.

    Raises:
        EntropaxError: a leaf is not an array.
    """
    tensors: dict[str, np.ndarray] = {}
    records: Records = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path)
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
            raise EntropaxError(
                f"Leaf {name or '(root)'} is a {type(leaf).__name__}, not an array: state holds arrays only, so that "
                "its dtype is kept. Wrap it in jnp.asarray with an explicit dtype."
            )
        generator = None
        if isinstance(leaf, jax.Array) and is_key(leaf):
            generator = str(jax.random.key_impl(leaf))
            memory = np.asarray(jax.random.key_data(leaf))
        else:
            memory = np.asarray(leaf)
        tensors[name] = _stored(name, memory)
        records[name] = {"dtype": str(leaf.dtype), "shape": list(leaf.shape), "generator": generator}
    return tensors, records


def read_records(content: Any) -> Records:
    """Holds what a file says of its leaves to the form that `name_leaves` gives it.

    Raises:
        EntropaxError: it has another form.
    """
    if not isinstance(content, dict):
        raise EntropaxError(f"The description of the leaves is no object. {_FORGED}")
    for name, record in content.items():
        well_formed = (
            isinstance(record, dict)
            and record.keys() == {"dtype", "shape", "generator"}
            and isinstance(record["dtype"], str)
            and isinstance(record["shape"], list)
            and all(type(size) is int for size in record["shape"])
            and isinstance(record["generator"], str | None)
        )
        if not well_formed:
            raise EntropaxError(f"The description of leaf {name} is malformed. {_FORGED}")
    return content


def _rebuild(memory: np.ndarray, record: Mapping[str, Any], like: Any) -> Any:
    """One leaf, in memory of its own, so that the file may be unmapped and the array written or donated."""
    if record["generator"] is not None:
        return jax.random.wrap_key_data(jnp.array(memory), impl=record["generator"])
    array = memory.view(jnp.dtype(record["dtype"])).reshape(record["shape"])
    on_host = isinstance(like, np.ndarray | np.generic)
    if on_host or jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype:
        return np.array(array)
    return jnp.array(array)


def fill(like: PyTree, tensors: Mapping[str, np.ndarray], records: Mapping[str, Mapping[str, Any]]) -> PyTree:
    """Rebuilds a tree of the structure of `like` from named memory.

    Args:
        like: the tree's structure: arrays, or `jax.eval_shape` of the function that makes them. A NumPy leaf comes
            back as NumPy memory, any other as a jax array.
        tensors: stored memory by key path.
        records: dtype, shape and generator by key path.

    Raises:
        EntropaxError: leaves are missing or unknown, or a shape or dtype differs.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    wanted = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
    missing, unknown = sorted(wanted.keys() - records.keys()), sorted(records.keys() - wanted.keys())
    if missing or unknown:
        raise EntropaxError(
            f"The stored state has other leaves than this configuration: missing {missing[:4]}, unknown {unknown[:4]}. "
            "Use the configuration in the run's run.json."
        )
    for name, leaf in wanted.items():
        stored = (records[name]["dtype"], tuple(records[name]["shape"]))
        if stored != (str(leaf.dtype), tuple(leaf.shape)):
            raise EntropaxError(
                f"Leaf {name} was stored as {stored[0]}{list(stored[1])}, this configuration wants "
                f"{leaf.dtype}{list(leaf.shape)}. Use the configuration, seeds and environment in the run's run.json."
            )
    try:
        rebuilt = [_rebuild(tensors[name], records[name], leaf) for name, leaf in wanted.items()]
    except (KeyError, TypeError, ValueError) as cause:
        raise EntropaxError(f"The stored tensors are not what their description says: {cause!r}. {_FORGED}") from cause
    return jax.tree_util.tree_unflatten(structure, rebuilt)
