"""Entropax inside other libraries: optional extras, which nothing else of the package imports."""
