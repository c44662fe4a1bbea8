"""Pure functions with the paper's equation number in the docstring."""

from entropax.ops.advantages import generalised_advantages as generalised_advantages
from entropax.ops.advantages import temporal_difference as temporal_difference
from entropax.ops.averages import polyak as polyak
from entropax.ops.losses import actor_loss as actor_loss
from entropax.ops.losses import alpha_log_prob as alpha_log_prob
from entropax.ops.losses import clipped_surrogate as clipped_surrogate
from entropax.ops.losses import critic_loss as critic_loss
from entropax.ops.losses import temperature_loss_alpha as temperature_loss_alpha
from entropax.ops.losses import temperature_loss_log_alpha as temperature_loss_log_alpha
from entropax.ops.similarity import landscape_similarity as landscape_similarity
from entropax.ops.similarity import ranking_agreement as ranking_agreement
from entropax.ops.stein import stein_direction as stein_direction
from entropax.ops.targets import expected_soft_value as expected_soft_value
from entropax.ops.targets import n_step_return as n_step_return
from entropax.ops.targets import plain_target as plain_target
from entropax.ops.targets import soft_target as soft_target
from entropax.ops.targets import soft_value as soft_value
from entropax.ops.targets import soft_value_by_sampling as soft_value_by_sampling
