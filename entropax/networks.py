"""Networks as array-only PyTrees: a network maps one example, `vmap` makes the batch.

Every network has a NumPy twin, `on_host`, for acting between two updates: on a host environment a compiled call costs
more to launch than these few small products cost to compute. The twin is a plain function, because a method of an
Equinox module costs more to look up than such a product. Tests hold both forms equal.
"""

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.errors import EntropaxError

HostFunction: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""A map in NumPy with a leading axis, `[envs, inputs] -> [envs, outputs]`."""


class Affine(eqx.Module):
    """An affine map, Glorot-uniform weight and zero bias."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """`x W + b`."""
        return x @ self.weight + self.bias

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        weight, bias = np.asarray(self.weight), np.asarray(self.bias)
        return lambda x: x @ weight + bias


def is_affine(part: object) -> bool:
    """Whether a part of a network is one of its affine maps, for `jax.tree`'s `is_leaf`."""
    return isinstance(part, Affine)


def linear(inputs: int, outputs: int, *, key: Key[Array, ""]) -> Affine:
    """Draws an `Affine`: weight uniform in ±sqrt(6 / (inputs + outputs))."""
    bound = math.sqrt(6 / (inputs + outputs))
    weight = jax.random.uniform(key, (inputs, outputs), jnp.float32, -bound, bound)
    return Affine(weight, jnp.zeros(outputs, jnp.float32))


def _layers(sizes: tuple[int, ...], key: Key[Array, ""]) -> tuple[Affine, ...]:
    keys = jax.random.split(key, len(sizes) - 1)
    return tuple(linear(i, o, key=k) for i, o, k in zip(sizes[:-1], sizes[1:], keys, strict=True))


class AbstractNetwork(eqx.Module):
    """A function of one vector whose parameters are its leaves."""

    @abc.abstractmethod
    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example."""

    @abc.abstractmethod
    def on_host(self) -> HostFunction:
        """The same map in NumPy; it reads the leaves, which must be NumPy arrays, at each call."""


class DenseNetwork(AbstractNetwork):
    """Linear layers with ReLU between."""

    layers: tuple[Affine, ...]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example."""
        return _in_turn(self.layers, jax.nn.relu)(x)

    def hidden(self, x: Float[Array, " inputs"]) -> Float[Array, " units"]:
        """What the last layer is given."""
        return _hidden(self.layers, jax.nn.relu)(x)

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        return _in_turn([layer.on_host() for layer in self.layers], lambda x: np.maximum(x, 0))


class TanhNetwork(AbstractNetwork):
    """Linear layers with tanh between."""

    layers: tuple[Affine, ...]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example."""
        return _in_turn(self.layers, jnp.tanh)(x)

    def hidden(self, x: Float[Array, " inputs"]) -> Float[Array, " units"]:
        """What the last layer is given."""
        return _hidden(self.layers, jnp.tanh)(x)

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        return _in_turn([layer.on_host() for layer in self.layers], np.tanh)


def _in_turn(layers: Sequence[Callable[[Any], Any]], activation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Layer after layer with an activation between, NumPy or JAX."""
    hidden, last = _hidden(layers, activation), layers[-1]
    return lambda x: last(hidden(x))


