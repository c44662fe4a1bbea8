"""The pages' links lead somewhere, their commands parse, and their runnable snippets run."""

import dataclasses
import re
import runpy
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BENCHMARKS = ROOT / "benchmarks" / "README.md"

RUNNABLE = [
    (page, snippet)
    for page in PAGES
    for snippet in re.findall(r"<!-- runnable -->\n```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
]


PAGES_OF = {
    "SoftQ": "soft_q",
    "DiscreteSoftQ": "discrete_soft_q",
    "DiscreteSAC": "discrete_sac",
    "MetaSAC": "meta_sac",
    "SACAdaEnt": "sac_adaent",
    "SACLite": "sac_lite",
    "DecomposedSAC": "decomposed_sac",
    "MaxInfoSAC": "max_info_sac",
}
"""Pages of algorithms whose names are two words."""
LAWS = {
    "Dual": "dual",
    "PI": "pi",
    "StepRule": "step_rule",
    "EachDimension": "each_dimension",
    "Guard": "guard",
    "Plateau": "targets",
}
"""Pages of the temperature laws and target rules that have a table of settings."""


def _name(page):
    return page.relative_to(ROOT).as_posix()


def _anchor(heading):
    """GitHub's anchor for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _anchors(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    return {_anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_pages_name_files_that_exist():
    plan = (ROOT / "docs" / "design.md").read_text("utf-8").split("```")[1]
    named = re.findall(r"^  (\w+(?:/|\.py)) ", plan, re.MULTILINE)
    there = {path.name + "/" * path.is_dir() for path in (ROOT / "entropax").iterdir() if path.name[:2] != "__"}
    assert len(named) == 22
    assert sorted(named) == sorted(there)


def test_both_readme_and_sac_page_have_a_runnable_snippet():
    assert [_name(page) for page, _ in RUNNABLE] == ["README.md", "docs/algorithms/sac.md"]


@pytest.mark.parametrize(("page", "snippet"), RUNNABLE, ids=[_name(page) for page, _ in RUNNABLE])
def test_runnable_snippets_run(page, snippet, tmp_path, monkeypatch, capsys):
    short, count = re.subn(r"steps=10_000", "steps=1_100, log_every=100, evaluate_every=0", snippet)
    assert count >= 1
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snippet.py").write_text(short, "utf-8")
    result = runpy.run_path(str(tmp_path / "snippet.py"))
    assert result["run"].metrics.rows[-1].step == 1_100
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_the_readme_s_train_command_sets_what_it_says(monkeypatch):
    from entropax.cli import COMMANDS, commands, main

    text = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"## Command line\n\n```\n(.*?)```", text, re.DOTALL)
    assert block is not None
    lines = block.group(1).replace("\\\n", " ").splitlines()
    words = shlex.split(lines[0])
    seen = []
    monkeypatch.setattr(commands, "train", seen.append)
    main(words[1:])
    (flags,) = seen
    assert (flags.env, flags.training.steps, flags.seeds) == ("HalfCheetah-v5", 100_000, 4)
    assert flags.algorithm.discount == 0.98
    assert flags.algorithm.temperature.learning_rate == 1e-4
    assert [line.split()[1] for line in lines] == list(COMMANDS)


def _commands(page):
    """Commands in a page's blocks, of ours or of a script of the repository; none with parts left open."""
    blocks = re.findall(r"```\w*\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.sub(r"\s(#|  +what).*$", "", line.removeprefix("$ ")) for line in lines]
    return [line for line in found if re.match(r"entropax |python \w+/", line) and not re.search(r"[\[…]", line)]


@pytest.mark.parametrize("page", [page for page in (*PAGES, BENCHMARKS) if _commands(page)], ids=_name)
def test_the_commands_of_a_page_parse(page, monkeypatch, capsys):
    """Their flags exist and fit one another; a round's counts fit what the algorithm is fed."""
    from entropax.cli import commands, diagnose, entropy, landscape, main, reproduce

    for module, name in (
        *((commands, name) for name in ("resume", "evaluate", "report", "envs", "export")),
        *((diagnose, "diagnose"), (entropy, "entropy"), (landscape, "landscape"), (reproduce, "collapse")),
    ):
        monkeypatch.setattr(module, name, lambda flags: None)
    monkeypatch.setattr(reproduce, "reproduce", lambda name, flags: None)
    monkeypatch.setattr(commands, "train", lambda flags: flags.training.fed_by(flags.algorithm.data()))
    for line in _commands(page):
        program, *words = shlex.split(line)
        if program == "python":
            assert (ROOT / words[0]).exists(), line
        elif "--help" in words:
            with pytest.raises(SystemExit, match="0"):
                main(words)
        else:
            main(words)


def _rows(page):
    """First two cells of every row of a page's tables whose first is a field's name."""
    return dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+?) \|", page.read_text("utf-8"), re.MULTILINE))


def _hold(table, module, before=""):
    """Compares a module's fields with a table; a field without a row has rows for its own fields."""
    for field in dataclasses.fields(module):
        name = before + field.name
        if name not in table:
            _hold(table, type(field.default), f"{name}.")
        elif isinstance(field.default, int | float):
            shown = re.match(r"-?\d[\d ]*(\.\d+)?(e-?\d+)?", table[name])
            assert shown is not None, name
            assert float(shown[0].replace(" ", "")) == field.default, name
        else:
            assert type(field.default).__name__ in table[name], name


@pytest.mark.parametrize("name", [*PAGES_OF, "SAC", "DQN", "TD3", "DDPG", "PPO", "A2C"])
def test_the_settings_table_is_complete_and_true(name):
    import entropax

    _hold(_rows(ROOT / "docs" / "algorithms" / f"{PAGES_OF.get(name, name.lower())}.md"), vars(entropax)[name])


@pytest.mark.parametrize("name", LAWS)
def test_the_table_of_a_law_is_complete_and_true(name):
    from entropax import temperature

    _hold(_rows(ROOT / "docs" / "temperature" / f"{LAWS[name]}.md"), vars(temperature)[name])
