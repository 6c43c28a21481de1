"""What `calibration.py` found, as a page, a table and a picture."""

import csv
import platform as host
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray
from scipy.stats import spearmanr

RESULTS = Path(__file__).parent.parent / "results" / "calibration"
Floats = NDArray[np.float64]
Fit = tuple[Floats, Floats, tuple[float, ...]]
"""Measured ms, ms predicted from the others, and the constants fitted to all."""


@dataclass(frozen=True)
class Findings:
    """What was fitted, and what it predicts; see `calibration.py`."""

    structure: dict[str, float]
    possible: int
    cycles: dict[str, tuple[int, float]]
    nasbench: dict[str, Floats]
    networks: list[str]
    dev: Fit
    usb: Fit
    energy: dict[str, Floats]
    pixel: list[tuple[str, float, float, float]]


def report(found: Findings) -> None:
    """Prints the page and writes it, the table and the picture to results/."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = page(found)
    (RESULTS / "README.md").write_text(text)
    write_table(found)
    draw(found)
    print(text)


def page(found: Findings) -> str:
    structure = ", ".join(f"{name} {v:g}" for name, v in found.structure.items())
    worst = max(abs(error) for _, error in found.cycles.values())
    bench = found.nasbench
    ratio = bench["predicted"] / bench["measured"] - 1.0
    return f"""# Coral's constants

Remade by

    python benchmarks/calibration.py --data FOLDER

whose first lines say what is fitted to what, and where the measurements are from. The
preset `coral` has these values. {found.possible} structures meet the compiler's cycles
within 15 %; of these the Dev Board's table chooses
{structure}.

## The compiler's cycles, without dispatch

{
        table(
            ("network", "cycles", "error"),
            [
                (name, f"{cycles:,}", percent(error))
                for name, (cycles, error) in found.cycles.items()
            ],
        )
    }

Largest error: {percent(worst)} (aim: 15 %).

## NAS-Bench-201 on an Edge TPU

Fitted on the even rows: {bench["constants"][0]:,.0f} bytes of instructions an operator,
host {bench["constants"][1]:.3f} ms. On the {len(ratio)} odd rows: mean error
{percent(np.abs(ratio).mean())} (aim: 8 %), Spearman
{rank(bench["predicted"], bench["measured"]):.4f} (aim: 0.92).

## Coral's published latencies

Each network is predicted from the other twelve: structure, link and host for the Dev
Board, link and host for the USB stick with the Dev Board's structure.

{
        table(
            (
                "network",
                "Dev Board, ms",
                "predicted",
                "error",
                "USB, ms",
                "predicted",
                "error",
            ),
            [
                (
                    name,
                    f"{dev:g}",
                    f"{p:.2f}",
                    percent(p / dev - 1),
                    f"{usb:g}",
                    f"{q:.2f}",
                    percent(q / usb - 1),
                )
                for name, dev, p, usb, q in zip(
                    found.networks, *found.dev[:2], *found.usb[:2], strict=True
                )
            ],
        )
    }

{summary("Dev Board", found.dev, "aims: 15 %, 0.97")}
{summary("USB", found.usb, "the same aims")}

Left out: U-Net, DeepLab and the two SSDs, whose decoders, heads and post-processing the
page does not define, and Inception-ResNet V2, whose public file has about 30 M weights
where the paper's network has 55.8 M.

The largest errors are DenseNet's and SqueezeNet's. The page does not say which
DenseNet it measured; DenseNet-121 is assumed. SqueezeNet's time would take more MACs a
cycle than any other network's, in the measurements and in the compiler's cycles.

## Energy of a Dev Board Micro

Board power {found.energy["constants"][0]:.3f} W, and {found.energy["constants"][1]:.2f}
joules for each that the simulator counts on the chip without leakage: both fitted
to all {len(found.energy["measured"])} networks, so none of them is a test. The power
lasts as long as the inference was measured to take. Mean error:
{percent(energy_error(found))}; of the differences between any two, summed:
{percent(difference_error(found))} (aim: 5 %).

