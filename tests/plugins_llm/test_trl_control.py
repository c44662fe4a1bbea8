"""A controller inside TRL: it moves the entropy, is logged, and goes on from a checkpoint as if never stopped."""

import json
import math
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

import torch
from accelerate import Accelerator

from entropax import EntropaxError
from entropax.llm import (
    BonusCoefficient,
    Clip,
    Controller,
    EntropyBonus,
    RepoBeta,
    SamplingTemperature,
    ScoreBonus,
    TwoSided,
)
from entropax.plugins.trl import EntropyGRPOTrainer
from entropax.plugins.trl.steering import NoController, Steering
from entropax.temperature import Clamp, Fixed, Nats, StepRule


def raising(actuator, target=1.6):
    """A controller that adds to the knob while the entropy is below the target."""
    law = StepRule(0.1, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(target), band=Clamp(1e-8, 0.5))
    return Controller(law, actuator, vocabulary=10)


def column(trainer, name):
    """A metric of every logged step that has it."""
    return [row[name] for row in trainer.state.log_history if name in row]


LEARNING = {"max_steps": 40, "per_device_train_batch_size": 16, "learning_rate": 5e-3}
CONTROLLED = [
    pytest.param(ScoreBonus(), RepoBeta(high=0.5), id="ScoreBonus"),
    pytest.param(EntropyBonus(), BonusCoefficient(high=0.5), id="EntropyBonus"),
]


@pytest.fixture(scope="module")
def free():
    """Entropies of the run without a controller, once it has been asked for."""
    return []


@pytest.fixture
def uncontrolled(free, trained, settings):
    if not free:
        free += column(trained(settings(**LEARNING), EntropyGRPOTrainer, method=Clip()), "entropax/entropy")
    return free


def late(entropies):
    """Mean over the last ten steps, nats a token."""
    return sum(entropies[-10:]) / 10


@pytest.mark.parametrize(("method", "actuator"), CONTROLLED)
def test_a_controller_holds_the_entropy_up(trained, settings, uncontrolled, method, actuator):
    run = trained(settings(**LEARNING), EntropyGRPOTrainer, method=method, controller=raising(actuator))
    held = column(run, "entropax/entropy")
    assert held[0] == pytest.approx(uncontrolled[0], rel=1e-4)
    assert late(uncontrolled) < 0.3
    assert late(held) > 1.0
    knobs = column(run, "entropax/knob")
    assert knobs[0] == 0 and max(knobs) > 0.2
    assert column(run, "entropax/target")[-1] == pytest.approx(1.6)


def test_a_controller_pulls_the_entropy_down(trained, settings, uncontrolled):
    penalty = Controller(Fixed(1e-8), RepoBeta(low=-1.0), 10, TwoSided(0.6))
    run = trained(settings(**LEARNING | {"max_steps": 12}), EntropyGRPOTrainer, method=ScoreBonus(), controller=penalty)
    assert sum(column(run, "entropax/entropy")) / 12 < sum(uncontrolled[:12]) / 12 - 0.1
    assert column(run, "entropax/knob") == [pytest.approx(-0.6)] * 12


def test_the_logged_entropy_is_the_step_s_mean_over_tokens(trained, settings):
    """TRL's own is the mean of its micro-batches' means, which is the same for a single one."""
    one = trained(settings(), EntropyGRPOTrainer, method=Clip())
    assert column(one, "entropax/entropy") == pytest.approx(column(one, "entropy"), rel=1e-5)
    split = settings(per_device_train_batch_size=2, gradient_accumulation_steps=4)
    four = trained(split, EntropyGRPOTrainer, method=Clip())
    assert column(four, "entropax/entropy")[0] == pytest.approx(column(one, "entropax/entropy")[0], rel=1e-5)


