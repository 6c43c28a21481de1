"""How far latencies lie above their lower bounds, and which operators leave a gap.

    python benchmarks/bounds.py

All published networks and ones of Keras Applications run on the baseline accelerator,
with weights streamed, kept and as the first inference of the latter, and on random
accelerators of the grid. Beside the bound stands the plain roofline, peak MACs and
bytes of I/O: what is between the two is certain loss to ports, links, dispatch and
whole numbers of PEs and units. The tables and the picture go to results/bounds/.
"""

import argparse
import math
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from page import ROOT, command, made_with, table

from nahas.accelerator import liveness, network_pass
from nahas.accelerator.bounds import lower_bounds
from nahas.accelerator.cost_model import evaluate, io_rate
from nahas.accelerator.event_model import execute
from nahas.accelerator.graph import UnsupportedError
from nahas.accelerator.grid import BASELINE, accelerator_at, grid_shape
from nahas.accelerator.operator_costs import codes
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Workload
from nahas.costs import Simulation, gap, simulate
from nahas.models import Model, resolve
from nahas.plots import png
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

RESULTS = ROOT / "results" / "bounds"
APPLICATIONS = (
    "MobileNet", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetV2B0",
    "EfficientNetV2S", "NASNetMobile", "DenseNet121", "ResNet50", "ResNet101V2",
    "InceptionV3", "InceptionResNetV2", "Xception", "ConvNeXtTiny", "VGG16",
)  # fmt: skip
USES = ("streamed", "kept", "first")
TIGHT = 1e-9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machines", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows, operators, left_out = [], [], []
    for name in (*PUBLISHED, *(f"keras:{name}" for name in APPLICATIONS)):
        try:
            model = resolve(name)
        except UnsupportedError as error:
            left_out.append(f"{name} ({error})")
            continue
        for weights in USES:
            row, frame = compare(model, Platform(weights=weights))
            rows.append(row)
            if weights == "streamed":
                operators.append(frame.assign(network=name))
        print(rows[-len(USES)], flush=True)
    networks = pd.DataFrame(rows)
    rng = np.random.default_rng(arguments.seed)
    grid = on_the_grid(rng, arguments.machines)
    report(networks, by_kind(pd.concat(operators)), grid, left_out, arguments.seed)


def compare(model: Model, platform: Platform) -> tuple[dict[str, object], pd.DataFrame]:
    """A network's latency, bound and roofline on the baseline, and its operators."""
    found = simulate(model, BASELINE, platform)
    summary, frame = found.summary(), found.operators
    plain = roofline_ms(found.workload, BASELINE, platform)
    milliseconds = platform.clock_mhz * 1e3
    row: dict[str, object] = {
        "network": model.name,
        "weights": platform.weights,
        "latency_ms": summary["latency_ms"],
        "lower_bound_ms": summary["lower_bound_ms"],
        "gap": summary["gap"],
        "gap_of_event_model": event_gap(found),
        "roofline_ms": plain,
        "gap_to_roofline": summary["latency_ms"] / plain - 1,
        "operators_sum_ms": found.bounds.operator_cycles.sum() / milliseconds,
        "operators": len(frame),
        "at_gap_0": float((frame["gap"] <= TIGHT).mean()),
        "time_at_gap_0": float(frame["share"][frame["gap"] <= TIGHT].sum()),
    }
    return row, frame


def event_gap(found: Simulation) -> float:
    """The event model's latency over the bound, less 1; it knows no first inference."""
    if found.platform.weights == "first":
        return math.nan
    work, machine, platform = found.workload, found.accelerator, found.platform
    ran = execute(work, machine, codes(work, machine, platform), platform).cycles
    latency = ran.sum() / (platform.clock_mhz * 1e3)
    return float(latency / found.bounds.latency_ms[0] - 1)


