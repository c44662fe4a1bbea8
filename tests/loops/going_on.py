"""What every algorithm's run must do once it has lost its last checkpoint."""

import shutil

import jax
import numpy as np

from entropax import load, resume


def assert_goes_on(trained) -> None:
    """The run goes on from the checkpoint before, to its end; on a JAX environment it ends with the same actors."""
    first = [np.asarray(leaf) for leaf in jax.tree.leaves(trained.actors)]
    shutil.rmtree(trained.path / "checkpoints" / "step_000000600")
    again = resume(trained.path, progress=False)
    assert again.metrics.rows[-1].step == 600
    if trained.manifest.environment["backend"] == "jax":
        for one, two in zip(first, jax.tree.leaves(load(trained.path).actors), strict=True):
            np.testing.assert_array_equal(one, two)
