"""Where the laws compute when another library owns the accelerator."""

import jax

from entropax.errors import EntropaxError


def use_cpu() -> None:
    """Makes JAX of this process compute on the CPU alone; for processes whose accelerator belongs to torch.

    JAX takes every accelerator that it finds when it first computes, and three quarters of a GPU's memory with it.
    Turning that allocation off (`XLA_PYTHON_CLIENT_PREALLOCATE`) still leaves a CUDA context of some hundred MiB in
    every process. Here the GPU is never opened, whatever `JAX_PLATFORMS` says. The plug-ins for torch call this before
    the first law computes; importing Entropax and making a `Controller` compute nothing. Calling it again is harmless.

    Raises:
        EntropaxError: JAX has computed on an accelerator already, which nothing can give back.
    """
    before = jax.config.values["jax_platforms"]
    jax.config.update("jax_platforms", "cpu")
    if jax.default_backend() != "cpu":
        jax.config.update("jax_platforms", before)
        raise EntropaxError(
            f"JAX has already begun to compute on the {jax.default_backend()} of this process, so its memory is taken. "
            "Make the trainer before anything else computes with JAX, or start Python with JAX_PLATFORMS=cpu."
        )
