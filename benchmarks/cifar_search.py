"""Whole searches on CIFAR-10: which space, which mode, and what the finds are worth.

    python benchmarks/cifar_search.py --data FOLDER

The oracle of all searches is one Gaussian process on short trainings (`fitted:`): first
of networks drawn from S1, S2 and S3, then in rounds of what the searches found by it,
which corrects it where they go. Each space is searched on the baseline accelerator and
jointly, and S3 also tailored to the baseline, all within the latency that
EfficientNet-B0 has on the fastest accelerator of the baseline's area, and within that.
One search more is for the least energy at the accuracy that the oracle gives to B0's
like in S3. What is found and B0 itself are trained to the end by one recipe, with
several seeds where the comparison is with B0, and exported as int8. Interrupted, it
goes on where it stopped. The figures go to results/cifar_search/.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cifar_picture import picture
from cifar_rounds import (
    EARLY,
    FOLDER,
    MOST_SEEDS,
    RESULTS,
    RIVAL,
    ROUNDS,
    SEARCHES,
    SHORT,
    SHORTLISTED,
    TARGET_MS,
    WITHIN,
    Found,
    as_trained,
    chooser,
    in_rounds,
    shortlist,
)
from cifar_runs import FINAL, RESOLUTION, WIDTH, images, machines, nahas, retrained
from cifar_short import WITHIN_MS, recipe
from numpy.typing import NDArray
from page import command, made_with, table, write_csv
from scipy import stats

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.plots import png
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.published import PUBLISHED
from nahas.train.fitted import Fitted

Result = tuple[Sequence[Found], Sequence[Found]]
"""Rows of the summary for a network, and its final trainings."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    data, workers = images(arguments.data), arguments.workers
    finds = in_rounds(data, workers)
    lists = {name: shortlist(name, finds) for name in SEARCHES}
    texts = [row["network"] for rows in lists.values() for row in rows]
    firsts = retrained(
        [(text, 1) for text in texts], data, RESULTS / "trained", workers=workers
    )
    held = {row["deployed"]: row["validation_accuracy"] for [row] in firsts}
    found = {
        name: max(rows, key=lambda row: held[row["network"]])
        for name, rows in lists.items()
    }
    networks = {name: row["network"] for name, row in found.items()}
    networks[RIVAL] = str(PUBLISHED[RIVAL])
    order = [*MOST_SEEDS, *(name for name in networks if name not in MOST_SEEDS)]
    asked = [
        (networks[name], arguments.seeds if name in MOST_SEEDS else 1) for name in order
    ]
    finals = retrained(asked, data, RESULTS / "trained", workers=workers)
    trained = dict(zip(order, finals, strict=True))
    # Searches that end at one network are one result, under the names of all.
    results: dict[tuple[str, ...], Result] = {}
    for text in dict.fromkeys(networks.values()):
        names = tuple(one for one in networks if networks[one] == text)
        most = max((trained[one] for one in names), key=len)
        pairs = [found[one] for one in names if one in found]
        results[names] = placed("; ".join(names), pairs, most), most
    summary = [row for rows, _ in results.values() for row in rows]
    gains = [
        row for names, result in results.items() if {*names} & {*MOST_SEEDS[1:]}
        for row in gain(result, results[RIVAL,])
    ]  # fmt: skip
    write(summary, gains, as_trained(finds), arguments)


