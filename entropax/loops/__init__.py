"""Loops: `chunk` and `train` are pure functions; `fit` drives lanes of seeds into a run folder."""
