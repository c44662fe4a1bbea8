"""Diagnostics: measures of a policy, and rules that turn a run's series into a verdict; pure functions."""
