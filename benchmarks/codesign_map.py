"""When does co-design pay? A map over limits on area and latency, exact.

    python benchmarks/codesign_map.py --data FOLDER

For each pair of limits: the accuracy of the best pair of a network and an accelerator,
less that of the best network on a chip chosen without it. That chip is the baseline, or
the one that runs a reference network soonest within the area. All networks and all
accelerators are compared, from the truth of each problem. Tables and pictures go to
results/codesign_map/.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray
from page import ROOT, command, made_with, table, write_csv
from truth import PROBLEMS, scored_problem

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.sweep import accelerators_at
from nahas.controller.truth import Truth
from nahas.controller.truth_cache import truth_of
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.truths import ScoredProblem

Floats = NDArray[np.float64]
RESULTS = ROOT / "results" / "codesign_map"
AREAS, LATENCIES = 24, 32
POINTS = (1e-6, 0.1, 0.3, 1, 3, 10, 30)  # of gain, between colours
NO_GAIN = "#f3ead0"


@dataclass(frozen=True, eq=False)
class Map:
    """Accuracies at A limits on area and T on latency; NaN where nothing keeps them.

    Attributes:
        areas: [A] limits in mm2.
        latencies: [T] limits in ms.
        joint: [A, T] of the best pair.
        phases: [A, T] of the best network on the reference network's best chip.
        fixed: [A, T] of the best network on the baseline.
        reference: [A, T] of the reference network on its best chip.
    """

    areas: Floats
    latencies: Floats
    joint: Floats
    phases: Floats
    fixed: Floats
    reference: Floats


def soonest(
    truth: Truth, count: int, areas: Floats
) -> tuple[Floats, NDArray[np.int64]]:
    """[K, A] each network's least latency within each area, and [K, A] where."""
    latency, area = truth.costs.latency_ms, truth.costs.area_mm2
    found = np.full((count, len(areas)), np.inf)
    place = np.zeros((count, len(areas)), np.int64)
    ends = np.searchsorted(truth.network, np.arange(count + 1))
    for k in range(count):
        rows = slice(ends[k], ends[k + 1])
        order = np.argsort(area[rows], kind="stable")
        own = latency[rows][order]
        least = np.minimum.accumulate(own)
        last = np.searchsorted(area[rows][order], areas, side="right") - 1
        kept = last >= 0
        found[k, kept] = least[last[kept]]
        first = np.searchsorted(-least, -least[last[kept]])
        place[k, kept] = truth.place[rows][order][first]
    return found, place


def best_within(latency: Floats, accuracy: Floats, limits: Floats) -> Floats:
    """[T] the highest accuracy of networks whose latency keeps each limit, or NaN."""
    order = np.argsort(latency, kind="stable")
    best = np.maximum.accumulate(accuracy[order])
    last = np.searchsorted(latency[order], limits, side="right") - 1
    return np.where(last >= 0, best[np.maximum(last, 0)], np.nan)


def mapped(problem: ScoredProblem, truth: Truth) -> Map:
    """The map of a problem."""
    platform, networks = problem.problem.platform, problem.problem.networks
    every = area_mm2(problem.problem.axes.machines, platform)
    base = float(area_mm2([BASELINE], platform)[0])
    areas = np.union1d(np.geomspace(every.min(), every.max(), AREAS - 1), [base])
    least, place = soonest(truth, len(networks), areas)
    within_base = least[:, np.searchsorted(areas, base)]
    latencies = np.geomspace(least.min(), 2 * within_base.max(), LATENCIES)
    own = networks.index(reference(problem))
    accuracy = problem.judged

    def on(chip: int | None) -> Floats:
        one = [BASELINE] if chip is None else accelerators_at(np.array([chip]))
        latency = evaluate(lower(networks), one * len(networks), platform).latency_ms
        return best_within(latency, accuracy, latencies)

    joint = [best_within(least[:, a], accuracy, latencies) for a in range(len(areas))]
    phases = [on(int(place[own, a])) for a in range(len(areas))]
    fixed = np.where(areas[:, None] >= base, on(None), np.nan)
    alone = np.where(least[own][:, None] <= latencies, accuracy[own], np.nan)
    return Map(areas, latencies, np.array(joint), np.array(phases), fixed, alone)