def test_a_resumed_run_is_the_uninterrupted_one(trained, settings):
    actuator = {"method": ScoreBonus(), "controller": raising(RepoBeta(high=0.5))}
    args = {"save_strategy": "steps", "save_steps": 3, "max_steps": 6, "per_device_train_batch_size": 4}
    args |= {"gradient_accumulation_steps": 2}
    whole = trained(settings(**args), EntropyGRPOTrainer, **actuator)
    checkpoint = Path(whole.args.output_dir) / "checkpoint-3"
    saved = json.loads((checkpoint / "entropax.json").read_text("utf-8"))
    assert saved["method"]["updates"] == 3
    resumed = trained(settings(**args), EntropyGRPOTrainer, resume=str(checkpoint), **actuator)
    assert resumed.steering.to_json() == whole.steering.to_json()
    assert resumed.steering.state.updates == 6
    assert column(resumed, "entropax/entropy") == column(whole, "entropax/entropy")


def test_a_checkpoint_of_another_run_is_refused(trained, make_trainer, settings):
    args = settings(save_strategy="steps", save_steps=1, max_steps=1)
    controller = raising(RepoBeta(high=0.5))
    run = trained(args, EntropyGRPOTrainer, method=ScoreBonus(), controller=controller)
    checkpoint = str(Path(run.args.output_dir) / "checkpoint-1")
    for keywords, message in (
        ({"method": ScoreBonus()}, "made without"),
        ({"method": Clip()}, "knobs"),
        ({"method": ScoreBonus(), "controller": raising(RepoBeta(high=0.5), target=1.0)}, "settings"),
    ):
        other = make_trainer(args, EntropyGRPOTrainer, **keywords)
        with pytest.raises(EntropaxError, match=message):
            other.train(resume_from_checkpoint=checkpoint)
    (Path(checkpoint) / "entropax.json").unlink()
    other = make_trainer(settings(max_steps=2), EntropyGRPOTrainer, method=Clip())
    with pytest.warns(UserWarning, match="begin anew"):
        other.train(resume_from_checkpoint=checkpoint)


def test_a_controller_sets_the_sampling_temperature(trained, settings):
    """At the next completions, and not where they are scored: entropies are those at temperature 1."""
    hot = Controller(Fixed(0.2), SamplingTemperature(), vocabulary=10)
    run = trained(settings(), EntropyGRPOTrainer, method=Clip(), controller=hot)
    assert run.generation_config.temperature == pytest.approx(1.2)
    plain = trained(settings(), EntropyGRPOTrainer, method=Clip())
    assert plain.generation_config.temperature == 1
    run.model.load_state_dict(plain.model.state_dict())
    word = torch.tensor([[2, 3]])
    entropies = [one.model(input_ids=word, labels=word, fused_lm_head=True).entropy for one in (run, plain)]
    torch.testing.assert_close(*entropies)


def test_a_controller_without_its_knob_is_refused(make_trainer, settings):
    with pytest.raises(EntropaxError, match="score_bonus"):
        make_trainer(settings(), EntropyGRPOTrainer, method=Clip(), controller=raising(RepoBeta(high=0.5)))


def test_the_measures_are_logged(trained, settings):
    run = trained(settings(num_iterations=2), EntropyGRPOTrainer, method=Clip(0.2, 0.28))
    first, second = run.state.log_history[:2]
    assert first["entropax/off_policy_fraction"] == 0 and second["entropax/off_policy_fraction"] > 0.9
    assert math.isfinite(first["entropax/predicted_change"])
    assert first["entropax/vocabulary"] == 10
    assert not any(name.startswith("clip_ratio") for name in first)


def test_a_step_s_mean_entropy_is_exact_in_half_precision():
    """1 nat in fifty micro-batches of 1,200 tokens and 3 in fifty; summed in bfloat16 their mean is 2.26."""
    steering = Steering(Clip(), NoController())
    mask = torch.ones(4, 300, dtype=torch.bool)
    for nats in [1.0] * 50 + [3.0] * 50:
        steering.saw(torch.full((4, 300), nats, dtype=torch.bfloat16), mask)
    assert steering.step(Accelerator(cpu=True), 0.5, None)["entropax/entropy"] == 2.0
