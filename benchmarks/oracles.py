"""Asks every accuracy oracle for the worth of NAS-Bench-Macro's networks.

    python benchmarks/oracles.py --data FOLDER [--only NAME ...]
    python benchmarks/oracles_report.py --data FOLDER

The first trains and asks; each answer is kept in results/oracles/answers at once, and
nothing is asked twice: interrupt it when you like. The second ranks the oracles by what
is kept there. CIFAR-10 is read from the data folder. Oracles that train each network
anew are asked for the first of the test networks alone; those with shared weights for
more of them, and for some development networks.
"""

import argparse
import csv
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oracle_truth import SPACE, mark, read_truth
from page import ROOT, cores, write_csv

from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate, Oracle
from nahas.train import fit
from nahas.train.data import load
from nahas.train.one_shot import Sampling, train_one_shot
from nahas.train.oracles import ProxyTraining
from nahas.train.recipe import FinalRecipe
from nahas.train.shared_weights import WEIGHTS, Fidelity, OneShot, SharedWeights
from nahas.train.training_free import naswot

RUNS = ROOT / "runs" / "oracles"
RESULTS = ROOT / "results" / "oracles"
IMAGES = "images/cifar10_jpeg.npz"
SEED = 0
TRAINED = 150
"""Test networks that are trained anew by each proxy."""
SHOWN = 800
"""Test networks that shared weights are asked for."""
DEVELOPED = 300
"""Development networks that shared weights are asked for."""


@dataclass(frozen=True)
class Asked:
    """An oracle to be, and how many networks it is asked for.

    Attributes:
        settings: All that the answers depend on beside the images.
        make: The oracle, of the images' file and of a folder of its own; trained, where
            it has to be, if the folder does not hold its weights.
        test: Test networks; None for all.
        development: Development networks.
        at_once: Networks that one process can take; None for all.
    """

    settings: str
    make: Callable[[str, Path], Oracle]
    test: int | None = TRAINED
    development: int = 0
    at_once: int | None = 10


@dataclass(frozen=True)
class Naswot:
    """Mellor's score in the place of accuracies (`nahas.train.training_free`)."""

    data: str
    resolution: int = 16
    width: float = 0.5
    images: int = 64

    @property
    def key(self) -> str:
        """Its fields."""
        return str(self)

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """The scores of B networks."""
        fit.prepare(1)
        found, seconds = [], []
        for network in networks:
            started = time.process_time()
            small = network.proxy(self.resolution, 10, width=self.width)
            found.append(naswot(small, _first(self), seed=SEED))
            seconds.append(time.process_time() - started)
        nothing = np.zeros(len(found))
        return Estimate(np.array(found), nothing, np.array(seconds), ("",) * len(found))


def proxy(images: int | None, epochs: int) -> Asked:
    """Trainings at 16x16 and half the width, where an image costs a fifth."""
    training = ProxyTraining(
        resolution=16, width=0.5, epochs=epochs, images=images, batch=64,
        learning_rate=0.05, seed=SEED,
    )  # fmt: skip
    return Asked(str(training), lambda data, _: replace(training, data=data))


def shared(sampling: Sampling, resolution: int = 32) -> Asked:
    """Weights that all networks share, at a quarter of their width.

    At 16x16 the first stage does not stride, so that stages weigh otherwise than in the
    networks that were trained: that one is kept for comparison.
    """
    fidelity = Fidelity(resolution, 0.25)
    recipe = FinalRecipe(
        epochs=60, batch=64, learning_rate=0.1, weight_decay=2e-4, label_smoothing=0.0,
        crop=resolution // 8, operations=0, ema=0.99,
    )  # fmt: skip
    judged = OneShot("", images=1_000, calibration=256)

    def make(data: str, folder: Path) -> Oracle:
        if not (folder / WEIGHTS).exists():
            train_one_shot(
                SPACE, load(data, resolution), fidelity, recipe, sampling, folder,
                seed=SEED,
                progress=lambda *told: print(folder.name, *told, flush=True),
            )  # fmt: skip
        return replace(judged, folder=str(folder))

    settings = f"{fidelity}, {recipe}, {sampling}, {judged}, seed {SEED}"
    return Asked(settings, make, SHOWN, DEVELOPED, None)


