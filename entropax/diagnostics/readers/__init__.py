"""Readers of other libraries' logs: TensorBoard event files and CSV become series under our metric names."""

from entropax.diagnostics.readers.log import Known, Log, read_log, read_mapping

__all__ = ["Known", "Log", "read_log", "read_mapping"]
