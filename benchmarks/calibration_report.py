"""What `calibration.py` found, as a page, tables and a picture."""

from textwrap import fill

import numpy as np
from calibration_findings import (
    Findings,
    Fit,
    difference_error,
    energy_error,
    order,
    percent,
    rank,
)
from calibration_nasbench import NasBench
from matplotlib import pyplot
from page import ROOT, WIDTH, made_with, table, write_csv

from nahas.accelerator.presets import CORAL

RESULTS = ROOT / "results" / "calibration"


def report(found: Findings) -> None:
    """Prints the page and writes it, the table and the picture to results/."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = page(found)
    (RESULTS / "README.md").write_text(text)
    write_table(found)
    draw(found)
    print(text)


def page(found: Findings) -> str:
    structure = _words(found.structure)
    worst = max(abs(error) for _, error in found.cycles.values())
    return f"""# Coral's constants

Remade by

    python benchmarks/calibration.py --data FOLDER

whose first lines say what is fitted to what, and where the measurements are from. The
preset `coral` has the Dev Board's values. {found.possible} structures meet the
compiler's cycles within 15 %; of these the Dev Board's table chooses
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

{_nasbench(found.nasbench)}

## Coral's published latencies

Each network is predicted from the other twelve: structure, link and host for the Dev
Board, link and host for the USB stick with the structure that the Dev Board's twelve
choose.

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

### What is missing

Each row adds one constant, fitted to both columns at once (one a board where it is a
matter of the link); links and hosts are a board's own. Each network is left out of both
columns, structure and all.

{_terms_table(found)}

{TERMS}

### The two largest errors

Each by the constants of the other twelve networks.

{_variants_table(found)}

{_densenet(found)}

{SQUEEZENET}

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
            (
                "network",
                "published, ms",
                "resident, ms",
                "streamed, ms",
                "resident, depthwise layers twice as long, ms",
            ),
            [
                (name, f"{published:g}", *(f"{ms:.3f}" for ms in simulated))
                for name, published, *simulated in found.pixel
            ],
        )
    }

{order(found)}

{PIXEL}

