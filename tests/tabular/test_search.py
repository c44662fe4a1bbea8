"""Tree search against solved games: PUCT's formulas by hand, both rules against the oracle, and the fault of MENTS."""

import dataclasses
import math

import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.tabular import (
    MDP,
    MENTS,
    PUCT,
    Opinion,
    Planning,
    RandomPlayout,
    TicTacToe,
    board,
    move_values,
    plain_policy_iteration,
    random_mdp,
    search,
    soft_policy_iteration,
)
from entropax.tabular.search import Node

GAME = TicTacToe()
EMPTY = board("... / ... / ...")


def played(free, count, seed):
    """Positions that are not over, with so many free squares, of games at random."""
    generator, found = np.random.default_rng(seed), set()
    while len(found) < count:
        position = EMPTY
        while position.count(0) > free and GAME.moves(position):
            position, _ = GAME.play(position, int(generator.choice(GAME.moves(position))))
        found |= {position} if GAME.moves(position) else set()
    return sorted(found)


def deep_sea(size, discount=0.99):
    """Bsuite's: right all the way, at a cost, is worth 1. States are (row, column), the last one is over."""
    places = [(row, column) for row in range(size) for column in range(row + 1)]
    over = len(places)
    shape = (over + 1, 2)
    rewards, transitions, measure = np.zeros(shape), np.zeros((*shape, over + 1)), np.zeros(shape)
    measure[:over], rewards[:over, 1] = 1, -0.01 / size
    rewards[places.index((size - 1, size - 1)), 1] += 1
    for state, (row, column) in enumerate(places):
        for move, following in enumerate([(row + 1, max(column - 1, 0)), (row + 1, column + 1)]):
            transitions[state, move, places.index(following) if following in places else over] = 1
    return MDP(rewards, transitions, measure, discount, (*(f"{row},{column}" for row, column in places), "over"))


def trap(good=1.0, many=8, each=0.8):
    """One move to a single end worth `good`, another to many ends worth `each`: docs/search.md's."""
    shape = (4, many)
    rewards, transitions, measure = np.zeros(shape), np.zeros((*shape, 4)), np.zeros(shape)
    measure[0, :2] = measure[1, 0] = measure[2] = 1
    transitions[0, 0, 1] = transitions[0, 1, 2] = 1
    transitions[1, 0, 3] = transitions[2, :, 3] = 1
    rewards[1, 0], rewards[2] = good, each
    return MDP(rewards, transitions, measure, 0.99, ("start", "one", "many", "over"))


def looked_at(game, position, rule, simulations, seed=0):
    generator = np.random.default_rng(seed)
    return search(game, position, rule, RandomPlayout(game, generator), simulations, generator)


def node(visits, q, prior):
    count = len(visits)
    opinion = Opinion(np.array(prior), 0.0)
    return Node(None, tuple(range(count)), opinion, np.array(visits), np.array(q), np.zeros(count), [None] * count)


def test_the_oracle_knows_tic_tac_toe():
    """A corner is answered by the centre alone; a row of two is filled, or blocked."""
    corner, race = GAME.play(EMPTY, 0)[0], board("XX. / OO. / ...")
    assert move_values(GAME, corner).tolist() == [-1, -1, -1, 0, -1, -1, -1, -1]
    assert dict(zip(GAME.moves(race), move_values(GAME, race), strict=True)) == {2: 1, 5: 0, 6: -1, 7: -1, 8: -1}


def test_the_oracle_is_dynamic_programming():
    mdp = deep_sea(4)
    plain, soft = plain_policy_iteration(mdp), soft_policy_iteration(mdp, 0.3)
    for state in range(len(mdp.names) - 1):
        np.testing.assert_allclose(move_values(Planning(mdp), state), plain.action_values[state], rtol=0, atol=1e-12)
        found = move_values(Planning(mdp), state, MENTS(0.3).value)
        np.testing.assert_allclose(found, soft.action_values[state], rtol=0, atol=1e-12)


