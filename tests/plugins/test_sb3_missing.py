"""Without Stable-Baselines3 the plugin's import names the remedy; nothing else needs it."""

import importlib.util
import subprocess
import sys

import pytest

import entropax


def test_the_import_names_the_remedy(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "stable_baselines3" else found(name))
    monkeypatch.delitem(sys.modules, "entropax.plugins.sb3", raising=False)
    with pytest.raises(entropax.EntropaxError, match=r'pip install "entropax\[sb3\]"'):
        importlib.import_module("entropax.plugins.sb3")


def test_the_library_and_its_command_line_import_no_torch():
    code = (
        "import sys, entropax, entropax.cli.commands; print('torch' in sys.modules, 'entropax.plugins' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