def _hidden(layers: Sequence[Callable[[Any], Any]], activation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """All layers but the last."""

    def apply(x: Any) -> Any:
        for layer in layers[:-1]:
            x = activation(layer(x))
        return x

    return apply


class Norm(eqx.Module):
    """Scale and offset of a layer normalisation (Ba et al. 2016, eq. 4)."""

    scale: Float[Array, " units"]
    offset: Float[Array, " units"]

    def __call__(self, x: Float[Array, " units"]) -> Float[Array, " units"]:
        """Normalises one vector over its units."""
        centred = x - jnp.mean(x)
        return centred * jax.lax.rsqrt(jnp.mean(centred**2) + 1e-6) * self.scale + self.offset

    def on_host(self) -> HostFunction:
        """The same in NumPy."""
        scale, offset = np.asarray(self.scale), np.asarray(self.offset)

        def apply(x: np.ndarray) -> np.ndarray:
            centred = x - x.mean(-1, keepdims=True)
            variance = np.square(centred).mean(-1, keepdims=True)
            return centred / np.sqrt(variance + np.float32(1e-6)) * scale + offset

        return apply


class LayerNormNetwork(AbstractNetwork):
    """Linear layers with layer normalisation and ReLU between."""

    layers: tuple[Affine, ...]
    norms: tuple[Norm, ...]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example."""
        return self.layers[-1](self.hidden(x))

    def hidden(self, x: Float[Array, " inputs"]) -> Float[Array, " units"]:
        """What the last layer is given."""
        for layer, norm in zip(self.layers[:-1], self.norms, strict=True):
            x = jax.nn.relu(norm(layer(x)))
        return x

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        *hidden, last = [layer.on_host() for layer in self.layers]
        normed = list(zip(hidden, [norm.on_host() for norm in self.norms], strict=True))

        def apply(x: np.ndarray) -> np.ndarray:
            for layer, norm in normed:
                x = np.maximum(norm(layer(x)), 0)
            return last(x)

        return apply


def _check_sizes(sizes: tuple[int, ...]) -> None:
    if not all(size >= 1 for size in sizes):
        raise EntropaxError(f"hidden_sizes is {sizes}, but a layer without units passes nothing on. Try (256, 256).")


class AbstractTorso(eqx.Module):
    """The shape of a network, from which its parameters are drawn."""

    hidden_sizes: eqx.AbstractVar[tuple[int, ...]]

    @abc.abstractmethod
    def init(self, inputs: int, outputs: int, *, key: Key[Array, ""]) -> AbstractNetwork:
        """Draws a network with this shape between its two ends."""


class Dense(AbstractTorso):
    """Linear layers with ReLU between: the networks of SAC."""

    hidden_sizes: tuple[int, ...] = eqx.field(default=(256, 256), static=True)
    """Units of each hidden layer."""

    def __check_init__(self) -> None:
        _check_sizes(self.hidden_sizes)

    def init(self, inputs: int, outputs: int, *, key: Key[Array, ""]) -> DenseNetwork:
        """Draws the parameters."""
        return DenseNetwork(_layers((inputs, *self.hidden_sizes, outputs), key))


class Orthogonal(AbstractTorso):
    """Linear layers with tanh between and orthogonal weights (Saxe et al. 2013): the networks of the published PPO."""

    hidden_sizes: tuple[int, ...] = eqx.field(default=(64, 64), static=True)
    """Units of each hidden layer."""
    output_gain: float = 1.0
    """Singular value of the last layer's weight; sqrt(2) in the others. 0.01 makes a policy begin near its bias."""

    def __check_init__(self) -> None:
        _check_sizes(self.hidden_sizes)

    def init(self, inputs: int, outputs: int, *, key: Key[Array, ""]) -> TanhNetwork:
        """Draws the weights; biases are 0."""
        sizes = (inputs, *self.hidden_sizes, outputs)
        gains = (math.sqrt(2),) * len(self.hidden_sizes) + (self.output_gain,)
        layers = zip(gains, jax.random.split(key, len(gains)), sizes[:-1], sizes[1:], strict=True)
        weights = [gain * orthogonal(i, o, key=k) for gain, k, i, o in layers]
        return TanhNetwork(tuple(Affine(weight, jnp.zeros(weight.shape[1], jnp.float32)) for weight in weights))


def orthogonal(rows: int, columns: int, *, key: Key[Array, ""]) -> Float[Array, "rows columns"]:
    """Draws uniformly from the matrices whose shorter side is orthonormal: the polar factor of a normal matrix.

    By the iteration of Newton and Schulz, which takes every singular value in (0, 1] to 1, the least of a normal matrix
    in some 30 steps. It is products alone: a QR decomposition is a call into LAPACK, and training has stood still where
    two devices of one CPU made such calls at once.
    """
    tall = jax.random.normal(key, (max(rows, columns), min(rows, columns)))

    def nearer(_: Any, x: Float[Array, "long short"]) -> Float[Array, "long short"]:
        return 1.5 * x - 0.5 * x @ (x.T @ x)

    drawn = jax.lax.fori_loop(0, 50, nearer, tall / jnp.linalg.norm(tall))
    return drawn if rows >= columns else drawn.T


class LayerNormed(AbstractTorso):
    """Linear layers with layer normalisation before each ReLU."""

    hidden_sizes: tuple[int, ...] = eqx.field(default=(256, 256), static=True)
    """Units of each hidden layer."""

    def __check_init__(self) -> None:
        _check_sizes(self.hidden_sizes)

    def init(self, inputs: int, outputs: int, *, key: Key[Array, ""]) -> LayerNormNetwork:
        """Draws the parameters."""
        norms = tuple(Norm(jnp.ones(n, jnp.float32), jnp.zeros(n, jnp.float32)) for n in self.hidden_sizes)
        return LayerNormNetwork(_layers((inputs, *self.hidden_sizes, outputs), key), norms)


class Critic(eqx.Module):
    """An action value: one observation and one action in [-1, 1] to one number."""

    network: AbstractNetwork

    def __call__(self, observation: Float[Array, " observation"], action: Float[Array, " action"]) -> Float[Array, ""]:
        """Q(s, a)."""
        return self.network(jnp.concatenate([observation, action]))[0]


class DecomposedCritic(eqx.Module):
    """An action value in two parts: what the rewards to come are worth, and the entropies to come."""

    network: AbstractNetwork

    def __call__(
        self, observation: Float[Array, " observation"], action: Float[Array, " action"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Q_r(s, a) in reward and Q_H(s, a) in nats."""
        q_reward, q_entropy = self.network(jnp.concatenate([observation, action]))
        return q_reward, q_entropy


class WeightedSum(AbstractNetwork):
    """The outputs of another network, added up with weights."""

    network: AbstractNetwork
    weights: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, "1"]:
        """Maps one example."""
        return jnp.sum(self.weights * self.network(x), keepdims=True)

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        network, weights = self.network.on_host(), np.asarray(self.weights)
        return lambda x: np.sum(weights * network(x), axis=-1, keepdims=True)


class Sampler(AbstractNetwork):
    """A network that turns noise into samples: its inputs are an observation and, last, standard normal noise.

    Attributes:
        network: `[observation + noise] -> [outputs]`.
        noise_size: how many of the inputs are noise.
    """

    network: AbstractNetwork
    noise_size: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one observation with its noise."""
        return self.network(x)

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        return self.network.on_host()


class ActionValues(AbstractNetwork):
    """The values of a finite set of actions: one observation to Q(s, a) of each.

    Attributes:
        network: `[observation] -> [actions]`.
        count: number of actions.
    """

    network: AbstractNetwork
    count: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Q(s, .) of one observation."""
        return self.network(x)

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        return self.network.on_host()


class DuelingNetwork(AbstractNetwork):
    """Values of actions as that of the state and advantages over it: Q(s, a) = V(s) + A(s, a) - mean_b A(s, b).

    Equation 9 of arXiv 1511.06581. The two streams are the columns of the last layer; what is below they share.

    Attributes:
        network: `[observation] -> [1 + actions]`, V first.
    """

    network: AbstractNetwork

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Q(s, .) of one observation."""
        return _dueling(self.network(x))

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        network = self.network.on_host()
        return lambda x: _dueling(network(x))


def _dueling(streams: Any) -> Any:
    """`[..., 1 + actions]` to `[..., actions]`, NumPy or JAX."""
    value, advantages = streams[..., :1], streams[..., 1:]
    return value + advantages - advantages.mean(-1, keepdims=True)


class StateValue(eqx.Module):
    """A value of states: one observation to one number."""

    network: AbstractNetwork

    def __call__(self, observation: Float[Array, " observation"]) -> Float[Array, ""]:
        """V(s)."""
        return self.network(observation)[0]


class StateValues(eqx.Module):
    """Values of states by several rewards, heads of one network."""

    network: AbstractNetwork

    def __call__(self, observation: Float[Array, " observation"]) -> Float[Array, " values"]:
        """V_i(s) of every reward i."""
        return self.network(observation)


AnyCritic = TypeVar("AnyCritic")


def ensemble(init: Callable[[Key[Array, ""]], AnyCritic], size: int, *, key: Key[Array, ""]) -> AnyCritic:
    """Draws `size` critics as one PyTree whose leaves have the axis `[critic]` first."""
    return eqx.filter_vmap(init)(jax.random.split(key, size))
