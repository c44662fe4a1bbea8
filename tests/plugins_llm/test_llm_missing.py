"""Without a trainer's library its plug-in's import names the remedy; nothing else needs torch."""

import importlib.util
import subprocess
import sys

import pytest

import entropax


@pytest.mark.parametrize(("library", "extra"), [("trl", "trl")])
def test_the_import_names_the_remedy(monkeypatch, library, extra):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else found(name))
    monkeypatch.delitem(sys.modules, f"entropax.plugins.{library}", raising=False)
    with pytest.raises(entropax.EntropaxError, match=rf'pip install "entropax\[{extra}\]"'):
        importlib.import_module(f"entropax.plugins.{library}")


def test_the_library_of_methods_imports_no_torch():
    code = "import sys, entropax.llm; print('torch' in sys.modules, 'entropax.plugins' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
