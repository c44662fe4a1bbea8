"""verl: methods of log-probabilities alone as policy losses, which verl loads by itself (entry point `verl.plugins`).

    actor_rollout_ref.actor.policy_loss.loss_mode=entropax_ce_gppo

Settings come from the environment, as verl's configuration of a policy loss is closed; every process reads them:

    ENTROPAX_VERL='{"entropax_ce_gppo": {"negative": 0.75}}'

Raises:
    EntropaxError: on import, where verl is not installed or the settings are wrong; also logged as an error, because
        verl passes over plug-ins that fail.
"""

import importlib.metadata
import importlib.util
import json
import logging
import os
from typing import Any

from entropax.errors import EntropaxError

if importlib.util.find_spec("verl") is None:
    raise EntropaxError(
        "entropax.plugins.verl works inside verl, which is not installed here. Install it with: pip install "
        '"entropax[verl]"'
    )

import torch  # pyright: ignore[reportMissingImports]
from verl.trainer.ppo.core_algos import agg_loss, register_policy_loss  # pyright: ignore[reportMissingImports]

from entropax.llm import (
    CEGPPO,
    CISPO,
    AbstractMethod,
    Clip,
    ClipCov,
    KLCov,
    Need,
    ScoreBonus,
    ThisBatch,
    Tokens,
    Weights,
    begin,
    tokens,
)
from entropax.llm.diagnosis.measures import measures
from entropax.llm.tokens import require_same_shape
from entropax.plugins.recent import Newest, Recent
from entropax.plugins.rows import unweighed, weighed
from entropax.plugins.versions import warn_untested

TESTED = ("0.9.1", "0.9.1")
"""Oldest and newest version of verl that the tests have run in."""
ENVIRONMENT = "ENTROPAX_VERL"
METHODS: dict[str, type[AbstractMethod]] = {
    "entropax_clip": Clip,
    "entropax_ce_gppo": CEGPPO,
    "entropax_cispo": CISPO,
    "entropax_clip_cov": ClipCov,
    "entropax_kl_cov": KLCov,
    "entropax_score_bonus": ScoreBonus,
}
"""Names of `loss_mode`, and what they stand for."""
_WIDTH = 0.2
"""verl's default of its clips."""
_LOG = logging.getLogger(__name__)


