"""Controllers in closed loop with a known plant: right sign, rest, settling, no wind-up, one side and two."""

import math

import numpy as np
import pytest
from token_plant import VOCABULARY, closed_loop

from entropax.llm import (
    BonusCoefficient,
    Clip,
    Controller,
    EntropyBonus,
    NegativeBeta,
    RepoBeta,
    ScoreBonus,
    TwoSided,
)
from entropax.temperature import (
    PI,
    AnnealOverRun,
    Clamp,
    Dual,
    Fixed,
    FractionOfInitial,
    Guard,
    Linear,
    Nats,
    Scheduled,
    StepRule,
)

TARGET = 0.8
BONUS = EntropyBonus(Clip(), 0.0)
WIDE = BonusCoefficient(high=0.1)


def pi(**settings):
    settings = {"initial_alpha": 0.01, "target_entropy": Nats(TARGET), "band": Clamp(0.01, 0.1), **settings}
    return PI(**{"integral": 0.05, "max_step": 0.2, "smoothing": 0.3, **settings})


def step_rule(**settings):
    return StepRule(**{"step": 2e-3, "initial_alpha": 1e-8, "band": Clamp(1e-8, 0.1), **settings})


def fed(controller, entropies, state=None):
    """States after entropies that nothing answers to."""
    states = [controller.begin() if state is None else state]
    for entropy in entropies:
        states.append(controller.update(states[-1], entropy, 0.0))
    return states


@pytest.mark.parametrize(
    ("controller", "method", "noise"),
    [
        pytest.param(Controller(pi(), WIDE, VOCABULARY), BONUS, 0.0, id="pi"),
        pytest.param(Controller(pi(), WIDE, VOCABULARY), BONUS, 0.1, id="pi, noise"),
        pytest.param(Controller(pi(), RepoBeta(high=0.1), VOCABULARY), ScoreBonus(Clip(), 0.0), 0.0, id="pi, repo"),
        pytest.param(Controller(step_rule(target_entropy=Nats(TARGET)), WIDE, VOCABULARY), BONUS, 0.0, id="step rule"),
        pytest.param(
            Controller(Dual(0.1, 0.01, Nats(TARGET), band=Clamp(0.01, 0.1)), WIDE, VOCABULARY), BONUS, 0.0, id="dual"
        ),
        pytest.param(
            Controller(pi(target_entropy=FractionOfInitial(TARGET / math.log(VOCABULARY), 1.0)), WIDE, VOCABULARY),
            BONUS,
            0.0,
            id="pi, fraction of initial",
        ),
    ],
)
def test_holds_its_target_where_the_entropy_would_collapse(controller, method, noise):
    entropies, values, _, _ = closed_loop(method, controller, 400, noise)
    np.testing.assert_allclose(entropies[-80:], TARGET, atol=0.04 + noise)
    np.testing.assert_allclose(entropies[-80:].mean(), TARGET, atol=0.02)
    assert entropies.min() > 0.4
    assert values.min() >= 0 and values.max() < 0.1


def test_without_control_the_entropy_collapses():
    controller = Controller(Fixed(1e-9), WIDE, VOCABULARY)
    entropies, _, _, _ = closed_loop(BONUS, controller, 400)
    assert entropies[-1] < 0.1


def test_one_sided_rests_above_the_target_and_acts_below():
    controller = Controller(pi(), WIDE, VOCABULARY)
    states = fed(controller, [0.81, 0.79, 0.3, 0.8])
    assert [state.acting for state in states] == [False, False, True, True, False]
    values = [controller.value(state) for state in states]
    assert values[0] == values[1] == values[4] == 0.0
    assert 0.01 < values[2] < values[3]


@pytest.mark.parametrize("law", [pi(), step_rule(target_entropy=Nats(TARGET)), pi(proportional=0.0, dead_band=0.05)])
def test_nothing_winds_while_nothing_acts_nor_at_the_top(law):
    controller = Controller(law, WIDE, VOCABULARY)
    rested = fed(controller, [3.0] * 300)[-1]
    first = fed(controller, [0.3], rested)[-1]
    assert controller.value(first) >= law.initial_alpha * (1 - 1e-6)
    pushed = fed(controller, [0.1] * 400, rested)[-1]
    np.testing.assert_allclose(controller.value(pushed), 0.1, rtol=1e-6)
    back = fed(controller, [2.0] * 10, pushed)[-1]
    assert controller.value(fed(controller, [0.79], back)[-1]) < 0.1


def test_two_sided_pulls_down_where_one_sided_waits_and_overshoots_for_it():
    one, ones, _, _ = closed_loop(BONUS, Controller(pi(), WIDE, VOCABULARY), 400)
    both = BonusCoefficient(low=-0.1, high=0.1)
    law = pi(initial_alpha=0.1, band=Clamp(0.01, 0.2))
    two, twos, _, _ = closed_loop(BONUS, Controller(law, both, VOCABULARY, TwoSided(0.1)), 400)
    assert ones.min() == 0.0 and twos.min() < -0.05
    assert np.argmax(two < TARGET) < np.argmax(one < TARGET)
    assert two.min() < 0.3 < one.min()
    np.testing.assert_allclose([one[-80:].mean(), two[-80:].mean()], TARGET, atol=0.02)


