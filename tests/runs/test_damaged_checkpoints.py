"""A newest checkpoint without a schema is damaged, one of another version is not: only the first names an older one."""

import json

import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.runs import CheckpointReadError, read_checkpoint_meta, save_checkpoint


def newest_meta(run):
    """The meta.json of the newer of two checkpoints."""
    save_checkpoint(run, 1, {"x": np.zeros(2)}, {})
    return save_checkpoint(run, 2, {"x": np.ones(2)}, {}) / "meta.json"


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: [],
        lambda content: None,
        lambda content: {**content, "schema": "2"},
        lambda content: {name: value for name, value in content.items() if name != "schema"},
    ],
    ids=["a list", "nothing", "a text for a number", "left out"],
)
def test_a_damaged_schema_names_the_older_whole_one(tmp_path, edit):
    meta = newest_meta(tmp_path)
    meta.write_text(json.dumps(edit(json.loads(meta.read_text()))))
    with pytest.raises(CheckpointReadError, match=r"no schema number.*step 1 is whole: move the damaged folder away"):
        read_checkpoint_meta(tmp_path)


@pytest.mark.parametrize(("schema", "remedy"), [(1, "older entropax wrote it"), (10**6, "Upgrade")])
def test_a_checkpoint_of_another_version_is_not_called_damaged(tmp_path, schema, remedy):
    meta = newest_meta(tmp_path)
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "schema": schema}))
    with pytest.raises(EntropaxError, match=remedy) as caught:
        read_checkpoint_meta(tmp_path)
    assert "move the damaged folder away" not in str(caught.value)