def roofline_ms(work: Workload, machine: Accelerator, platform: Platform) -> float:
    """MACs at their peak, or bytes over the I/O, whichever takes longer.

    Bytes are those of the network's input and output, and of weights where they come.
    """
    cycles = work.macs.sum() / machine.macs_per_cycle
    first = work.operators[0]
    moved = float(first["height"] * first["width"] * first["channels"])
    moved += float(liveness.output_bytes(work)[-1])
    if platform.weights != "kept":
        moved += float(network_pass.weight_bytes(work).sum())
    rate = io_rate(np.array(machine.io_bandwidth_gbps), platform)
    return float(max(cycles, moved / rate) / (platform.clock_mhz * 1e3))


def by_kind(frame: pd.DataFrame) -> pd.DataFrame:
    """Of each kind of operator: its share of time, and where its gap comes from."""
    frame = frame.assign(
        lost_ms=frame["latency_ms"] - frame["lower_bound_ms"],
        tight=frame["gap"] <= TIGHT,
    )
    frame["waits_ms"] = frame["lost_ms"].where(frame["bound"] == "I/O", 0.0)
    groups = frame.groupby("kind")
    total = groups["latency_ms"].sum()
    table = pd.DataFrame(
        {
            "operators": groups.size(),
            "share_of_time": total / total.sum(),
            "at_gap_0": groups["tight"].mean(),
            "median_gap": groups["gap"].median(),
            "p95_gap": groups["gap"].quantile(0.95),
            "gap_of_sum": groups["lost_ms"].sum() / groups["lower_bound_ms"].sum(),
            "of_it_waiting_for_io": groups["waits_ms"].sum()
            / groups["lost_ms"].sum().where(lambda lost: lost > 0, 1.0),
        }
    )
    return table.sort_values("share_of_time", ascending=False).reset_index()


