"""Kernels of the proof: curves that bound what is undecided, and the search on them.

Of one machine, Q options of all stages and states have an accuracy to add and R costs;
each of the R costs is a lower bound of a true one, summed over a path's segments
(`operator_floors.py`). Rows of costs: `COMPUTE`, `IO` and `MEAN` bound the latency from
below, `ENERGY` the energy.

A *curve* of stage g and state σ is the greatest accuracy that the stages from g on can
add at a cost of at most b cells, the costs of segments rounded down to whole cells:

    A_g[σ, b] = max over options q of  value_q + A_(g+1)[after_q, b - cells_q]
    A_G[σ, b] = 0 if the head costs at most b cells, else -inf

the dynamic program of a knapsack. Rounded-down costs of a path sum to no more than its
cost in cells, so a path that costs c has an accuracy of at most A[floor(c)], and no
completion of a partial path scores above

    max over b of  (a + A_g[σ, b]) * factor(spent + b) + term(spent + b)

with the discounts at the lower ends of cells, and other costs at their least. The last
cell of a curve, and of a discount, is everything beyond.
"""

import numpy as np
from numba import prange

from nahas.accelerator.compiled import compiled
from nahas.controller.proof_tables import (
    COMPUTE,
    COSTS,
    ENERGY,
    IO,
    MEAN,
    Curves,
)

_EXACT = 1.0 - 1e-9
"""What rounding may have added to a sum of floors."""


@compiled()
def fill_costs(
    h, cycles, energy, dispatched, machines, parts, khz, host_ms, overlap, cost, base
):  # fmt: skip
    """Fills `cost` [COSTS, S] of segments and `base` [COSTS] on machine h."""
    kind, rate = machines.kind[h], machines.rate[h]
    for s in range(len(parts.io)):
        busy, picojoule = 0.0, 0.0
        for j in range(parts.starts[s], parts.starts[s + 1]):
            u, outside = parts.operators[j], parts.outside[j]
            on_chip = np.float64(cycles[kind, u])
            if overlap:
                on_chip = max(on_chip, outside / rate)
            busy += on_chip
            if dispatched[u]:
                busy += machines.dispatch[h]
            picojoule += np.float64(energy[kind, u])
            picojoule += outside * machines.outside_pj[h]
        waits = parts.io[s] / rate
        if not overlap:
            busy += waits
            waits = busy
        cost[COMPUTE, s] = _EXACT * busy / khz
        cost[IO, s] = _EXACT * waits / khz
        cost[MEAN, s] = 0.5 * (cost[COMPUTE, s] + cost[IO, s])
        leaked = machines.leakage_mw[h] * cost[COMPUTE, s] * 1e-3
        cost[ENERGY, s] = _EXACT * picojoule * 1e-9 + leaked
    kept = machines.kept[h] / rate / khz
    base[COMPUTE] = host_ms if overlap else host_ms - kept
    base[IO] = host_ms - kept
    base[MEAN] = 0.5 * (base[COMPUTE] + base[IO])
    base[ENERGY] = machines.leakage_mw[h] * base[COMPUTE] * 1e-3


@compiled(inline="always")
def _cell(cost, width, cells):
    """The cell of a cost; `cells` for all beyond, below 0 for what is negative."""
    if cost >= width * cells:
        return cells
    return int(np.floor(cost / width))


@compiled()
def fill_curves(paths, cost, scales, curves):
    """Fills the curves of a machine with `cost` [COSTS, segments]."""
    stages, cells = len(paths.counts), curves.accuracy.shape[3] - 1
    curves.accuracy[:] = -np.inf
    curves.least[:] = np.inf
    curves.begin[:] = cells
    for r in range(COSTS):
        if not scales.used[r]:
            curves.least[r] = 0.0
            continue
        width = scales.width[r]
        for state in range(paths.states[stages]):
            head = cost[r, paths.heads[state]]
            curves.least[r, stages, state] = head
            if head < np.inf:
                first = _cell(head, width, cells)
                curves.begin[r, stages, state] = first
                curves.accuracy[r, stages, state, first:] = 0.0
        for g in range(stages - 1, -1, -1):
            for state in range(paths.states[g]):
                row = curves.accuracy[r, g, state]
                first = paths.first[g] + state * paths.counts[g]
                for q in range(first, first + paths.counts[g]):
                    spent, value = cost[r, paths.segment[q]], paths.value[q]
                    if spent == np.inf:
                        continue
                    after = paths.after[q]
                    total = spent + curves.least[r, g + 1, after]
                    if total < curves.least[r, g, state]:
                        curves.least[r, g, state] = total
                    rest = curves.accuracy[r, g + 1, after]
                    k = _cell(spent, width, cells)
                    for b in range(cells - k):
                        found = rest[b] + value
                        if found > row[b + k]:
                            row[b + k] = found
                    row[cells] = max(row[cells], rest[cells] + value)
                first = 0
                while first < cells and row[first] == -np.inf:
                    first += 1
                curves.begin[r, g, state] = first


