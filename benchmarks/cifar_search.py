"""Whole searches on CIFAR-10: which space, which mode, and what the finds are worth.

    python benchmarks/cifar_search.py --data FOLDER

The oracle of all searches is one Gaussian process on short trainings (`fitted:`): first
of networks drawn from S1, S2 and S3, then in rounds of what the searches found by it,
which corrects it where they go. `guided` searches each space on the baseline
accelerator and jointly, and S3 also tailored to the baseline, all within the latency
that EfficientNet-B0 has on the fastest accelerator of the baseline's area, and within
that. One search more is for the least energy at the accuracy that the oracle gives to
B0's like in S3. What is found and B0 itself are trained to the end by one recipe, with
several seeds where the comparison is with B0, and exported as int8.
Interrupted, it goes on where it stopped. The figures go to results/cifar_search/.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cifar_picture import picture
from cifar_runs import (
    FINAL,
    RESOLUTION,
    RUNS,
    SIZE,
    WIDTH,
    at_once,
    images,
    kept,
    machines,
    nahas,
    retrained,
    run,
    settings,
)
from cifar_short import WITHIN_MS, drawn, recipe
from cifar_short import train as train_shortly
from numpy.typing import NDArray
from page import ROOT, command, made_with, table, write_csv
from scipy import stats

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.plots import png
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.published import PUBLISHED
from nahas.train.fitted import Fitted

RESULTS = ROOT / "results" / "cifar_search"
FOLDER = RUNS / "search"
RIVAL = "EfficientNetB0"
TARGET_MS = 0.31
"""EfficientNet-B0's on the fastest accelerator for it, in round figures."""
WITHIN = ("--max-latency-ms", str(TARGET_MS), "--max-area-mm2", "39.86")
DRAWN = {"s3": 16, "s2": 6, "s1": 6}
"""Networks of each space that are trained shortly at first."""
ROUNDS = 4
TRIALS = 300
SHORT = RESULTS / "short.csv"
SEARCHES = {
    f"{space}{' tailored' * tailored}, {mode}": (space, tailored, mode)
    for space, tailored in (("s1", 0), ("s2", 0), ("s3", 0), ("s3", 1))
    for mode in ("fixed", "joint")
} | {"s3, least energy": ("s3", 0, "energy")}
MOST_SEEDS = (RIVAL, "s3, fixed", "s3, joint", "s3, least energy")
"""Trained with all seeds; the others with one."""

Found = Mapping[str, Any]


def searched(space: str, tailored: int, mode: str, *, round: int) -> Found:
    """The best pair of a search by a round's oracle; empty if none keeps the limits."""
    name = f"{space}-{'tailored-' * tailored}{mode}"
    folder = FOLDER / f"round{round}" / name
    log = folder / "commands.txt"

    def search() -> Found:
        words = [*(["--tailor", "baseline"] * tailored), *settings("search.seed=0")]
        floor = None
        if mode == "energy":
            [floor] = predicted([reference(space)])
            words += ["--minimise", "energy", "--min-accuracy", str(floor)]
        else:
            words += ["--mode", mode, *settings(f"reward.latency_ms={TARGET_MS}")]
        run(
            "search", "--space", space, "--accuracy", f"fitted:{SHORT}",
            "--controller", "guided", "--trials", str(TRIALS), *WITHIN, *words,
            "--workers", "0", "--folder", str(folder / "study"), log=log,
        )  # fmt: skip
        best = nahas("status", str(folder / "study"), log=log)["best"]
        if best is None:
            return {}
        wanted = ("network", "accelerator", "latency_ms", "energy_mj", "area_mm2")
        return {name: best[name] for name in wanted} | {"predicted": best["accuracy"]}

    asked = [*SIZE, *WITHIN, str(TRIALS), recipe(), str(DRAWN)]
    return dict(kept(RESULTS / "found" / f"{name}-{round}.json", asked, search))


def reference(space: str) -> Network:
    """EfficientNet-B0's like in a space, without squeezing and swish."""
    asked = NETWORK_SPACES[space]()
    assert asked.reference is not None
    found: Network = asked.decode(np.array(asked.reference))
    return found


def predicted(networks: Sequence[Network]) -> list[float]:
    """By all that is trained shortly until now."""
    found: list[float] = Fitted(str(SHORT)).evaluate(networks).accuracy.tolist()
    return found


