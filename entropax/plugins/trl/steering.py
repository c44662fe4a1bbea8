"""What a run remembers: the method's state, the controller's, and the entropies of the optimiser step under way."""

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from transformers import TrainerCallback  # pyright: ignore[reportMissingImports]

from entropax.errors import EntropaxError
from entropax.llm import AbstractMethod, State, Tokens, advance, begin

SCHEMA = 1
"""Of the file in a checkpoint folder."""


class StepEnd(TrainerCallback):
    """Calls a function with the share of the run that is done, after every optimiser step and before its log."""

    def __init__(self, then: Callable[[float], None]):
        self._then = then

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After an optimiser step."""
        self._then(state.global_step / state.max_steps)


class Uncontrolled:
    """In place of a controller: every knob stays where the method has it."""

    def begin(self) -> None:
        """Nothing to remember."""

    def update(self, state: None, entropy: float, share: float) -> None:
        """Nothing to change."""

    def apply(self, state: None, method_state: State) -> State:
        """The same state."""
        return method_state

    def target(self, state: None) -> float:
        """None: NaN."""
        return math.nan

    def to_json(self, state: None) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def from_json(self, values: dict[str, Any]) -> None:
        """Nothing to restore. Raises EntropaxError for a controller's state."""
        if values:
            raise EntropaxError(
                "This checkpoint has the state of a controller, and the trainer has none. Give it the same controller."
            )


class Steering:
    """The state of a method and of its controller through a run.

    Attributes:
        state: the method's, with the knobs as the controller has set them.
    """

    def __init__(self, method: AbstractMethod, controller: Any):
        self._controller = controller
        self._memory = controller.begin()
        self.state = controller.apply(self._memory, begin(method))
        self._seen: Any = 0.0

    def saw(self, batch: Tokens) -> None:
        """Adds a micro-batch's entropies to those of the optimiser step under way."""
        self._seen = self._seen + torch.stack([batch.entropy.sum(), batch.mask.sum()]).detach()

    def step(self, accelerator: Any, share: float) -> dict[str, float]:
        """Ends an optimiser step: the controller gets its mean entropy over the tokens of all processes.

        Returns:
            Metrics: that entropy and the target of the step, and the knobs that it was made with.
        """
        total, tokens = accelerator.reduce(self._seen, reduction="sum").tolist()
        self._seen = 0.0
        metrics = {f"entropax/{name}": float(value) for name, value in self.state.knobs.items()}
        if not tokens:
            return metrics
        entropy = total / tokens
        metrics["entropax/entropy"] = entropy
        target = float(self._controller.target(self._memory))
        metrics |= {} if math.isnan(target) else {"entropax/target": target}
        self._memory = self._controller.update(self._memory, entropy=entropy, share=share)
        self.state = self._controller.apply(self._memory, advance(self.state, entropy))
        return metrics

    def to_json(self) -> dict[str, Any]:
        """All of it, in plain values."""
        mean = float(self.state.mean_entropy)
        method = {
            "updates": float(self.state.updates),
            "mean_entropy": None if math.isnan(mean) else mean,
            "knobs": {name: float(value) for name, value in self.state.knobs.items()},
        }
        return {"schema": SCHEMA, "method": method, "controller": self._controller.to_json(self._memory)}

    def restore(self, path: Path) -> None:
        """Takes up what `to_json` gave, from a checkpoint.

        Raises:
            EntropaxError: another schema, another method's knobs, or another controller's state.
        """
        if not path.exists():
            warnings.warn(
                f"There is no {path}, so this checkpoint was not written with a controller of Entropax: method and "
                "controller begin anew.",
                stacklevel=2,
            )
            return
        values = json.loads(path.read_text("utf-8"))
        if values.get("schema") != SCHEMA:
            raise EntropaxError(
                f"{path} has schema {values.get('schema')}, and this version reads {SCHEMA}. Resume with the version of "
                "Entropax that wrote it."
            )
        method = values["method"]
        if set(method["knobs"]) != set(self.state.knobs):
            raise EntropaxError(
                f"{path} has the knobs {sorted(method['knobs'])}, but this method has {sorted(self.state.knobs)}. Resume "
                "with the method it was written with."
            )
        mean = math.nan if method["mean_entropy"] is None else method["mean_entropy"]
        self._memory = self._controller.from_json(values["controller"])
        self.state = State(method["updates"], mean, dict(method["knobs"]))
