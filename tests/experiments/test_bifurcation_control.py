"""The controls of the bent problems: what they share, what is compared with them, and why learners fail."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.algorithms.sac import SAC
from entropax.experiments import bifurcation, bifurcation_control, bifurcation_page
from entropax.experiments.bifurcation import ALPHA, BENT, problems
from entropax.experiments.bifurcation_control import Both, effect, failing, misled
from entropax.experiments.bifurcation_learned import Cause, Learned, Smoothing, causes, learned, theory
from entropax.experiments.conclusion import paired_difference
from entropax.networks import Affine, DenseNetwork
from entropax.policies import Actor
from entropax.tabular import plain_policy_iteration, soft_policy_iteration


def test_a_control_differs_in_the_measures_of_its_chains_alone_and_leaves_maxent_as_it_was():
    for problem in problems(2):
        control = problem.control()
        bent, neutral = problem.mdp, control.mdp
        np.testing.assert_array_equal(neutral.rewards, bent.rewards)
        np.testing.assert_array_equal(neutral.transitions, bent.transitions)
        old = problem.extension.old
        np.testing.assert_array_equal(neutral.measure[old], bent.measure[old])
        assert np.abs(control.extension.continuing - problem.extension.continuing).max() > 0.2
        values = (plain_policy_iteration(each).action_values[BENT] for each in (bent, neutral))
        np.testing.assert_allclose(*values, rtol=0, atol=1e-10)
        density, before = (soft_policy_iteration(each, ALPHA).density[BENT] for each in (neutral, problem.old))
        np.testing.assert_allclose(density, before, rtol=0, atol=1e-10)


def test_uniform_noise_prefers_the_target_where_bent_only():
    bent, control = theory(problems(2)[0]), theory(problems(2)[0].control())
    assert bent.noisiest == problems(2)[0].target
    assert control.noisiest != problems(2)[0].target


def middling(problem):
    """A policy whose mode is the middle of [-1, 1] everywhere, so that it continues in every chain."""
    weight, bias = jnp.zeros((1, len(problem.mdp.names), 2)), jnp.array([[0.0, math.log(0.5)]])
    return jax.vmap(lambda w, b: Actor(DenseNetwork((Affine(w, b),))))(weight, bias)


def test_what_the_best_action_would_gain_depends_on_the_bend_only_through_noise():
    problem = problems(2)[0]
    bent, control = (learned(each, middling(each)) for each in (problem, problem.control()))
    assert bent.choice.tolist() == [problem.target], "it is what lies in the middle"
    np.testing.assert_allclose(bent.gain, control.gain, atol=1e-9)
    assert bent.gain > 0
    assert bent.gain_noisy < control.gain_noisy - 0.5, "the chain of the best action is narrow where bent"
    assert bent.gain_entropy < control.gain_entropy


def test_smoothed_actions_are_normal_within_the_limit_and_deterministic_without_one():
    problem = problems(2)[0]
    actors = middling(problem)
    free, clipped, none = (learned(problem, actors, Smoothing(0.3, limit)).gain_noisy for limit in (1e9, 0.15, 0.0))
    plain = learned(problem, actors)
    assert none == plain.gain, "no noise"
    assert clipped == pytest.approx(plain.gain), "within 0.2 of the middle every chain goes on"
    assert free < plain.gain - 0.5


def made(choice, gain=0.0, gain_noisy=0.0, gain_entropy=0.0):
    """Learners that choose so, with what the best action would gain."""
    choice = np.atleast_1d(choice)
    rest = (np.full(choice.shape, float(value)) for value in (gain, gain_noisy, gain_entropy))
    return Learned(choice, np.zeros((len(choice), 3)), np.zeros(choice.shape), np.zeros(choice.shape), *rest)


@pytest.mark.parametrize(
    ("gains", "alpha", "cause"),
    [
        ((-1, 1, 1), 1.0, Cause.ELSEWHERE),
        ((1, -1, 5), 1.0, Cause.NOISE),
        ((1, 1, -2), 1.0, Cause.ENTROPY),
        ((1, 1, -2), 0.0, Cause.STUCK),
        ((1, 1, 1), 1.0, Cause.STUCK),
    ],
)
def test_the_first_reason_that_holds_is_the_cause(gains, alpha, cause):
    problem = problems(2)[0]
    assert causes(problem, made(problem.target, *gains), alpha) == [cause]
    assert causes(problem, made(problem.best, *gains), alpha) == [], "it does not fail"


def test_more_stands_only_where_problems_agree_too():
    def pairs(bent_problems, of):
        found = np.zeros((2, of, 4), bool)
        found[0, :bent_problems] = True
        return effect(found)

    six, three = pairs(6, 10), pairs(3, 4)
    assert (six.more, six.fewer, six.words()) == (6, 0, "more")
    assert six.chance == pytest.approx(2 * 0.5**6)
    assert three.gap.low > 0
    assert three.words() == "not clearly more or fewer", "three problems decide nothing, however many seeds"


def test_pairs_are_those_of_a_problem_and_its_control():
    tasks = problems(2)
    both = Both([made([task.best, task.target]) for task in tasks], [made([task.target, task.best]) for task in tasks])
    np.testing.assert_array_equal(failing(tasks, both), [[[False, True]] * 2, [[True, False]] * 2])
    np.testing.assert_array_equal(misled(tasks, both), failing(tasks, both))


def test_newcombe_s_interval_of_pairs():
    """His table of examples has 0.0569 to 0.3404 for 36, 12, 2 and 0 pairs; agreement of all keeps its width."""

    def found(both, first, second, neither):
        counts = (both, first, second, neither)
        return paired_difference(
            np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)
        )

    assert found(36, 12, 2, 0)[1:] == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert found(2, 36, 0, 12).value == pytest.approx(0.72)
    same = found(20, 0, 0, 0)
    assert same.value == 0
    assert same.low == -same.high < -0.1


def test_the_page_s_names_are_those_of_methods_and_their_settings():
    named = {*bifurcation_control.WITHOUT, *bifurcation_control.ENTROPIC, *bifurcation_page.SMOOTHINGS}
    assert named <= set(bifurcation.METHODS)
    setting = bifurcation.Setting(SAC(), bifurcation.BUDGETS["small"], 8)
    for name, smoothing in bifurcation_page.SMOOTHINGS.items():
        built = bifurcation.METHODS[name](setting)
        assert (built.target_noise, built.target_noise_clip) == smoothing
