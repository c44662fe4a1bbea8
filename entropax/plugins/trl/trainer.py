"""TRL's GRPOTrainer with another objective: the method's weights in place of its advantages."""

import inspect
import math
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from trl import GRPOConfig, GRPOTrainer  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

from entropax.errors import EntropaxError
from entropax.llm import AbstractMethod, Controller, Need, ThisBatch, Tokens, Weights
from entropax.llm.diagnosis.likeliest import LIKELIEST
from entropax.llm.diagnosis.measures import measures
from entropax.plugins.rows import select_over, together
from entropax.plugins.trl.fit import TESTED, require_fit, require_vocabulary
from entropax.plugins.trl.inputs import mask_of, micro_batch
from entropax.plugins.trl.likeliest import PLACE, Answers
from entropax.plugins.trl.steering import NoController, Steered, Steering, StepEnd
from entropax.runs.atomic import write_json

FILE = "entropax.json"
"""The name of the controller's state in a checkpoint folder."""
_CONSTANT = ("clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean", "clip_ratio/low_min")
_CONSTANT += ("clip_ratio/high_max",)
"""Metrics of TRL's own clip, which here has nothing to clip."""

_NONE = NoController()


class EntropyGRPOTrainer(GRPOTrainer):
    """GRPOTrainer that learns by any method of `entropax.llm`, with a controller of the entropy or without.

    TRL computes log-probabilities, entropies, aggregation, importance correction, the reference's KL and its metrics as
    ever. Only the advantages that its loss gets are the method's weights, and its ratio is 1: the gradient of
    -exp(log pi - sg(log pi)) w is -w grad log pi. An entropy term goes the same way, as c (H - sg(H)) beside w.

    Attributes:
        method: the method.
        steering: its state and the controller's.

    Raises:
        EntropaxError: the configuration does not fit the method; or, in training, shapes differ, numbers are not
            finite, or the entropy has no gradient where the method needs one.
    """

    def __init__(
        self,
        model: Any,
        reward_funcs: Any,
        args: GRPOConfig,
        *others: Any,
        method: AbstractMethod,
        controller: Controller | NoController = _NONE,
        **keywords: Any,
    ):
        """Takes what GRPOTrainer takes, a method, and a controller if there is one.

        Args:
            model: as GRPOTrainer's, like `reward_funcs` and all that is not named here.
            reward_funcs: as GRPOTrainer's.
            args: checked for settings that would be wrong beside the method.
            *others: as GRPOTrainer's.
            method: gives the weights.
            controller: an `entropax.llm.Controller`, updated once an optimiser step with that step's mean entropy.
            **keywords: as GRPOTrainer's.
        """
        require_fit(method, controller, vars(args))
        pilot = Steered(controller) if isinstance(controller, Controller) else controller
        self.method = method
        self.steering = Steering(method, pilot)
        self._open: dict[str, Any] | None = None
        self._selected: tuple[int, list[Weights]] = (-1, [])
        self._learned: list[tuple[Tokens, Weights]] = []
        self._rewards: Any = None
        self._earned: list[float] = []
        self._answers: Answers | None = None
        GRPOTrainer.__init__(self, model, reward_funcs, args, *others, **keywords)
        self._vocabulary = self.model.config.get_text_config().vocab_size
        require_vocabulary(controller, self._vocabulary)
        self.add_callback(StepEnd(self._step_ended))

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        self._open = replaced = dict(inputs)
        loss = GRPOTrainer._compute_loss(self, model, replaced)
        if self._open is not None:
            raise EntropaxError(
                "This TRL computes its loss without asking its trainer for log-probabilities, which is where Entropax "
                f"gives it the method's weights: {type(self.method).__name__} would have done nothing. Install TRL "
                f"{TESTED[1]}."
            )
        for name in _CONSTANT:
            self._metrics["train" if self.model.training else "eval"].pop(name, None)
        return loss

    def _calculate_rewards(self, *arguments: Any, **keywords: Any) -> Any:
        each = GRPOTrainer._calculate_rewards(self, *arguments, **keywords)
        total = (each * self.reward_weights.to(each.device)).nansum(dim=1)
        self._rewards = torch.where(each.isnan().all(dim=1), torch.nan, total)
        return each

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        self._set_temperature()
        drawn = GRPOTrainer._generate_and_score_completions(self, inputs)
        if self.model.training:
            self._earned.append(float(self._rewards.nanmean()))
            count = len(drawn["completion_ids"])
            answers = Answers(self._rewards, self.num_generations, count)
            old = drawn.get("old_per_token_logps")
            if old is None:
                # Log-probabilities come with the losses, before more is drawn and before the optimiser step ends.
                self._end_answers()
                drawn[PLACE] = torch.arange(count, device=drawn["completion_ids"].device)
                self._answers = answers
            else:
                answers.scored(slice(None), old, mask_of(drawn))
                self._log_likeliest(answers)
        return drawn

    def _get_per_token_logps_and_entropies(self, model: Any, *arguments: Any, **keywords: Any) -> Any:
        answer = GRPOTrainer._get_per_token_logps_and_entropies(self, model, *arguments, **keywords)
        # The loss asks for the policy's log-probabilities first, and then looks at its inputs.
        inputs, self._open = self._open, None
        if inputs is not None:
            self._reweigh(model, inputs, answer[0], answer[1])
        return answer

    def _reweigh(self, model: Any, inputs: dict[str, Any], log_prob: Any, entropy: Any) -> None:
        """Puts the method's weights in place of the advantages, and takes the old log-probabilities away."""
        batch = micro_batch(inputs, log_prob, entropy)
        w, c = self._weights(model, batch)
        if not self.model.training:
            self._measure(batch, Weights(w, c))
        else:
            self._learned.append((batch, Weights(w, c)))
            self.steering.saw(batch.entropy, batch.mask)
            if self._answers is not None:
                self._answers.scored(inputs[PLACE], batch.old_log_prob, batch.mask)
        if Need.ENTROPY_GRADIENT in self.method.needs:
            if log_prob.requires_grad and not entropy.requires_grad:
                raise EntropaxError(
                    f"{type(self.method).__name__} needs an entropy with a gradient, and this TRL's has none, so its "
                    "bonus would do nothing. Use ScoreBonus, or TRL 1.16."
                )
            w = w + c * torch.where(batch.mask, entropy - entropy.detach(), 0.0)
        inputs["advantages"] = w
        inputs.pop("old_per_token_logps", None)

    def _weights(self, model: Any, batch: Tokens) -> Weights:
        """Of a micro-batch; a method that selects sees all of its optimiser step."""
        state = self.steering.state
        if Need.GLOBAL_BATCH not in self.method.needs:
            return self.method.weights(batch, state, ThisBatch())
        if not self.model.training:
            return select_over(self.accelerator, self.method, [batch], state)[0]
        length = self.args.gradient_accumulation_steps
        step, place = divmod(self._step, length)
        if self._selected[0] != step:
            first = self._step % self.args.steps_per_generation
            rest = [self._ahead(model, inputs) for inputs in self._buffered_inputs[first + 1 : first + length]]
            self._selected = (step, select_over(self.accelerator, self.method, [batch, *rest], state))
        return self._selected[1][place]

    def _ahead(self, model: Any, inputs: dict[str, Any]) -> Tokens:
        """The tokens of a micro-batch that is to come in this optimiser step, which changes no parameter before."""
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        attended = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        ask = GRPOTrainer._get_per_token_logps_and_entropies
        # What it takes beside the tokens, such as images, has the same names in the inputs.
        beside = {name: inputs[name] for name in inspect.signature(ask).parameters if name in inputs}
        size = inputs["completion_ids"].shape[1]
        with torch.no_grad():
            answer = ask(self, model, ids, attended, size, compute_entropy=True, **beside)
        return micro_batch(inputs, answer[0], answer[1])

    def _step_ended(self, share: float) -> None:
        """After an optimiser step: the controller's turn, and the metrics."""
        self._end_answers()
        learned, self._learned = self._learned, []
        self._measure(*together(self.accelerator, learned))
        earned, self._earned = [reward for reward in self._earned if math.isfinite(reward)], []
        self._metrics["train"]["entropax/vocabulary"].append(self._vocabulary)
        # Of a step that learns again from old completions, or whose rewards are all None, there is none.
        reward = sum(earned) / len(earned) if earned else None
        for name, value in self.steering.step(self.accelerator, share, reward).items():
            self._metrics["train"][name].append(value)

    def _end_answers(self) -> None:
        """Logs what has been drawn and scored since the last time."""
        answers, self._answers = self._answers, None
        if answers is not None:
            self._log_likeliest(answers)

    def _log_likeliest(self, answers: Answers) -> None:
        """Beside the mean reward of the same completions, in the same row of TRL's log."""
        reward = answers.reward(self.accelerator)
        if reward is not None:
            self._metrics["train"][LIKELIEST].append(reward)

    def _set_temperature(self) -> None:
        """Draws the next completions at the controller's temperature, if it has one; they are scored at 1.

        Those of an evaluation are the policy's own, whatever the controller does.
        """
        temperature = self.steering.temperature
        if temperature is not None:
            temperature = temperature if self.model.training else self.temperature
            self.generation_config.temperature = temperature
            self.generation_kwargs["temperature"] = temperature

    def _measure(self, batch: Tokens, weights: Weights) -> None:
        """What the weights say of the entropy, into TRL's log."""
        if not bool(batch.mask.any()):
            return
        found = measures(self.method, batch, self.steering.state, weights)
        # The entropy of the whole optimiser step is logged when that has ended.
        del found["entropax/entropy"]
        for name, value in found.items():
            self._metrics["train" if self.model.training else "eval"][name].append(value)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        GRPOTrainer._save_checkpoint(self, model, trial)
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
            write_json(folder / FILE, self.steering.to_json())

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        GRPOTrainer._load_optimizer_and_scheduler(self, checkpoint)
        if checkpoint is not None:
            self.steering.restore(Path(checkpoint) / FILE)
