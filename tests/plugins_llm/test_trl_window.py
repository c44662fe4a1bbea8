"""Methods that select tokens see the whole optimiser step: all its micro-batches, and all processes."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

import torch

from entropax.llm import ClipCov, KLCov, Quantiles, TopEntropy, begin, tokens
from entropax.plugins.trl import EntropyGRPOTrainer, window

REUSED = {"num_iterations": 2, "max_steps": 4, "learning_rate": 3e-2}
SELECTING = [KLCov(0.019, 10.0), TopEntropy(fraction=0.2), ClipCov(0.019, Quantiles(0.5))]


def parameters(trainer):
    """All parameters in one vector."""
    return torch.cat([value.detach().ravel() for value in trainer.model.parameters()])


@pytest.mark.parametrize("method", SELECTING, ids=lambda method: type(method).__name__)
def test_four_micro_batches_of_two_learn_as_one_of_eight(trained, settings, method):
    args = REUSED | {"loss_type": "dapo"}
    whole = trained(settings(**args), EntropyGRPOTrainer, method=method)
    split = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    parts = trained(settings(**args, **split), EntropyGRPOTrainer, method=method)
    torch.testing.assert_close(parameters(parts), parameters(whole), rtol=1e-3, atol=1e-4)


def test_a_selection_of_each_micro_batch_alone_would_differ(trained, settings, monkeypatch):
    """What the test above would miss if selection made no difference."""
    args = REUSED | {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    whole = trained(settings(**args), EntropyGRPOTrainer, method=KLCov(0.019, 10.0))

    def alone(accelerator, method, parts, state):
        return [one for part in parts for one in window.select_over(accelerator, method, [part], state)]

    monkeypatch.setattr("entropax.plugins.trl.trainer.select_over", alone)
    apart = trained(settings(**args), EntropyGRPOTrainer, method=KLCov(0.019, 10.0))
    assert (parameters(whole) - parameters(apart)).abs().max() > 1e-2


class Alone:
    """An accelerator of one process."""

    process_index = 0

    def pad_across_processes(self, values, dim):
        return values

    def gather(self, values):
        return values


def parts_of(seed, rows, length):
    """A micro-batch of random tokens, the last of each row padding."""
    noise = torch.Generator().manual_seed(seed)
    log_prob, old, advantages, entropy = torch.randn(4, rows, length, generator=noise)
    mask = torch.ones(rows, length)
    mask[:, -1] = 0
    return tokens(log_prob, old, advantages, mask, entropy)


@pytest.mark.parametrize("method", SELECTING, ids=lambda method: type(method).__name__)
def test_micro_batches_of_other_lengths_are_padded(method):
    parts = [parts_of(0, 2, 9), parts_of(1, 3, 5)]
    weights = window.select_over(Alone(), method, parts, begin(method))
    assert [one.w.shape for one in weights] == [(2, 9), (3, 5)]
    for part, one in zip(parts, weights, strict=True):
        assert not one.w[~part.mask].any()
    plain = [method.weights(part, begin(method), window.ThisBatch()) for part in parts]
    assert any(not torch.equal(one.w, other.w) for one, other in zip(weights, plain, strict=True))


PROCESS = """
import sys, torch
from accelerate import Accelerator
sys.path.insert(0, sys.argv[1])
from test_trl_window import SELECTING, parts_of
from entropax.llm import begin
from entropax.plugins.trl.window import select_over
torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)
here = accelerator.process_index
for method in SELECTING:
    parts = [parts_of(2 * here, 2, 7 + here), parts_of(2 * here + 1, 2, 7)]
    weights = select_over(accelerator, method, parts, begin(method))
    print(here, torch.cat([one.w.ravel() for one in weights]).tolist(), flush=True)
"""


def test_two_processes_select_as_one(tmp_path):
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517", "ACCELERATE_USE_CPU": "true"}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROCESS, os.path.dirname(__file__)],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    answers = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    for number, method in enumerate(SELECTING):
        parts = [parts_of(0, 2, 7), parts_of(1, 2, 7), parts_of(2, 2, 8), parts_of(3, 2, 7)]
        expected = window.select_over(Alone(), method, parts, begin(method))
        for rank in range(2):
            mine = torch.cat([one.w.ravel() for one in expected[2 * rank : 2 * rank + 2]])
            lines = [line for line in answers[rank].splitlines() if line.startswith(f"{rank} ")]
            theirs = torch.tensor([float(word) for word in lines[number].split(" ", 1)[1].strip("[]").split(",")])
            torch.testing.assert_close(theirs, mine)
