"""What is measured: each case is a few contenders, run in turn, round after round."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to run one library.

    Attributes:
        name: row of the table.
        library: which script and which environment.
        arguments: command line of that script.
        pinned: cores of each process; one empty tuple is one process on all cores.
    """

    name: str
    library: str
    arguments: tuple[str, ...]
    pinned: tuple[tuple[int, ...], ...] = ((),)


@dataclasses.dataclass(frozen=True)
class Case:
    """Contenders that are compared.

    Attributes:
        name: what `--case` takes.
        title: heading of the table.
        contenders: rows of the table, in the order in which they take turns.
        references: rows by which all are divided.
    """

    name: str
    title: str
    contenders: tuple[Contender, ...]
    references: tuple[str, ...]


def _cheetah(train_freq: int, warmup: int, steps: int) -> tuple[str, ...]:
    pairs = {"--env": "HalfCheetah-v5", "--train-freq": train_freq, "--gradient-steps": train_freq}
    pairs |= {"--warmup-steps": warmup, "--steps": steps}
    return tuple(str(part) for pair in pairs.items() for part in pair)


def _pendulum(env: str, steps: int) -> tuple[str, ...]:
    return ("--env", env, "--net", "64", "64", "--warmup-steps", "1000", "--steps", str(steps))


def _libraries(arguments: Sequence[str]) -> tuple[Contender, ...]:
    own = tuple(arguments)
    return (
        Contender("Entropax", "entropax", own),
        Contender("Stable-Baselines3", "sb3", own),
        Contender("SBX", "sbx", own),
        Contender("Entropax, overlapped", "entropax", (*own, "--acting", "overlapped")),
    )


_FOUR_SEEDS = (*_cheetah(1, 1000, 2000), "--num-seeds", "4")
_PEERS = ("Stable-Baselines3", "SBX")
_ONE_CORE_EACH = ((0,), (1,))

THROUGHPUT = (
    Case("strict", "HalfCheetah-v5, 256x256, one update after each step", _libraries(_cheetah(1, 1000, 4000)), _PEERS),
    Case(
        "batched",
        "HalfCheetah-v5, 256x256, eight steps, then eight updates",
        _libraries(_cheetah(8, 1000, 4000)),
        _PEERS,
    ),
    Case(
        "seeds",
        "HalfCheetah-v5, 256x256, one update after each step: four seeds, aggregate",
        (
            Contender("Entropax, 4 seeds", "entropax", _FOUR_SEEDS),
            Contender("Entropax, 4 seeds in processes", "entropax", (*_FOUR_SEEDS, "--seeds-in", "processes")),
            Contender("Entropax, 1 seed", "entropax", _cheetah(1, 1000, 2000)),
        ),
        ("Entropax, 1 seed",),
    ),
    Case(
        "sweep",
        "Pendulum, 64x64: a sweep as each library runs it, aggregate",
        (
            Contender(
                "Entropax, 16 seeds, entropax/Pendulum-v0",
                "entropax",
                (*_pendulum("entropax/Pendulum-v0", 4000), "--num-seeds", "16"),
            ),
            Contender("Stable-Baselines3, 1 process", "sb3", _pendulum("Pendulum-v1", 3000)),
            Contender("Stable-Baselines3, 2 processes", "sb3", _pendulum("Pendulum-v1", 3000), _ONE_CORE_EACH),
            Contender("SBX, 1 process", "sbx", _pendulum("Pendulum-v1", 6000)),
            Contender("SBX, 2 processes", "sbx", _pendulum("Pendulum-v1", 6000), _ONE_CORE_EACH),
        ),
        ("Stable-Baselines3, 2 processes", "SBX, 2 processes"),
    ),
)
"""Cases whose figures are environment steps per second behind the warm-up and peak resident memory, both
summed over processes."""

NAMES = (*(case.name for case in THROUGHPUT), "startup")
"""All cases, in the order in which they run."""