def chosen(name: str, finds: Sequence[Found]) -> Found:
    """Of a search's finds in all rounds, the best by the last oracle.

    Raises:
        RuntimeError: If it found nothing that keeps its limits.
    """
    if not finds:
        raise RuntimeError(f"{name}: nothing was found that keeps the limits.")
    worth = predicted([Network.parse(row["network"]) for row in finds])
    rows = [{**row, "predicted": p} for row, p in zip(finds, worth, strict=True)]
    space, _, mode = SEARCHES[name]
    if mode == "energy":
        [floor] = predicted([reference(space)])
        enough = [row for row in rows if row["predicted"] >= floor]
        if enough:
            return min(enough, key=lambda row: row["energy_mj"])
    return max(rows, key=lambda row: row["predicted"])


def in_rounds(data: str, workers: int) -> dict[str, list[Found]]:
    """What each search found in each round, as the oracle learned from all of them."""
    for space, count in DRAWN.items():
        train_shortly(drawn(space, count), space, SHORT, data, workers)
    finds: dict[str, list[Found]] = {name: [] for name in SEARCHES}
    for round in range(1, ROUNDS + 1):
        jobs = [partial(searched, *asked, round=round) for asked in SEARCHES.values()]
        for name, row in zip(SEARCHES, at_once(jobs, workers), strict=True):
            finds[name] += [{**row, "round": round}] if row else []
        texts = dict.fromkeys(row["network"] for rows in finds.values() for row in rows)
        networks = [Network.parse(text) for text in texts]
        train_shortly(networks, f"round {round}", SHORT, data, workers)
    return finds


def as_trained(finds: Mapping[str, Sequence[Found]]) -> list[dict[str, str]]:
    """How a round's finds were predicted, and what they had when they were trained."""
    short = pd.read_csv(SHORT).groupby("network").accuracy.mean()
    rows = pd.DataFrame([row for found in finds.values() for row in found])
    rows["trained"] = rows.network.map(short)
    means = 100 * rows.groupby("round")[["predicted", "trained"]].mean()
    return [
        {
            "round": str(row.Index), "predicted, %": f"{row.predicted:.1f}",
            "trained, %": f"{row.trained:.1f}",
        }
        for row in means.itertuples()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    data, workers = images(arguments.data), arguments.workers
    finds = in_rounds(data, workers)
    found = {name: chosen(name, rows) for name, rows in finds.items()}
    networks = {name: row["network"] for name, row in found.items()}
    networks[RIVAL] = str(PUBLISHED[RIVAL])
    order = [*MOST_SEEDS, *(name for name in networks if name not in MOST_SEEDS)]
    asked = [
        (networks[name], arguments.seeds if name in MOST_SEEDS else 1) for name in order
    ]
    finals = retrained(asked, data, RESULTS / "trained", workers=workers)
    trained = dict(zip(order, finals, strict=True))
    rows = [row for name in networks for row in placed(name, found, trained[name])]
    gains = [gain(name, rows, trained) for name in MOST_SEEDS[1:]]
    write(rows, gains, as_trained(finds), arguments)


def placed(
    name: str, found: Mapping[str, Found], trained: Sequence[Found]
) -> list[dict[str, Any]]:
    """A network on the baseline, as it was found, and where it takes least energy."""
    text = trained[0]["deployed"]
    log = FOLDER / "sweeps.txt"
    least = nahas("sweep", text, "--objective", "energy", *WITHIN, log=log)["best"]
    workload = lower([Network.parse(text)])
    on_baseline = evaluate(workload, [BASELINE])
    costs: dict[str, Found] = {"baseline": {
        name: float(getattr(on_baseline, name)[0])
        for name in ("latency_ms", "energy_mj", "area_mm2")
    }}  # fmt: skip
    if name in found and not name.endswith("fixed"):
        costs["as found"] = found[name]
    costs["of least energy"] = least
    accuracy = np.array([row["accuracy"] for row in trained])
    int8 = np.mean([row["int8"] for row in trained])
    return [
        {
            "search": name, "on": on,
            "predicted, %":
                f"{100 * found[name]['predicted']:.1f}" if name in found else "",
            "accuracy, %": f"{100 * accuracy.mean():.2f}", "±": interval(accuracy),
            "seeds": len(accuracy), "int8, %": f"{100 * int8:.2f}",
            "latency, ms": f"{cost['latency_ms']:.3f}",
            "energy, mJ": f"{cost['energy_mj']:.3f}",
            "area, mm2": f"{cost['area_mm2']:.1f}",
            "million MACs": f"{workload.macs.sum() / 1e6:.0f}",
            "million weights": f"{workload.own_parameters.sum() / 1e6:.2f}",
        }
        for on, cost in costs.items()
    ]  # fmt: skip


def interval(accuracy: NDArray[np.float64]) -> str:
    """The half of Student's 95 % interval of a mean, in points."""
    count = len(accuracy)
    if count == 1:
        return ""
    half = stats.t.ppf(0.975, count - 1) * accuracy.std(ddof=1) / np.sqrt(count)
    return f"{100 * half:.2f}"


def gain(
    name: str, rows: Sequence[Found], trained: Mapping[str, Sequence[Found]]
) -> dict[str, str]:
    """Points of accuracy over the rival, and how much less energy it takes."""
    own, other = (
        100 * np.array([row["accuracy"] for row in trained[one]])
        for one in (name, RIVAL)
    )
    welch = stats.ttest_ind(own, other, equal_var=False).confidence_interval()
    energy = {
        (row["search"], row["on"]): float(row["energy, mJ"])
        for row in rows if row["search"] in (name, RIVAL)
    }  # fmt: skip
    own_energy = energy.get((name, "as found"), energy[name, "baseline"])
    return {
        "search": name,
        "points over EfficientNet-B0": f"{own.mean() - other.mean():+.2f}",
        "95 % interval": f"{welch.low:+.2f} to {welch.high:+.2f}",
        "times less energy than B0 on the baseline":
            f"{energy[RIVAL, 'baseline'] / own_energy:.2f}",
        "than B0 on its own of least energy":
            f"{energy[RIVAL, 'of least energy'] / own_energy:.2f}",
    }  # fmt: skip


def write(
    rows: Sequence[Found], gains: Sequence[Found], rounds: Sequence[Found],
    arguments: argparse.Namespace,
) -> None:  # fmt: skip
    """The tables, the picture and the page."""
    tables = {}
    for name, asked in (("summary", rows), ("gains", gains), ("rounds", rounds)):
        titles, cells = tuple(asked[0]), [tuple(row.values()) for row in asked]
        write_csv(RESULTS / f"{name}.csv", titles, cells)
        tables[name] = table(titles, cells)
    (RESULTS / "finds.png").write_bytes(png(picture(rows, RIVAL)))
    short = pd.read_csv(SHORT)
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), **tables, target=TARGET_MS, trials=TRIALS,
        resolution=RESOLUTION, width=WIDTH, final=", ".join(FINAL),
        seeds=arguments.seeds, recipe=recipe(), searched=ROUNDS, within=WITHIN_MS,
        origins=", ".join(f"{n} {o}" for o, n in short["from"].value_counts().items()),
        count=len(short), hours=short.seconds.sum() / 3600,
        tau=Fitted(str(SHORT)).quality.tau,
        made=made_with(
            "keras", "tensorflow", "numpy", seed=0, machine=machines(RESULTS)
        ),
    ))  # fmt: skip


