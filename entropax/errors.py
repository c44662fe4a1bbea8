"""The one class behind every error that a user can cause and repair."""


class EntropaxError(ValueError):
    """A mistake in the input: what, why, and the remedy."""
