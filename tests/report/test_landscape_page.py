"""The landscape page: on the toy whose landscapes are known the state that entropy misleads at is found and shown."""

import dataclasses
import json
import re
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_browser import CHROMIUM, browse, probe

from entropax import SAC, Dense, EntropaxError, Fixed, SACAdaEnt, Training, fit, load
from entropax.algorithms.landscapes import Correlation
from entropax.envs.toy import BAD_STATE, GOOD_STATE, START
from entropax.loops.learners import read_learners
from entropax.report import write_landscape
from entropax.runs import read_checkpoint_meta, save_checkpoint, to_config

COMMAND = "entropax landscape <run>"
LOOP = Training(steps=101, warmup=100, capacity=101, log_every=101, evaluate_every=0, checkpoint_every=101)
"""As few programs to compile as there may be."""
SHARP, OFF = 200.0, 400.0
"""Slope of a step of a value, and what keeps a unit of another state silent."""

# Values of the toy at alpha = 1 and gamma = 0.99, over all densities: docs/theory.md. Of the good state the soft value
# is log(0.2 e + 1.8 e^-20) = -0.609, of the bad one -1 + log 2 = -0.307; plain they are 1, by the Boltzmann policy,
# and -1.
SOFT_START, PLAIN_START = (0.99 * -0.6094, 0.99 * -0.3069), (0.99 * 1.0, 0.99 * -1.0)


def small(**settings):
    sac = SAC(torso=Dense((9,)), batch_size=16, temperature=Fixed(1.0), **settings)
    return SACAdaEnt(sac, samples=100)


def exact(critics, start):
    """Critics with the toy's values: `start` for a <= 0 and a > 0 at the start; -20 and 1 within 0.1; -1 throughout."""
    first, second = (np.zeros(leaf.shape, np.float32) for leaf in _weights(critics))
    bias = np.zeros(first.shape[::2], np.float32)
    for unit, place in enumerate((START, GOOD_STATE, BAD_STATE)):
        first[:, place, unit] = 1.0
    second[:, :3, 0] = (start[0], -20.0, -1.0)
    # A step at `where` is a ramp between two units, which are silent at all states but one.
    steps = ((START, 0.0, start[1] - start[0]), (GOOD_STATE, -0.1, 21.0), (GOOD_STATE, 0.1, -21.0))
    for number, (place, where, height) in enumerate(steps):
        for unit, shift, sign in ((3 + 2 * number, 0.5, 1), (4 + 2 * number, -0.5, -1)):
            first[:, :6, unit] = -OFF
            first[:, place, unit] = 0.0
            first[:, 6, unit] = SHARP
            bias[:, unit] = shift - SHARP * where
            second[:, unit, 0] = sign * height
    values = (first, second, bias, np.zeros((len(bias), 1), np.float32))
    return eqx.tree_at(
        lambda c: (*_weights(c), *(layer.bias for layer in c.network.layers)), critics, tuple(map(jnp.asarray, values))
    )


def _weights(critics):
    return tuple(layer.weight for layer in critics.network.layers)


class Carry(eqx.Module):
    learner: SACAdaEnt


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A run of two seeds on the toy whose checkpoint holds the exact values."""
    run = fit(small(), "entropax/Toy-v0", LOOP, seeds=2, root=tmp_path_factory.mktemp("toy"), progress=False)
    learners = [
        eqx.tree_at(
            lambda s: (s.sac.critics, s.plain.critics),
            one.state,
            (exact(one.state.sac.critics, SOFT_START), exact(one.state.plain.critics, PLAIN_START)),
        )
        for one in read_learners(run)
    ]
    meta, step = read_checkpoint_meta(run.path)
    groups = [jax.tree.map(lambda *x: jnp.stack(x), *(learners[i] for i in group)) for group in meta["groups"]]
    save_checkpoint(run.path, step, [{"carry": Carry(group)} for group in groups], meta)
    return run


@pytest.fixture(scope="module")
def found(toy):
    """The page on the state that is found by itself, and its numbers."""
    page = write_landscape(toy.path, command=COMMAND)
    assert (page.html, page.numbers) == (toy.path / "landscape.html", toy.path / "landscape.json")
    return page, json.loads(page.numbers.read_text("utf-8"))["seeds"]


def stored(toy, seed, place):
    """How many of a seed's stored states are this one."""
    return int(np.sum(read_learners(toy)[seed].observations[:, place]))