ORACLES = {
    "naswot": Asked(str(Naswot("")), lambda data, _: Naswot(data)),
    "proxy 10k x 1": proxy(10_000, 1),
    "proxy 45k x 2": proxy(None, 2),
    "one-shot fair at 16x16": shared(Sampling("fair", 3), 16),
    "one-shot fair": shared(Sampling("fair", 3)),
    "one-shot uniform": shared(Sampling("uniform", 1)),
    "one-shot sandwich": shared(Sampling("sandwich", 4)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(ORACLES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    images = unpacked(arguments.data)
    development, test = read_truth(arguments.data)
    context = multiprocessing.get_context("spawn")
    for name in arguments.only or list(ORACLES):
        asked, known = ORACLES[name], answers(name)
        networks = [
            *development.networks[: asked.development],
            *test.networks[: asked.test],
        ]
        left = [text for text in map(str, networks) if mark(text) not in known]
        print(f"{name}: {len(left)} of {len(networks)} networks to ask for", flush=True)
        if not left:
            continue
        folder = RUNS / name.replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        with context.Pool(1, maxtasksperchild=1) as pool:
            pool.apply(prepare, (name, images, folder))
        weights = folder / WEIGHTS
        before = SharedWeights.read(weights).seconds if weights.exists() else 0.0
        jobs = [(name, images, folder, text) for text in left]
        with context.Pool(arguments.jobs, maxtasksperchild=asked.at_once) as pool:
            for text, answered, error in pool.imap_unordered(answer, jobs):
                if error:
                    print(f"{name}: {text}: {error}", flush=True)
                else:
                    known[mark(text)] = answered
                    keep(name, before, known)


def prepare(name: str, images: str, folder: Path) -> None:
    """Trains what the oracle needs, in a process of its own."""
    fit.prepare(1)
    ORACLES[name].make(images, folder)


def answer(job: tuple[str, str, Path, str]) -> tuple[str, tuple[str, ...], str]:
    """A network, what an oracle says of it, in how long, where, and its error or ""."""
    name, images, folder, text = job
    found = _oracle(name, images, folder).evaluate([Network.parse(text)])
    score, seconds = f"{found.accuracy[0]:.6g}", f"{found.seconds[0]:.3f}"
    return text, (score, seconds, cores()), found.error[0]


@lru_cache(maxsize=1)
def _oracle(name: str, images: str, folder: Path) -> Oracle:
    return ORACLES[name].make(images, folder)


@lru_cache(maxsize=1)
def _first(asked: Naswot) -> NDArray[np.float32]:
    train = load(asked.data, asked.resolution).train.images
    return fit.Scaling.of(train)(train[: asked.images])


def answers(name: str) -> dict[str, tuple[str, ...]]:
    """What an oracle has told so far: score, seconds and machine, by networks' hashes.

    Raises:
        RuntimeError: If it was told by an oracle of other settings.
    """
    if not kept_in(name).exists():
        return {}
    [_, first, *rows] = csv.reader(kept_in(name).read_text().splitlines())
    if mark(ORACLES[name].settings) != first[1]:
        raise RuntimeError(
            f"{kept_in(name)} is of other settings; move it away to go on."
        )
    return {network: tuple(said) for network, *said in rows}


def keep(name: str, before: float, said: dict[str, tuple[str, ...]]) -> None:
    """Writes what an oracle has said, in the order of the hashes.

    The first row, of no network, has the mark of the settings in the place of a score
    and the seconds before the first answer.
    """
    draft = kept_in(name).with_suffix(".draft")
    first = ("", mark(ORACLES[name].settings), f"{before:.1f}", cores())
    write_csv(
        draft, ("network", "score", "seconds", "machine"),
        [first, *((one, *said[one]) for one in sorted(said))],
    )  # fmt: skip
    draft.replace(kept_in(name))


def kept_in(name: str) -> Path:
    """The file of an oracle's answers."""
    return RESULTS / "answers" / f"{name.replace(' ', '_')}.csv"


def unpacked(data: Path) -> str:
    """CIFAR-10 as a .npz that `load` reads, beside the runs: decoded once."""
    from io import BytesIO

    from PIL import Image

    file = RUNS / "cifar10.npz"
    if file.exists():
        return str(file)
    arrays: dict[str, Any] = {}
    with np.load(data / IMAGES) as packed:
        heads = (
            [packed["header"].tobytes()]
            if "header" in packed
            else [packed[f"header_{i}"].tobytes() for i in range(packed["n_headers"])]
        )
        for split in ("train", "test"):
            labels, starts = packed[f"y_{split}"], packed[f"offsets_{split}"]
            content = packed[f"data_{split}"].tobytes()
            kinds = (
                packed[f"hdr_{split}"]
                if f"hdr_{split}" in packed
                else np.zeros(len(labels), int)
            )
            arrays[f"x_{split}"] = np.stack([
                np.asarray(Image.open(BytesIO(
                    heads[kinds[i]] + content[starts[i] : starts[i + 1]]
                )).convert("RGB"))
                for i in range(len(labels))
            ])  # fmt: skip
            arrays[f"y_{split}"] = labels.astype(np.int64)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Two benchmarks may unpack at once; what replaces the other's file is the same.
    draft = file.with_name(f"draft-{os.getpid()}.npz")
    np.savez(draft, **arrays)
    draft.replace(file)
    return str(file)


if __name__ == "__main__":
    main()
