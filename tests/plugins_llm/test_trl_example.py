"""The example of the documentation runs, and its page says what it prints."""

import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

ROOT = Path(__file__).parents[2]


def test_the_example_holds_the_entropy(capsys):
    runpy.run_path(str(ROOT / "examples" / "trl_control.py"))
    free, held = re.findall(r"([\d.]+) in the last ten steps", capsys.readouterr().out)
    assert float(free) < 0.3 < 1.0 < float(held)


def test_the_page_s_lines_run_as_they_stand(model_path, tokenizer, tmp_path, monkeypatch):
    """But for the model, its tokenizer and vocabulary, and settings that make it short and quiet."""
    page = (ROOT / "docs" / "llm.md").read_text("utf-8")
    (snippet,) = [found for found in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "trainer.train()" in found]
    short = (
        'logging_steps=1, max_steps=2, use_cpu=True, bf16=False, report_to=[], save_strategy="no", disable_tqdm=True'
    )
    ours_for_theirs = {
        '"Qwen/Qwen2.5-0.5B"': repr(model_path),
        "151_936": "10",
        "logging_steps=1": short,
        "train_dataset=prompts": "train_dataset=prompts, processing_class=tokenizer",
    }
    for theirs, ours in ours_for_theirs.items():
        assert snippet.count(theirs) == 1
        snippet = snippet.replace(theirs, ours)
    monkeypatch.chdir(tmp_path)
    ran = {"tokenizer": tokenizer}
    exec(compile(snippet, "llm.md", "exec"), ran)
    rows = [row for row in ran["trainer"].state.log_history if "entropax/knob" in row]
    assert len(rows) == 2
    assert rows[0]["entropax/target"] == 0.5
