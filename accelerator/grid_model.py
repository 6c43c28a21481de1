"""The cost model on a full grid of machines, each network in its turn.

What makes it soon is shared: a distinct operator is mapped once for all networks and
machines that meet it, and a pass over a network runs on a bundle of machines.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from nahas.accelerator import network_pass
from nahas.accelerator.cost_model import (
    Figures,
    ports,
    run_bundles,
    sooner,
    to_metrics,
)
from nahas.accelerator.machines import Axes
from nahas.accelerator.mapping_table import Mappings, map_grid
from nahas.accelerator.metrics import Metrics
from nahas.accelerator.template import Platform
from nahas.accelerator.workload import Workload


def evaluate_axes(
    workload: Workload, axes: Axes, platform: Platform | None = None
) -> Metrics:
    """Costs of one network on every machine of a grid, in the order of `axes.machines`.

    The same figures as `evaluate`'s, much sooner.
    """
    return next(evaluate_each(workload, axes, platform))


def evaluate_each(
    workload: Workload, axes: Axes, platform: Platform | None = None
) -> Iterator[Metrics]:
    """`evaluate_axes` of each of K networks in turn.

    The room it takes grows with the distinct operators, not with K.
    """
    platform = platform or Platform()
    memories = np.unique(axes.memories)
    mappings = map_grid(workload, axes.arrays, axes.lanes, memories, ports(platform))
    figures = Figures.of(axes.machines, platform)
    uses = ("kept", "streamed") if platform.weights == "resident" else ()
    for k in range(workload.networks):
        rows = slice(workload.starts[k], workload.starts[k + 1])
        own = mappings._replace(distinct=mappings.distinct[rows])
        network = workload.part(k, k + 1)
        if uses:  # as `evaluate` has it
            settled = (replace(platform, weights=use) for use in uses)
            yield sooner(
                *(_evaluate(network, own, axes, figures, use) for use in settled)
            )
        else:
            yield _evaluate(network, own, axes, figures, platform)


def _evaluate(
    workload: Workload,
    mappings: Mappings,
    axes: Axes,
    figures: Figures,
    platform: Platform,
) -> Metrics:
    memories, places = np.unique(axes.memories, return_inverse=True)
    arrays = len(axes.arrays)
    classes = np.repeat(np.arange(arrays), len(places))
    memory_of = np.tile(places, arrays)
    cycles, sums = run_bundles(
        workload,
        mappings,
        np.zeros(len(classes), dtype=np.int64),
        classes,
        memory_of,
        axes.arrays.prod(axis=1)[classes],
        memories[memory_of],
        np.broadcast_to(axes.lanes[:, 2], (len(classes), len(axes.lanes))),
        np.broadcast_to(axes.bandwidths, (len(classes), len(axes.bandwidths))),
        platform,
    )
    # From [arrays, memories, W, V] to the machines' order.
    cycles = axes.ordered(cycles[:, :, :, None])[:, 0]
    wide = np.broadcast_to(
        sums[:, None].transpose(0, 1, 3, 2),
        (len(classes), len(axes.bandwidths), len(axes.lanes), network_pass.SUMS),
    )
    network = np.zeros(len(cycles), dtype=np.int64)
    return to_metrics(workload, figures, network, cycles, axes.ordered(wide), platform)
