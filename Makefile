# Two commands do everything on a machine with Python >= 3.11: make demo, make test. The plugins need other libraries and
# environments of their own: make test-plugins, make test-llm.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-slow test-plugins test-llm check lock

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13), "Entropax needs Python 3.11 to 3.13; set PYTHON=python3.x"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: setup
	$(BIN)/python examples/demo.py

# Most of a test's time is compilation, by one thread: a process a core, and whole files, which share what they trained.
test: setup
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

# What takes longer: most probes, experiments from training to page, every learner in both loops, noise and bonuses on hosts, seeds in processes.
test-slow: setup
	$(BIN)/python -m pytest -m slow --numprocesses=auto --maxprocesses=4 --dist=loadfile

# The CPU build of torch is meant: where the default index serves another one, set
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu.
.venv-sb3/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv-sb3
	.venv-sb3/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv-sb3/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 stable-baselines3==2.9.2 --editable ".[sb3]"
	@touch $@

test-plugins: .venv-sb3/installed
	.venv-sb3/bin/python -m pytest tests/plugins

.venv-llm/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv-llm
	.venv-llm/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv-llm/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.10.4 trl==1.16.0 verl==0.9.1 google-tunix==0.1.7 --editable ".[trl,tunix,verl]"
	@touch $@

test-llm: .venv-llm/installed
	.venv-llm/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile tests/plugins_llm

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

# Resolves pyproject.toml anew for every supported Python; needs uv.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra dev --no-header --quiet pyproject.toml -o requirements.lock
