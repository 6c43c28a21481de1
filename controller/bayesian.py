"""Constrained Bayesian optimisation: a Gaussian process of accuracy, exact costs.

`B` denotes candidates, `D` knobs, `F` features.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.accuracy_model import AccuracyModel
from nahas.controller.controller import not_informed
from nahas.controller.model_guided import ModelGuided
from nahas.controller.trial import Trial

if TYPE_CHECKING:
    from nahas.controller.appraisal import Prospects
    from nahas.controller.judgement import Task

Array = NDArray[np.float64]
Choices = NDArray[np.int64]


@final
@dataclass(eq=False)
class Bayesian(ModelGuided):
    """Bayesian optimisation under limits, after "Learned Hardware/Software Co-Design of
    Neural Accelerators", Shi et al. 2020, https://arxiv.org/abs/2010.02075.

    What is known is not modelled: costs, and so limits, are simulated exactly, and a
    pair that breaks a limit is proposed only where none is met that keeps them. A
    Gaussian process (`gaussian_process.py`) predicts what is not: -ln(1 - accuracy) of
    a network, from its choices, one-hot, and from the logarithms of its MACs,
    parameters and operators. A second one, once a training has failed, predicts from
    the same whether a training succeeds.

    The `first` proposals are random ones that keep the limits. Each later one starts
    from the best trials and some random points, and evolves them, `generations` times
    `candidates` children, for the expected improvement of the reward over the best so
    far, times the probability that the training succeeds. Networks in training are
    taken to have the accuracy that is predicted (Ginsbourger et al. 2010, "Kriging is
    well-suited to parallelize optimization", its "kriging believer") and are not
    proposed again; one that is trained is, where another accelerator improves the
    reward for certain.

    Deviations from the paper: it optimises hardware outside and mappings inside, its
    kernels are linear on features by hand and its acquisition is a confidence bound
    (all three as recalled, not checked against its text). The kernel, the logarithm
    and the sizes were chosen by the likelihood of held-out networks of NAS-Bench-Macro
    deployed at 224x224, and on nothing else; the numbers below are not tuned.

    Args:
        first: Random proposals.
        candidates: Children a generation.
        generations: Of the evolution inside a proposal.
        parents: Survivors of a generation.
    """  # noqa: D205

    section: ClassVar[str] = "bayesian"

    first: int = 16
    candidates: int = 24
    generations: int = 3
    parents: int = 8
    _prospects: Callable[[Choices], Any] | None = field(
        default=None, init=False, repr=False
    )
    _floor: float = field(default=0.0, init=False, repr=False)
    _sizes: dict[bytes, NDArray[np.int64]] = field(init=False, repr=False)
    _model: AccuracyModel = field(init=False, repr=False)

    def inform(self, task: "Task") -> None:  # noqa: D102
        from nahas.controller.appraisal import prospects

        super().inform(task)
        self._prospects = partial(prospects, task)
        self._floor = task.limits.min_accuracy or 0.0

    def setup(self, cardinalities: Choices, *, seed: int) -> None:  # noqa: D102
        super().setup(cardinalities, seed=seed)
        self._sizes = {}
        self._model = AccuracyModel(self._cardinalities[self._knobs])

    @property
    def _ready(self) -> bool:
        return self._model.ready

    def _learn(self, trial: Trial, choices: Choices) -> None:
        """Of accuracies, and of trainings that failed."""
        network, sizes = choices[self._knobs], self._size(choices)
        failed = trial.status == "failed"
        self._model.learn(network, sizes, trial.accuracy, failed=failed)

    def _expect(self, choices: Choices) -> None:
        self._model.expect(choices[self._knobs], self._size(choices))

    def _violations(self, points: Choices) -> Array:
        found: Array = self._simulated(points).violations
        return found

    def _met(self) -> tuple[Choices, Array]:
        return self._evolve(self._best, self._improvement, strangers=self.parents)

    def _improvement(self, points: Choices) -> tuple[Array, Array]:
        """[B] violations, and by how much the reward is expected to exceed the best.

        The reward is slope * accuracy + offset, so that it exceeds the best by slope *
        (accuracy - to_beat), or by its offset alone where it is level; an accuracy
        counts as far as it is likely to reach the floor.
        """
        found = self._simulated(points)
        rises = found.slopes > 0
        slopes = np.where(rises, found.slopes, 1.0)
        best = self._best[0]
        # Before the first reward, every accuracy is an improvement.
        reward = best.reward if best.feasible and best.reward is not None else 0.0
        margin = np.maximum(found.offsets - reward, 0.0)
        to_beat = np.where(rises, (reward - found.offsets) / slopes, self._floor)
        to_beat = np.where(rises | (margin > 0), to_beat, 1.0)
        networks = points[:, self._knobs]
        gains, needless = self._model.improvement(networks, found.sizes, to_beat)
        self._needless |= {point.tobytes() for point in points[needless]}
        chance = self._model.chance(networks, found.sizes, self._floor)
        return found.violations, chance * np.where(rises, slopes * gains, margin)

    def _simulated(self, points: Choices) -> "Prospects":
        if self._prospects is None:
            raise not_informed(self)
        found: Prospects = self._prospects(points)
        for point, sizes in zip(points, found.sizes, strict=True):
            self._sizes[point[self._knobs].tobytes()] = sizes
        return found

    def _size(self, choices: Choices) -> NDArray[np.int64]:
        """[3] MACs, parameters and operators of the network of choices [D]."""
        key = choices[self._knobs].tobytes()
        if key not in self._sizes:  # a trial that was not proposed here
            self._simulated(choices[None])
        return self._sizes[key]
