"""Environments: the contract, our own tasks in JAX, and Gymnasium."""
