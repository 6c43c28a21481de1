"""Uncertainty: costs over the ranges of what is assumed, and whether conclusions hold.

Every constant that is not confirmed and has a range is drawn anew for each sample, each
on its own. Two pairs that are compared meet the same draws.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.metrics import power_mw
from nahas.accelerator.provenance import constants, with_values
from nahas.accelerator.technology import Constant
from nahas.accelerator.template import PLATFORM_RANGES, Accelerator, Platform
from nahas.accelerator.workload import Workload

PERCENTILES = (5.0, 50.0, 95.0)

MOST_SAMPLES = 100_000
"""More would take hours and change no digit that is shown."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SampledCosts:
    """Costs of P pairs under N draws, all [P, N] and to be minimised."""

    latency_ms: Floats
    energy_mj: Floats
    area_mm2: Floats
    power_mw: Floats


def unknowns(platform: Platform, given: Collection[str] = ()) -> dict[str, Constant]:
    """The constants that are drawn: not confirmed, in a range, and not `given`."""
    return {
        name: constant
        for name, constant in constants(platform, given).items()
        if not constant.confirmed and constant.low < constant.high and name not in given
    }


def draw(
    platform: Platform, samples: int, seed: int, given: Collection[str] = ()
) -> list[Platform]:
    """Platforms whose unknown constants lie anywhere in their ranges.

    Log-uniform, as the ranges are factors: most reach about as many times below the
    value as above, and all are scales. Uniform where a range begins at 0. Rates are
    rounded to whole numbers. More samples of one seed begin with the fewer.

    Args:
        platform: What is known, and the ranges of the rest.
        samples: N, from 1 to 100,000.
        seed: Of the draws, from 0 up.
        given: Names of constants that stay (`provenance.constants`).

    Raises:
        ValueError: If `samples` or `seed` is out of its range.
    """
    if not 1 <= samples <= MOST_SAMPLES:
        raise ValueError(
            f"`samples` must be from 1 to {MOST_SAMPLES:,}. Received {samples}."
        )
    if seed < 0:
        raise ValueError(f"`seed` must be 0 or more. Received {seed}.")
    ranges = unknowns(platform, given)
    shares = np.random.default_rng(seed).random((samples, len(ranges)))
    columns = {
        name: _spread(
            constant, name.removeprefix("platform.") in PLATFORM_RANGES, share
        )
        for (name, constant), share in zip(ranges.items(), shares.T, strict=True)
    }
    return [
        with_values(platform, {name: column[i] for name, column in columns.items()})
        for i in range(samples)
    ]


def _spread(constant: Constant, whole: bool, shares: Floats) -> Floats:
    """[N] values of a constant at shares [N], 0 to 1, of its range."""
    low, high = constant.low, constant.high
    values = low * (high / low) ** shares if low else high * shares
    return np.clip(np.rint(values) if whole else values, low, high)


def sample_costs(
    pairs: Sequence[tuple[Workload, Accelerator]], platforms: Sequence[Platform]
) -> SampledCosts:
    """Costs of P pairs, each of one network, on each of N platforms.

    Rates decide the mappings, so every platform needs a search of its own, which is
    nearly all of the time; pairs of the same workload share the call.
    """
    places: dict[int, list[int]] = {}
    for place, (workload, _) in enumerate(pairs):
        places.setdefault(id(workload), []).append(place)
    latency, energy, area = np.empty((3, len(pairs), len(platforms)))
    for i, platform in enumerate(platforms):
        for rows in places.values():
            accelerators = [pairs[row][1] for row in rows]
            found = evaluate(pairs[rows[0]][0], accelerators, platform)
            latency[rows, i] = found.latency_ms
            energy[rows, i] = found.energy_mj
            area[rows, i] = found.area_mm2
    return SampledCosts(latency, energy, area, power_mw(energy, latency))


def interval(values: Floats) -> tuple[float, float, float]:
    """The 5th, 50th and 95th percentile of values [N].

    >>> interval(np.arange(101.0))
    (5.0, 50.0, 95.0)
    """
    low, middle, high = np.percentile(values, PERCENTILES)
    return float(low), float(middle), float(high)


def share_held(first: Floats, second: Floats, order: int) -> float:
    """The share of draws in which two costs [N] stand in an order.

    Args:
        first: Costs of one pair.
        second: Costs of the other under the same draws.
        order: -1 where the first is said to be less, 0 where equal, 1 where more.

    >>> share_held(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 4.0), -1)
    0.75
    """
    found = (first > second).astype(int) - (first < second)
    return float(np.mean(found == order))
