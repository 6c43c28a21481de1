"""Held: a space of which a controller moves some knobs while others stay."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import Controller, Informed
from nahas.controller.trial import Trial
from nahas.search_space.space import Knob

if TYPE_CHECKING:  # the simulator takes a second to import, which few need
    from nahas.controller.judgement import Task

Choices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A space with H of its D knobs held, as the controller of the others sees it.

    That sees all D knobs, of which a held one has a single value. So a controller that
    is told the task finds the knobs by their names, and simulates what it proposes.

    Attributes:
        task: What is asked of each candidate of the whole space.
        places: [H] places of the held knobs.
        values: [H] their choices.
    """

    task: "Task"
    places: Choices
    values: Choices

    @property
    def cardinalities(self) -> Choices:
        """[D] number of values of each knob; 1 of a held one."""
        counts = self.task.space.cardinalities.copy()
        counts[self.places] = 1
        return counts

    def inform(self, controller: Controller) -> None:
        """Tells a controller that asks for it the task, with this part of the space.

        Raises:
            ValueError: If the controller refuses it.
        """
        if not isinstance(controller, Informed):
            return
        space, knobs = self.task.space, list(self.task.space.knobs)
        for place, value in zip(self.places, self.values, strict=True):
            knobs[place] = Knob(knobs[place].name, (knobs[place].values[value],))
        part = replace(space, knobs=tuple(knobs), reference=None)
        controller.inform(replace(self.task, space=part))

    def start(self, controller: Controller, seed: int) -> None:
        """Starts a controller on this part of the space, after telling it the task."""
        self.inform(controller)
        controller.setup(self.cardinalities, seed=seed)

    def whole(self, choices: Choices) -> Choices:
        """[..., D] choices of the whole space, from those of the part."""
        found = choices.copy()
        found[..., self.places] = self.values
        return found

    def part(self, trial: Trial, number: int) -> Trial:
        """A trial as the part's controller is to see it, under its own number."""
        choices = np.array(trial.choices)
        choices[self.places] = 0
        return replace(trial, number=number, choices=tuple(choices.tolist()))