def test_two_sided_is_at_rest_where_alpha_is_neutral():
    both = BonusCoefficient(low=-0.04, high=0.05)
    controller = Controller(pi(initial_alpha=0.05), both, VOCABULARY, TwoSided(0.05))
    np.testing.assert_allclose(controller.value(controller.begin()), 0.0, atol=1e-8)


def test_skywork_s_rule_step_by_step():
    """arXiv 2505.22312: up by the step below the target, down above, within bounds, applied below alone."""
    law = StepRule(1e-4, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(0.2), band=Clamp(1e-8, 5e-3))
    controller = Controller(law, BonusCoefficient(), 151_936)
    entropies = np.random.default_rng(0).uniform(0.0, 0.35, 200)
    coefficient, published = 0.0, []
    for entropy in entropies:
        coefficient = min(max(coefficient + (1e-4 if entropy < 0.2 else -1e-4), 0.0), 5e-3)
        published.append(coefficient if entropy < 0.2 else 0.0)
    found = [controller.value(state) for state in fed(controller, entropies)[1:]]
    np.testing.assert_allclose(found, published, atol=1e-7)
    assert max(published) > 1e-3


def test_the_first_batch_is_what_a_fraction_of_initial_is_measured_by():
    """The uniform policy's 11.9 nats must not be taken for the initial entropy, not for one update."""
    law = pi(target_entropy=FractionOfInitial(0.4, 5.0))
    controller = Controller(law, WIDE, 151_936)
    states = fed(controller, [1.0, 1.0])
    assert [state.acting for state in states] == [False, False, False]
    assert float(states[-1].law.target.updates) == 2
    np.testing.assert_allclose(controller.target(states[1]), 0.4, rtol=1e-6)
    np.testing.assert_allclose(np.exp(states[-1].law.log_alpha), 0.01, rtol=1e-6)


def test_a_target_that_anneals_with_the_run_is_followed_by_the_acting():
    controller = Controller(pi(target_entropy=AnnealOverRun(Nats(2.0), Nats(1.0))), WIDE, VOCABULARY)
    state = controller.begin()
    targets, acting = [], []
    for share in (0.0, 0.5, 1.0):
        state = controller.update(state, 1.7, share)
        targets.append(controller.target(state))
        acting.append(state.acting)
    np.testing.assert_allclose(targets, [2.0, 1.5, 1.0], rtol=1e-6)
    assert acting == [True, False, False]


def test_a_law_without_target_always_acts():
    controller = Controller(Scheduled(Linear(4e-3, 1e-3, 3.0)), BonusCoefficient(), VOCABULARY)
    values = [controller.value(state) for state in fed(controller, [3.0, 0.1, 3.0, 0.1])]
    np.testing.assert_allclose(values, [4e-3, 3e-3, 2e-3, 1e-3, 1e-3], rtol=1e-5)
    assert math.isnan(controller.target(controller.begin()))


def test_a_guard_lets_go_when_the_reward_moves_and_not_before():
    law = pi(target_entropy=Guard(Nats(1.5), Nats(0.5), patience=1.0, duration=0.1))
    controller = Controller(law, WIDE, VOCABULARY)
    generator = np.random.default_rng(0)
    state, targets = controller.begin(), []
    for update in range(120):
        reward = generator.normal(0.0 if update < 60 else 5.0, 0.1)
        state = controller.update(state, 1.0, update / 120, reward)
        targets.append(controller.target(state))
    assert targets[59] == 1.5
    np.testing.assert_allclose(targets[-1], 0.5, atol=1e-6)


def test_a_guard_without_rewards_holds_until_its_patience_ends():
    law = pi(target_entropy=Guard(Nats(1.5), Nats(0.5), patience=0.5, duration=0.1))
    controller = Controller(law, WIDE, VOCABULARY)
    held = fed(controller, [1.0] * 20)[-1]
    assert controller.target(held) == 1.5
    gone = controller.update(controller.update(held, 1.0, 0.5), 1.0, 0.6)
    np.testing.assert_allclose(controller.target(gone), 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("controller", "ends"),
    [
        pytest.param(Controller(pi(band=Clamp(0.01, 0.05)), WIDE, VOCABULARY), (0.0, 0.05), id="a band in the range"),
        pytest.param(Controller(pi(), WIDE, VOCABULARY), (0.0, 0.1), id="a band that is the range"),
        pytest.param(
            Controller(pi(band=Clamp(0.01, 0.3), initial_alpha=0.2), NegativeBeta(), VOCABULARY, TwoSided(0.2)),
            (0.69, 0.4),
            id="two sides, downwards",
        ),
        pytest.param(Controller(Fixed(0.02), WIDE, VOCABULARY), (0.0, 0.02), id="fixed"),
    ],
)
def test_ends_are_what_the_law_can_set(controller, ends):
    """A knob that has come to the law's own bound is at its end, whatever room the actuator has beyond."""
    assert controller.ends() == pytest.approx(ends)
