"""What an action is to a learner and to an environment, for bounds and for categories."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.replay import pack, row_width, unpack
from entropax.types import Bounds, Categories, Spec, Transition, categories, continuous

BOX, FOUR = Bounds((-2.0, 0.0), (2.0, 1.0)), Categories(4)
KEYS = jax.random.split(jax.random.key(0), 4_000)


@pytest.mark.parametrize("actions", [BOX, FOUR], ids=["bounds", "categories"])
def test_uniform_actions_are_alike_on_device_and_on_host(actions):
    on_device = np.asarray(jax.vmap(lambda key: actions.uniform(key=key))(KEYS))
    on_host = actions.uniform_on_host(np.random.default_rng(0), len(KEYS))
    for drawn in (on_device, on_host):
        assert (drawn.shape, drawn.dtype) == ((len(KEYS), actions.size), np.float32)
    widest = 1 / np.sqrt(3) if actions is BOX else np.sqrt((4**2 - 1) / 12)
    middle = 0.0 if actions is BOX else 1.5
    for drawn in (on_device, on_host):
        np.testing.assert_allclose(drawn.mean(0), middle, atol=5 * widest / np.sqrt(len(KEYS)))
        np.testing.assert_allclose(drawn.std(0), widest, rtol=0.05)


def test_every_category_is_drawn_and_becomes_its_integer():
    for drawn in (
        jax.vmap(lambda key: FOUR.uniform(key=key))(KEYS),
        FOUR.uniform_on_host(np.random.default_rng(0), len(KEYS)),
    ):
        taken = FOUR.to_environment(drawn)
        assert (taken.shape, taken.dtype, type(taken)) == ((len(KEYS),), np.int32, type(drawn))
        assert (np.bincount(taken) > 800).all()
        assert len(np.bincount(taken)) == 4


def test_a_row_holds_a_category_in_one_column():
    spec = Spec(3, FOUR)
    action = jnp.array([[3.0], [0.0]])
    steps = Transition(jnp.ones((2, 3)), action, jnp.ones(2), jnp.ones((2, 3)), jnp.zeros(2), jnp.zeros(2))
    rows = pack(steps)
    assert rows.shape == (2, row_width(spec)) == (2, 10)
    np.testing.assert_array_equal(unpack(rows, spec).action, action)


def test_each_kind_is_refused_where_the_other_is_needed():
    assert (continuous(Spec(3, BOX)), categories(Spec(3, FOUR))) == (BOX, FOUR)
    with pytest.raises(EntropaxError, match=r"one of 4 categories.*needs continuous.*entropax envs"):
        continuous(Spec(3, FOUR))
    with pytest.raises(EntropaxError, match=r"a Box of 2.*needs a finite set.*entropax envs"):
        categories(Spec(3, BOX))
