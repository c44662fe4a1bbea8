"""What the callback asks of a model of Stable-Baselines3, answered for SAC and for PPO."""

import abc
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim
from jax.scipy.special import ndtr
from jaxtyping import Array, Float
from stable_baselines3 import PPO, SAC  # pyright: ignore[reportMissingImports]
from stable_baselines3.common.base_class import BaseAlgorithm  # pyright: ignore[reportMissingImports]

from entropax.diagnostics.measures import SATURATED
from entropax.distributions import Normal, TanhNormal, max_tanh_normal_entropy, sigma_of_entropy, tanh_normal_entropy
from entropax.errors import EntropaxError
from entropax.types import Bounds, Spec, continuous

LawStep = Callable[[Any], float]
"""From entropies in nats, `[states, action]`, to the alpha to use from now on."""


class Gaussian(NamedTuple):
    """The policy at some states, `[states, action]`: in [-1, 1] units, for SAC before the squashing; NumPy."""

    mean: np.ndarray
    log_std: np.ndarray


class Look(NamedTuple):
    """Means over states of every action dimension, in [-1, 1]."""

    nats: Float[Array, " action"]
    std: Float[Array, " action"]
    saturation: Float[Array, " action"]


class AbstractModel(abc.ABC):
    """A model of Stable-Baselines3 with a Gaussian policy, squashed or not, in our units."""

    @property
    @abc.abstractmethod
    def spec(self) -> Spec:
        """Sizes and bounds of the environment."""

    @property
    @abc.abstractmethod
    def widest(self) -> float:
        """Entropy in nats per dimension that shares of the feasible are counted from."""

    @property
    @abc.abstractmethod
    def updates(self) -> int:
        """What the library itself counts as updates."""

    @property
    @abc.abstractmethod
    def alpha(self) -> float:
        """The weight of the entropy in the next update."""

    @property
    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """How the library itself sets alpha, as a manifest holds it."""

    @property
    @abc.abstractmethod
    def target(self) -> float:
        """The entropy in nats that the library itself steers to; NaN where it steers to none."""

    @property
    @abc.abstractmethod
    def unlogged(self) -> tuple[str, ...]:
        """Training metrics of ours that the library does not log itself."""

    @abc.abstractmethod
    def policy(self, observations: Any) -> Gaussian:
        """The policy at a batch of observations, as the environment returned them."""

    @abc.abstractmethod
    def look(self, policy: Gaussian) -> Look:
        """Entropy, spread and saturation of the actions, exact or by quadrature."""

    @abc.abstractmethod
    def sigma_of(self, nats: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """The sigma in [-1, 1] of an entropy in nats per dimension."""

    @abc.abstractmethod
    def q(self, observations: Any, policy: Gaussian) -> float:
        """Mean of the critics at actions of the policy; NaN where the method has no Q."""

    @abc.abstractmethod
    def hold(self, alpha: float, step: LawStep) -> None:
        """Takes alpha over: this value now, and at every update what the step answers."""

    @abc.abstractmethod
    def rollout_ended(self, observations: Callable[[], Any]) -> None:
        """Tells the model that it will train next; observations, made when asked for, are of the newest states."""

    @abc.abstractmethod
    def release(self) -> None:
        """Gives alpha back, at its last value."""


def model_of(model: BaseAlgorithm) -> AbstractModel:
    """What a model of Stable-Baselines3 is to us.

    Raises:
        EntropaxError: it is neither SAC nor PPO, its actions are no bounded box, or it explores with gSDE.
    """
    name = type(model).__name__
    if not isinstance(model, SAC | PPO):
        raise EntropaxError(f"EntropyCallback reads Stable-Baselines3's SAC and PPO, but this model is a {name}.")
    box = model.action_space
    if not isinstance(box, spaces.Box) or not np.all(np.isfinite(box.low) & np.isfinite(box.high)):
        raise EntropaxError(
            f"EntropyCallback measures entropy in a bounded box of actions, but the action space is {box}. Use an "
            "environment with continuous, bounded actions; gymnasium.wrappers.RescaleAction bounds them."
        )
    if model.use_sde:
        raise EntropaxError(
            f"This {name} explores with gSDE (use_sde=True), whose noise is no independent Gaussian a step, so its "
            "entropy is another one. Make the model with use_sde=False."
        )
    bounds = Bounds(tuple(map(float, box.low.ravel())), tuple(map(float, box.high.ravel())))
    spec = Spec(flatdim(model.observation_space), bounds)
    return SacModel(model, spec) if isinstance(model, SAC) else PpoModel(model, spec)


@jax.jit
def _squashed(mean: Float[Array, "states action"], log_std: Float[Array, "states action"]) -> Look:
    def at(mean: Float[Array, " action"], log_std: Float[Array, " action"]) -> Look:
        policy = TanhNormal(mean, log_std)
        return Look(policy.entropy_per_dimension(), policy.action_std(), policy.saturation(SATURATED))

    return jax.tree.map(lambda x: jnp.mean(x, axis=0), jax.vmap(at)(mean, log_std))


@jax.jit
def _unsquashed(mean: Float[Array, "states action"], log_std: Float[Array, "states action"]) -> Look:
    def at(mean: Float[Array, " action"], log_std: Float[Array, " action"]) -> Look:
        std = jnp.exp(log_std)
        beyond = ndtr((mean - SATURATED) / std) + ndtr((-mean - SATURATED) / std)
        return Look(Normal(mean, log_std).entropy_per_dimension(), std, beyond)

    return jax.tree.map(lambda x: jnp.mean(x, axis=0), jax.vmap(at)(mean, log_std))


_squashed_nats = jax.jit(tanh_normal_entropy)


class SacModel(AbstractModel):
    """Stable-Baselines3's SAC: a tanh-Gaussian in [-1, 1], whose entropy has no closed form there."""

    def __init__(self, model: SAC, spec: Spec):
        self._model: Any = model
        self._spec = spec
        self._noise = np.random.default_rng(0)
        self._hooks: list[Any] = []

    @property
    def spec(self) -> Spec:
        """Sizes and bounds of the environment."""
        return self._spec

    @property
    def widest(self) -> float:
        """The largest that a tanh-Gaussian has."""
        return max_tanh_normal_entropy()

    @property
    def updates(self) -> int:
        """Gradient steps."""
        return self._model._n_updates

    @property
    def _learned(self) -> bool:
        return self._model.ent_coef_optimizer is not None

    @property
    def alpha(self) -> float:
        """The alpha of the next gradient step."""
        model = self._model
        return float(torch.exp(model.log_ent_coef.detach()) if self._learned else model.ent_coef_tensor)

    @property
    def settings(self) -> dict[str, Any]:
        """Adam on log alpha with the model's learning rate, or a constant."""
        if not self._learned:
            return {"type": "stable_baselines3.constant", "alpha": self.alpha}
        rate = float(self._model.lr_schedule(1.0))
        return {"type": "stable_baselines3.auto", "learning_rate": rate, "target_entropy": self.target}

    @property
    def target(self) -> float:
        """`target_entropy`; NaN with a constant alpha."""
        return float(self._model.target_entropy) if self._learned else math.nan

    @property
    def unlogged(self) -> tuple[str, ...]:
        """What is new about alpha and Q."""
        return ("train/ent_coef_step", "train/q_mean")

    def policy(self, observations: Any) -> Gaussian:
        """Mean and log standard deviation before the squashing."""
        with torch.no_grad():
            mean, log_std, _ = self._model.actor.get_action_dist_params(self._tensor(observations))
        return Gaussian(_numpy(mean), _numpy(log_std))

    def look(self, policy: Gaussian) -> Look:
        """By quadrature; the saturation exactly."""
        return _squashed(*policy)

    def sigma_of(self, nats: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """Of the mean-0 tanh-Gaussian with this entropy."""
        return sigma_of_entropy(nats)

    def q(self, observations: Any, policy: Gaussian) -> float:
        """Mean over states and critics, at an action a state; the noise is our own, training's is left alone."""
        noise = self._noise.standard_normal(policy.mean.shape).astype(np.float32)
        actions = np.tanh(policy.mean + np.exp(policy.log_std) * noise)
        with torch.no_grad():
            both = self._model.critic(self._tensor(observations), torch.as_tensor(actions, device=self._model.device))
        return float(torch.cat(both).mean())

    def hold(self, alpha: float, step: LawStep) -> None:
        """Overwrites log alpha now and after every step that the library's own Adam takes on it.

        Raises:
            EntropaxError: alpha is a constant of this model, so there is no such step.
        """
        if not self._learned:
            raise EntropaxError(
                f"This SAC was made with ent_coef={self._model.ent_coef}, a constant, so it never updates alpha and a "
                'law has nothing to take over. Make it with ent_coef="auto", or pass TheirAlpha() to measure only.'
            )

        def overwrite(optimizer: Any, args: Any, keywords: Any) -> None:
            # SB3 has just evaluated the policy at this gradient step's batch, and goes on to other states only later.
            policy = self._model.actor.action_dist.distribution
            self._set(step(_squashed_nats(_numpy(policy.loc), _numpy(policy.scale.log()))))

        self._set(alpha)
        self._hooks.append(self._model.ent_coef_optimizer.register_step_post_hook(overwrite))

    def _set(self, alpha: float) -> None:
        with torch.no_grad():
            self._model.log_ent_coef.fill_(math.log(alpha))

    def rollout_ended(self, observations: Callable[[], Any]) -> None:
        """Nothing: alpha moves with every gradient step."""

    def release(self) -> None:
        """Its Adam sets alpha again."""
        while self._hooks:
            self._hooks.pop().remove()

    def _tensor(self, observations: Any) -> Any:
        return self._model.policy.obs_to_tensor(observations)[0]


class PpoModel(AbstractModel):
    """Stable-Baselines3's PPO: a Gaussian in environment units, not squashed; the environment gets it clipped."""

    def __init__(self, model: PPO, spec: Spec):
        self._model: Any = model
        self._spec = spec
        bounds = continuous(spec)
        self._half = bounds.half_range
        self._middle = np.asarray(bounds.to_environment(np.zeros(bounds.size, np.float32)))
        self._steps: list[LawStep] = []

    @property
    def spec(self) -> Spec:
        """Sizes and bounds of the environment."""
        return self._spec

    @property
    def widest(self) -> float:
        """The uniform policy's: a Gaussian has no largest one, so shares of the feasible may exceed 1."""
        return math.log(2.0)

    @property
    def updates(self) -> int:
        """Epochs."""
        return self._model._n_updates

    @property
    def alpha(self) -> float:
        """`ent_coef`."""
        return float(self._model.ent_coef)

    @property
    def settings(self) -> dict[str, Any]:
        """A constant."""
        return {"type": "stable_baselines3.constant", "alpha": self.alpha}

    @property
    def target(self) -> float:
        """NaN: there is none."""
        return math.nan

    @property
    def unlogged(self) -> tuple[str, ...]:
        """Alpha, which PPO takes for a constant, and its change."""
        return ("train/ent_coef", "train/ent_coef_step")

    def policy(self, observations: Any) -> Gaussian:
        """Mean and log standard deviation, brought from the environment's units to [-1, 1]."""
        with torch.no_grad():
            normal = self._model.policy.get_distribution(self._model.policy.obs_to_tensor(observations)[0]).distribution
        mean, log_std = _numpy(normal.loc), _numpy(normal.scale.log())
        return Gaussian((mean - self._middle) / self._half, log_std - np.log(self._half))

    def look(self, policy: Gaussian) -> Look:
        """Exact, of the Gaussian before the environment's bounds clip it."""
        return _unsquashed(*policy)

    def sigma_of(self, nats: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """Of the Gaussian with this entropy."""
        return jnp.exp(nats - 0.5 * math.log(2 * math.pi * math.e))

    def q(self, observations: Any, policy: Gaussian) -> float:
        """NaN: PPO learns V."""
        return math.nan

    def hold(self, alpha: float, step: LawStep) -> None:
        """Sets `ent_coef` now and at the end of every rollout."""
        self._model.ent_coef = alpha
        self._steps.append(step)

    def rollout_ended(self, observations: Callable[[], Any]) -> None:
        """One step of the law; the training that follows at once uses its alpha."""
        for step in self._steps:
            policy = self.policy(observations())
            self._model.ent_coef = step(policy.log_std + np.float32(0.5 * math.log(2 * math.pi * math.e)))

    def release(self) -> None:
        """`ent_coef` stays where it is."""
        self._steps.clear()


def _numpy(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()
