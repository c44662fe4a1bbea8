"""What the likeliest completions earn, in TRL's log, against a count by hand of what TRL drew and learned from."""

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

import torch
from accelerate import Accelerator

from entropax.llm import Clip
from entropax.plugins.trl import EntropyGRPOTrainer
from entropax.plugins.trl.likeliest import Answers

NAN = float("nan")
SHAPES = [
    pytest.param({"per_device_train_batch_size": 16}, id="one batch a step"),
    pytest.param({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}, id="micro-batches"),
    pytest.param(
        {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "steps_per_generation": 1},
        id="two generations a step",
    ),
    pytest.param({"per_device_train_batch_size": 8, "steps_per_generation": 2}, id="two steps a generation"),
    pytest.param({"per_device_train_batch_size": 16, "num_iterations": 2}, id="learned from twice"),
]


class Watched(EntropyGRPOTrainer):
    """Scores what it has drawn once more, in the order in which it was drawn."""

    def _generate_and_score_completions(self, inputs):
        drawn = EntropyGRPOTrainer._generate_and_score_completions(self, inputs)
        ids = torch.cat([drawn["prompt_ids"], drawn["completion_ids"]], dim=1)
        attended = torch.cat([drawn["prompt_mask"], drawn["completion_mask"]], dim=1)
        with torch.no_grad():
            answer = self.model(ids, attention_mask=attended).logits.log_softmax(-1)[
                :, drawn["prompt_ids"].shape[1] - 1 :
            ]
        log_prob = answer[:, :-1].gather(-1, drawn["completion_ids"][..., None])[..., 0]
        totals = (log_prob * drawn["completion_mask"]).sum(dim=1).view(-1, 8)
        rewards = torch.tensor(list(self._logs["rewards"]["share_of_a"])[-totals.numel() :]).view(-1, 8)
        self.by_hand = [*vars(self).get("by_hand", []), rewards[torch.arange(len(totals)), totals.argmax(dim=1)].mean()]
        return drawn


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_that_of_what_was_drawn_in_the_row_of_its_reward(trained, settings, shape):
    run = trained(settings(max_steps=3, **shape), Watched, method=Clip())
    rows = run.state.log_history
    logged = [row["entropax/likeliest_reward"] for row in rows if "entropax/likeliest_reward" in row]
    per_row = len(run.by_hand) // len(logged)
    expected = torch.tensor(run.by_hand).view(-1, per_row).mean(dim=1)
    assert logged == pytest.approx(expected.tolist(), abs=1e-6)
    assert all(("entropax/likeliest_reward" in row) == ("reward" in row) for row in rows)
    assert any(row["entropax/likeliest_reward"] != row["reward"] for row in rows if "reward" in row)


def earned(rewards, log_prob, mask):
    """Of completions of two tokens, four a prompt."""
    answers = Answers(torch.tensor(rewards), 4, len(rewards))
    answers.scored(torch.arange(len(rewards)), torch.tensor(log_prob)[:, None] * torch.ones(2), torch.tensor(mask))
    return answers.reward(Accelerator(cpu=True))


ALL = [[True, True]] * 4


def test_completions_without_a_reward_or_a_token_are_left_out():
    """By hand: the second is likeliest; without a reward the third; without its tokens the first."""
    logs = [-3.0, -1.0, -2.0, -4.0]
    assert earned([1.0, 5.0, 2.0, 9.0], logs, ALL) == 5
    assert earned([1.0, NAN, 2.0, 9.0], logs, ALL) == 2
    assert earned([1.0, NAN, 2.0, 9.0], logs, [[True, True], [True, True], [False, False], [True, True]]) == 1
    assert earned([1.0, NAN, 2.0, 9.0] + [NAN] * 4, logs * 2, ALL * 2) == 2
    assert earned([NAN] * 4, logs, ALL) is None


def test_a_sum_counts_the_tokens_that_were_drawn():
    """The first has one token of -3, the others two of -2."""
    mask = [[True, False], *ALL[1:]]
    assert earned([7.0, 1.0, 1.0, 1.0], [-3.0, -2.0, -2.0, -2.0], mask) == 7
