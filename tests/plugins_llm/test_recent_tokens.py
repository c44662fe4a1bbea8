"""The memory of recent tokens gathers those of other processes."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="torch is not installed here: make test-llm")

import torch

from entropax.llm import KLCov, ThisBatch, begin, tokens
from entropax.plugins.recent import Recent
from entropax.plugins.rows import packed, unpacked

METHOD = KLCov(0.019, 10.0)


def part(seed, rows, length):
    """A micro-batch of random tokens, the last of each row padding."""
    noise = torch.Generator().manual_seed(seed)
    log_prob, change, advantages = torch.randn(3, rows, length, generator=noise)
    mask = torch.ones(rows, length)
    mask[:, -1] = 0
    return tokens(log_prob, log_prob - change, advantages, mask)


def memory_of(rank):
    """The weights of a process's micro-batch, among those of both."""
    return Recent().weights(METHOD, part(rank, 2 + rank, 40 - 3 * rank), begin(METHOD), 1000, True).w


PROCESS = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from test_recent_tokens import memory_of
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
print(memory_of(rank).ravel().tolist())
torch.distributed.destroy_process_group()
"""


def test_two_processes_select_from_the_tokens_of_both():
    """Of another number and another length of completions each."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29518"}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROCESS, os.path.dirname(__file__)],
            env=os.environ | common | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=180)[0].splitlines()[-1]) for process in started]
    parts = [part(0, 2, 40), part(1, 3, 37)]
    expected = METHOD.weights(unpacked(packed(parts)), begin(METHOD), ThisBatch()).w
    torch.testing.assert_close(torch.tensor(answers[0]), expected[:2].ravel())
    torch.testing.assert_close(torch.tensor(answers[1]), expected[2:, :37].ravel())
    alone = METHOD.weights(parts[1], begin(METHOD), ThisBatch()).w
    assert not torch.equal(alone, expected[2:, :37])