## Order on the Pixel 4, on the preset edge-tpu-v1, not fitted

{
        table(
            ("network", "published, ms", "resident, ms", "streamed, ms"),
            [
                (name, f"{ms:g}", f"{a:.3f}", f"{b:.3f}")
                for name, ms, a, b in found.pixel
            ],
        )
    }

{order(found)}

Made with nahas {version("nahas")}, keras {version("keras")}, numpy {version("numpy")},
scipy {version("scipy")}, Python {host.python_version()}; no seed, no machine matters.
"""


def table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def rank(a: Floats, b: Floats) -> float:
    return float(spearmanr(a, b).statistic)


def summary(board: str, fit: Fit, aims: str) -> str:
    measured, predicted, (per_megabyte, host_ms) = fit
    error = percent(np.abs(predicted / measured - 1.0).mean())
    return (
        f"{board}: link {1 / per_megabyte:.3f} GB/s, host {host_ms:.2f} ms; mean\n"
        f"error {error}, Spearman {rank(predicted, measured):.3f} ({aims}).\n"
    )


def energy_error(found: Findings) -> float:
    energy = found.energy
    return float(np.abs(energy["predicted"] / energy["measured"] - 1.0).mean())


def difference_error(found: Findings) -> float:
    measured, predicted = found.energy["measured"], found.energy["predicted"]
    i, j = np.triu_indices(len(measured), 1)
    real, said = measured[i] - measured[j], predicted[i] - predicted[j]
    return float(np.abs(said - real).sum() / np.abs(real).sum())


def order(found: Findings) -> str:
    """Whether two statements that the published times make are met or missed."""
    by_name = {name: (a, b) for name, _, a, b in found.pixel}
    lite = [by_name[f"EfficientNetLite{i}"] for i in range(4)]
    words = []
    for i, weights in enumerate(("resident", "streamed")):
        edge, first = by_name["MobileNetEdgeTPU-1"][i], lite[0][i]
        first_word = (
            "met" if edge <= first else f"missed by {percent(edge / first - 1)}"
        )
        rising = all(a[i] < b[i] for a, b in pairwise(lite))
        words.append(
            f"Weights {weights}: MobileNetEdgeTPU-1 no slower than EfficientNetLite0:\n"
            f"{first_word}; Lite0 to 3 in order: {'met' if rising else 'missed'}."
        )
    return "\n".join(words)


def write_table(found: Findings) -> None:
    with (RESULTS / "coral.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("network", "devboard_ms", "devboard_predicted_ms", "usb_ms",
                         "usb_predicted_ms"))  # fmt: skip
        pairs = zip(found.networks, *found.dev[:2], *found.usb[:2], strict=True)
        for name, *values in pairs:
            writer.writerow((name, *(f"{value:.4g}" for value in values)))


def draw(found: Findings) -> None:
    """Predicted against measured: Coral's table, and NAS-Bench-201's odd rows."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.6))
    for label, fit, marker in (("Dev Board", found.dev, "o"), ("USB", found.usb, "^")):
        left.plot(fit[0], fit[1], marker, label=label, alpha=0.8)
    for name, measured, predicted in zip(found.networks, *found.dev[:2], strict=True):
        if abs(predicted / measured - 1) > 0.25:
            left.annotate(name, (measured, predicted), textcoords="offset points",
                          xytext=(8, -4))  # fmt: skip
    left.set(xscale="log", yscale="log", title="Coral's table, each left out once")
    left.legend()
    right.plot(found.nasbench["measured"], found.nasbench["predicted"], ".", alpha=0.5)
    right.set(title="NAS-Bench-201, odd rows")
    for axes in (left, right):
        ends = [*axes.get_xlim(), *axes.get_ylim()]
        axes.plot([min(ends), max(ends)], [min(ends), max(ends)], "k-", linewidth=0.7)
        axes.set(xlabel="measured, ms", ylabel="predicted, ms")
    figure.tight_layout()
    figure.savefig(RESULTS / "calibration.png", dpi=110)
