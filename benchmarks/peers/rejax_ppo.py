"""Environment steps per second of rejax's PPO on its own pendulum."""

from typing import Any

import jax
from ppo_protocol import SETTINGS, measure
from rejax import PPO


def main() -> None:
    """Compiles training iterations, then times them; rejax's own loop adds evaluations, which are left out."""
    agent = {"activation": "tanh", "hidden_layer_sizes": SETTINGS.net}
    algorithm = PPO.create(
        env="Pendulum-v1",
        agent_kwargs=agent,
        num_envs=SETTINGS.num_envs,
        num_steps=SETTINGS.num_steps,
        num_epochs=SETTINGS.epochs,
        num_minibatches=SETTINGS.minibatches,
        max_grad_norm=SETTINGS.max_grad_norm,
    )

    @jax.jit
    def program(state: Any) -> Any:
        return jax.lax.fori_loop(0, SETTINGS.rollouts, lambda _, s: algorithm.train_iteration(s), state)

    measure("rejax", ("rejax", "jax", "flax", "gymnax"), program, algorithm.init_state(jax.random.key(0)))


if __name__ == "__main__":
    main()
