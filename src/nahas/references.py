"""References: what a study's result is compared with.

Reference networks are trained by the study's own workers and oracle, so that they stand
under the same recipe, survive interruptions and are never trained twice. The best
network is judged once on the test images, beside the smallest one of the space.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid import BASELINE
from nahas.child import Failure, start
from nahas.closing import REFERENCES, TEST, write_json
from nahas.config import Config, SearchConfig
from nahas.controller import training_queue as queue
from nahas.controller.description import describe, rebuild
from nahas.controller.engine import make_runner
from nahas.controller.pool import LOG
from nahas.controller.rows import Training, training_key
from nahas.controller.store import Store
from nahas.controller.study import Study, driving
from nahas.costs import simulate
from nahas.parts import make_space
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.oracle import Oracle
from nahas.search_space.published import PUBLISHED
from nahas.search_space.space import SearchSpace

PUBLISHED_REFERENCES = ("EfficientNetB0", "MobileNetV2")
SMALLEST = "smallest network of the space"


def smallest(space: SearchSpace) -> Network:
    """The network of the space with the fewest MACs, by descent knob by knob.

    Exact where each knob changes the MACs the same way whatever the others are.
    """
    choices = np.zeros(len(space.knobs), dtype=np.int64)

    def macs(at: NDArray[np.int64]) -> float:
        try:
            return float(lower([space.decode(at).network]).macs.sum())
        except ValueError:  # choices that cannot be built
            return float("inf")

    least, improved = macs(choices), True
    while improved:
        improved = False
        for knob, count in enumerate(space.cardinalities):
            for value in range(int(count)):
                tried = choices.copy()
                tried[knob] = value
                if (found := macs(tried)) < least:
                    choices, least, improved = tried, found, True
    network = space.decode(choices).network
    assert isinstance(network, Network)
    return network


def reference_networks(config: Config) -> dict[str, Network]:
    """The networks to compare with, at the deployed size, by their names."""
    least = smallest(make_space(config))
    published = {
        name: replace(
            PUBLISHED[name],
            resolution=least.resolution,
            classes=least.classes,
            channels=least.channels,
        )
        for name in PUBLISHED_REFERENCES
    }
    return {**published, SMALLEST: least}


def train_references(
    study: Study, config: Config, oracles: Sequence[Oracle]
) -> list[dict[str, Any]]:
    """Trains the reference networks where the study's are and writes the file.

    Args:
        study: They are trained by the last of its oracles.
        config: What it was asked for.
        oracles: Of the study, those that screen before its own.

    Returns:
        For each: name, network, accuracy (None where it failed), error, and costs on
        the baseline accelerator.
    """
    networks = reference_networks(config)
    done = train(study, oracles, list(map(str, networks.values())), config.search)
    rows = []
    for name, network in networks.items():
        found = simulate(network, BASELINE, config.platform).summary()
        outcome = done[str(network)].outcome
        rows.append(
            {
                "name": name,
                "network": str(network),
                "accuracy": outcome.accuracy,
                "error": outcome.error,
                "accelerator": asdict(BASELINE),
                **{key: found[key] for key in _COSTS},
            }
        )
    write_json(study.folder / REFERENCES, rows)
    return rows


_COSTS = ("latency_ms", "energy_mj", "area_mm2", "utilization", "macs", "parameters")


def train(
    study: Study, oracles: Sequence[Oracle], networks: Sequence[str], run: SearchConfig
) -> dict[str, Training]:
    """The trainings of networks (their texts), done as a run says where not known.

    They are the last oracle's; the others' may still be queued, and are done too.
    """
    own = oracles[-1].key
    keys = {text: training_key(text, own) for text in networks}
    with driving(study.folder), Store(study.folder, write=True) as store:
        queue.enqueue(store, [(text, own) for text in networks])
        waiting = sum(store.training(key) is None for key in keys.values())
        if waiting:
            with make_runner(
                store,
                oracles,
                min(run.workers, waiting),
                timeout_seconds=float(study.config["timeout_seconds"]),
                engine=run.engine,
                address=run.address,
            ) as runner:
                while any(store.training(key) is None for key in keys.values()):
                    runner.step()
        found = {text: store.training(key) for text, key in keys.items()}
    return {text: done for text, done in found.items() if done is not None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two networks on the same n test images.

    Attributes:
        accuracy: Of the first.
        other: Of the second.
        difference: The first minus the second.
        low: Lower end of the difference's 95 % interval.
        high: Upper end.
        images: n.
    """

    accuracy: float
    other: float
    difference: float
    low: float
    high: float
    images: int


def compare(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Comparison:
    """Paired comparison of two networks by their right answers [n] each.

    The interval is Wald's for paired proportions with a half added to each cell
    (Agresti and Min 2005, "Simple improved confidence intervals for comparing matched
    proportions"), which holds where the networks hardly differ too.

    >>> found = compare(np.array([True] * 8 + [False] * 2), np.array([True] * 10))
    >>> round(found.difference, 2), found.low < found.difference < found.high
    (-0.2, True)

    Raises:
        ValueError: If the two are not of one length, or empty.
    """
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(
            "`first` and `second` must be of one length, at least 1. Received "
            f"{first.shape} and {second.shape}."
        )
    images = len(first)
    only_first = float((first & ~second).sum())
    only_second = float((second & ~first).sum())
    total = images + 2.0
    middle = (only_first - only_second) / total
    spread = only_first + only_second + 1.0 - (only_first - only_second) ** 2 / total
    half = 1.959964 * np.sqrt(spread) / total
    return Comparison(
        float(first.mean()),
        float(second.mean()),
        (only_first - only_second) / images,
        float(middle - half),
        float(middle + half),
        images,
    )


def judge_best(
    study: Study, oracle: Oracle, best: str, other: str, workers: int
) -> dict[str, Any] | None:
    """Judges the best network and another on the test images and writes the file.

    Both are trained again: in processes of their own, or in this one if `workers` is 0.

    Returns:
        None where the oracle has no test images: it offers no `test(network)`, which
        gives whether each image is classified right.
    """
    if not hasattr(oracle, "test"):
        return None
    if workers == 0:
        right = [oracle.test(Network.parse(network)) for network in (best, other)]
    else:
        right = _in_processes(oracle, [best, other], study.folder / LOG)
    found = {"network": best, "other_network": other, **asdict(compare(*right))}
    write_json(study.folder / TEST, found)
    return found


def _in_processes(
    oracle: Oracle, networks: Sequence[str], log: Path
) -> list[NDArray[np.bool_]]:
    """Right answers [images] of each network, each trained in a process of its own."""
    children = [start(log, _judge, describe(oracle), network) for network in networks]
    answers = [child.receive() for child in children]
    for child in children:
        child.process.join()
    for answer in answers:
        if isinstance(answer, Failure):
            reason = answer.reason.rstrip(".")
            raise JudgingError(f"The test images could not be judged: {reason}.")
    return [np.asarray(answer, dtype=np.bool_) for answer in answers]


class JudgingError(RuntimeError):
    """The test images could not be judged; the study itself is sound."""


def _judge(
    send: Callable[[Any], None], description: dict[str, Any], network: str
) -> None:
    """Runs in the child: right answers of a network."""
    send(rebuild(description).test(Network.parse(network)))
