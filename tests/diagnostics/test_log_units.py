"""What other libraries log is brought to our units, as their sources define it."""

import pytest
from tensorboardX import SummaryWriter

from entropax.diagnostics.readers import Known, read_log


@pytest.mark.parametrize(
    ("name", "factor"), [("train/value_loss", 1.0), ("losses/value_loss", 2.0), ("training/critic_loss", 2.0)]
)
def test_a_critic_s_loss_is_in_our_unit(tmp_path, name, factor):
    """Our PPO's is a mean squared error; our SAC's is half the sum of two."""
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar(name, 3.0, 1)
    assert read_log([tmp_path], {}, Known()).series["train/critic_loss"].values == pytest.approx(3 * factor)
