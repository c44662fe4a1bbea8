"""The `entropax` command: errors that a person can cause end in one message and exit code 2."""

import difflib
import functools
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from entropax.types import FOR_BOXES, FOR_CATEGORIES

USAGE = """usage: entropax COMMAND ...

  train sac --env ID   train into a new run folder (also: meta-sac, sac-adaent, sac-lite, decomposed-sac,
                       max-info-sac, soft-q, td3, ddpg, ppo, a2c; of discrete actions discrete-sac,
                       discrete-soft-q, dqn, ppo, a2c)
  resume RUN           go on with a run from its newest checkpoint
  evaluate RUN         run whole episodes of a trained policy
  report RUN [RUN ...] write one self-contained HTML page
  diagnose RUN [RUN ...] say what is wrong with a run, of ours or of another library
  landscape RUN        show soft and plain value over the actions of one state
  entropy --env ID     show what target entropies mean on an environment
  reproduce NAME       run an experiment: collapse, toy, bifurcation, control, confounds, threshold,
                       exploration, tokens
  envs                 list the environments
  export RUN FILE      write the policies to a safetensors file

Every command explains its flags with --help."""

COMMANDS = ("train", "resume", "evaluate", "report", "diagnose", "landscape", "entropy", "reproduce", "envs", "export")
EXPERIMENTS = ("toy", "bifurcation", "control", "confounds", "threshold", "exploration", "tokens")
"""Those that take a budget, as `entropax.experiments.reproduce` has them."""
KINDS = {
    "train": ("algorithm", tuple(dict.fromkeys(FOR_BOXES + FOR_CATEGORIES))),
    "reproduce": ("experiment", ("collapse", *EXPERIMENTS)),
}
"""What the second word of a command names, and the words there are."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; exits with 2 on bad input and with 128 + the signal's number when interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return
    command = _one_of("command", words.pop(0), COMMANDS)
    if command in KINDS:
        kind, known = KINDS[command]
        if not words or words[0].startswith("-"):
            example = f"entropax {command} {known[0]} --help"
            _fail(f"entropax {command} needs an {kind}: {', '.join(known)}. For example: {example}")
        command = f"{command} {_one_of(kind, words.pop(0), known)}"
    _run(command, words)


def algorithms() -> dict[str, Any]:
    """The classes behind the names that `entropax train` takes."""
    from entropax.algorithms.a2c import A2C
    from entropax.algorithms.ddpg import DDPG
    from entropax.algorithms.decomposed_sac import DecomposedSAC
    from entropax.algorithms.discrete_sac import DiscreteSAC
    from entropax.algorithms.discrete_soft_q import DiscreteSoftQ
    from entropax.algorithms.dqn import DQN
    from entropax.algorithms.max_info_sac import MaxInfoSAC
    from entropax.algorithms.meta_sac import MetaSAC
    from entropax.algorithms.ppo import PPO
    from entropax.algorithms.sac import SAC
    from entropax.algorithms.sac_adaent import SACAdaEnt
    from entropax.algorithms.sac_lite import SACLite
    from entropax.algorithms.soft_q import SoftQ
    from entropax.algorithms.td3 import TD3

    return {
        "sac": SAC,
        "meta-sac": MetaSAC,
        "sac-adaent": SACAdaEnt,
        "sac-lite": SACLite,
        "decomposed-sac": DecomposedSAC,
        "max-info-sac": MaxInfoSAC,
        "soft-q": SoftQ,
        "td3": TD3,
        "ddpg": DDPG,
        "ppo": PPO,
        "a2c": A2C,
        "discrete-sac": DiscreteSAC,
        "discrete-soft-q": DiscreteSoftQ,
        "dqn": DQN,
    }


def _run(name: str, words: list[str]) -> None:
    import tyro

    from entropax.cli import commands, diagnose, entropy, landscape, reproduce
    from entropax.cli.flags import registry
    from entropax.errors import EntropaxError
    from entropax.loops.driver import Interrupted

    table: dict[str, tuple[Any, Any]] = {
        **{f"train {word}": (commands.Train[owner], commands.train) for word, owner in algorithms().items()},
        "resume": (commands.Resume, commands.resume),
        "evaluate": (commands.Evaluate, commands.evaluate),
        "report": (commands.Report, commands.report),
        "diagnose": (diagnose.Diagnose, diagnose.diagnose),
        "landscape": (landscape.Landscape, landscape.landscape),
        "entropy": (entropy.Entropy, entropy.entropy),
        "reproduce collapse": (reproduce.ReproduceCollapse, reproduce.collapse),
        **{
            f"reproduce {name}": (reproduce.Reproduce, functools.partial(reproduce.reproduce, name))
            for name in EXPERIMENTS
        },
        "reproduce exploration": (
            reproduce.ReproduceExploration,
            functools.partial(reproduce.reproduce, "exploration"),
        ),
        "envs": (commands.Envs, commands.envs),
        "export": (commands.Export, commands.export),
    }
    flags, action = table[name]
    try:
        parsed = tyro.cli(flags, prog=f"entropax {name}", args=words, registry=registry)
        action(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as `head`, has seen enough; Python's own flush at exit must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        sys.exit(128 + stop.number)
    except KeyboardInterrupt:
        print("Stopped at once; what was written before is whole.", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except EntropaxError as error:
        _fail("\n".join([str(error), *vars(error).get("__notes__", ())]))


def _one_of(kind: str, word: str, known: tuple[str, ...]) -> str:
    if word in known:
        return word
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
    _fail(f"entropax has no {kind} {word!r}. {hint}")
    return ""


def _fail(message: str) -> None:
    print(f"entropax: {message}", file=sys.stderr)
    sys.exit(2)
