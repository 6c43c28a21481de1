"""Which embedded data set and recipe tell networks apart, and at what cost.

Trains random networks of S2, its smallest and its largest (kernel 3 and expansion 3, or
7 and 6, in every block) with several seeds under each recipe, and compares the spread
between networks with the spread between seeds of one network.
"""

import argparse
import multiprocessing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from page import ROOT, write_csv

from nahas.search_space.network import Network
from nahas.search_space.network_spaces import s2
from nahas.train.data import load
from nahas.train.oracles import ProxyTraining

RECIPES = {
    "mnist5k-14": ProxyTraining("mnist5k", resolution=14, learning_rate=0.02),
    "mnist5k-14-fast": ProxyTraining("mnist5k", resolution=14, learning_rate=0.05),
    "mnist5k-8": ProxyTraining("mnist5k", resolution=8, learning_rate=0.02),
    "digits-8": ProxyTraining(
        "digits", resolution=8, learning_rate=0.02, epochs=2, batch=16
    ),
}
NETWORKS_A_PROCESS = 8  # models that are left to the collector: some 100 MiB each


@dataclass(frozen=True)
class Spread:
    """What a recipe says of networks: rows of the table."""

    recipe: str
    cpu_seconds: float
    mean: float
    between: float
    within: float
    sampling: float
    smallest: float
    largest: float
    failed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="draws the networks")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "proxy_datasets")
    arguments = parser.parse_args()
    networks = draw(arguments.networks, arguments.seed)
    rows = []
    print(f"{'recipe':16} CPU-s   mean between within sampling smallest largest failed")
    for name in arguments.recipes:
        accuracy, seconds = train(
            RECIPES[name], networks, arguments.seeds, arguments.workers
        )
        row = spread(name, accuracy, seconds)
        print(
            f"{name:16} {row.cpu_seconds:5.1f} {row.mean:6.3f} {row.between:7.4f} "
            f"{row.within:6.4f} {row.sampling:8.4f} {row.smallest:8.3f} "
            f"{row.largest:7.3f} {row.failed:6d}",
            flush=True,
        )
        rows.append((row, accuracy))
    write(arguments.out, rows, networks)


def draw(count: int, seed: int) -> list[Network]:
    """The smallest and the largest network of S2, and `count` random ones."""
    space = s2()
    last = space.cardinalities - 1
    choices = space.random(np.random.default_rng(seed), count)
    return [space.decode(row) for row in (0 * last, last, *choices)]


def train(
    oracle: ProxyTraining, networks: list[Network], seeds: int, workers: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Validation accuracies and CPU seconds [networks, seeds]."""
    jobs = [
        (replace(oracle, seed=seed), network)
        for network in networks
        for seed in range(seeds)
    ]
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, maxtasksperchild=NETWORKS_A_PROCESS) as pool:
        done = pool.starmap(evaluate, jobs, chunksize=1)
    accuracy, seconds = np.array(done).T.reshape(2, len(networks), seeds)
    return accuracy, seconds


def evaluate(oracle: ProxyTraining, network: Network) -> tuple[float, float]:
    estimate = oracle.evaluate([network])
    return estimate.accuracy.item(), estimate.seconds.item()


def spread(
    name: str, accuracy: NDArray[np.float64], seconds: NDArray[np.float64]
) -> Spread:
    """Standard deviations between and within the random networks (one-way ANOVA).

    Between is what remains of the means' variance after that of the seeds is taken out.
    Sampling is that of the finite validation split, which all networks share.
    """
    random = accuracy[2:]
    within = float(np.nanmean(np.nanvar(random, axis=1, ddof=1)))
    means = float(np.nanvar(np.nanmean(random, axis=1), ddof=1))
    p = float(np.nanmean(random))
    validation = len(load(RECIPES[name].data).validation)
    return Spread(
        name,
        float(seconds.mean()),
        p,
        max(0.0, means - within / accuracy.shape[1]) ** 0.5,
        within**0.5,
        (p * (1 - p) / validation) ** 0.5,
        float(np.nanmean(accuracy[0])),
        float(np.nanmean(accuracy[1])),
        int(np.isnan(accuracy).sum()),
    )


def write(
    folder: Path,
    rows: list[tuple[Spread, NDArray[np.float64]]],
    networks: list[Network],
) -> None:
    write_csv(
        folder / "summary.csv",
        Spread.__annotations__,
        (
            [f"{v:.4f}" if isinstance(v, float) else v for v in vars(row).values()]
            for row, _ in rows
        ),
    )
    write_csv(
        folder / "trials.csv",
        ("recipe", "network", "seed", "accuracy"),
        (
            (row.recipe, network, seed, f"{value:.4f}")
            for row, accuracy in rows
            for network, values in zip(networks, accuracy, strict=True)
            for seed, value in enumerate(values)
        ),
    )


if __name__ == "__main__":
    main()
