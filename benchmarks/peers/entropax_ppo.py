"""Environment steps per second of Entropax's PPO on its pendulum in JAX."""

import jax
from ppo_protocol import SETTINGS, measure

from entropax import PPO, Episodes, Training
from entropax.algorithms.on_policy_parts import TanhGaussian
from entropax.envs.registry import TASKS
from entropax.loops.chunk import begin, chunk
from entropax.networks import Orthogonal


def main() -> None:
    """Compiles rollouts with their updates, then times them, metrics included."""
    algorithm = PPO(
        num_steps=SETTINGS.num_steps,
        epochs=SETTINGS.epochs,
        minibatches=SETTINGS.minibatches,
        max_grad_norm=SETTINGS.max_grad_norm,
        policy=TanhGaussian(Orthogonal(SETTINGS.net, output_gain=0.01)),
        torso=Orthogonal(SETTINGS.net),
    )
    task = TASKS["entropax/Pendulum-v0"]
    environment = Episodes(task.build(), task.time_limit)
    steps = SETTINGS.rollouts * SETTINGS.num_steps * SETTINGS.num_envs
    training = Training(steps=10 * steps, num_envs=SETTINGS.num_envs, warmup=0)
    program = jax.jit(lambda carry: chunk(algorithm, carry, environment, training, SETTINGS.rollouts)[0])
    start = jax.jit(lambda key: begin(algorithm, environment, training, key=key))(jax.random.key(0))
    measure("entropax", ("entropax", "jax", "equinox", "optax"), program, start)


if __name__ == "__main__":
    main()
