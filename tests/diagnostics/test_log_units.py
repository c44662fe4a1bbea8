"""What other libraries log is brought to our units, as their sources define it."""

import numpy as np
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


def test_a_row_without_an_update_has_no_step_of_alpha(tmp_path):
    """Nor has one at which the count began anew."""
    with SummaryWriter(str(tmp_path)) as writer:
        for step, (updates, log_alpha) in enumerate([(100, 0.0), (100, 0.0), (200, -0.1), (200, -0.1), (50, -0.2)]):
            writer.add_scalar("train/n_updates", updates, step)
            writer.add_scalar("train/ent_coef", float(np.exp(log_alpha)), step)
    found = read_log([tmp_path], {}, Known()).series["train/ent_coef_step"]
    assert found.steps.tolist() == [2]
    assert found.values[:, 0] == pytest.approx(-1e-3, rel=1e-4)
