"""The best accelerator of a space for a network, by simulating all of them.

Why the accuracy need not be known. Let a pair (n, h) have accuracy a(n), which belongs
to the network alone, and costs c(n, h). The limits before training are of costs, so
which h keep them does not depend on a(n). For the rest, the reward is one of

    multiplicative   R = a(n) f(c(n, h)),  f = Π ratio^w > 0
    absolute         R = a(n) + g(c(n, h)), g = β Σ |ratio - 1|
    single_sided     R = a(n) + g(c(n, h)), g = β Σ max(0, ratio - 1)
    least            R = f(c(n, h)),        f = score^w, without any accuracy

For any a > 0 the first is increasing in f, for any a the others are increasing in g. So
for two accelerators h, h' of one network, R(n, h) >= R(n, h') holds either at every
a(n) > 0 or at none: the order of accelerators is that at a(n) = 1, which is what is
computed here (at a(n) = 0 the first form is 0 for all of them, and any is best). Hence

    max over (n, h) of R = max over n of R(n, h*(n)),  h*(n) = argmax_h R at a(n) = 1

and a search over networks alone, each with its h*(n), loses no optimum. The order of
the last form has no accuracy in it at all. A floor under the accuracy is kept by every
pair of a network or by none: it takes networks out of the maximum over n, and changes
no h*(n). A reward of one's own has this property if it is increasing in accuracy times
or plus a function of the costs; otherwise h* is the best accelerator of a network of
accuracy 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid_model import evaluate_axes
from nahas.accelerator.machines import Axes
from nahas.accelerator.mix import Costs
from nahas.accelerator.sweep import best_places
from nahas.accelerator.template import Platform
from nahas.controller.judgement import RewardFunction, Task, violations
from nahas.controller.reward import Limits
from nahas.search_space.joint import Candidate, accelerator_knobs
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.space import SearchSpace


class BestAccelerator:
    """Sweeps a space's accelerators for one network after another.

    Args:
        task: Its space has a knob of the name `accelerator.KEY` for each parameter of
            an accelerator, and networks that do not depend on these.

    Raises:
        ValueError: If the space has not, or no knob besides.
    """

    def __init__(self, task: Task) -> None:
        self.accelerator_knobs = accelerator_knobs(task.space)
        """[7] places of the accelerator's knobs, in the order of its fields."""
        self.network_knobs = np.delete(
            np.arange(len(task.space.knobs)), self.accelerator_knobs
        )
        """Places of all others."""
        values = [task.space.knobs[d].values for d in self.accelerator_knobs]
        self.axes = Axes.of(values)
        """The accelerators, in the order of their knobs."""
        self._task = task
        self._known: dict[str, NDArray[np.int64]] = {}

    @property
    def networks(self) -> SearchSpace:
        """The space of the network's knobs; its pairs have their best accelerators."""
        space = self._task.space
        knobs = tuple(space.knobs[d] for d in self.network_knobs)

        def build(values: Mapping[str, Any]) -> object:
            chosen = [knob.values.index(values[knob.name]) for knob in knobs]
            return space.decode(self.complete(np.array(chosen)))

        return SearchSpace(f"{space.name}, swept", knobs, build)

    def complete(self, network_choices: NDArray[np.int64]) -> NDArray[np.int64]:
        """[D] a network's choices and those of the best accelerator for it.

        That is `best_place`; where the network cannot be built, the first.
        """
        task = self._task
        choices = np.zeros(len(task.space.knobs), np.int64)
        choices[self.network_knobs] = network_choices
        try:
            candidate = task.space.decode(choices)
        except ValueError:  # no network: the search records it as infeasible
            return choices
        if isinstance(candidate, Candidate):  # another is refused when it is judged
            best = self._known.get(str(candidate.network))
            if best is None:
                best = self._sweep(candidate.network)
                self._known[str(candidate.network)] = best
            choices[self.accelerator_knobs] = best
        return choices

    def _sweep(self, network: Network) -> NDArray[np.int64]:
        """[7] choices of the best accelerator."""
        task = self._task
        place = best_place(network, self.axes, task.platform, task.limits, task.reward)
        return np.array(np.unravel_index(place, self.axes.shape), np.int64)


def best_place(
    network: Network,
    axes: Axes,
    platform: Platform,
    limits: Limits,
    reward: RewardFunction,
) -> int:
    """Which accelerator of a grid is the best for a network.

    Of equal rewards the least latency comes first, then energy, area and the grid's
    order; where none keeps the limits, the least violation does.
    """
    metrics = evaluate_axes(lower([network]), axes, platform)
    machines = axes.machines
    registers = machines.compute[:, 4]
    broken = violations(limits, metrics, machines.memory, registers)
    kept = np.flatnonzero(broken == 0)
    if len(kept):
        scores = np.full(len(metrics), np.inf)
        scores[kept] = -reward(np.ones(len(kept)), metrics.take(kept))
        places = best_places(Costs.of(metrics), scores, broken == 0, 1)
    else:
        places = best_places(Costs.of(metrics), broken, broken >= 0, 1)
    return int(places[0])
