"""The plug-in's gradient inside TRL is the published objective's."""

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

import torch

from entropax.llm import Clip, EntropyBonus
from entropax.plugins.trl import EntropyGRPOTrainer

REUSED = {"num_iterations": 2, "max_steps": 4, "learning_rate": 3e-2}
"""Every completion is learned from twice, so that ratios differ from 1 in every second step."""


def parameters(trainer):
    """All parameters in one vector."""
    return torch.cat([value.detach().ravel() for value in trainer.model.parameters()])


@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dr_grpo", "dapo"])
def test_clip_learns_as_trl_s_own_clip(trained, settings, loss_type):
    args = REUSED | {"loss_type": loss_type}
    plain = trained(settings(**args))
    ours = trained(settings(**args), EntropyGRPOTrainer, method=Clip())
    assert max(row.get("clip_ratio/region_mean", 0) for row in plain.state.log_history) > 0.05
    torch.testing.assert_close(parameters(ours), parameters(plain), rtol=1e-4, atol=1e-5)


def test_the_reference_s_kl_is_not_scaled(trained, settings):
    args = REUSED | {"beta": 0.5, "use_bias_correction_kl": False}
    plain = trained(settings(**args))
    ours = trained(settings(**args), EntropyGRPOTrainer, method=Clip())
    free = trained(settings(**args | {"beta": 0.0}), EntropyGRPOTrainer, method=Clip())
    torch.testing.assert_close(parameters(ours), parameters(plain), rtol=1e-4, atol=1e-5)
    assert (parameters(ours) - parameters(free)).abs().max() > 1e-2


def test_an_entropy_bonus_is_trl_s_own(trained, settings):
    """Under "bnpo" both are a mean over tokens, so that one coefficient means the same."""
    args = {"loss_type": "bnpo", "max_steps": 3}
    plain = trained(settings(**args, entropy_coef=0.1))
    ours = trained(settings(**args), EntropyGRPOTrainer, method=EntropyBonus(Clip(), 0.1))
    without = trained(settings(**args), EntropyGRPOTrainer, method=Clip())
    torch.testing.assert_close(parameters(ours), parameters(plain), rtol=1e-4, atol=1e-5)
    assert (parameters(ours) - parameters(without)).abs().max() > 1e-2
