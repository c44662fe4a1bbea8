"""The error a user is meant to read."""


class EntropaxError(ValueError):
    """Says what is wrong, why, and what to do about it."""
