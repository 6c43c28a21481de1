"""The picture of the searches on CIFAR-10: accuracy against latency and energy."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nahas.plots import new_figure

MARKS = {"baseline": "o", "as found": "*", "of least energy": "s"}
COSTS = ("latency, ms", "energy, mJ")


def picture(rows: Sequence[Mapping[str, str]], rival: str) -> Figure:
    """A colour a network, a mark an accelerator, bars of 95 % over the seeds.

    Args:
        rows: Of the summary's table.
        rival: The name of the network that is black.
    """
    names = list(dict.fromkeys(row["search"] for row in rows))
    colours = {name: f"C{number % 10}" for number, name in enumerate(names)}
    colours[rival] = "black"
    figure = new_figure((10.0, 5.2))
    for place, cost in enumerate(COSTS, start=1):
        axes = figure.add_subplot(1, 2, place)
        axes.grid(visible=True, alpha=0.25)
        for name, colour in colours.items():
            own = [row for row in rows if row["search"] == name]
            accuracy, half = float(own[0]["accuracy, %"]), own[0]["±"]
            costs = [float(row[cost]) for row in own]
            axes.errorbar(
                costs, [accuracy] * len(costs), fmt="-", color=colour, linewidth=0.8,
                yerr=[float(half or 0)] + [0.0] * (len(costs) - 1), capsize=3,
            )  # fmt: skip
            for row, value in zip(own, costs, strict=True):
                axes.plot(
                    value, accuracy, MARKS[row["on"]], color=colour,
                    markersize=11 if row["on"] == "as found" else 6,
                )  # fmt: skip
        axes.set_xlabel(cost)
        axes.margins(0.1)
        if place == 1:
            axes.set_ylabel("accuracy on CIFAR-10's test images, %")
    kinds = [("-", "", colour, name) for name, colour in colours.items()]
    kinds += [("", mark, "grey", f"on: {on}") for on, mark in MARKS.items()]
    handles = [
        Line2D([], [], linestyle=line, marker=mark, color=colour, label=label)
        for line, mark, colour, label in kinds
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False
    )
    return figure
