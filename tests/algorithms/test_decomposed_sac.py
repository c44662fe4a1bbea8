"""DecomposedSAC: its two critics' parts against exact values, its gate, and where it is SAC."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from entropax import SAC, DecomposedSAC, Dense, EachDimension, Fixed
from entropax.algorithms.decomposed_critics import decomposed_critic_step, decomposed_targets, parts, soft_critics
from entropax.algorithms.decomposed_sac import agreements, gated_value
from entropax.algorithms.soft import soft_targets, successors
from entropax.distributions import TanhNormal
from entropax.errors import EntropaxError
from entropax.networks import Affine, DecomposedCritic, DenseNetwork
from entropax.ops import ranking_agreement
from entropax.policies import Actor
from entropax.tabular import Finite, random_mdp, toy
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-1.0, -1.0), (1.0, 1.0)))
BATCH = 12
KEY = jax.random.key(5)
INNER = SAC(torso=Dense((8,)), batch_size=BATCH, discount=0.9, temperature=Fixed(0.7))


def batch(terminated=0.0, seed=1):
    rng = np.random.default_rng(seed)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(BATCH, 1, *more)), jnp.float32)

    ended = jnp.full((BATCH, 1), terminated, jnp.float32)
    return Transition(draw(3), jnp.tanh(draw(2)), draw(), draw(3), ended, ended)


def soft(critics, alpha):
    return soft_critics(critics, jnp.asarray(alpha))


# ---------------------------------------------------------------------------------------------------------------------
# The two Bellman equations


def test_the_targets_add_up_to_those_of_sac():
    state = DecomposedSAC(INNER).init(SPEC, key=jax.random.key(0))
    following = successors(state.actor, batch(), 0.9, jax.random.normal(KEY, (BATCH, 2)))
    for alpha in (0.0, 0.3, 20.0):
        found = decomposed_targets(state.target_critics, following, jnp.asarray(alpha))
        expected = soft_targets(soft(state.target_critics, alpha), following, jnp.asarray(alpha))
        np.testing.assert_allclose(found.reward + alpha * found.entropy, expected, rtol=2e-5, atol=2e-5)


def test_after_the_end_there_is_the_reward_and_no_entropy():
    state, data = DecomposedSAC(INNER).init(SPEC, key=jax.random.key(0)), batch(terminated=1.0)
    following = successors(state.actor, data, 0.9, jax.random.normal(KEY, (BATCH, 2)))
    found = decomposed_targets(state.target_critics, following, jnp.asarray(0.7))
    np.testing.assert_array_equal(found.reward, data.reward[:, 0])
    np.testing.assert_array_equal(found.entropy, np.zeros(BATCH))


def truth(mdp, policies):
    """Q_r and Q_H `[state, action]` of tanh-Gaussians, `(mean, log_std)` a state, on a problem laid out on [-1, 1]."""
    states, actions = mdp.rewards.shape
    chances, entropies = np.zeros((states, actions)), np.zeros(states)
    for state in np.flatnonzero(~mdp.terminal):
        mean, log_std = policies[state]
        entropies[state] = float(TanhNormal(jnp.asarray([mean]), jnp.asarray([log_std])).entropy())

        def below(place, mean=mean, log_std=log_std):
            return norm.cdf((np.arctanh(place) - mean) / np.exp(log_std))

        if mdp.available[state].sum() == 2:
            half = mdp.measure[state, 0] / 2
            inside = below(half) - below(-half)
            chances[state, :2] = inside, 1 - inside
        else:
            there = mdp.available[state]
            ends = np.cumsum(mdp.measure[state, there])[:-1] - 1
            chances[state, there] = np.diff(below(ends), prepend=0, append=1)
    follow = np.einsum("sa,sat->st", chances, mdp.transitions)
    inverse = np.linalg.inv(np.eye(states) - mdp.discount * follow)
    values = inverse @ np.sum(chances * mdp.rewards, axis=1), inverse @ entropies
    return mdp.rewards + mdp.discount * mdp.transitions @ values[0], mdp.discount * mdp.transitions @ values[1]


def table(policies):
    """The actor that has these numbers in each state, for one-hot observations."""
    return Actor(DenseNetwork((Affine(jnp.asarray(policies, jnp.float32), jnp.zeros(2, jnp.float32)),)))


def evaluated(mdp, actor, alpha, updates=6_000, rows=256):
    """The critics after many steps of policy evaluation on all states and actions of a problem."""
    environment = Finite.of(mdp, start=0)
    algorithm = DecomposedSAC(SAC(torso=Dense((64, 64)), discount=mdp.discount, polyak=0.02, num_critics=1))
    state = replace(algorithm.init(environment.spec, key=jax.random.key(0)), actor=actor)
    places = jnp.asarray(np.flatnonzero(~mdp.terminal), jnp.int32)
    first = environment.initial(key=KEY)

    def one(key):
        place_key, action_key, step_key = jax.random.split(key, 3)
        place = eqx.tree_at(lambda s: s.place, first, jax.random.choice(place_key, places))
        action = jax.random.uniform(action_key, (1,), minval=-1, maxval=1)
        after, reward, done = environment.step(place, action, key=step_key)
        ended = done.astype(jnp.float32)
        return Transition(environment.observe(place), action, reward, environment.observe(after), ended, ended)

    def update(state, inputs):
        key, rate = inputs
        data_key, noise_key = jax.random.split(key)
        data = jax.tree.map(lambda x: x[:, None], jax.vmap(one)(jax.random.split(data_key, rows)))
        following = successors(actor, data, mdp.discount, jax.random.normal(noise_key, (rows, 1)))
        targets = decomposed_targets(state.target_critics, following, alpha)
        critics, optimiser, _ = decomposed_critic_step(
            state.critics, state.critic_optimiser, data, targets, alpha, rate
        )
        return algorithm.sac.target_step(replace(state, critics=critics, critic_optimiser=optimiser)), None

    rates = 3e-3 * (1 - jnp.arange(updates) / updates)
    state, _ = jax.jit(lambda s: jax.lax.scan(update, s, (jax.random.split(KEY, updates), rates)))(state)
    return state.target_critics


def middles(mdp, state):
    """The middle of each action's interval; for two actions the second one's is its right half's."""
    measure = mdp.measure[state]
    if mdp.available[state].sum() == 2:
        return [0.0, (1 + measure[0] / 2) / 2]
    ends = np.cumsum(measure) - 1
    return list(ends - measure / 2)


