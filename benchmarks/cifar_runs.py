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
FINAL = ("final.epochs=6", "final.operations=0", "final.crop=2", "final.batch=64")
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


def machines(folder: Path) -> str:
    """On which machines what is kept under a folder was found."""
    rows = (json.loads(path.read_text()) for path in folder.rglob("*.json"))
    return " and ".join(sorted({row["machine"] for row in rows}))


def at_once(jobs: Sequence[Callable[[], Any]], count: int) -> list[Any]:
    """The results of jobs, so many of which run at a time."""
    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def retrained(
    deployed: str, data: str, kept_in: Path, *, seeds: int, workers: int
) -> list[dict[str, Any]]:
    """Final trainings of a network by `FINAL`, and their int8 accuracies, by seed."""
    folder = RUNS / "final" / mark(resolved(deployed))
    log = folder / "commands.txt"

    def train() -> list[dict[str, Any]]:
        rows = nahas(
            "train", deployed, "--data", data, *SIZE, *settings(*FINAL),
            "--seeds", str(seeds), "--workers", str(workers), "--folder", str(folder),
            log=log,
        )  # fmt: skip
        places = [str(place) for place in sorted(folder.glob("*/seed*"))]
        exported = nahas("export", *places, log=log)
        int8 = {row["seed"]: row["int8_accuracy"] for row in exported}
        return [
            {
                "network": row["network"], "deployed": row["deployed"],
                "seed": row["seed"], "accuracy": row["accuracy"],
                "int8": int8[row["seed"]],
            }
            for row in rows
        ]  # fmt: skip

    path = kept_in / f"{mark(resolved(deployed))}-{seeds}.json"
    return list(kept(path, [*SIZE, *FINAL], train))


def resolved(word: str) -> Network:
    """A published network, or that of a text."""
    network = resolve(word).network
    assert network is not None
    return network