def on_the_grid(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Gaps of published networks on random accelerators that can run them."""
    machines = [
        accelerator_at(tuple(int(choice) for choice in rng.integers(grid_shape())))
        for _ in range(count)
    ]
    rows = list(_on_machines(machines))
    return pd.DataFrame(rows)


def _on_machines(machines: list[Accelerator]) -> Iterator[dict[str, object]]:
    for name, network in PUBLISHED.items():
        work = lower([network])
        costs = evaluate(work, machines)
        bound = lower_bounds(work, machines).latency_ms
        gaps = gap(costs.latency_ms, bound)[costs.feasible]
        moved = costs.io_bytes[costs.feasible]
        spills = moved > moved.min()  # some machine of so many needs no more
        yield {
            "network": name,
            "machines": len(gaps),
            "median_gap": float(np.median(gaps)),
            "p95_gap": float(np.quantile(gaps, 0.95)),
            "largest_gap": float(gaps.max()),
            "over_25_percent": int((gaps > 0.25).sum()),
            "of_them_spilling": int(((gaps > 0.25) & spills).sum()),
            "spilling": int(spills.sum()),
        }


def draw(networks: pd.DataFrame) -> Figure:
    """Gap to the bound and to the roofline, a network each, weights streamed."""
    shown = networks[networks["weights"] == "streamed"].sort_values("gap_to_roofline")
    figure = Figure(figsize=(8.0, 9.0), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(shown))
    axes.barh(
        places + 0.2, shown["gap_to_roofline"], 0.4, color="lightgrey",
        label="to the plain roofline",
    )  # fmt: skip
    axes.barh(places - 0.2, shown["gap"], 0.4, color="tab:blue", label="to the bound")
    axes.axvline(0.25, color="grey", linestyle="--", linewidth=1, label="aim: 25 %")
    axes.set_xscale("symlog", linthresh=0.01)
    axes.set_xlim(0, None)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.set_yticks(places, shown["network"], fontsize=7)
    axes.set_ylim(-1, len(shown))
    axes.set_xlabel("Latency above its lower bound (linear below 1 %)")
    axes.set_title("On the baseline accelerator, weights streamed", fontsize=11)
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(visible=True, axis="x", alpha=0.25)
    return figure


def report(
    networks: pd.DataFrame,
    kinds: pd.DataFrame,
    grid: pd.DataFrame,
    left_out: list[str],
    seed: int,
) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, frame in (("networks", networks), ("kinds", kinds), ("grid", grid)):
        frame.round(6).to_csv(RESULTS / f"{name}.csv", index=False)
    (RESULTS / "gaps.png").write_bytes(png(draw(networks)))
    summary = [
        (
            weights, len(part), _percent(part["gap"].median()),
            _percent(part["gap"].max()), _percent(part["gap_of_event_model"].median()),
            _percent(part["gap_of_event_model"].min()),
            _percent(part["gap_to_roofline"].median()),
            _percent(
                (part["at_gap_0"] * part["operators"]).sum() / part["operators"].sum()
            ),
            _percent(
                (part["time_at_gap_0"] * part["latency_ms"]).sum()
                / part["latency_ms"].sum()
            ),
        )
        for weights, part in networks.groupby("weights", sort=False)
    ]  # fmt: skip
    streamed = networks[networks["weights"] == "streamed"]
    worst = streamed.nlargest(8, "gap")
    text = _TEXT.format(
        command=command(),
        summary=table(
            ("weights", "networks", "median gap", "largest gap",
             "median of the event model", "its smallest", "median gap to roofline",
             "operators at gap 0", "time in them"),
            summary,
        ),
        worst=table(
            ("network", "latency, ms", "lower bound, ms", "gap", "gap to roofline"),
            [
                (row["network"], f"{row['latency_ms']:.4g}",
                 f"{row['lower_bound_ms']:.4g}", _percent(row["gap"]),
                 _percent(row["gap_to_roofline"]))
                for row in worst.to_dict("records")
            ],
        ),
        kinds=table(
            ("kind", "operators", "share of time", "at gap 0", "median gap",
             "95th percentile", "gap of their sum", "of it waiting for I/O"),
            [
                (row["kind"], row["operators"],
                 *(_percent(row[name]) for name in kinds.columns[2:]))
                for row in kinds.to_dict("records")
            ],
        ),
        machines=int(grid["machines"].max()),
        grid_pairs=f"{int(grid['machines'].sum()):,}",
        grid_median=_percent(grid["median_gap"].median()),
        grid_over=_percent(grid["over_25_percent"].sum() / grid["machines"].sum()),
        grid_over_spilling=_percent(
            grid["of_them_spilling"].sum() / max(grid["over_25_percent"].sum(), 1)
        ),
        grid_spilling=_percent(grid["spilling"].sum() / grid["machines"].sum()),
        grid_largest=_percent(grid["largest_gap"].max()),
        left_out="\nLeft out, as they cannot be read: " + "; ".join(left_out) + ".\n"
        if left_out
        else "",
        made=made_with("numpy", "numba", "keras", seed=seed),
    )  # fmt: skip
    (RESULTS / "README.md").write_text(text)


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2%}"


_TEXT = """\
# Lower bounds

Remade by

    {command}

Latency by the analytical model against its lower bound (docs/machine.md, "Lower
bounds") on the baseline accelerator. The *plain roofline* is the time of all MACs at
their peak or of all bytes over the I/O, whichever is longer: a bound too, but of no
machine in particular.

{summary}

![gaps](gaps.png)

The largest gaps with streamed weights:

{worst}
{left_out}
## Operators

Each operator's bound is of itself alone: its weights may all have come ahead. Where it
waits for them the network before it was too quick, so its own gap is no loss that a
better mapping would win back; the network's bound knows, and its gap is the one that
counts. All networks, weights streamed:

{kinds}

## Other machines

Published networks on up to {machines} random accelerators of the grid, {grid_pairs}
pairs that can run: the median network has a median gap of {grid_median}; {grid_over}
of the pairs have a gap above 25 %; the largest is {grid_largest} (`grid.csv`). Of those
above 25 %, {grid_over_spilling} spill activations, as {grid_spilling} of all pairs do:
the bound lets memory go to whom it helps most and reads nothing twice.

A small gap says that within the mappings which docs/machine.md describes little is left
to win, not that no better machine could be: that is what the roofline shows. A large
one says only how far the two are apart: the bound may be the one that is off.

{made}
"""


if __name__ == "__main__":
    main()
