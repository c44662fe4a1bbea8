"""Who sets the knobs in a run, and what a run remembers between optimiser steps."""

import abc
import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from transformers import TrainerCallback  # pyright: ignore[reportMissingImports]

from entropax.errors import EntropaxError
from entropax.llm import (
    AbstractMethod,
    Controller,
    ControlState,
    SamplingTemperature,
    State,
    advance,
    begin,
    use_cpu,
)
from entropax.llm.diagnosis.measures import control_measures

SCHEMA = 1
"""Of the file in a checkpoint folder."""


class StepEnd(TrainerCallback):
    """Calls a function with the share of the run that is done, after every optimiser step and before its log."""

    def __init__(self, then: Callable[[float], None]):
        self._then = then

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After an optimiser step."""
        self._then(state.global_step / state.max_steps)


class AbstractPilot(abc.ABC):
    """Who sets the method's knobs in a run."""

    @abc.abstractmethod
    def begin(self) -> Any:
        """What it remembers before the first optimiser step."""

    @abc.abstractmethod
    def update(self, memory: Any, entropy: float, share: float, mean_reward: float | None) -> Any:
        """What it remembers after one more."""

    @abc.abstractmethod
    def apply(self, memory: Any, state: State) -> State:
        """The method's state with the knobs as they are to be."""

    @abc.abstractmethod
    def temperature(self, memory: Any) -> float | None:
        """The temperature to draw completions at; None where that is none of its business."""

    @abc.abstractmethod
    def metrics(self, memory: Any) -> dict[str, float]:
        """For the trainer's log."""

    @abc.abstractmethod
    def to_json(self, memory: Any) -> dict[str, Any]:
        """What it remembers as plain values."""

    @abc.abstractmethod
    def from_json(self, values: dict[str, Any]) -> Any:
        """What `to_json` wrote. Raises EntropaxError where it wrote something else."""


class NoController(AbstractPilot):
    """Every knob stays where the method has it."""

    def begin(self) -> None:
        """Nothing."""

    def update(self, memory: None, entropy: float, share: float, mean_reward: float | None) -> None:
        """Nothing."""

    def apply(self, memory: None, state: State) -> State:
        """The same state."""
        return state

    def temperature(self, memory: None) -> None:
        """None."""

    def metrics(self, memory: None) -> dict[str, float]:
        """None."""
        return {}

    def to_json(self, memory: None) -> dict[str, Any]:
        """Nothing."""
        return {}

    def from_json(self, values: dict[str, Any]) -> None:
        """Nothing. Raises EntropaxError for a controller's state."""
        if values:
            raise EntropaxError(
                "This checkpoint has the state of a controller, and the trainer was made without. Pass the same "
                "controller to go on."
            )


class Steered(AbstractPilot):
    """A controller sets one knob, or the sampling temperature.

    Attributes:
        controller: the controller.
    """

    def __init__(self, controller: Controller):
        self.controller = controller

    def begin(self) -> ControlState:
        """The controller's first state; JAX then computes on the CPU alone, as accelerators are torch's."""
        use_cpu()
        return self.controller.begin()

    def update(self, memory: ControlState, entropy: float, share: float, mean_reward: float | None) -> ControlState:
        """The controller's next state."""
        return self.controller.update(memory, entropy=entropy, share=share, mean_reward=mean_reward)

    def apply(self, memory: ControlState, state: State) -> State:
        """The state with the controller's knob. Raises EntropaxError where the method has none of that name."""
        return self.controller.apply(memory, state)

    def temperature(self, memory: ControlState) -> float | None:
        """The controller's number, where that is a temperature."""
        steers = isinstance(self.controller.actuator, SamplingTemperature)
        return self.controller.value(memory) if steers else None

    def metrics(self, memory: ControlState) -> dict[str, float]:
        """Its number, its target, and the range of the number."""
        target = self.controller.target(memory)
        found = control_measures(self.controller.value(memory), target, *self.controller.ends())
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def to_json(self, memory: ControlState) -> dict[str, Any]:
        """The controller's."""
        return self.controller.to_json(memory)

    def from_json(self, values: dict[str, Any]) -> ControlState:
        """The controller's. Raises EntropaxError where it was written under other settings, or without a controller."""
        if not values:
            raise EntropaxError(
                "This checkpoint was written without a controller, and the trainer was made with one. Leave it out to "
                "go on as before, or start a new run with it."
            )
        return self.controller.from_json(values)


class Steering:
    """The state of a method and of its controller through a run.

    Attributes:
        state: the method's, with the knobs as they are now.
    """

    def __init__(self, method: AbstractMethod, pilot: AbstractPilot):
        self._pilot = pilot
        self._memory = pilot.begin()
        self.state = pilot.apply(self._memory, begin(method))
        self._seen: Any = None

    @property
    def temperature(self) -> float | None:
        """The temperature to draw the next completions at; None to leave it as it is."""
        return self._pilot.temperature(self._memory)

    def saw(self, entropy: Any, mask: Any) -> None:
        """Adds a micro-batch's entropies to those of the optimiser step under way."""
        # In half precision a sum over a step's tokens would be off by more than a token.
        found = torch.stack([entropy.float().sum(), mask.sum().float()])
        self._seen = found if self._seen is None else self._seen + found

    def step(self, accelerator: Any, share: float, mean_reward: float | None) -> dict[str, float]:
        """Ends an optimiser step: the controller gets its mean entropy over the tokens of all processes.

        Returns:
            Metrics: that entropy, and the controller's numbers as this step had them.
        """
        metrics = self._pilot.metrics(self._memory)
        total, tokens = accelerator.reduce(self._seen, reduction="sum").tolist()
        self._seen = None
        if not tokens:
            return metrics
        entropy = total / tokens
        self._memory = self._pilot.update(self._memory, entropy, share, mean_reward)
        self.state = self._pilot.apply(self._memory, advance(self.state, entropy))
        return metrics | {"entropax/entropy": entropy}

    def to_json(self) -> dict[str, Any]:
        """All of it, in plain values."""
        mean = float(self.state.mean_entropy)
        method = {
            "updates": float(self.state.updates),
            "mean_entropy": None if math.isnan(mean) else mean,
            "knobs": {name: float(value) for name, value in self.state.knobs.items()},
        }
        return {"schema": SCHEMA, "method": method, "controller": self._pilot.to_json(self._memory)}

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
                f"{path} has schema {values.get('schema')}, and this version reads {SCHEMA}. Resume with the version "
                "of Entropax that wrote it."
            )
        method = values["method"]
        if set(method["knobs"]) != set(self.state.knobs):
            raise EntropaxError(
                f"{path} has the knobs {sorted(method['knobs'])}, but this method has {sorted(self.state.knobs)}. "
                "Resume with the method it was written with."
            )
        mean = math.nan if method["mean_entropy"] is None else method["mean_entropy"]
        self._memory = self._pilot.from_json(values["controller"])
        self.state = self._pilot.apply(self._memory, State(method["updates"], mean, self.state.knobs))
        moved = [name for name, value in self.state.knobs.items() if float(value) != method["knobs"][name]]
        if moved:
            changes = ", ".join(f"{name} from {method['knobs'][name]} to {self.state.knobs[name]}" for name in moved)
            warnings.warn(
                f"The method of this trainer is set otherwise than the one that wrote {path}: {changes}. The run goes "
                "on with the new setting.",
                stacklevel=2,
            )
