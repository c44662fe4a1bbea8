"""The run folder: manifest, metrics log, checkpoints, TensorBoard events, exported policies."""

from entropax.runs.atomic import RunWriteError
from entropax.runs.checkpoint import (
    CheckpointReadError,
    CheckpointWriteError,
    StoredCheckpoint,
    checkpoint_steps,
    read_checkpoint_meta,
    restore_checkpoint,
    save_checkpoint,
)
from entropax.runs.configuration import from_config, known_types, to_config
from entropax.runs.manifest import (
    RunManifest,
    create_run,
    current_commit,
    installed_versions,
    new_manifest,
    read_manifest,
)
from entropax.runs.metrics_log import MetricsLog, MetricsRow, MetricsTable, RunEvent, read_metrics
from entropax.runs.policy_file import export_policy, load_policy, read_policy_description

__all__ = [
    "CheckpointReadError",
    "CheckpointWriteError",
    "MetricsLog",
    "MetricsRow",
    "MetricsTable",
    "RunEvent",
    "RunManifest",
    "RunWriteError",
    "StoredCheckpoint",
    "checkpoint_steps",
    "create_run",
    "current_commit",
    "export_policy",
    "from_config",
    "installed_versions",
    "known_types",
    "load_policy",
    "new_manifest",
    "read_checkpoint_meta",
    "read_manifest",
    "read_metrics",
    "read_policy_description",
    "restore_checkpoint",
    "save_checkpoint",
    "to_config",
]
