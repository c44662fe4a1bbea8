"""Where a number was measured, and in which environment: standard library only."""

import datetime
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE / ".venvs"


def interpreter(library: str) -> Path:
    """The Python of a library: this one for Entropax, one in `.venvs/` for a peer, made on first use.

    Raises:
        subprocess.CalledProcessError: pip could not install the peer.
    """
    if library == "entropax":
        return Path(sys.executable)
    python = ENVIRONMENTS / library / "bin" / "python"
    complete = ENVIRONMENTS / library / "complete"
    requirements = HERE / "peers" / f"requirements-{library}.txt"
    if not complete.exists() or complete.read_text() != requirements.read_text():
        print(f"Making the environment of {library} in {python.parent.parent} …", flush=True)
        shutil.rmtree(python.parent.parent, ignore_errors=True)
        venv.create(python.parent.parent, with_pip=True)
        # torch first and alone: what depends on it would otherwise draw in another build.
        torch = [line for line in requirements.read_text().splitlines() if line.startswith("torch==")]
        for what in (*([line] for line in torch), ["-r", str(requirements)]):
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *what], check=True)
        complete.write_text(requirements.read_text())
    return python


def describe() -> dict[str, Any]:
    """Processor, cores, memory, load, Python and time."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {
        "processor": ", ".join(sorted(models)) or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "platform": platform.platform(),
        "python": platform.python_version(),
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