def test_the_state_where_entropy_misleads_is_found(toy, found):
    for number, seed in enumerate(found[1]):
        assert seed["state"]["observation"] == [1, 0, 0, 0, 0, 0]
        # Soft values are high where plain ones are lowest and the other way round: no action counts in both.
        assert seed["similarity"] == pytest.approx(0, abs=0.05)
        assert seed["rank"] == 1
        assert seed["best"]["soft"][0] > 0 > seed["best"]["plain"][0]
        assert seed["cost"] == pytest.approx(2 * 0.99, abs=1e-4)
        assert seed["states"]["stored"] == 1024
        assert seed["states"]["flat"] == stored(toy, number, BAD_STATE)
        assert seed["states"]["below_threshold"] == stored(toy, number, START)


def test_the_values_are_those_of_theory(found):
    for seed in found[1]:
        actions = np.asarray(seed["actions"])
        away = np.abs(actions) > 0.5 / SHARP
        for name, (left, right) in (("soft", SOFT_START), ("plain", PLAIN_START)):
            np.testing.assert_allclose(
                np.asarray(seed[name])[away], np.where(actions[away] > 0, right, left), atol=1e-3
            )


def test_both_policies_are_drawn(toy, found):
    for number, seed in enumerate(found[1]):
        policy, soft = (np.asarray(seed["drawn"][name]) for name in ("policy", "soft"))
        assert policy.shape == soft.shape == (200, 1)
        # 1 / (1 + exp(-0.3)) = 0.574 of the soft policy goes the wrong way.
        assert np.mean(soft > 0) == pytest.approx(0.574, abs=4 * 0.5 / np.sqrt(200))
        distribution = toy.algorithm.actor(read_learners(toy)[number].state)(jnp.eye(6)[START])
        share = jax.scipy.stats.norm.cdf(distribution.mean / jnp.exp(distribution.log_std))
        assert np.mean(policy > 0) == pytest.approx(float(share[0]), abs=4 * 0.5 / np.sqrt(200))


def test_what_was_found_is_said(toy, found):
    page, (first, _) = found
    assert page.lines[0].startswith(f"seed 0, step 101: state {first['state']['index']}, c(s) ")
    assert "Following the soft one costs 1.98 of the plain value, which spans 1.98 here." in page.lines[1]
    html = page.html.read_text("utf-8")
    assert page.lines[1].strip() in html
    assert "entropax landscape &lt;run&gt;" in html
    assert re.findall(r'(?:src|href)="(?!data:)', html.split("<script")[0]) == []


@pytest.mark.parametrize(
    ("state", "similarity", "words"),
    [
        ((0.0, 1.0, 0.0, 0.0, 0.0, 0.0), 1.0, "rank the same action first"),
        ((0.0, 0.0, 1.0, 0.0, 0.0, 0.0), 0.0, "which action it ranks first means little"),
    ],
    ids=["good", "bad"],
)
def test_a_state_can_be_given(toy, state, similarity, words):
    page = write_landscape(toy.path, state, command=COMMAND)
    seed = json.loads(page.numbers.read_text())["seeds"][1]
    assert seed["state"]["index"] is None
    assert seed["similarity"] == pytest.approx(similarity, abs=1e-4)
    assert seed["cost"] == pytest.approx(0, abs=1e-5)
    assert words in " ".join(page.lines)


def test_a_stored_state_can_be_named(toy):
    observations = read_learners(toy)[0].observations
    index = int(np.argmax(observations[:, GOOD_STATE]))
    page = write_landscape(toy.path, index, command=COMMAND)
    seed = json.loads(page.numbers.read_text())["seeds"][0]
    assert seed["state"] == {"index": index, "observation": [0, 1, 0, 0, 0, 0], "flat": False}
    # All of the start's states are less alike than it.
    assert seed["rank"] == 1 + stored(toy, 0, START)


@pytest.mark.parametrize(
    ("state", "dimensions", "words"),
    [
        (1024, (), "a snapshot holds 1024, from 0 on"),
        ((1.0, 2.0), (), "has 2 numbers, but an observation of entropax/Toy-v0 has 6"),
        ((float("nan"),) * 6, (), "all finite"),
        ((1e40, 0.0, 0.0, 0.0, 0.0, 0.0), (), r"is beyond float32.*Give smaller ones"),
        (0, (1,), "from 0 to 0"),
        (0, (0, 0), "one or two different ones"),
    ],
)
def test_refused(toy, state, dimensions, words):
    with pytest.raises(EntropaxError, match=words):
        write_landscape(toy.path, state, dimensions, command=COMMAND)