def check_against_truth(mdp, policies, alpha, tolerance):
    q_reward, q_entropy = truth(mdp, policies)
    critics = evaluated(mdp, table(policies), jnp.asarray(alpha))
    errors, scale = [], []
    for state in np.flatnonzero(~mdp.terminal):
        places = jnp.asarray(middles(mdp, state), jnp.float32)[:, None]
        seen = jnp.tile(jax.nn.one_hot(state, len(mdp.names)), (len(places), 1))
        found = parts(critics, seen, places)
        for action in np.flatnonzero(mdp.available[state]):
            expected = q_reward[state, action], alpha * q_entropy[state, action]
            got = float(found.reward[0, action]), alpha * float(found.entropy[0, action])
            errors.append(np.subtract(got, expected))
            scale.append(expected)
    spread = np.std(scale, axis=0).max()
    np.testing.assert_array_less(np.abs(errors).max(axis=0), tolerance * spread)


@pytest.mark.slow
def test_on_the_toy_both_parts_are_the_exact_ones():
    """The policy is about SAC's own at alpha 1: narrow at the good state, wide at the bad one."""
    policies = np.array([[0.3, -0.2], [0.0, -3.3], [0.0, -0.14], *[[0.0, 0.0]] * 3])
    check_against_truth(toy(0.99), policies, 1.0, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_on_random_problems_both_parts_are_the_exact_ones(seed):
    generator = np.random.default_rng(seed)
    mdp = random_mdp(generator, states=5, actions=3, branches=2, terminals=1, discount=0.9)
    policies = np.stack([generator.uniform(-1, 1, 5), generator.uniform(-2, 0, 5)], axis=1)
    check_against_truth(mdp, policies, 0.5, 0.1)


# ---------------------------------------------------------------------------------------------------------------------
# The gate


def test_the_share_of_pairs_is_counted():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 6))
    gaps = [((one[i] - one[j]) * (other[i] - other[j])) for i in range(6) for j in range(i)]
    expected = sum(g for g in gaps if g > 0) / sum(abs(g) for g in gaps)
    assert 0.1 < expected < 0.9
    found = ranking_agreement(jnp.asarray(one), jnp.asarray(other))
    assert float(found) == pytest.approx(expected, rel=1e-5)
    moved = ranking_agreement(jnp.asarray(3 * one - 7), jnp.asarray(0.1 * other + 2))
    assert float(moved) == pytest.approx(expected, rel=1e-4)


