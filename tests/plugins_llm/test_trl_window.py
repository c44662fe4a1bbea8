"""Methods that select tokens see the whole optimiser step in TRL, however it is split into micro-batches."""

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

import torch

from entropax.llm import ClipCov, KLCov, Quantiles, TopEntropy
from entropax.plugins.rows import select_over
from entropax.plugins.trl import EntropyGRPOTrainer

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
        return [one for part in parts for one in select_over(accelerator, method, [part], state)]

    monkeypatch.setattr("entropax.plugins.trl.trainer.select_over", alone)
    apart = trained(settings(**args), EntropyGRPOTrainer, method=KLCov(0.019, 10.0))
    assert (parameters(whole) - parameters(apart)).abs().max() > 1e-2
