"""Measures of a policy, statistics over seeds, and the rules that turn a run's series into a verdict."""
