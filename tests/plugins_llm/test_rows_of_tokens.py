"""Selections over micro-batches of several lengths and over several processes."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("accelerate", reason="accelerate is not installed here: make test-llm")

import torch

from entropax.llm import ClipCov, KLCov, Quantiles, ThisBatch, TopEntropy, begin, tokens
from entropax.plugins.recent import Recent
from entropax.plugins.rows import packed, select_over, unpacked

SELECTING = [KLCov(0.019, 10.0), TopEntropy(fraction=0.2), ClipCov(0.019, Quantiles(0.5))]


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
    weights = select_over(Alone(), method, parts, begin(method))
    assert [one.w.shape for one in weights] == [(2, 9), (3, 5)]
    for part, one in zip(parts, weights, strict=True):
        assert not one.w[~part.mask].any()
    plain = [method.weights(part, begin(method), ThisBatch()) for part in parts]
    assert any(not torch.equal(one.w, other.w) for one, other in zip(weights, plain, strict=True))


def of_rank(rank):
    """The micro-batches of a process; the first one's completions are longer in the second process."""
    return [parts_of(2 * rank, 2, 7 + rank), parts_of(2 * rank + 1, 2, 7)]


def uneven(rank):
    """A micro-batch whose number and length of completions are its process's own."""
    return parts_of(rank, 2 + rank, 40 - 3 * rank)


def of_recent(rank):
    """Weights of a process's micro-batch out of a memory of both processes' tokens."""
    return Recent().weights(SELECTING[0], uneven(rank), begin(SELECTING[0]), 1000, True).w


PROCESS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_rows_of_tokens import SELECTING, begin, of_rank, of_recent, select_over, torch
from accelerate import Accelerator
torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)
rank = accelerator.process_index
chosen = [select_over(accelerator, method, of_rank(rank), begin(method)) for method in SELECTING]
print(json.dumps([[part.w.tolist() for part in parts] for parts in chosen]))
print(json.dumps(of_recent(rank).tolist()))
torch.distributed.destroy_process_group()
"""


@pytest.fixture(scope="module")
def answers():
    """What each of two processes prints."""
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
    printed = [process.communicate(timeout=180)[0].splitlines()[-2:] for process in started]
    return [[json.loads(line) for line in lines] for lines in printed]


@pytest.mark.parametrize("number", range(len(SELECTING)), ids=lambda number: type(SELECTING[number]).__name__)
def test_two_processes_select_as_one(answers, number):
    method = SELECTING[number]
    expected = select_over(Alone(), method, of_rank(0) + of_rank(1), begin(method))
    theirs = [part for rank in range(2) for part in answers[rank][0][number]]
    for mine, other in zip(expected, theirs, strict=True):
        torch.testing.assert_close(torch.tensor(other), mine.w)


def test_a_memory_holds_the_tokens_of_all_processes(answers):
    method = SELECTING[0]
    expected = method.weights(unpacked(packed([uneven(0), uneven(1)])), begin(method), ThisBatch()).w
    torch.testing.assert_close(torch.tensor(answers[0][1]), expected[:2])
    torch.testing.assert_close(torch.tensor(answers[1][1]), expected[2:, :37])
    alone = method.weights(uneven(1), begin(method), ThisBatch()).w
    assert not torch.equal(alone, expected[2:, :37])
