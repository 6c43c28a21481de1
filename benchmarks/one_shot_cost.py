"""What a training step of a one-shot model costs beside that of a network alone.

    python benchmarks/one_shot_cost.py

CPU milliseconds an image, forward and backward, and the seconds before the second step,
of the same random networks in both: at 16x16 and a quarter of the width.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from page import ROOT, command, cores, made_with, table, write_csv

from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.skeleton import Skeleton
from nahas.train import fit
from nahas.train.final import compile_model
from nahas.train.model import build_model
from nahas.train.recipe import FinalRecipe
from nahas.train.supernet import supernet

RESULTS = ROOT / "results" / "one_shot_cost"
SPACES = ("nas-bench-macro", "s1", "s3")
RESOLUTION, WIDTH, CLASSES, BATCH = 16, 0.25, 10, 64
SHARED_STEPS, ALONE, ALONE_STEPS = 30, 4, 5
RECIPE = FinalRecipe(batch=BATCH, operations=0, ema=0.0)


def networks(name: str, seed: int) -> list[Network]:
    """Two thousand of a space, at the fidelity."""
    space = NETWORK_SPACES[name]()
    rows = space.random(np.random.default_rng(seed), 2_000)
    return [
        space.decode(row).proxy(RESOLUTION, CLASSES, width=WIDTH) for row in rows
    ]  # fmt: skip


def timed(model: Any, inputs: Sequence[Any], labels: Any) -> tuple[float, float]:
    """CPU seconds of the first step, and milliseconds an image of the others."""
    spent = []
    for one in inputs:
        started = time.process_time()
        model.train_on_batch(one, labels)
        spent.append(time.process_time() - started)
    return spent[0], 1e3 * statistics.mean(spent[1:]) / BATCH


def measure(name: str, seed: int) -> tuple[str, ...]:
    """A row of the table."""
    drawn = networks(name, seed)
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(BATCH, RESOLUTION, RESOLUTION, 3)).astype(np.float32)
    labels = np.eye(CLASSES)[np.arange(BATCH) % CLASSES]
    fit.seed_everything(seed)
    skeleton = Skeleton.of(drawn)
    shared = supernet(skeleton)
    compile_model(shared, RECIPE, SHARED_STEPS)
    inputs = [
        {"images": images, "codes": skeleton.codes(one)}
        for one in drawn[: SHARED_STEPS + 1]
    ]
    first, each = timed(shared, inputs, labels)
    alone = []
    for network in drawn[:ALONE]:
        model = build_model(network)
        compile_model(model, RECIPE, SHARED_STEPS)
        alone.append(timed(model, [images] * (ALONE_STEPS + 1), labels))
    firsts, eaches = zip(*alone, strict=True)
    own = statistics.mean(eaches)
    return (
        name, f"{each:.2f}", f"{own:.2f}", f"{each / own:.2f}", f"{first:.0f}",
        f"{statistics.mean(firsts):.1f}", f"{shared.count_params():,}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    fit.prepare(1)
    rows = []
    for name in SPACES:
        rows.append(measure(name, arguments.seed))
        print(*rows[-1], flush=True)
    titles = (
        "space", "shared_ms_an_image", "alone_ms_an_image", "ratio",
        "shared_s_before_the_second_step", "alone_s_before_the_second_step",
        "shared_weights",
    )  # fmt: skip
    write_csv(RESULTS / "costs.csv", titles, rows)
    made = made_with("keras", "tensorflow", seed=arguments.seed, machine=cores())
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), table=table(titles, rows), made=made, batch=BATCH,
        size=RESOLUTION, width=WIDTH, load=f"{os.getloadavg()[0]:.1f}",
    ))  # fmt: skip


_PAGE = """\
# What a step of a one-shot model costs

Remade by

    {command}

{table}

CPU of a training step, an image: batches of {batch} at {size}x{size}, filters times
{width}, one thread; `shared` is the mean over random networks within the one-shot
model, `alone` that of four of them, each built by itself. The first step traces the
graph. The system's load at the end was {load}.

{made}
"""


if __name__ == "__main__":
    main()