_PAGE = """\
# Searches on CIFAR-10: spaces, modes, and what they find

Remade by

    {command}

![Accuracy against latency and energy](finds.png)

{summary}

Accuracies are CIFAR-10's, of networks at {resolution}x{resolution} and {width} of their
width; costs are of the same networks deployed at 224x224 in their full width. Each
search is of {trials} pairs by `guided`, within {target} ms, which is EfficientNet-B0's
latency on the fastest accelerator of the baseline's area, and within that area. `fixed`
searches networks for the baseline, `joint` pairs; `tailored` leaves out the blocks that
do not pay on the baseline; `least energy` seeks pairs at no less than the accuracy that
the oracle gives to S3's reference, EfficientNet-B0 without squeezing and swish. `of
least energy` is the accelerator of all 50,000 on which a network takes the least within
the same limits.

The oracle of all is `fitted:` on short trainings (short.csv; {recipe}): of networks
that were drawn from the spaces among those of at most {within} ms on the baseline, the
spaces' references among them, and of what the searches found by it in {searched}
rounds. In the end it had seen {count} networks, for {hours:.1f} CPU hours (by where
they are from: {origins}); of held-out ones its Kendall tau is {tau:.2f}. What is shown
of a search is the best of its finds, one a round, by that last oracle (`predicted`,
validation images after the short training).

A search finds what its oracle overrates: these are means of a round's finds, as they
were predicted and as they were then trained.

{rounds}

{gains}

Final trainings: {final}; {seeds} seeds where the comparison is with EfficientNet-B0,
one for the others. Intervals (`±`, and in the picture bars) are of 95 % over the seeds,
Student's and Welch's. int8 is the accuracy of the exported TFLite files, quantized
after the training, on the same test images. Energy is that of a pair as it was found,
or on the baseline where that is what was searched for.

{made}
"""


if __name__ == "__main__":
    main()