def test_a_flat_landscape_ranks_nothing_against_another():
    assert float(ranking_agreement(jnp.ones(4), jnp.arange(4.0))) == 1.0


def linear(reward_slope, entropy_slope):
    """An ensemble of two critics whose parts are linear in the first action component; 3 observations, 2 actions."""
    weight = jnp.zeros((5, 2), jnp.float32).at[3, 0].set(reward_slope).at[3, 1].set(entropy_slope)
    one = DecomposedCritic(DenseNetwork((Affine(weight, jnp.zeros(2, jnp.float32)),)))
    return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), one)


@pytest.mark.parametrize(("entropy_slope", "share"), [(2.0, 1.0), (-0.5, 1.0), (-4.0, 0.0)])
def test_entropy_keeps_its_weight_until_it_turns_the_ranking(entropy_slope, share):
    actor = DecomposedSAC(INNER).init(SPEC, key=jax.random.key(0)).actor
    noise = jax.random.normal(KEY, (2, BATCH, 2))
    found = agreements(actor, linear(1.0, entropy_slope), jnp.asarray(0.7), batch().observation[:, 0], noise)
    np.testing.assert_allclose(found, np.full(BATCH, share), atol=1e-5)


def test_the_gated_value_weighs_entropy_state_by_state():
    gate = jnp.linspace(0, 1, BATCH)
    data = batch()
    value = gated_value(linear(1.0, -4.0), jnp.asarray(0.7), gate)(data.observation[:, 0], data.action[:, 0])
    np.testing.assert_allclose(value, data.action[:, 0, 0] * (1 - 4 * 0.7 * gate), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.optimised
def test_sharpness_0_climbs_the_soft_value_as_sac_does():
    algorithm = DecomposedSAC(INNER, sharpness=0.0)
    state = algorithm.init(SPEC, key=jax.random.key(0))
    data, progress = batch(), unknown_progress(SPEC)
    after, metrics = jax.jit(lambda s: algorithm.update(SPEC, s, data, progress, key=KEY))(state)
    alone = replace(INNER.init(SPEC, key=jax.random.key(1)), actor=state.actor, actor_optimiser=state.actor_optimiser)
    climbed = soft(after.critics, 0.7)
    noise = jax.random.normal(jax.random.split(KEY)[0], (2, BATCH, 2))[1]

    def value(observations, actions):
        q = jax.vmap(lambda critic: jax.vmap(critic)(observations, actions))(climbed)
        return jnp.min(q, axis=0)

    expected, theirs = INNER.improvement_step(SPEC, alone, value, data, progress, noise)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), after.actor, expected.actor)
    assert float(metrics["train/actor_loss"]) == pytest.approx(float(theirs["train/actor_loss"]), rel=1e-4)


# ---------------------------------------------------------------------------------------------------------------------
# Bad settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"pairs": 0}, "no ranking"), ({"sharpness": -1.0}, "power of a share"), ({"sharpness": np.inf}, "finite")],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(EntropaxError, match=words):
        DecomposedSAC(**settings)


def test_one_alpha_a_dimension_is_refused():
    with pytest.raises(EntropaxError, match="an alpha for each dimension"):
        DecomposedSAC(SAC(temperature=EachDimension())).init(SPEC, key=KEY)
