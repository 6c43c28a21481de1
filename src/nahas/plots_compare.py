"""Pictures of networks that were trained to the end: accuracy against costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from nahas.plots import log_where_wide, new_figure

if TYPE_CHECKING:
    from nahas.compare import Placed, Published

_MARKS = {"baseline": "o", "its best": "s", "as found": "*"}
_COSTS = {"latency_ms": "Latency (ms)", "energy_mj": "Energy (mJ)"}


def plot_comparison(rows: Sequence["Placed"], *, title: str = "") -> Figure:
    """Test accuracy against latency and energy; a colour a network, a mark a place.

    Bars are one deviation over the seeds, each way. What breaks the study's limits is
    hollow.

    Args:
        rows: As `compare` gives them.
        title: Above the pictures.
    """
    figure = new_figure((10.0, 5.2))
    names = list(dict.fromkeys(row.name for row in rows))
    for place, (cost, label) in enumerate(_COSTS.items(), start=1):
        axes = figure.add_subplot(1, 2, place)
        axes.grid(visible=True, alpha=0.25)
        for row in rows:
            colour = f"C{names.index(row.name) % 10}"
            axes.errorbar(
                getattr(row, cost), row.accuracy, yerr=row.deviation,
                fmt=_MARKS[row.on], color=colour, capsize=3,
                markersize=11 if row.on == "as found" else 7,
                markerfacecolor=colour if row.keeps else "none",
                label=f"{row.name}, {row.on}",
            )  # fmt: skip
        log_where_wide(axes.xaxis, axes.set_xscale, [getattr(r, cost) for r in rows])
        axes.set_xlabel(label)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.margins(0.12)
        if place == 1:
            axes.set_ylabel("Test accuracy")
            handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False
    )
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def plot_published(rows: Sequence["Published"], *, title: str = "") -> Figure:
    """Published ImageNet accuracy against the latency that is simulated here.

    Args:
        rows: As `published` gives them.
        title: Above the picture.
    """
    figure = new_figure((8.0, 5.6))
    axes = figure.add_subplot()
    axes.grid(visible=True, alpha=0.25)
    families = list(dict.fromkeys(_family(row.name) for row in rows))
    for number, family in enumerate(families):
        for precision, mark in (("float", "o-"), ("int8", "s--")):
            own = [
                row for row in rows
                if _family(row.name) == family and row.precision == precision
            ]  # fmt: skip
            if own:
                own.sort(key=lambda row: row.latency_ms)
                axes.plot(
                    [row.latency_ms for row in own], [row.top1 for row in own], mark,
                    color=f"C{number}", label=f"{family}, {precision}", markersize=5,
                )  # fmt: skip
    log_where_wide(axes.xaxis, axes.set_xscale, [row.latency_ms for row in rows])
    axes.set_xlabel("Simulated latency on the baseline accelerator (ms)")
    axes.set_ylabel("Published ImageNet top-1")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    if title:
        axes.set_title(title, fontsize=11)
    return figure


def _family(name: str) -> str:
    """The name without what tells its members apart.

    >>> [_family(n) for n in ("EfficientNetB0", "EfficientNetLite4", "MnasNet-A1")]
    ['EfficientNet', 'EfficientNetLite', 'MnasNet']
    """
    head = name.split("-")[0]
    if head.startswith("EfficientNetB"):
        return "EfficientNet"
    return head.rstrip("0123456789") if head.startswith("EfficientNet") else head
