"""Every command has help, and every field of every part a help text."""

import dataclasses
import inspect
import signal
import subprocess
import sys
from contextlib import nullcontext

import jax
import pytest

from entropax.algorithms.a2c import A2C
from entropax.algorithms.ddpg import DDPG
from entropax.algorithms.discrete_parts import AbstractDrift, AbstractReduction, AbstractRegression
from entropax.algorithms.discrete_sac import DiscreteSAC
from entropax.algorithms.discrete_soft_q import DiscreteSoftQ
from entropax.algorithms.dqn import DQN
from entropax.algorithms.dqn_parts import AbstractBootstrap, AbstractFollowing, AbstractHead, AbstractLoss
from entropax.algorithms.exploring import AbstractExploration
from entropax.algorithms.landscapes import AbstractSimilarity
from entropax.algorithms.max_info_sac import MaxInfoSAC
from entropax.algorithms.meta_parts import AbstractMetaBatch, AbstractMetaCritics, AbstractMetaStates
from entropax.algorithms.meta_sac import MetaSAC
from entropax.algorithms.on_policy_parts import AbstractPolicy
from entropax.algorithms.ppo import PPO, AbstractAdvantages
from entropax.algorithms.sac import SAC
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.algorithms.sac_lite import SACLite
from entropax.algorithms.soft_q import SoftQ
from entropax.algorithms.td3 import TD3
from entropax.algorithms.values import AbstractValues
from entropax.cli import COMMANDS, algorithms, commands, main
from entropax.cli.diagnose import Diagnose
from entropax.cli.entropy import Entropy
from entropax.cli.flags import field_help, final_classes
from entropax.cli.landscape import Landscape
from entropax.cli.reproduce import Reproduce, ReproduceCollapse, ReproduceExploration
from entropax.errors import EntropaxError
from entropax.exploration import AbstractBonus, AbstractNoise, Exploration
from entropax.exploration.lengths import AbstractLengths
from entropax.exploration.processes import AbstractProcess
from entropax.intrinsic.ensemble import AbstractHeads
from entropax.loops.training import Training
from entropax.networks import AbstractTorso
from entropax.temperature.band import AbstractBand
from entropax.temperature.base import AbstractTarget, AbstractTemperature
from entropax.temperature.dual import AbstractObjective
from entropax.temperature.scheduled import AbstractSchedule
from entropax.types import FOR_BOXES, FOR_CATEGORIES, Bounds, Categories, Spec

META_PARTS = (AbstractMetaStates, AbstractMetaBatch, AbstractMetaCritics)
DISCRETE_PARTS = (
    *(AbstractDrift, AbstractReduction, AbstractRegression),
    *(AbstractBootstrap, AbstractLoss, AbstractFollowing, AbstractHead, AbstractExploration),
)
PARTS = (
    *META_PARTS,
    *DISCRETE_PARTS,
    AbstractPolicy,
    AbstractAdvantages,
    AbstractValues,
    AbstractSimilarity,
    AbstractTorso,
    AbstractTemperature,
    AbstractTarget,
    AbstractObjective,
    AbstractBand,
    AbstractSchedule,
    AbstractNoise,
    AbstractBonus,
    AbstractProcess,
    AbstractLengths,
    AbstractHeads,
)
FLAGS = (
    commands.Train,
    commands.Resume,
    commands.Evaluate,
    commands.Report,
    Diagnose,
    commands.Envs,
    commands.Export,
    Entropy,
    Landscape,
    ReproduceCollapse,
    Reproduce,
    ReproduceExploration,
)
TWO_WORDS = {
    commands.Train: ["train", "sac"],
    ReproduceCollapse: ["reproduce", "collapse"],
    Reproduce: ["reproduce", "toy"],
    ReproduceExploration: ["reproduce", "exploration"],
}
OWNERS = [
    SAC,
    MetaSAC,
    SACAdaEnt,
    SACLite,
    MaxInfoSAC,
    SoftQ,
    DiscreteSoftQ,
    DiscreteSAC,
    DQN,
    TD3,
    DDPG,
    PPO,
    A2C,
    Training,
    Exploration,
    *FLAGS,
    *(owner for part in PARTS for owner in final_classes(part)),
]


def shown(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out, error = capsys.readouterr()
    assert stop.value.code == 0
    assert error == ""
    return " ".join(out.split())


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_the_overview_names_every_command(arguments, capsys):
    main(arguments)
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []


@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: flags.__name__)
def test_help_says_what_the_command_does_and_names_every_flag(flags, capsys):
    name = TWO_WORDS.get(flags, [flags.__name__.lower()])
    out = shown(capsys, *name, "--help")
    assert " ".join((inspect.getdoc(flags) or "").split()) in out
    for field, text in field_help(flags).items():
        if field not in ("training", "algorithm", "exploration"):
            assert text in out


def test_the_help_of_train_has_every_setting_of_loop_and_algorithm(capsys):
    out = shown(capsys, "train", "sac", "--help")
    for field, text in field_help(Training).items():
        assert f"--{field.replace('_', '-')}" in out
        assert text in out
    for field in ("discount", "polyak", "batch_size", "n_step"):
        assert f"--algorithm.{field.replace('_', '-')}" in out
        assert field_help(SAC)[field] in out


def test_the_parts_are_all_reached():
    assert {owner.__name__ for owner in OWNERS} >= {"Dense", "Dual", "Anneal", "InAlpha", "Clamp", "Cosine"}
    assert len(OWNERS) >= 24


@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: owner.__name__)
def test_every_field_has_a_help_text(owner):
    texts = field_help(owner) | (field_help(Reproduce) if owner is ReproduceExploration else {})
    missing = [field.name for field in dataclasses.fields(owner) if len(texts.get(field.name, "").split()) < 2]
    assert missing == []


@pytest.mark.parametrize("name", algorithms())
def test_the_lists_of_algorithms_that_fit_are_true(name):
    algorithm = algorithms()[name]()
    for action, fitting in ((Bounds((-1.0,), (1.0,)), FOR_BOXES), (Categories(2), FOR_CATEGORIES)):
        with nullcontext() if name in fitting else pytest.raises(EntropaxError, match="Take an algorithm"):
            jax.eval_shape(lambda action=action: algorithm.init(Spec(3, action), key=jax.random.key(0)))


def test_a_process_shows_help():
    done = subprocess.run([sys.executable, "-m", "entropax"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: entropax COMMAND")
    assert done.stderr == ""


def test_envs_lists_ours_and_gymnasium(capsys):
    main(("envs",))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:5] == ["entropax/Pendulum-v0", "jax", "1", "in", "[-2,"] for line in lines)
    assert any(line.startswith("Pendulum-v1 ") for line in lines)
    assert any(line.split()[:6] == ["CartPole-v1", "gymnasium", "one", "of", "2", "balance"] for line in lines)


def test_a_reader_that_has_seen_enough_ends_the_command_in_silence():
    command = [sys.executable, "-m", "entropax", "envs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=120) == 128 + signal.SIGPIPE
