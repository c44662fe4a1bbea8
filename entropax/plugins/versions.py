"""Versions of other libraries that the tests have run in."""

import warnings

from packaging.version import Version


class UntestedVersionWarning(UserWarning):
    """A version of the trainer that the tests have not run in."""


def warn_untested(library: str, version: str, tested: tuple[str, str]) -> None:
    """Warns of a version outside a range."""
    oldest, newest = tested
    if not Version(oldest) <= Version(version) <= Version(newest):
        span = oldest if oldest == newest else f"{oldest} to {newest}"
        warnings.warn(
            f"This is {library} {version}, and Entropax was tested in {span}. What it overrides there may have "
            "changed: check the first steps' metrics, or install a tested version.",
            UntestedVersionWarning,
            stacklevel=3,
        )