@compiled()
def _best(reached, curve, first, k, factors, terms, flat, factor):
    """Greatest accuracy * factors * factor + terms from cell `first`; k are spent.

    What is spent may be negative: weights that the chip may keep are taken off first.
    """
    cells, best = len(curve) - 1, -np.inf
    # Where cells are discounted alike, the last of them has the most accuracy.
    begin = max(min(flat - 1 - k, cells - 1), first)
    for b in range(begin, min(cells - k, cells)):
        place = max(k + b, 0)
        accuracy = min(max(reached + curve[b], 0.0), 1.0)
        best = max(best, accuracy * (factors[place] * factor) + terms[place])
    place = max(min(cells, cells + k), 0)
    if terms[place] > -np.inf and curve[cells] > -np.inf:
        accuracy = min(max(reached + curve[cells], 0.0), 1.0)
        best = max(best, accuracy * (factors[place] * factor) + terms[place])
    return best


@compiled()
def ceiling(g, state, reached, spent, curves, scales, area):
    """A score that no completion of a partial path exceeds.

    `spent` [COSTS] and `reached` are the path's so far, `area` [2] the machine's factor
    and term.
    """
    cells = curves.accuracy.shape[3] - 1
    soonest = 0.0
    for r in (COMPUTE, IO, MEAN):
        soonest = max(soonest, spent[r] + curves.least[r, g, state])
    joules = max(spent[ENERGY] + curves.least[ENERGY, g, state], 0.0)
    if soonest == np.inf or joules == np.inf:
        return -np.inf
    in_time = _cell(soonest, scales.width[COMPUTE], cells)
    at_least = _cell(joules, scales.width[ENERGY], cells)
    best = np.inf
    for r in range(COSTS):
        if not scales.used[r]:
            continue
        other, place = (COMPUTE, in_time) if r == ENERGY else (ENERGY, at_least)
        term = scales.term[other, place] + area[1]
        if term == -np.inf:
            return -np.inf
        found = _best(
            reached, curves.accuracy[r, g, state], curves.begin[r, g, state],
            _cell(spent[r], scales.width[r], cells), scales.factor[r], scales.term[r],
            scales.flat[r], scales.factor[other, place] * area[0],
        )  # fmt: skip
        best = min(best, found + term)
    return best


@compiled()
def new_curves(paths, cells):
    """Curves to be filled."""
    stages, most = len(paths.counts), paths.states.max()
    return Curves(
        np.empty((COSTS, stages + 1, most, cells + 1)),
        np.empty((COSTS, stages + 1, most), dtype=np.int64),
        np.empty((COSTS, stages + 1, most)),
    )


@compiled()
def _of_machine(
    h, paths, parts, cycles, energy, dispatched, machines, khz, host_ms, overlap,
    scales, area, cells,
):  # fmt: skip
    """The ceiling of all networks on a machine."""
    cost, base = np.empty((COSTS, len(parts.io))), np.empty(COSTS)
    fill_costs(h, cycles, energy, dispatched, machines, parts, khz, host_ms, overlap,
               cost, base)  # fmt: skip
    curves = new_curves(paths, cells)
    fill_curves(paths, cost, scales, curves)
    _add(base, cost, paths.stem[0], base)
    return ceiling(0, 0, paths.bias[0], base, curves, scales, area[h])