def placed(
    name: str, pairs: Sequence[Found], trained: Sequence[Found]
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
    others = [pair for pair in pairs if pair["accelerator"] != asdict(BASELINE)]
    if others:
        costs["as found"] = min(others, key=lambda pair: pair["energy_mj"])
    costs["of least energy"] = least
    accuracy = np.array([row["accuracy"] for row in trained])
    int8 = np.mean([row["int8"] for row in trained])
    return [
        {
            "search": name, "on": on,
            "found by, in round": "; ".join(pair["by"] for pair in pairs),
            "predicted, %": f"{100 * pairs[0]['predicted']:.1f}" if pairs else "",
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


def gain(own: Result, rival: Result) -> list[dict[str, str]]:
    """Points of accuracy over the rival, and how much less it costs on each machine."""
    ours, theirs = (
        100 * np.array([row["accuracy"] for row in trained])
        for _, trained in (own, rival)
    )
    welch = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    costs = {row["on"]: row for row in rival[0]}

    def times(row: Found, cost: str, on: str) -> str:
        return f"{float(costs[on][cost]) / float(row[cost]):.2f}"

    return [
        {
            "search": row["search"], "on": row["on"],
            "points over B0": f"{ours.mean() - theirs.mean():+.2f}",
            "95 % interval": f"{welch.low:+.2f} to {welch.high:+.2f}",
            "times faster than B0 on the baseline":
                times(row, "latency, ms", "baseline"),
            "times faster than B0 of least energy":
                times(row, "latency, ms", "of least energy"),
            "times less energy than B0 on the baseline":
                times(row, "energy, mJ", "baseline"),
            "times less energy than B0 of least energy":
                times(row, "energy, mJ", "of least energy"),
        }
        for row in own[0]
    ]  # fmt: skip


def write(
    rows: Sequence[Found], gains: Sequence[Found], searches: Sequence[Found],
    arguments: argparse.Namespace,
) -> None:  # fmt: skip
    """The tables, the picture and the page."""
    tables = {}
    for name, asked in (("summary", rows), ("gains", gains), ("searches", searches)):
        titles, cells = tuple(asked[0]), [tuple(row.values()) for row in asked]
        write_csv(RESULTS / f"{name}.csv", titles, cells)
        tables[name] = table(titles, cells)
    (RESULTS / "finds.png").write_bytes(png(picture(rows, RIVAL)))
    short = pd.read_csv(SHORT)
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), **tables, target=TARGET_MS, early=EARLY,
        guided=chooser(EARLY)[1], evolution=chooser(ROUNDS)[1],
        resolution=RESOLUTION, width=WIDTH, final=", ".join(FINAL),
        seeds=arguments.seeds, recipe=recipe(), rounds=ROUNDS, within=WITHIN_MS,
        shortlisted=SHORTLISTED,
        origins=", ".join(f"{n} {o}" for o, n in short["from"].value_counts().items()),
        count=len(short), hours=short.seconds.sum() / 3600,
        tau=Fitted(str(SHORT)).quality.tau,
        made=made_with(
            "keras", "tensorflow", "numpy", seed=0,
            machine=machines(RESULTS, *short.machine),
        ),
    ))  # fmt: skip


_PAGE = """\
# Searches on CIFAR-10: spaces, modes, and what they find

Remade by

    {command}

![Accuracy against latency and energy](finds.png)

{summary}

Accuracies are CIFAR-10's, of networks at {resolution}x{resolution} and {width} of their
width; costs are of the same networks deployed at 224x224 in their full width. Searches
keep {target} ms, which is EfficientNet-B0's latency on the fastest accelerator of the
baseline's area, and that area. `fixed` searches networks for the baseline, `joint`
pairs; `tailored` leaves out the blocks that do not pay on the baseline; `least energy`
seeks pairs at no less than the accuracy that the oracle gives to S3's reference,
EfficientNet-B0 without squeezing and swish. `of least energy` is the accelerator of all
50,000 on which a network takes the least within the same limits.

In the first {early} rounds a search is of {guided} pairs by `guided`. What it found in
S3 was worse to the oracle itself than what it found in S2, which is a part of S3. So in
the rounds after them a search is of {evolution:,} pairs by `evolution`, and one in S3
begins with the best of that in S2; in rounds 5 and 6 a fixed one tried them but did not
learn from them. The rounds after the second, and how a search's find is chosen, were
decided when test accuracies of earlier finds were known: nothing that decides reads
test images, but the rules themselves were not set in advance.

The oracle of all is `fitted:` on short trainings (short.csv; {recipe}): of networks
that were drawn from the spaces among those of at most {within} ms on the baseline, the
spaces' references among them, and of what the searches found by it in {rounds}
rounds. In the end it had seen {count} networks, for {hours:.1f} CPU hours (by where
they are from: {origins}). Those of "an earlier oracle's searches" are kept from a time
when the process was another one: the command does not find them again. Of held-out ones
its Kendall tau is {tau:.2f}. A search shows the best of its finds by that last oracle
(`predicted`, validation images after the short training), or of the finds of a search
of less freedom, in its space or, of S3, in S2; where several seeds are trained, of the
best {shortlisted} the one with more validation images right after its first final
training.

What an oracle overrates is found first: these are a search's finds, one a round, as
they were predicted and as they were then trained shortly (means, and the best).

{searches}

{gains}

Final trainings: {final}; {seeds} seeds where the comparison is with EfficientNet-B0,
one for the others. Intervals (`±`, and in the picture bars) are of 95 % over the seeds,
Student's and Welch's. int8 is the accuracy of the exported TFLite files, quantized
after the training, on the same test images. `as found` is missing where the network was
found for the baseline: `found by` says by which search. How many times
faster, or less energy: EfficientNet-B0's on the baseline, or where it takes the least
energy itself, over the row's.

{made}
"""


if __name__ == "__main__":
    main()
