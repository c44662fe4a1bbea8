"""Ways to explore by name, each a learner and an exploration: what `entropax reproduce exploration` compares."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from entropax.algorithms.a2c import A2C
from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.ddpg import DDPG
from entropax.algorithms.decomposed_sac import DecomposedSAC
from entropax.algorithms.discrete_parts import ClippedQ, EntropyPenalty, MeanCritic
from entropax.algorithms.discrete_sac import DiscreteSAC
from entropax.algorithms.discrete_soft_q import DiscreteSoftQ
from entropax.algorithms.dqn import DQN
from entropax.algorithms.dqn_parts import Double, Dueling
from entropax.algorithms.exploring import Boltzmann, NoisyNet
from entropax.algorithms.max_info_sac import MaxInfoSAC
from entropax.algorithms.meta_sac import MetaSAC
from entropax.algorithms.on_policy_parts import TanhGaussian
from entropax.algorithms.ppo import PPO
from entropax.algorithms.sac import SAC
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.algorithms.soft_q import SoftQ
from entropax.algorithms.td3 import TD3
from entropax.algorithms.values import TwoValues
from entropax.experiments.budget import Budget
from entropax.exploration import (
    GSDE,
    ICM,
    OU,
    PLAIN,
    RND,
    AbstractBonus,
    AbstractNoise,
    Counts,
    Disagreement,
    DiscreteParameterNoise,
    EpsilonOfRule,
    Exploration,
    ParameterNoise,
    PerRootMeanSquare,
    Pink,
    Policy,
    Repeated,
    TableCounts,
    ThroughPolicy,
    White,
)
from entropax.networks import Dense, Orthogonal
from entropax.temperature import AbstractTemperature, Dual, Fixed, FractionOfUniform
from entropax.types import Spec

ALPHA, WITHOUT = 0.2, 1e-6
"""A weight of the entropy in wide use, and as good as none: `Fixed` holds a temperature, which is above 0."""
SIZE = 0.2
"""Root mean square of every noise over an episode, before clipping, in units of [-1, 1]; published are 0.1 to 0.3."""
BETA = 0.1
"""Weight of every intrinsic reward, in rewards of the environment: of 1 / sqrt(n) for counts, of the root mean square
for those that are learned; published are 0.01 to 0.1 for counts."""
BONUS = 0.01
"""Weight of the entropy in the losses of PPO and A2C, published for A3C."""


COPIES = 16
"""Environment copies that PPO and A2C step together."""

ENTROPY, NOISE, INTRINSIC, NONE = "entropy", "noise", "intrinsic reward", "nothing"
"""What a method explores by; nothing: by what is left of its policy's own deviation."""


class Setting(NamedTuple):
    """What a method is built for."""

    budget: Budget
    horizon: int
    """Steps of an episode."""
    spec: Spec
    """Of the task."""

    @property
    def sizes(self) -> dict[str, Any]:
        """Layers and batches, the same for all that learn off policy."""
        return {"torso": Dense(self.budget.hidden), "batch_size": self.budget.batch_size}

    @property
    def rate(self) -> float:
        """Of every optimiser."""
        return 3e-4 * self.budget.rate


class Method(NamedTuple):
    """A way to explore."""

    family: str
    """One of those above."""
    learner: Callable[[Setting], AbstractAlgorithm[Any]]
    explores: Callable[[Setting], Exploration] = lambda setting: PLAIN


def _sac(setting: Setting, temperature: AbstractTemperature) -> SAC:
    rate = setting.rate
    return SAC(actor_learning_rate=rate, critic_learning_rate=rate, temperature=temperature, **setting.sizes)


def _learned(setting: Setting) -> SAC:
    """Alpha from 1, at the rate of the networks, to an entropy of -1 nat a dimension."""
    return _sac(setting, Dual(learning_rate=setting.rate))


def _fixed(setting: Setting) -> SAC:
    return _sac(setting, Fixed(ALPHA))


def _without(setting: Setting) -> SAC:
    """No entropy in critics and actor."""
    return _sac(setting, Fixed(WITHOUT))


def _deterministic(kind: Callable[..., TD3 | DDPG | SoftQ]) -> Callable[[Setting], AbstractAlgorithm[Any]]:
    def build(setting: Setting) -> TD3 | DDPG | SoftQ:
        return kind(actor_learning_rate=setting.rate, critic_learning_rate=setting.rate, **setting.sizes)

    return build


def _discrete_sac(law: Callable[[Setting], AbstractTemperature], **parts: Any) -> Callable[[Setting], DiscreteSAC]:
    def build(setting: Setting) -> DiscreteSAC:
        rates = {"actor_learning_rate": setting.rate, "critic_learning_rate": setting.rate}
        return DiscreteSAC(temperature=law(setting), **rates, **parts, **setting.sizes)

    return build


def _to_fraction(setting: Setting) -> Dual:
    """Alpha learned as by default, at the rate of the networks."""
    return Dual(learning_rate=setting.rate, target_entropy=FractionOfUniform())


def _dqn(**parts: Any) -> Callable[[Setting], DQN]:
    return lambda setting: DQN(critic_learning_rate=setting.rate, **parts, **setting.sizes)