def reference(problem: ScoredProblem) -> Network:
    """The reference network of a problem's space."""
    assert problem.space.reference is not None
    found = problem.space.decode(problem.space.reference)
    assert isinstance(found, Network)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "truth")
    arguments = parser.parse_args()
    maps = {}
    for name in arguments.problems:
        problem = scored_problem(name, arguments.data)
        maps[name] = mapped(problem, truth_of(problem.problem, arguments.cache))
    write_csv(
        RESULTS / "map.csv",
        ("problem", "max_area_mm2", "max_latency_ms", "joint", "phases", "fixed",
         "reference"),
        ((name, f"{area:.4f}", f"{latency:.6f}",
          *("" if np.isnan(v) else f"{v:.6f}" for v in
            (m.joint[a, t], m.phases[a, t], m.fixed[a, t], m.reference[a, t])))
         for name, m in maps.items()
         for a, area in enumerate(m.areas) for t, latency in enumerate(m.latencies)),
    )  # fmt: skip
    draw(maps)
    write_page(maps)


def draw(maps: dict[str, Map]) -> None:
    """A row a problem: what joint search gains over a chip chosen before."""
    figure, panels = plt.subplots(
        len(maps), 2, figsize=(9.5, 0.6 + 3.1 * len(maps)), squeeze=False
    )
    colours = plt.get_cmap("viridis").with_extremes(under=NO_GAIN, over="yellow")
    norm = BoundaryNorm(POINTS, colours.N, extend="both")
    for row, (name, m) in zip(panels, maps.items(), strict=True):
        gains = {
            "over the chip of the reference network": m.joint - m.phases,
            "over the baseline": m.joint - m.fixed,
        }
        for axes, (title, gain) in zip(row, gains.items(), strict=True):
            only_joint = np.isfinite(m.joint) & ~np.isfinite(gain)
            axes.pcolormesh(
                m.latencies, m.areas, np.where(only_joint, 1.0, np.nan), cmap="Greys",
                vmin=0, vmax=3,
            )  # fmt: skip
            drawn = axes.pcolormesh(
                m.latencies, m.areas, 100 * gain, norm=norm, cmap=colours
            )
            axes.set(
                xscale="log", yscale="log", xlabel="latency at most, ms",
                ylabel="area at most, mm2", title=f"{name}: {title}",
            )  # fmt: skip
            axes.title.set_fontsize(9)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")
                axis.set_minor_locator(NullLocator())
            figure.colorbar(drawn, ax=axes, label="gain, points")
    figure.suptitle(
        "Accuracy that joint search gains (cream: none; grey: only joint search has a "
        "pair; white: no pair)",
        fontsize=10,
    )
    figure.tight_layout()
    figure.savefig(RESULTS / "map.png", dpi=110)
    plt.close(figure)


def _gains(m: Map, other: Floats) -> tuple[str, ...]:
    """Share of limits where joint alone keeps them, gains, and the median gain."""
    able = np.isfinite(m.joint)
    gain = 100 * (m.joint - other)[able & np.isfinite(other)]
    alone = (able & ~np.isfinite(other)).sum() / able.sum()
    if not len(gain):
        return f"{100 * alone:.0f} %", "", "", ""
    return (
        f"{100 * alone:.0f} %", f"{100 * (gain > 0).mean():.0f} %",
        f"{np.median(gain):.2f}", f"{gain.max():.2f}",
    )  # fmt: skip


def write_page(maps: dict[str, Map]) -> None:
    """The page, with the figures of each map in a line."""
    base = float(area_mm2([BASELINE])[0])
    rows = []
    for name, m in maps.items():
        whole = m.areas >= base
        fixed = Map(*(getattr(m, f)[whole] if f != "latencies" else m.latencies
                      for f in Map.__dataclass_fields__))  # fmt: skip
        rows += [
            (name, "chip of the reference network", *_gains(m, m.phases)),
            (name, "baseline, where its area is allowed", *_gains(fixed, fixed.fixed)),
            (name, "reference network on its chip", *_gains(m, m.reference)),
        ]
    text = f"""# When does co-design pay?

Remade by

    {command()}

The truth of each problem ([results/truth](../truth/README.md)) has the best of all
pairs within any limits. The map sets its accuracy beside that of the best network on a
chip that was chosen without it: the baseline ({base:.2f} mm2), or the chip that runs a
reference network soonest within the same area (phase-based design). The reference is
the network of small blocks alone in NAS-Bench-Macro, and EfficientNet-B0 with an
expansion of 4 in its first stage among B0's stages. Limits are {AREAS} areas, from the
smallest to the largest accelerator with the baseline among them, and {LATENCIES}
latencies, from the least of all pairs to twice what every network can keep within the
baseline's area, both evenly spaced in their logarithms. Every figure is exact: nothing
was searched.

![The map](map.png)

Of the limits that some pair keeps: where only joint search has a pair; of the others,
where it has a better one, and by how many points of accuracy.

{
        table(
            (
                "problem",
                "instead of joint search",
                "only joint",
                "joint is better",
                "median gain",
                "largest gain",
            ),
            rows,
        )
    }

`map.csv` has the accuracies at all limits.

{made_with("numpy", "numba")}
"""
    (RESULTS / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
