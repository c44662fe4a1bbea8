"""Every algorithm in the settings that the contracts are held to, at sizes that compile soon."""

from entropax import (
    A2C,
    DDPG,
    DQN,
    PPO,
    SAC,
    TD3,
    Boltzmann,
    ClippedGaussian,
    ClippedQ,
    DecomposedSAC,
    Dense,
    DiscreteSAC,
    DiscreteSoftQ,
    Double,
    Dual,
    Dueling,
    EntropyPenalty,
    Fixed,
    Huber,
    LayerNormed,
    Level,
    LinearToZero,
    MaxInfoSAC,
    MeanCritic,
    MetaSAC,
    NoisyNet,
    SACAdaEnt,
    SACLite,
    Scheduled,
    SoftCopy,
    SoftQ,
    TanhGaussian,
    TwoValues,
)
from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.meta_parts import PlainCritics, ReplayedStates, SameBatch
from entropax.algorithms.ppo import AsEstimated
from entropax.intrinsic.ensemble import Ensemble, SeparateTrunks, SharedTrunk
from entropax.temperature import (
    PI,
    AnnealOverRun,
    Clamp,
    EachDimension,
    FractionOfInitial,
    Guard,
    InAlpha,
    Plateau,
    StepRule,
)
from entropax.types import Bounds, Categories, Spec, unknown_progress

SPEC = Spec(3, Bounds((-2.0, -1.0), (2.0, 1.0)))
CATEGORIES = Spec(3, Categories(4))
BATCH, ENVS = 16, 3
PROGRESS = unknown_progress(SPEC)


def _sac(torso=Dense((8, 8)), **settings) -> SAC:  # noqa: B008, modules are immutable
    return SAC(torso=torso, batch_size=BATCH, actor_learning_rate=1e-3, critic_learning_rate=1e-3, **settings)


SMALL = Dense((8, 8))
ON_POLICY = {"torso": SMALL, "policy": TanhGaussian(SMALL), "entropy_coefficient": 0.01}
DETERMINISTIC = {
    "torso": Dense((8, 8)),
    "batch_size": BATCH,
    "actor_learning_rate": 1e-3,
    "critic_learning_rate": 1e-3,
}
DISCRETE = {"torso": SMALL, "batch_size": BATCH, "critic_learning_rate": 1e-3}

VARIANTS = {
    "default": _sac(),
    "layer-normed": _sac(LayerNormed((8, 8))),
    "n-step": _sac(n_step=3),
    "three-critics": _sac(num_critics=3),
    "delayed": _sac(policy_delay=2),
    "fixed": _sac(temperature=Fixed(0.2)),
    "scheduled": _sac(temperature=Scheduled()),
    "in-alpha": _sac(temperature=Dual(objective=InAlpha())),
    "step-rule": _sac(temperature=StepRule()),
    "pi": _sac(temperature=PI()),
    "guard": _sac(temperature=PI(target_entropy=Guard())),
    "plateau": _sac(temperature=Dual(target_entropy=Plateau())),
    "of-initial": _sac(temperature=Dual(target_entropy=FractionOfInitial())),
    "over-run": _sac(temperature=Dual(target_entropy=AnnealOverRun())),
    "each-dimension": _sac(temperature=EachDimension()),
    "meta-sac": MetaSAC(_sac(temperature=Fixed(1.0))),
    "meta-sac, ablated": MetaSAC(
        _sac(temperature=Fixed(1.0)), states=ReplayedStates(), batch=SameBatch(), critics=PlainCritics()
    ),
    "sac-adaent": SACAdaEnt(_sac(temperature=Fixed(0.2)), samples=7),
    "sac-adaent, delayed": SACAdaEnt(_sac(policy_delay=2, n_step=3), samples=7),
    "sac-lite": SACLite(_sac()),
    "max-info-sac": MaxInfoSAC(_sac(), ensemble=Ensemble(trunks=SharedTrunk(SMALL))),
    "max-info-sac, delayed": MaxInfoSAC(
        _sac(policy_delay=2, n_step=3),
        information=PI(target_entropy=Level(0.0)),
        ensemble=Ensemble(trunks=SeparateTrunks(SMALL), heads=2),
    ),
    "decomposed-sac": DecomposedSAC(_sac()),
    "decomposed-sac, delayed": DecomposedSAC(_sac(policy_delay=2, n_step=3), pairs=1, sharpness=2.0),
    "soft-q": SoftQ(**DETERMINISTIC),
    "soft-q, few particles": SoftQ(**DETERMINISTIC, value_samples=3, fixed_particles=2, moved_particles=1),
    "td3": TD3(**DETERMINISTIC),
    "td3, n-step": TD3(**DETERMINISTIC, n_step=3, num_critics=3, policy_delay=1),
    "ddpg": DDPG(**DETERMINISTIC),
    "ddpg, n-step": DDPG(**DETERMINISTIC, n_step=3),
    "clamped": _sac(temperature=Dual(initial_alpha=0.5, learning_rate=0.1, band=Clamp(0.4, 0.6))),
    "ppo": PPO(num_steps=BATCH, epochs=2, minibatches=4, **ON_POLICY),
    "ppo, as estimated": PPO(num_steps=7, epochs=2, minibatches=4, advantages=AsEstimated(), **ON_POLICY),
    "ppo, clipped": PPO(num_steps=BATCH, epochs=2, minibatches=4, torso=SMALL, policy=ClippedGaussian(SMALL)),
    "ppo, two values": PPO(num_steps=BATCH, epochs=2, minibatches=4, values=TwoValues(0.9), **ON_POLICY),
    "a2c": A2C(num_steps=BATCH, **ON_POLICY),
    "discrete-soft-q": DiscreteSoftQ(**DISCRETE),
    "discrete-sac": DiscreteSAC(**DISCRETE, actor_learning_rate=1e-3),
    "discrete-sac, remedies": DiscreteSAC(
        **DISCRETE,
        temperature=Fixed(0.05),
        reduction=MeanCritic(),
        regression=ClippedQ(),
        drift=EntropyPenalty(),
        n_step=3,
    ),
    "dqn": DQN(**DISCRETE),
    "dqn, double and dueling": DQN(
        **DISCRETE,
        bootstrap=Double(),
        loss=Huber(),
        head=Dueling(),
        following=SoftCopy(),
        exploration=Boltzmann(),
        n_step=3,
    ),
    "dqn, noisy": DQN(torso=LayerNormed((8, 8)), batch_size=BATCH, exploration=NoisyNet(), head=Dueling()),
}
CHOOSING = {
    "ppo, choosing": PPO(num_steps=BATCH, epochs=2, minibatches=4, clip=0.1, annealing=LinearToZero(), **ON_POLICY),
    "a2c, choosing": A2C(num_steps=BATCH, gae_lambda=0.9, annealing=LinearToZero(), **ON_POLICY),
}
"""Of the algorithms that take either kind of actions: on a finite set."""
VARIANTS |= CHOOSING


def spec_of(algorithm: AbstractAlgorithm) -> Spec:
    """An environment that suits an algorithm."""
    choosing = any(algorithm is one for one in CHOOSING.values())
    return CATEGORIES if choosing or isinstance(algorithm, DiscreteSoftQ | DiscreteSAC | DQN) else SPEC