def test_puct_by_hand():
    scores = PUCT(second_weight=9.0).scores(node([3, 1, 0], [0.5, -1.0, 0.0], [0.2, 0.3, 0.5]), (-1.0, 1.0))
    weight = 1.25 + math.log(14 / 9)
    expected = [0.75 + weight * 0.2 * 2 / 4, 0.0 + weight * 0.3 * 2 / 2, 0.0 + weight * 0.5 * 2 / 1]
    np.testing.assert_allclose(scores, expected, rtol=1e-14)
    untouched = node([0, 0, 0], [0.0, 0.0, 0.0], [0.2, 0.5, 0.3])
    assert PUCT().select(untouched, (np.inf, -np.inf), np.random.default_rng(0)) == 1


def test_a_mean_is_backed_up_by_puct():
    one = node([0, 0], [0.0, 0.0], [0.5, 0.5])
    assert [PUCT().back_up(one, 1, found) for found in (1.0, -1.0, 0.5)] == [1.0, -1.0, 0.5]
    np.testing.assert_allclose(one.q, [0, 0.5 / 3], rtol=1e-15)
    assert one.visits.tolist() == [0, 3]


def test_noise_at_the_root():
    """Its mean is 1 / n and its variance that of the Dirichlet distribution, (1 / n) (1 - 1 / n) / (n c + 1)."""
    prior, generator = np.array([0.7, 0.2, 0.1]), np.random.default_rng(0)
    drawn = np.array([PUCT(noise_concentration=0.5).root(Opinion(prior, 0.3), generator).prior for _ in range(4_000)])
    np.testing.assert_allclose(drawn.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(drawn.mean(axis=0), 0.75 * prior + 0.25 / 3, atol=0.01)
    np.testing.assert_allclose(drawn.var(axis=0), 0.25**2 * (2 / 9) / 2.5, rtol=0.1)
    silent = PUCT(noise_share=0.0).root(Opinion(prior, 0.3), generator)
    assert silent.prior.tolist() == prior.tolist()


def test_noise_lets_a_search_see_what_its_prior_rules_out():
    """A prior that leaves out the winning move: without noise it is never tried."""
    winning = board("XX. / OO. / ...")

    def convinced(position):
        count = len(GAME.moves(position))
        return Opinion(np.eye(count)[-1] if position == winning else np.full(count, 1 / count), 0.0)

    generator = np.random.default_rng(0)
    blind, seeing = (search(GAME, winning, PUCT(noise_share=share), convinced, 200, generator) for share in (0.0, 0.25))
    assert blind.visits.tolist() == [0, 0, 0, 0, 200]
    assert seeing.move == 2


def test_e2w_by_hand():
    rule, one = MENTS(temperature=0.5, exploration=0.2), node([4, 2, 1], [1.0, 0.5, 0.0], [1 / 3] * 3)
    share, weights = 0.2 * 3 / math.log(8), np.exp([2.0, 1.0, 0.0])
    np.testing.assert_allclose(rule.policy(one), (1 - share) * weights / weights.sum() + share / 3, rtol=1e-12)
    np.testing.assert_allclose(rule.value(one.q), 0.5 * math.log(weights.sum()), rtol=1e-14)
    np.testing.assert_allclose(rule.policy(node([0, 0], [5.0, 0.0], [0.5, 0.5])), [0.5, 0.5], rtol=1e-15)
    assert rule.value(np.array([1000.0, -1000.0])) == 1000.0
    drawn = np.bincount(
        [rule.select(one, (0.0, 1.0), np.random.default_rng(seed)) for seed in range(2_000)], minlength=3
    )
    np.testing.assert_allclose(drawn / 2_000, rule.policy(one), atol=0.03)


def test_a_new_position_has_the_evaluator_s_value_and_prior():
    rule, opinion = MENTS(0.2), Opinion(np.array([0.7, 0.2, 0.1]), 0.4)
    values = rule.first_values(opinion)
    np.testing.assert_allclose(rule.value(values), 0.4, rtol=1e-12)
    np.testing.assert_allclose(np.exp((values - 0.4) / 0.2), opinion.prior, rtol=1e-12)
    assert np.isfinite(rule.first_values(Opinion(np.array([1.0, 0.0]), 0.0))).all()


@pytest.mark.parametrize("rule", [PUCT(), MENTS(0.05, 0.3)], ids=["PUCT", "MENTS"])
def test_search_finds_the_oracle_s_move(rule):
    wrong = []
    for position in [one for free in (2, 3, 4, 5) for one in played(free, 8, seed=free)]:
        best, found = move_values(GAME, position), looked_at(GAME, position, rule, 250)
        assert found.visits.sum() == 250
        wrong += [position] if best[found.moves.index(found.move)] < best.max() else []
    assert wrong == []


def test_soft_values_converge_to_soft_minimax():
    position, rule = board("XO. / .X. / ..O"), MENTS(0.2, exploration=1.0)
    exact = move_values(GAME, position, rule.value)
    gaps = [np.abs(looked_at(GAME, position, rule, count).q - exact).max() for count in (30, 1_000)]
    assert gaps[1] < 1e-5 < 0.1 < gaps[0]


def test_mean_values_approach_minimax():
    """From below, as the mean is also of the moves that were only tried."""
    position = board("XO. / .X. / ..O")
    found = looked_at(GAME, position, PUCT(), 1_000)
    best = int(np.argmax(found.visits))
    assert found.visits[best] > 500
    assert move_values(GAME, position)[best] == 1
    assert 0.9 < found.q[best] < 1


@pytest.mark.parametrize(("rule", "backup"), [(PUCT(), np.max), (MENTS(0.05, 0.5), MENTS(0.05).value)])
def test_the_deep_sea_is_crossed(rule, backup):
    game = Planning(deep_sea(6))
    found = looked_at(game, 0, rule, 1_500)
    assert found.move == 1
    np.testing.assert_allclose(found.q[1], move_values(game, 0, backup)[1], atol=0.1)


@pytest.mark.parametrize(("temperature", "chosen"), [(0.08, 0), (0.095, 0), (0.098, 1), (0.2, 1)])
def test_ments_takes_many_mediocre_moves_for_a_good_one(temperature, chosen):
    """1 against 0.8 eight times: the soft values 1 and 0.8 + tau log 8 cross at tau = 0.2 / log 8 = 0.0962."""
    mdp, rule = trap(), MENTS(temperature, exploration=0.5)
    assert soft_policy_iteration(mdp, temperature).action_values[0, :2].argmax() == chosen
    found = looked_at(Planning(mdp), 0, rule, 500)
    np.testing.assert_allclose(found.q, [0.99, 0.99 * (0.8 + temperature * math.log(8))], rtol=0, atol=1e-12)
    assert found.move == chosen
    plain = looked_at(Planning(mdp), 0, PUCT(), 500)
    assert plain.move == 0
    np.testing.assert_allclose(plain.q, [0.99, 0.99 * 0.8], rtol=1e-12)


def test_moves_are_drawn_by_visits():
    found = looked_at(GAME, board("XX. / OO. / ..."), PUCT(), 100)
    np.testing.assert_allclose(found.visit_policy(), found.visits / 100, rtol=1e-15)
    np.testing.assert_allclose(found.visit_policy(0.5), found.visits**2 / (found.visits**2).sum(), rtol=1e-12)
    assert found.visit_policy(1e-3)[0] == 1
    with pytest.raises(EntropaxError, match="sampling_temperature"):
        found.visit_policy(0.0)


def test_what_is_refused():
    over = board("OOO / XX. / X..")
    with pytest.raises(EntropaxError, match="0 moves"):
        looked_at(GAME, over, PUCT(), 10)
    with pytest.raises(EntropaxError, match="0 simulations"):
        looked_at(GAME, EMPTY, PUCT(), 0)
    with pytest.raises(EntropaxError, match="nine squares"):
        board("XX / OO")
    mdp = random_mdp(np.random.default_rng(0), branches=1)
    with pytest.raises(EntropaxError, match="measure 1"):
        Planning(mdp)
    with pytest.raises(EntropaxError, match="can come again"):
        Planning(dataclasses.replace(mdp, measure=np.ones_like(mdp.measure)))
    for settings in ({"noise_share": 1.5}, {"first_weight": 0.0}, {"noise_concentration": -1.0}):
        with pytest.raises(EntropaxError, match="noise"):
            PUCT(**settings)
    with pytest.raises(EntropaxError, match="positive and finite"):
        MENTS(0.0)
    with pytest.raises(EntropaxError, match="exploration"):
        MENTS(exploration=0.0)