class PolicyLoss:
    """A method as verl's policy loss.

    Attributes:
        method: the method.
    """

    def __init__(self, name: str, method: AbstractMethod):
        lacking = method.needs & {Need.ENTROPY, Need.ENTROPY_GRADIENT, Need.EXTRA_ROLLOUT}
        if lacking:
            needs = " and ".join(sorted(need.value for need in lacking))
            raise EntropaxError(
                f"{name}: {type(method).__name__} needs {needs}, and verl gives a policy loss log-probabilities alone. "
                "Use ScoreBonus, CEGPPO, ClipCov or KLCov."
            )
        self.method, self._name = method, name
        self._state, self._recent, self._measured = begin(method), Recent(), Newest()
        self._told = set[str]()

    def __call__(
        self,
        old_log_prob: Any,
        log_prob: Any,
        advantages: Any,
        response_mask: Any,
        loss_agg_mode: str = "token-mean",
        config: Any = None,
        rollout_is_weights: Any = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Verl's contract: the loss under its own aggregation, and metrics.

        Raises:
            EntropaxError: there is no configuration, shapes differ, or a number is not finite.
        """
        if config is None:
            raise EntropaxError(f"{self._name} needs verl's actor configuration, for how losses are aggregated.")
        some = bool(response_mask.any())
        batch = tokens(log_prob, old_log_prob, advantages, response_mask, checked=some)
        if not some:
            self._tell("a micro-batch has no token to learn from, and so no gradient.")
        if any(width != _WIDTH for width in (config.clip_ratio, config.clip_ratio_low, config.clip_ratio_high)):
            self._tell(f"clip_ratio, clip_ratio_low and clip_ratio_high have no effect; the method is {self.method}.")
        if config.entropy_coeff != 0 and "score_bonus" in self.method.knobs:
            self._tell(f"verl adds a bonus of its own, entropy_coeff={config.entropy_coeff}, to that of {self.method}.")
        weights = self._weights(batch, config)
        metrics = self._metrics(batch, weights, config)
        self._state = self._state._replace(updates=self._state.updates + 1)
        # exp(0), whose gradient is that of log_prob; padding may be infinite.
        one = torch.exp(torch.where(batch.mask, log_prob - log_prob.detach(), 0.0))
        surrogate = -one * weights.w
        if rollout_is_weights is not None:
            surrogate = surrogate * self._sound(rollout_is_weights, batch)
        loss = agg_loss(
            loss_mat=surrogate, loss_mask=response_mask, loss_agg_mode=loss_agg_mode, **config.global_batch_info
        )
        return loss, metrics

    def _weights(self, batch: Tokens, config: Any) -> Weights:
        """Of a micro-batch; the number of calls so far is the number of a draw."""
        if Need.GLOBAL_BATCH not in self.method.needs:
            return self.method.weights(batch, self._state, ThisBatch())
        many = torch.distributed.is_available() and torch.distributed.is_initialized()
        many = many and torch.distributed.get_world_size() > 1
        # With pipeline stages only the last computes a loss, and the others would never come to a collective.
        together = many and str(config.strategy).startswith("fsdp")
        if many and not together:
            self._tell(f"under {config.strategy} each process selects from its own tokens.")
        size = config.global_batch_info.get("batch_num_tokens")
        return self._recent.weights(self.method, batch, self._state, None if size is None else int(size), together)

    def _metrics(self, batch: Tokens, weights: Weights, config: Any) -> dict[str, float]:
        """The measures of this process's newest tokens, as many as an optimiser step has.

        A covariance needs several completions, and verl as many numbers of every process: they are there also where a
        micro-batch has no token, and 0 as long as none had one.
        """
        info = config.global_batch_info
        size = info.get("batch_num_tokens")
        here = None if size is None else int(size) / (info.get("dp_size") or 1)
        newest, theirs = unweighed(self._measured.add(weighed([(batch, weights)]), here))
        found = measures(self.method, newest, self._state, theirs)
        return found if bool(newest.mask.any()) else dict.fromkeys(found, 0.0)

    def _sound(self, rollout_is_weights: Any, batch: Tokens) -> Any:
        """The weights, 0 where there is no token. Raises EntropaxError for another shape, and what is not finite."""
        require_same_shape("log_prob", batch.log_prob, {"rollout_is_weights": rollout_is_weights})
        clean = torch.where(batch.mask, rollout_is_weights, 0.0)
        if not bool(clean.isfinite().all()):
            raise EntropaxError(
                f"{self._name}: rollout_is_weights is NaN or infinite at a token. Look at the sampler's "
                "log-probabilities, or set algorithm.rollout_correction.rollout_is=null."
            )
        return clean

    def _tell(self, what: str) -> None:
        """Warns of something, once."""
        if what not in self._told:
            _LOG.warning("%s: %s", self._name, what)
            self._told.add(what)


def register(name: str, method: AbstractMethod) -> None:
    """Makes a method a policy loss of verl, in this process: `loss_mode=name`.

    Raises:
        EntropaxError: the method needs what verl does not give.
    """
    register_policy_loss(name)(PolicyLoss(name, method))


def read_settings(text: str) -> dict[str, AbstractMethod]:
    """All methods by name, with the settings of a JSON object; its keys are names, its values fields.

    Raises:
        EntropaxError: it is no such object.
    """
    try:
        given = json.loads(text or "{}")
        unknown = sorted(set(given) - set(METHODS))
        if unknown:
            raise EntropaxError(f"{ENVIRONMENT}: there is no {', '.join(unknown)}. Names are {', '.join(METHODS)}.")
        parts = [
            f"{name}.{field}" for name, fields in given.items() for field, value in fields.items() if _no_number(value)
        ]
        if parts:
            raise EntropaxError(
                f"{ENVIRONMENT}: {', '.join(parts)} is no number, and other parts cannot be told in JSON. Leave it "
                "out, or call entropax.plugins.verl.register(name, method) in code that every worker runs."
            )
        return {name: _made(method, given.get(name, {})) for name, method in METHODS.items()}
    except (json.JSONDecodeError, TypeError, AttributeError) as error:
        raise EntropaxError(
            f'{ENVIRONMENT} is no JSON object of names and their settings: {error}. An example: {{"entropax_kl_cov": '
            '{"fraction": 0.002}}.'
        ) from error


def _made(method: type[AbstractMethod], settings: dict[str, Any]) -> AbstractMethod:
    """A method with these settings; what it refuses is told with where it was set."""
    try:
        return method(**settings)
    except EntropaxError as error:
        raise EntropaxError(f"{ENVIRONMENT}: {error}") from error


def _no_number(value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | float)


def _register_all() -> None:
    try:
        methods = read_settings(os.environ.get(ENVIRONMENT, ""))
    except EntropaxError as error:
        _LOG.error("Entropax registers no policy loss: %s", error)
        raise
    for name, method in methods.items():
        register(name, method)
    warn_untested("verl", importlib.metadata.version("verl"), TESTED)
    _LOG.warning("Entropax has registered the policy losses %s", ", ".join(map(repr, methods.items())))


_register_all()