def test_a_run_with_one_kind_of_value_is_refused(toy, tmp_path):
    manifest = json.loads((toy.path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**manifest, "algorithm": to_config(SAC())}))
    with pytest.raises(EntropaxError) as refusal:
        write_landscape(tmp_path, command=COMMAND)
    assert "was trained with SAC" in str(refusal.value)
    assert "SACAdaEnt" in str(refusal.value)
    assert "entropax train sac-adaent --env entropax/Toy-v0" in str(refusal.value)
    assert list(tmp_path.glob("landscape*")) == []


def test_landscapes_that_are_all_flat_are_refused(toy, tmp_path):
    """At a hundred times the alpha no difference of values counts."""
    path = shutil.copytree(toy.path, tmp_path / "run")
    manifest = json.loads((path / "run.json").read_text())
    manifest["algorithm"]["sac"]["temperature"]["alpha"] = 1000.0
    (path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(EntropaxError, match="a landscape is flat"):
        write_landscape(path, command=COMMAND)


def test_the_run_s_own_similarity_is_held_to_its_threshold(toy, tmp_path):
    """At the start one value is high where the other is low: a correlation of -1, and of the good state 1."""
    path = shutil.copytree(toy.path, tmp_path / "run")
    manifest = json.loads((path / "run.json").read_text())
    algorithm = to_config(dataclasses.replace(toy.algorithm, similarity=Correlation(), threshold=-0.9))
    (path / "run.json").write_text(json.dumps({**manifest, "algorithm": algorithm}))
    page = write_landscape(path, command=COMMAND)
    numbers = json.loads(page.numbers.read_text("utf-8"))
    assert (numbers["measure"], numbers["threshold"]) == ("Correlation", -0.9)
    for number, seed in enumerate(numbers["seeds"]):
        assert seed["similarity"] == pytest.approx(-1, abs=0.1)
        assert seed["states"]["below_threshold"] == stored(toy, number, START)
    assert "Correlation, 1: alike, -1: opposed" in page.html.read_text("utf-8")


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """A run of four action dimensions, untrained."""
    root = tmp_path_factory.mktemp("plane")
    return fit(small(), "entropax/Quadrotor-v0", LOOP, root=root, progress=False)


@pytest.mark.slow
def test_two_of_four_dimensions_are_shown(plane):
    numbers = {}
    for asked in ((), (3, 1)):
        page = write_landscape(plane.path, 5, asked, command=COMMAND)
        (numbers[asked],) = json.loads(page.numbers.read_text())["seeds"]
    first, second = numbers[()]["dimensions"]
    assert 0 <= first < second <= 3
    assert numbers[3, 1]["dimensions"] == [3, 1]
    assert np.asarray(numbers[3, 1]["soft"]).shape == (41, 41)
    assert np.asarray(numbers[3, 1]["drawn"]["policy"]).shape == (200, 4)
    assert np.asarray(numbers[3, 1]["drawn"]["soft"]).shape == (200, 2)
    # The first axis is dimension 3: the value at a cell is that of its action, the others at the mode.
    learner, seed = read_learners(load(plane.path))[0], numbers[3, 1]
    shown = jnp.asarray([seed["actions"][7], seed["actions"][30]])
    action = jnp.asarray(seed["mode"]).at[jnp.asarray([3, 1])].set(shown)
    q = plane.algorithm.soft_and_plain(learner.state, jnp.asarray(learner.observations[5]), action)
    assert (seed["soft"][7][30], seed["plain"][7][30]) == pytest.approx((float(q.soft), float(q.plain)), rel=1e-3)


CHOOSE = """
<script>
const ready = setInterval(() => {
  if (document.documentElement.dataset.drawn === undefined) return;
  clearInterval(ready);
  const choose = document.querySelector("select.choose");
  choose.value = "1";
  choose.dispatchEvent(new Event("change"));
}, 20);
</script>
"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path")
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 420])
def test_the_page_in_a_browser_shows_one_seed_at_a_time(toy, plane, tmp_path, width):
    html = write_landscape(toy.path, command=COMMAND).html.read_text("utf-8")
    maps = write_landscape(plane.path, command=COMMAND).html.read_text("utf-8")
    before, end, after = html.rpartition("</body>")
    chosen = before + CHOOSE + end + after
    cases = (("first", html, [True, False]), ("second", chosen, [False, True]), ("maps", maps, [True, True]))
    for name, content, visible in cases:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "page.html").write_text(probe(content))
        seen, console = browse(folder, folder / "page.html", width)
        assert console == []
        assert seen["loaded"] == seen["wide"] == []
        assert seen["scroll"] <= width
        assert [room > 0 for room, _, _ in seen["plots"]] == visible
        for room, drawn, paths in seen["plots"]:
            assert paths >= 2
            assert 0.9 * room <= drawn <= room + 1
