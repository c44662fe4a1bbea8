"""Reproduced claims: one file an experiment; runs are kept, so that a stopped experiment goes on."""
