"""Short trainings on CIFAR-10, kept row by row: what `fitted:` learns from."""

import csv
import multiprocessing
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from cifar_runs import RESOLUTION, WIDTH
from page import cores

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.controller.outcome import Outcome
from nahas.controller.outcome import evaluate as outcome_of
from nahas.controller.pool import thread_limits
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.train.oracles import ProxyTraining

COLUMNS = ("network", "accuracy", "from", "seconds", "machine")
WITHIN_MS = 0.5
"""On the baseline: of networks that may keep the searches' limit somewhere."""
_DRAWN = 1_000  # at a time


def training(data: str) -> ProxyTraining:
    """An epoch of all training images."""
    return ProxyTraining(
        data, RESOLUTION, WIDTH, epochs=1, batch=64, learning_rate=0.05
    )


def recipe() -> str:
    """How, in words."""
    one = training("")
    return f"{one.epochs} epoch, batch {one.batch}, learning rate {one.learning_rate}"


def drawn(space: str, count: int) -> list[Network]:
    """The reference of a space and random networks that are fast enough."""
    asked = NETWORK_SPACES[space]()
    assert asked.reference is not None
    found = [asked.decode(np.array(asked.reference))]
    rng = np.random.default_rng(0)
    while len(found) < count:
        networks = [asked.decode(row) for row in asked.random(rng, _DRAWN)]
        latency = evaluate(lower(networks), [BASELINE]).latency_ms
        found += [networks[i] for i in np.flatnonzero(latency <= WITHIN_MS)]
    return found[:count]


def train(
    networks: Sequence[Network], origin: str, path: Path, data: str, workers: int
) -> None:
    """Trains those that the file does not hold yet, and adds them to it.

    Raises:
        RuntimeError: If one fails.
    """
    os.environ.update(thread_limits(1))  # which the processes inherit
    path.parent.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()
    if path.exists():
        with path.open(newline="") as file:
            known = {row["network"] for row in csv.DictReader(file)}
    else:
        path.write_text(",".join(COLUMNS) + "\n")
    left = [text for text in map(str, networks) if text not in known]
    context = multiprocessing.get_context("spawn")
    with (
        path.open("a", newline="") as file,
        context.Pool(workers, maxtasksperchild=20) as pool,
    ):
        writer = csv.writer(file, lineterminator="\n")
        asked = partial(_train, training(data))
        for text, outcome in pool.imap(asked, left):
            if outcome.accuracy is None:
                raise RuntimeError(f"{text}: {outcome.error}")
            seconds = f"{outcome.seconds:.1f}"
            writer.writerow((text, outcome.accuracy, origin, seconds, cores()))
            file.flush()
            print(origin, outcome.accuracy, seconds, flush=True)


def _train(oracle: ProxyTraining, text: str) -> tuple[str, Outcome]:
    return text, outcome_of(oracle, text)
