"""A small space, a cheap oracle and the search that the tests of studies vary."""

import hashlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nahas.accelerator.grid import BASELINE
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.reward import Limits, Reward
from nahas.controller.search import search
from nahas.controller.store import FILE
from nahas.controller.study import Study
from nahas.search_space.joint import Candidate
from nahas.search_space.network import Block, Network
from nahas.search_space.oracle import Estimate
from nahas.search_space.space import Knob, SearchSpace

COMMAND = (sys.executable, str(Path(__file__).with_name("toy_command.py")))
WORKER = (*COMMAND, "worker")

SPACES = "TOY_SPACE"
"""Variable that names the space of `toy_command.py`: space or wide."""

LIMITS = Limits(max_area_mm2=45.0)
REWARD = Reward(latency_ms=0.006)


def space() -> SearchSpace:
    """[6] knobs, 36 networks x 27 accelerators; a third cannot run or breaks limits."""
    knobs = (
        Knob("kernel", (3, 5, 7)),
        Knob("expansion", (2, 3, 4, 6)),
        Knob("filters", (16, 24, 32)),
        Knob("pes_x", (1, 4, 8)),
        Knob("simd_units", (16, 64, 128)),
        Knob("local_memory_mib", (0.002, 2.0, 4.0)),
    )
    return SearchSpace("toy", knobs, build)


def build(values: Mapping[str, Any]) -> Candidate:
    chosen = {"kernel": 3, "expansion": 2, "filters": 16} | values
    block = [chosen.pop(name) for name in ("kernel", "expansion", "filters")]
    ends = {"stem_filters": 8, "head_filters": 64}
    ends = {name: chosen.pop(name, filters) for name, filters in ends.items()}
    network = Network(
        (Block("ibn", *block, stride=2),),
        resolution=64,
        **ends,
    )
    return Candidate(network, replace(BASELINE, **chosen))


def wide() -> SearchSpace:
    """[6] knobs, 5,760 networks x 4 accelerators: nearly every trial is a training."""
    knobs = (
        Knob("kernel", (3, 5, 7)),
        Knob("expansion", (2, 3, 4, 6)),
        Knob("filters", (16, 24, 32)),
        Knob("stem_filters", tuple(range(8, 48, 8))),
        Knob("head_filters", tuple(range(64, 320, 8))),
        Knob("pes_x", (1, 2, 3, 4)),
    )
    return SearchSpace("wide", knobs, build)


def fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


@dataclass(frozen=True)
class Sleepy:
    """Takes its time, fails one network in four.

    The file that the variable TOY_LOG names gets a line for each network. A worker
    that meets the network `deadly` dies.
    """

    milliseconds: float = 0.0
    deadly: str = ""

    @property
    def key(self) -> str:
        return "sleepy"

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        texts = [str(network) for network in networks]
        if log := os.environ.get("TOY_LOG"):
            with Path(log).open("a") as file:
                file.writelines(f"{text}\n" for text in texts)
        time.sleep(self.milliseconds / 1000)
        if self.deadly in texts:
            os.kill(os.getpid(), signal.SIGKILL)
        if any(fraction(text) < 1 / 4 for text in texts):
            raise ArithmeticError("the loss is nan")
        accuracy = np.array([fraction(text) for text in texts])
        zeros = np.zeros(len(texts))
        return Estimate(accuracy, zeros, zeros + 0.001, ("",) * len(texts))


@dataclass(frozen=True)
class Paced(Sleepy):
    """Takes the time that the variable TOY_MILLISECONDS says: no part of a study."""

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        time.sleep(float(os.environ.get("TOY_MILLISECONDS", "0")) / 1000)
        return super().evaluate(networks)


@dataclass(frozen=True)
class Unmade(Sleepy):
    """Can be made by the driver alone."""

    driver: int = field(default_factory=os.getpid)

    def __post_init__(self) -> None:
        if self.driver != os.getpid():
            raise ValueError("no dragons here")


def run(folder: Path | str | None, trials: int, workers: int = 0, **more: Any) -> Study:
    """The search that all tests vary."""
    controller = more.pop("controller", None) or RegularizedEvolution(
        population=6, tournament=3
    )
    settings = {
        "oracle": Sleepy(),
        "reward": REWARD,
        "limits": LIMITS,
        "window": 4,
        "command": WORKER,
    } | more
    oracle, reward = settings.pop("oracle"), settings.pop("reward")
    return search(
        settings.pop("space", None) or space(),
        controller,
        oracle,
        reward,
        trials=trials,
        folder=folder,
        workers=workers,
        **settings,
    )


def sql(folder: Path, *statements: str) -> None:
    """Changes a study's file behind its back."""
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def outcomes(study: Study) -> list[tuple[object, ...]]:
    """What the seed promises."""
    return [trial.outcome for trial in study.trials()]
