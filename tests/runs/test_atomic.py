"""What is replaced in one step, and who may write to a run folder."""

import os
import subprocess
import sys

import pytest

from entropax import SAC, EntropaxError, Training, resume
from entropax.runs import RunWriteError, create_run, new_manifest, sole_writer, to_config
from entropax.runs.atomic import write_bytes

HOLDER = """
import sys
from pathlib import Path
from entropax.runs import sole_writer

with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_is_no_file_is_left_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(RunWriteError, match="it is there and no file"):
        write_bytes(pipe, b"new")
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "page.html").write_bytes(b"old")
    link = tmp_path / "page.html"
    link.symlink_to("elsewhere/page.html")
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "page.html").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["page.html"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RunWriteError, match=r"there is no folder .*absent\. Make it first\."):
        write_bytes(tmp_path / "absent" / "page.html", b"new")


def test_one_process_at_a_time_writes_to_a_run(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(EntropaxError, match="being written by another process"), sole_writer(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with sole_writer(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_being_written_is_not_resumed(tmp_path):
    made = new_manifest(
        algorithm=to_config(SAC()),
        environment={"id": "Pendulum-v1"},
        training=to_config(Training()),
        seeds=(0,),
        spec={},
        baselines={},
    )
    folder = create_run(tmp_path, "sac", made)
    with sole_writer(folder), pytest.raises(EntropaxError, match="or elsewhere in this one"):
        resume(folder)
