"""Plots: pictures of a study, made from plain frames, and what all pictures share.

Each function returns the figure and its axes and leaves pyplot's state alone, so that a
notebook, the command line and the report use the same ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)

from nahas.fronts import front

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = "*DsP^v"
_DPI = 150
_BROKEN = "trained, breaks a limit"
_TICKS = {
    "screened": "tab:cyan",
    "rejected": "tab:orange",
    "infeasible": "tab:red",
    "failed": "tab:purple",
    _BROKEN: "tab:olive",
}
_LOG_SPAN = 5.0  # of the most over the least


def plot_pareto(
    frame: "pd.DataFrame",
    references: Sequence[Mapping[str, Any]] = (),
    *,
    max_latency_ms: float | None = None,
    min_accuracy: float | None = None,
    title: str = "",
    predicted: bool = False,
) -> tuple[Figure, Axes]:
    """Validation accuracy against latency, energy as colour, with the front.

    Args:
        frame: One row a trial, as `Study.to_frame` gives.
        references: Networks to compare with: "name", "accuracy" (a fraction),
            "latency_ms" and "energy_mj" each.
        max_latency_ms: Limit to draw.
        min_accuracy: Floor to draw, a fraction.
        title: Above the picture.
        predicted: Whether the accuracies are predictions and not of trainings.
    """
    figure, axes = _titled(title)
    trained = frame[frame["accuracy"].notna() & frame["latency_ms"].notna()]
    points = [r for r in references if None not in (r["accuracy"], r["latency_ms"])]
    energies = [*trained["energy_mj"], *(r["energy_mj"] for r in points)]
    scale = {"vmin": min(energies), "vmax": max(energies)} if energies else {}
    feasible = trained["feasible"].astype(bool)
    kept, broken = trained[feasible], trained[~feasible]
    drawn = axes.scatter(
        kept["latency_ms"].astype(float),
        kept["accuracy"].astype(float),
        c=kept["energy_mj"].astype(float),
        s=28,
        alpha=0.85,
        linewidths=0,
        label=f"{'' if predicted else 'trained '}candidates ({len(kept)})",
        **scale,
    )
    if len(broken):
        axes.scatter(
            broken["latency_ms"].astype(float),
            broken["accuracy"].astype(float),
            c=broken["energy_mj"].astype(float),
            s=24,
            alpha=0.6,
            marker="x",
            linewidths=1.0,
            label=f"breaks a limit ({len(broken)})",
            **scale,
        )
    best = front(frame)
    if not best.empty:
        axes.step(
            best["latency_ms"].astype(float),
            best["accuracy"].astype(float),
            where="post",
            color="black",
            linewidth=1.2,
            label="Pareto front",
            zorder=1,
        )
    for i, point in enumerate(points):
        axes.scatter(
            [point["latency_ms"]],
            [point["accuracy"]],
            c=[point["energy_mj"]],
            s=170 if i % len(_MARKERS) == 0 else 80,
            marker=_MARKERS[i % len(_MARKERS)],
            edgecolors="crimson",
            linewidths=1.4,
            label=str(point["name"]),
            zorder=3,
            **scale,
        )
    if max_latency_ms is not None:
        axes.axvline(max_latency_ms, color="grey", linestyle="--", linewidth=1,
                     label=f"latency limit {max_latency_ms:g} ms")  # fmt: skip
    if min_accuracy is not None:
        axes.axhline(min_accuracy, color="grey", linestyle=":", linewidth=1,
                     label=f"accuracy floor {100 * min_accuracy:g} %")  # fmt: skip
    latencies = [*trained["latency_ms"], *(r["latency_ms"] for r in points)]
    log_where_wide(axes.xaxis, axes.set_xscale, latencies)
    axes.set_xlabel("Latency of the deployed network (ms)")
    axes.set_ylabel(_accuracy_label(predicted))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    if energies:
        bar = figure.colorbar(drawn, ax=axes)
        bar.set_label("Energy of one inference (mJ)")
    _legend_below(figure, axes)
    return figure, axes


def plot_convergence(frame: "pd.DataFrame", *, title: str = "") -> tuple[Figure, Axes]:
    """Reward of each feasible trial and the best so far; ticks below mark the others.

    Args:
        frame: One row a trial, as `Study.to_frame` gives.
        title: Above the picture.
    """
    figure, axes = _titled(title)
    feasible = frame["feasible"].astype(bool) & frame["reward"].notna()
    rewards = frame["reward"].astype(float).where(feasible)
    axes.scatter(
        frame["number"][feasible], rewards[feasible], s=20, alpha=0.7, linewidths=0,
        label=f"feasible trials ({int(feasible.sum())})",
    )  # fmt: skip
    if feasible.any():
        axes.step(
            frame["number"], rewards.cummax().ffill(), where="post", color="black",
            linewidth=1.4, label="best so far",
        )  # fmt: skip
    # Ticks stand in axes coordinates: they carry no reward.
    height = 0.015
    trained = frame["reward"].notna()
    for status, colour in _TICKS.items():
        chosen = trained & ~feasible if status == _BROKEN else frame["status"] == status
        numbers = frame["number"][chosen]
        if len(numbers):
            axes.plot(
                numbers, np.full(len(numbers), height), "|", color=colour,
                markersize=8, transform=axes.get_xaxis_transform(),
                label=f"{status} ({len(numbers)})",
            )  # fmt: skip
            height += 0.03
    axes.set_xlabel("Trial")
    axes.set_ylabel("Reward")
    axes.margins(y=0.15)
    _legend_below(figure, axes)
    return figure, axes


def plot_targets(
    rows: Sequence[Mapping[str, Any]], *, title: str = "", predicted: bool = False
) -> tuple[Figure, Axes]:
    """The best accuracy at each latency target, of its own study and of all.

    Args:
        rows: As `targets.rows` gives them.
        title: Above the picture.
        predicted: Whether the accuracies are predictions and not of trainings.
    """
    figure, axes = _titled(title)
    for key, style, label in (
        ("of_all", "o--", "of all studies"),
        ("best", ".-", "of the target's own study"),
    ):
        points = sorted(
            (row["latency_target_ms"], row[key]["accuracy"])
            for row in rows
            if row[key] is not None
        )
        axes.plot([x for x, _ in points], [y for _, y in points], style,
                  markerfacecolor="none", label=label)  # fmt: skip
    targets = [row["latency_target_ms"] for row in rows]
    log_where_wide(axes.xaxis, axes.set_xscale, targets)
    axes.set_xlabel("Latency target (ms)")
    axes.set_ylabel(_accuracy_label(predicted))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    _legend_below(figure, axes)
    return figure, axes


def of_study(frame: "pd.DataFrame", summary: Mapping[str, Any]) -> dict[str, bytes]:
    """The pictures of a study, as PNG files by their names; see `closing.summary`."""
    title = f"{summary['study']}: {len(frame)} trials"
    limit = summary["limits"].get("max_latency_ms")
    pareto, _ = plot_pareto(
        frame,
        summary["references"],
        max_latency_ms=limit,
        min_accuracy=summary["limits"].get("min_accuracy"),
        title=title,
        predicted=bool(summary.get("scale")),
    )
    convergence, _ = plot_convergence(frame, title=title)
    return {"pareto": png(pareto), "convergence": png(convergence)}


def png(figure: Figure) -> bytes:
    """The figure as a PNG file, the same bytes for the same figure."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def new_figure(size: tuple[float, float]) -> Figure:
    """An empty figure of so many inches that pyplot does not know of."""
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def wide(values: Iterable[float]) -> bool:
    """Whether positive values span so far that a log scale pays."""
    found = list(values)
    return bool(found) and bool(max(found) > _LOG_SPAN * min(found))


def log_where_wide(
    axis: Axis, set_scale: Callable[[str], None], values: Iterable[float]
) -> None:
    """A log scale with plain numbers at its ticks, where the values are `wide`."""
    if wide(values):
        set_scale("log")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _titled(title: str) -> tuple[Figure, Axes]:
    figure = new_figure((8.0, 5.4))
    axes = figure.add_subplot()
    axes.grid(visible=True, alpha=0.25)
    if title:
        axes.set_title(title, fontsize=11)
    return figure, axes


def _accuracy_label(predicted: bool) -> str:
    return "Predicted accuracy" if predicted else "Validation accuracy of the proxy"


def _legend_below(figure: Figure, axes: Axes) -> None:
    """A legend outside the axes, where it hides no point."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3, fontsize=8,
            frameon=False,
        )  # fmt: skip