{made_with("keras", "numpy", "scipy")}
"""


def _nasbench(bench: NasBench) -> str:
    ratio = bench.predicted / bench.measured - 1.0
    structure = _words(bench.structure._asdict())
    text = (
        f"The even rows alone choose the structure, {structure}, "
        f"{bench.instruction_bytes:,.0f} bytes of instructions an operator (at the "
        f"preset's link) and {bench.host_ms:.3f} ms of the host. On the {len(ratio)} "
        f"odd rows: mean error {percent(np.abs(ratio).mean())} (aim: 8 %), Spearman "
        f"{rank(bench.predicted, bench.measured):.4f} (aim: 0.92). Which kinds of "
        "operator are slow was fixed beforehand. With the preset's structure, which "
        f"the Dev Board's table chooses, they give {bench.with_preset:,.0f} bytes; the "
        f"preset has {CORAL.platform.instruction_bytes:,}."
    )
    return fill(text, WIDTH)


def _words(structure: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in structure.items())


def _terms_table(found: Findings) -> str:
    measured = np.array([found.dev[0], found.usb[0]])
    rows = []
    for name, (term, predicted, constants) in found.terms.items():
        own = constants[:2] if term.each_board else constants[:1]
        fitted = ", ".join(f"{round(value, 4):.3g}" for value in own)
        scores = [
            f"{percent(np.abs(p / m - 1.0).mean())}, {rank(p, m):.3f}"
            for p, m in zip(predicted, measured, strict=True)
        ]
        hosts = " and ".join(f"{value:.2f}" for value in constants[4:])
        rows.append(
            (name, f"{fitted} {term.unit}" if term.unit else "", *scores, hosts)
        )
    return table(
        ("term", "fitted to all", "Dev Board: error, Spearman", "USB", "hosts, ms"),
        rows,
    )


def _variants_table(found: Findings) -> str:
    rows = []
    for name, assumed, predicted in found.variants:
        row = found.networks.index(name)
        cells = [
            f"{ms:.2f} ({percent(ms / fit[0][row] - 1)})"
            for ms, fit in zip(predicted, (found.dev, found.usb), strict=True)
        ]
        rows.append((name, assumed, *cells))
    return table(("network", "assumed", "Dev Board, ms", "USB, ms"), rows)


def _densenet(found: Findings) -> str:
    """What is missing, and how far off it is with all weights streamed."""
    row = found.networks.index("DenseNet")
    missing, slow = [], []
    for board, (measured, predicted, _) in enumerate((found.dev, found.usb)):
        missing.append(f"{measured[row] - predicted[row]:.1f}")
        [streamed] = (
            ms[board]
            for name, assumed, ms in found.variants
            if name == "DenseNet" and "weights" in assumed
        )
        slow.append(percent(streamed / measured[row] - 1))
    return fill(
        "DenseNet misses time on the link: time on the chip would be missing alike on "
        f"both boards, but {missing[0]} ms are on the Dev Board and {missing[1]} on "
        "the USB stick, whose link is quicker. With all its weights streamed it is "
        f"{slow[0]} and {slow[1]} too slow on them. Why its compiled file should "
        "stream them is not public; the compiler is known to do so with models of 4 "
        "MiB (google-coral/edgetpu, issues 427 and 572). Nor does the page say which "
        "DenseNet it measured; DenseNet-121 is assumed.",
        WIDTH,
    )


TERMS = """\
Nothing about the link or the host helps: the MobileNets come out too quick on the
USB stick, but SqueezeNet, whose image and instructions are as large, does not. What
is missing is time on the chip in depthwise layers. With one constant for both
boards, 0.39 ms for a million of their outputs (some 5 outputs a cycle of the whole
chip), both columns meet their aims, and the hosts' times fall to no more than
NAS-Bench-201's 0.2 ms; a time for each such layer does as well. The compiler's
estimates do not hold that time; NAS-Bench-201's mean pools, which work channel by
channel too, are slow in the same way (`slow`). Which of the eight terms is best was
seen on the thirteen networks that score it. The preset `coral` is without it: a
`Platform` has no such parameter."""
SQUEEZENET = """\
SqueezeNet's concatenations carry little. Version 1.0 would need some 2,200 MACs a
cycle in the time that link and host leave, Inception v1 needs 1,100. Version 1.1, of
as many weights, is met on both boards. But on the page's embedded CPU version 1.0
takes 279 ms per 1e9 MACs, where Inception, ResNet and VGG take 244 to 297, and
version 1.1 would take more than 600. The page's columns disagree, and 1.0, the
paper's, stays."""


PIXEL = """\
With weights resident, MobileNetEdgeTPU-1's 75 operators cost 0.019 ms more of
dispatch than Lite0's 60, while Lite0's depthwise layers, 2.3 million outputs against
0.9, cost too little: the effect that is missing on Coral turns the order here too."""


def summary(board: str, fit: Fit, aims: str) -> str:
    measured, predicted, (per_megabyte, host_ms) = fit
    error = percent(np.abs(predicted / measured - 1.0).mean())
    return (
        f"{board}: link {1 / per_megabyte:.3f} GB/s, host {host_ms:.2f} ms; mean\n"
        f"error {error}, Spearman {rank(predicted, measured):.3f} ({aims}).\n"
    )


def write_table(found: Findings) -> None:
    pairs = zip(found.networks, *found.dev[:2], *found.usb[:2], strict=True)
    write_csv(
        RESULTS / "coral.csv",
        ("network", "devboard_ms", "devboard_predicted_ms", "usb_ms",
         "usb_predicted_ms"),
        ((name, *(f"{value:.4g}" for value in values)) for name, *values in pairs),
    )  # fmt: skip


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
    right.plot(found.nasbench.measured, found.nasbench.predicted, ".", alpha=0.5)
    right.set(title="NAS-Bench-201, odd rows")
    for axes in (left, right):
        ends = [*axes.get_xlim(), *axes.get_ylim()]
        axes.plot([min(ends), max(ends)], [min(ends), max(ends)], "k-", linewidth=0.7)
        axes.set(xlabel="measured, ms", ylabel="predicted, ms")
    figure.tight_layout()
    figure.savefig(RESULTS / "calibration.png", dpi=110)
