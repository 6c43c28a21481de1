"""What the experiments on CIFAR-10 share: its images, sizes, recipes and commands.

Networks are shown images of 16x16 at a quarter of their width, and keep their choices:
the rule of `Network.proxy`, the same for all. Everything is done by the commands that a
user has, each in a process of its own. What they leave lies under runs/ and lets them
go on; what was found by them is kept as JSON under results/, and is not looked for
again.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from oracles import unpacked
from page import ROOT, cores

from nahas.controller.pool import thread_limits
from nahas.final_queue import mark
from nahas.models import resolve
from nahas.search_space.network import Network

RUNS = ROOT / "runs" / "cifar"
RESOLUTION, WIDTH = 16, 0.25
SIZE = ("--resolution", str(RESOLUTION), "--width", str(WIDTH))
PROXY = (
    f"training.resolution={RESOLUTION}", f"training.width={WIDTH}",
    "training.images=10000", "training.epochs=1", "training.batch=64",
    "training.learning_rate=0.05",
)  # fmt: skip
"""Of a multi-trial search: what a training of each network is."""
FINAL = ("final.epochs=4", "final.operations=0", "final.crop=2", "final.batch=64")
"""Of what was found and of its rivals."""


def settings(*words: str) -> list[str]:
    """The words of `--set`."""
    return [part for word in words for part in ("--set", word)]


def images(data: Path) -> str:
    """CIFAR-10 as a file that the commands read."""
    return unpacked(data)


def run(*words: str, log: Path) -> str:
    """What a command prints; its progress goes to a file.

    Raises:
        RuntimeError: If it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        found = subprocess.run(
            [sys.executable, "-m", "nahas", *words], check=False, text=True,
            env=os.environ | thread_limits(1), stdout=subprocess.PIPE, stderr=file,
        )  # fmt: skip
    if found.returncode:
        last = log.read_text().strip().splitlines()[-1:]
        raise RuntimeError(f"nahas {' '.join(words)}: {last} (in {log})")
    return found.stdout


def nahas(*words: str, log: Path) -> Any:
    """What a command says in JSON; as `run`."""
    return json.loads(run(*words, "--json", log=log))


def kept(path: Path, asked: Sequence[str], make: Callable[[], Any]) -> Any:
    """What a file holds; made and written where it is not there.

    Raises:
        RuntimeError: If it was found by other words than those that are asked.
    """
    if not path.exists():
        row = {"asked": list(asked), "machine": cores(), "found": make()}
        draft = path.with_suffix(".draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(row, indent=1) + "\n")
        draft.replace(path)
    row = json.loads(path.read_text())
    if row["asked"] != list(asked):
        raise RuntimeError(f"{path} is of other settings; move it away to go on.")
    return row["found"]


def machines(folder: Path, *others: str) -> str:
    """On which machines what is kept under a folder was found, and on which others."""
    rows = (json.loads(path.read_text()) for path in folder.rglob("*.json"))
    return " and ".join(sorted({*others, *(row["machine"] for row in rows)}))


def at_once(jobs: Sequence[Callable[[], Any]], count: int) -> list[Any]:
    """The results of jobs, so many of which run at a time."""
    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def retrained(
    asked: Sequence[tuple[str, int]], data: str, kept_in: Path, *, workers: int
) -> list[list[dict[str, Any]]]:
    """Final trainings by `FINAL`, with int8 accuracies: of each network, by its seeds.

    Args:
        asked: Networks, and with how many seeds each.
        data: The images.
        kept_in: Where each training's figures are kept.
        workers: Trainings at a time.
    """
    jobs = {
        (mark(resolved(deployed)), seed): partial(_final, deployed, seed, data, kept_in)
        for seed in range(max(count for _, count in asked))
        for deployed, count in asked if seed < count
    }  # fmt: skip
    rows = dict(zip(jobs, at_once(list(jobs.values()), workers), strict=True))
    return [
        [rows[mark(resolved(deployed)), seed] for seed in range(count)]
        for deployed, count in asked
    ]


def _final(deployed: str, seed: int, data: str, kept_in: Path) -> dict[str, Any]:
    name = f"{mark(resolved(deployed))}-{seed}"
    folder = RUNS / "final" / name
    log = folder / "commands.txt"

    def train() -> dict[str, Any]:
        [row] = nahas(
            "train", deployed, "--data", data, *SIZE, *settings(*FINAL),
            "--first-seed", str(seed), "--folder", str(folder), log=log,
        )  # fmt: skip
        [exported] = nahas("export", str(next(folder.glob("*/seed*"))), log=log)
        print(name, row["accuracy"], exported["int8_accuracy"], flush=True)
        wanted = ("network", "deployed", "seed", "accuracy", "validation_accuracy")
        found = {key: row[key] for key in wanted}
        return found | {"int8": exported["int8_accuracy"]}

    return dict(kept(kept_in / f"{name}.json", [*SIZE, *FINAL], train))


def resolved(word: str) -> Network:
    """A published network, or that of a text."""
    network = resolve(word).network
    assert network is not None
    return network