@compiled()
def _add(spent, cost, segment, total):
    """Fills `total` [COSTS] with what is spent and a segment."""
    for r in range(COSTS):
        total[r] = spent[r] + cost[r, segment]


@compiled(parallel=True)
def screen(
    wanted, paths, parts, cycles, energy, dispatched, machines, khz, host_ms, overlap,
    scales, area, ceilings,
):  # fmt: skip
    """Fills `ceilings` [n]: no network scores more on machines `wanted` [n].

    `area` [H, 2] are the factor and term of each machine's area.
    """
    cells = scales.factor.shape[1] - 1
    for i in prange(len(wanted)):
        ceilings[i] = _of_machine(
            wanted[i], paths, parts, cycles, energy, dispatched, machines, khz, host_ms,
            overlap, scales, area, cells,
        )  # fmt: skip


@compiled()
def explore(
    paths, cost, base, curves, scales, area, most, worst, cursor, leaves, most_nodes
):
    """Goes on with a search of all paths of a machine, depth first.

    A partial path is left where its ceiling is at most `worst`, a whole one also where
    its latency or energy is certain to exceed `most` [2].

    Args:
        paths: The options.
        cost: [COSTS, S] of segments.
        base: [COSTS] before them.
        curves: Of these costs.
        scales: The discounts.
        area: [2] factor and term of the area.
        most: [2] latency and energy.
        worst: What a path must exceed.
        cursor: [G + 1] the next option of each stage, then the stage; it is advanced.
        leaves: [n, G] to be filled with options of whole paths.
        most_nodes: After which it returns.

    Returns:
        The number of leaves, and of nodes: options whose ceiling was computed. The
        cursor's stage is -1 where all is done.
    """
    stages = len(paths.counts)
    states = np.zeros(stages + 1, np.int64)
    reached = np.zeros(stages + 1)
    spent = np.zeros((stages + 1, COSTS))
    reached[0] = paths.bias[0]
    _add(base, cost, paths.stem[0], spent[0])
    head = np.empty(COSTS)
    found, nodes, g = 0, 0, cursor[stages]
    for before in range(g):
        _step(paths, cost, before, cursor[before] - 1, states, reached, spent)
    while g >= 0 and found < len(leaves) and nodes < most_nodes:
        if cursor[g] == paths.counts[g]:
            cursor[g] = 0
            g -= 1
            continue
        _step(paths, cost, g, cursor[g], states, reached, spent)
        cursor[g] += 1
        nodes += 1
        above = ceiling(
            g + 1, states[g + 1], reached[g + 1], spent[g + 1], curves, scales, area
        )
        if above <= worst:
            continue
        if g + 1 < stages:
            g += 1
            continue
        _add(spent[stages], cost, paths.heads[states[stages]], head)
        if max(head[COMPUTE], head[IO]) <= most[0] and head[ENERGY] <= most[1]:
            for i in range(stages):
                leaves[found, i] = cursor[i] - 1
            found += 1
    cursor[stages] = g
    return found, nodes


@compiled()
def _step(paths, cost, g, option, states, reached, spent):
    """The path's state, accuracy and costs behind stage g with an option."""
    q = paths.first[g] + states[g] * paths.counts[g] + option
    states[g + 1] = paths.after[q]
    reached[g + 1] = reached[g] + paths.value[q]
    _add(spent[g], cost, paths.segment[q], spent[g + 1])


@compiled()
def dive(paths, cost, base, curves, scales, area, picks):
    """Fills `picks` [G] with the option of the highest ceiling, stage after stage."""
    stages = len(paths.counts)
    states = np.zeros(stages + 1, np.int64)
    reached = np.zeros(stages + 1)
    spent = np.zeros((stages + 1, COSTS))
    reached[0] = paths.bias[0]
    _add(base, cost, paths.stem[0], spent[0])
    for g in range(stages):
        best, chosen = -np.inf, 0
        for option in range(paths.counts[g]):
            _step(paths, cost, g, option, states, reached, spent)
            above = ceiling(
                g + 1, states[g + 1], reached[g + 1], spent[g + 1], curves, scales, area
            )
            if above > best:
                best, chosen = above, option
        _step(paths, cost, g, chosen, states, reached, spent)
        picks[g] = chosen
    return best