def _ppo(coefficient: float, **parts: Any) -> Callable[[Setting], PPO]:
    """PPO with rollouts and minibatches of the budget, and so much of the entropy in its loss."""

    def build(setting: Setting) -> PPO:
        budget = setting.budget
        return PPO(
            learning_rate=setting.rate,
            entropy_coefficient=coefficient,
            **_rollout_torsos(budget),
            num_steps=budget.rollout,
            minibatches=min(max(COPIES * budget.rollout // budget.batch_size, 1), budget.rollout),
            **parts,
        )

    return build


def _a2c(setting: Setting) -> A2C:
    return A2C(entropy_coefficient=BONUS, **_rollout_torsos(setting.budget))


def _rollout_torsos(budget: Budget) -> dict[str, Any]:
    """Layers of critic and policy, which begins near uniform, as by default."""
    return {"torso": Orthogonal(budget.hidden), "policy": TanhGaussian(Orthogonal(budget.hidden, output_gain=0.01))}


def _noise(noise: Callable[[Setting], AbstractNoise[Any]]) -> Method:
    """Noise on the policy's mode, in place of the entropy."""
    return Method(NOISE, _without, lambda setting: Exploration(noise(setting)))


def _bonuses(learner: Callable[[Setting], AbstractAlgorithm[Any]], noise: AbstractNoise[Any]) -> dict[str, Method]:
    """The intrinsic rewards, for a learner that acts with some noise."""

    def counts(setting: Setting) -> AbstractBonus[Any]:
        return TableCounts(Fixed(BETA)) if setting.spec.one_hot else Counts(Fixed(BETA))

    learned = {
        "RND": RND(Fixed(BETA), PerRootMeanSquare()),
        "ICM": ICM(Fixed(BETA), PerRootMeanSquare()),
        "disagreement": Disagreement(Fixed(BETA)),
    }
    by_models = {
        name: Method(INTRINSIC, learner, lambda setting, bonus=bonus: Exploration(noise, bonus))
        for name, bonus in learned.items()
    }
    return {"counts": Method(INTRINSIC, learner, lambda setting: Exploration(noise, counts(setting))), **by_models}


CONTINUOUS: Mapping[str, Method] = {
    "SAC": Method(ENTROPY, _learned),
    "alpha about 0": Method(NONE, _without),
    "SAC at alpha 0.2": Method(ENTROPY, _fixed),
    "SAC with pink noise": Method(ENTROPY, _learned, lambda setting: Exploration(ThroughPolicy())),
    "Meta-SAC": Method(ENTROPY, lambda setting: MetaSAC(_sac(setting, Fixed(1.0)))),
    "SAC-AdaEnt": Method(ENTROPY, lambda setting: SACAdaEnt(_fixed(setting), samples=setting.budget.samples)),
    "DecomposedSAC": Method(ENTROPY, lambda setting: DecomposedSAC(_learned(setting))),
    "soft Q-learning": Method(ENTROPY, _deterministic(SoftQ)),
    "white noise": _noise(lambda setting: White(SIZE)),
    "OU noise": _noise(lambda setting: OU(SIZE / OU(1.0).size(setting.horizon))),
    "pink noise": _noise(lambda setting: Pink(SIZE)),
    "repeated noise": _noise(lambda setting: Repeated(SIZE)),
    "state-dependent noise": _noise(lambda setting: GSDE()),
    "parameter noise": _noise(lambda setting: ParameterNoise(SIZE)),
    **_bonuses(_without, White(SIZE)),
    "MaxInfoSAC": Method(INTRINSIC, lambda setting: MaxInfoSAC(_learned(setting))),
    "TD3": Method(NOISE, _deterministic(TD3)),
    "DDPG": Method(NOISE, _deterministic(DDPG)),
    "PPO": Method(ENTROPY, _ppo(BONUS)),
    "PPO with bonus 1": Method(ENTROPY, _ppo(1.0)),
    "PPO without bonus": Method(NONE, _ppo(0.0)),
    "A2C": Method(ENTROPY, _a2c),
}
"""For tasks whose actions are continuous; the first is the one that others are compared with."""

DISCRETE: Mapping[str, Method] = {
    "SAC": Method(ENTROPY, _discrete_sac(_to_fraction)),
    "alpha about 0": Method(NONE, _discrete_sac(lambda setting: Fixed(WITHOUT))),
    "SAC with remedies": Method(
        ENTROPY, _discrete_sac(_to_fraction, reduction=MeanCritic(), regression=ClippedQ(), drift=EntropyPenalty())
    ),
    "exact soft Q-learning": Method(
        ENTROPY, lambda setting: DiscreteSoftQ(critic_learning_rate=setting.rate, **setting.sizes)
    ),
    "epsilon-greedy DQN": Method(NOISE, _dqn()),
    "double dueling DQN": Method(NOISE, _dqn(bootstrap=Double(), head=Dueling())),
    "Boltzmann DQN": Method(NOISE, _dqn(exploration=Boltzmann())),
    "NoisyNet DQN": Method(NOISE, _dqn(exploration=NoisyNet())),
    "DQN with parameter noise": Method(
        NOISE, _dqn(), lambda setting: Exploration(DiscreteParameterNoise(EpsilonOfRule()))
    ),
    **_bonuses(_dqn(), Policy()),
    "PPO": Method(ENTROPY, _ppo(BONUS)),
    "PPO with bonus 1": Method(ENTROPY, _ppo(1.0)),
    "PPO without bonus": Method(NONE, _ppo(0.0)),
    "PPO with RND": _bonuses(_ppo(0.0, values=TwoValues()), Policy())["RND"],
    "A2C": Method(ENTROPY, _a2c),
}
"""For tasks with a finite set of actions, likewise."""
