"""What a controller and the log have of an optimiser step: all of it, however it is cut, logged or resumed."""

from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

from entropax.llm import Clip, Controller, RepoBeta, SamplingTemperature, ScoreBonus
from entropax.plugins.trl import EntropyGRPOTrainer
from entropax.temperature import Clamp, Nats, StepRule


def raising(actuator, most=0.2):
    """A controller that adds to the knob at every step, as the entropy is below the target."""
    law = StepRule(0.05, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(2.2), band=Clamp(1e-8, most))
    return Controller(law, actuator, vocabulary=10)


class Drawn(NamedTuple):
    """Completions: whether they are to be trained on, their temperature, and what they earned on average."""

    training: bool
    temperature: float
    reward: float


@pytest.fixture
def drawings(monkeypatch):
    """Every drawing of completions, in their order."""
    seen, inner = [], EntropyGRPOTrainer._calculate_rewards

    def noted(self, *arguments, **keywords):
        each = inner(self, *arguments, **keywords)
        seen.append(Drawn(self.model.training, self.generation_config.temperature, float(each.mean())))
        return each

    monkeypatch.setattr(EntropyGRPOTrainer, "_calculate_rewards", noted)
    return seen


@pytest.mark.parametrize("rows", [1, 2])
def test_measures_are_of_the_step_whatever_its_micro_batches(trained, settings, rows):
    """Within a single completion the advantage is one number, and every covariance with it is 0."""
    whole = trained(settings(max_steps=1), EntropyGRPOTrainer, method=ScoreBonus(Clip(), 0.1)).state.log_history[0]
    cut = settings(max_steps=1, per_device_train_batch_size=rows, gradient_accumulation_steps=8 // rows)
    parts = trained(cut, EntropyGRPOTrainer, method=ScoreBonus(Clip(), 0.1)).state.log_history[0]
    names = [name for name in whole if name.startswith("entropax/")]
    assert abs(whole["entropax/covariance"]) > 1e-3 and abs(whole["entropax/predicted_change"]) > 1e-3
    assert {name: parts[name] for name in names} == pytest.approx({name: whole[name] for name in names}, abs=1e-5)


@pytest.mark.parametrize("logging_steps", [1, 4])
def test_rewards_are_counted_once_however_often_they_are_logged(trained, settings, drawings, logging_steps):
    """Two iterations on the completions of the first and of the third step; a batch's mean weighs a tenth."""
    args = settings(max_steps=4, num_iterations=2, logging_steps=logging_steps)
    run = trained(args, EntropyGRPOTrainer, method=ScoreBonus(), controller=raising(RepoBeta(high=0.2)))
    first, second = (one.reward for one in drawings)
    saved = run.steering.to_json()["controller"]["state"]["mean_reward"]
    assert first != second
    assert saved == pytest.approx(first + 0.1 * (second - first), rel=1e-5)


def test_a_resumed_run_draws_at_the_temperature_it_had_come_to(trained, settings, drawings):
    keywords = {"method": Clip(), "controller": raising(SamplingTemperature())}
    args = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    run = trained(settings(**args), EntropyGRPOTrainer, **keywords)
    whole = [one.temperature for one in drawings]
    assert whole == pytest.approx([1.0, 1.05, 1.1, 1.15])
    drawings.clear()
    checkpoint = str(Path(run.args.output_dir) / "checkpoint-2")
    resumed = trained(settings(**args), EntropyGRPOTrainer, resume=checkpoint, **keywords)
    assert [one.temperature for one in drawings] == whole[2:]
    assert resumed.steering.to_json() == run.steering.to_json()


def test_an_evaluation_is_of_the_policy_itself(trained, settings, prompts, drawings):
    args = settings(max_steps=3, eval_strategy="steps", eval_steps=1, per_device_eval_batch_size=8)
    evaluated = {"eval_dataset": prompts.select(range(1))}
    trained(args, EntropyGRPOTrainer, method=Clip(), controller=raising(SamplingTemperature()), **evaluated)
    assert [one.temperature for one in drawings if one.training] == pytest.approx([1.0, 1.05, 1.1])
    assert {one.temperature for one in drawings if not one.training} == {1.0}


def test_a_method_that_was_set_anew_goes_on_as_it_is_set_and_says_so(trained, make_trainer, settings):
    """The knob that a controller moves goes on from the checkpoint; all others are settings."""
    args = {"save_strategy": "steps", "save_steps": 2, "max_steps": 2}
    controller = raising(RepoBeta(high=0.2))
    run = trained(settings(**args), EntropyGRPOTrainer, method=ScoreBonus(Clip(0.2, 0.2)), controller=controller)
    checkpoint = str(Path(run.args.output_dir) / "checkpoint-2")
    wider = ScoreBonus(Clip(0.2, 0.28))
    other = make_trainer(settings(**args | {"max_steps": 3}), EntropyGRPOTrainer, method=wider, controller=controller)
    with pytest.warns(UserWarning, match=r"clip_upper from 0\.2 to 0\.28"):
        other.train(resume_from_checkpoint=checkpoint)
    assert other.steering.state.knobs["clip_upper"] == 0.28
    assert other.steering.state.knobs["score_bonus"] == pytest.approx(0.15)
