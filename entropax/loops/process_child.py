"""A process of its own for a group of seeds: builds their lane and does what its parent asks, until the pipe closes.

Started by `entropax.loops.process_lane` as `python -m entropax.loops.process_child`, on the core it is to have.
"""

import contextlib
import dataclasses
import os
import signal
import threading
import time
import traceback
from typing import Any

import jax

from entropax.errors import EntropaxError
from entropax.loops.assemble import make_lanes
from entropax.loops.lane import AbstractLane
from entropax.loops.messages import Arrays, Channel, Content
from entropax.loops.run import spec_to_json
from entropax.loops.signals import StopNow, StopRequest
from entropax.runs import from_config
from entropax.runs.tensors import fill, name_leaves

Answer = tuple[Content, Arrays]
PARENT_EVERY = 1.0
"""Seconds between two looks at whether the parent is still there."""


def main() -> None:
    """Serves the parent on standard input and output; whatever else is printed goes to standard error."""
    # A signal to the whole group is the parent's to act on: it saves what is here, and then closes the pipe.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with StopRequest((signal.SIGUSR1,)) as stop:
        _serve(channel, stop)


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent, also within an evaluation, which may be long or without end."""
    while os.getppid() == parent:
        time.sleep(PARENT_EVERY)
    os._exit(1)


def _serve(channel: Channel, stop: StopRequest) -> None:
    """Answers until nobody asks any more, or until something has failed."""
    with contextlib.ExitStack() as at_end:
        lane: AbstractLane | None = None
        while True:
            try:
                order, arrays = channel.receive()
            except EOFError:
                return
            try:
                if lane is None:
                    lane = _build(order)
                    at_end.callback(lane.close)
                content, answer = _answer(lane, order, arrays, stop)
            except Exception as error:
                content, answer = _failure(error), {}
            try:
                channel.send(content, answer)
            except BrokenPipeError:
                return
            if "failed" in content:
                return


def _failure(error: Exception) -> Content:
    """What the parent is told of an error: a mistake in the input as it is, anything else with its traceback."""
    expected = isinstance(error, EntropaxError)
    said = str(error) if expected else "".join(traceback.format_exception(error)).rstrip()
    return {"failed": type(error).__name__, "expected": expected, "said": said}


def _build(order: Content) -> AbstractLane:
    for name, value in order["settings"].items():
        jax.config.update(name, value)
    algorithm, exploration = from_config(order["algorithm"]), from_config(order["exploration"])
    training = dataclasses.replace(from_config(order["training"]), seeds_in="program")
    return make_lanes(algorithm, order["environment"], training, [tuple(order["seeds"])], exploration)[0]


def _answer(lane: AbstractLane, order: Content, arrays: Arrays, stop: StopRequest) -> Answer:
    """Does what is asked for and puts what comes of it into a message."""
    match order["do"]:
        case "build":
            return {"spec": spec_to_json(lane.spec), "warnings": list(lane.warnings)}, {}
        case "warm_up" | "advance":
            began = time.perf_counter()
            (lane.warm_up if order["do"] == "warm_up" else lane.advance)(order["rounds"])
            return {"seconds": time.perf_counter() - began}, {}
        case "collect":
            return {}, lane.collect()
        case "measures":
            return {}, lane.measures()
        case "evaluate":
            try:
                with stop.cutting_short():
                    returns, lengths = lane.evaluate(order["episodes"])
            except StopNow:
                return {"cut_short": True}, {}
            return {"cut_short": False}, {"returns": returns, "lengths": lengths}
        case "actor":
            return _named(lane.actor())
        case "snapshot":
            return _named(lane.snapshot())
        case "save":
            tree, meta = lane.save()
            return _named(tree, meta=meta)
        case "like":
            paths = jax.tree_util.tree_leaves_with_path(lane.like(order["meta"]))
            return {"leaves": {jax.tree_util.keystr(p): [str(x.dtype), list(x.shape)] for p, x in paths}}, {}
        case "load":
            lane.load(fill(lane.like(order["meta"]), arrays, order["leaves"]), order["meta"])
            return {}, {}
    raise AssertionError(order["do"])


def _named(tree: Any, **content: Any) -> Answer:
    arrays, records = name_leaves(tree)
    return {**content, "leaves": records}, arrays


if __name__ == "__main__":
    main()
