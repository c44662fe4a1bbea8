"""The run folder: manifest, metrics log, checkpoints, snapshots, TensorBoard events, exported policies."""

from entropax.runs.atomic import RunWriteError
from entropax.runs.checkpoint import (
    CheckpointReadError,
    CheckpointWriteError,
    has_checkpoint,
    read_checkpoint_meta,
    restore_checkpoint,
    restore_part,
    save_checkpoint,
)
from entropax.runs.configuration import from_config, known_types, renewed, to_config
from entropax.runs.lock import sole_writer
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
from entropax.runs.snapshot_files import drop_snapshots_after, load_snapshot, save_snapshot, snapshot_steps

__all__ = [
    "CheckpointReadError",
    "CheckpointWriteError",
    "MetricsLog",
    "MetricsRow",
    "MetricsTable",
    "RunEvent",
    "RunManifest",
    "RunWriteError",
    "create_run",
    "current_commit",
    "drop_snapshots_after",
    "export_policy",
    "from_config",
    "has_checkpoint",
    "installed_versions",
    "known_types",
    "load_policy",
    "load_snapshot",
    "new_manifest",
    "read_checkpoint_meta",
    "read_manifest",
    "read_metrics",
    "read_policy_description",
    "renewed",
    "restore_checkpoint",
    "restore_part",
    "save_checkpoint",
    "save_snapshot",
    "snapshot_steps",
    "sole_writer",
    "to_config",
]
