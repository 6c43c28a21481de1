"""One-shot training: the weights that all networks of a space share.

Each step trains one network of the space on one batch of images; gradients of a *round*
of networks are averaged to one update. The rounds' networks are drawn by a rule:

    uniform   each by itself (Guo et al. 2019, "Single Path One-Shot Neural Architecture
              Search with Uniform Sampling", https://arxiv.org/abs/1904.00420)
    fair      so that each value of a knob has as many networks of a round, but for one
              (after Chu et al. 2019, "FairNAS", https://arxiv.org/abs/1907.01845)
    sandwich  the largest, the smallest, and uniform ones between (after Yu and Huang
              2019, "Universally Slimmable Networks", https://arxiv.org/abs/1903.05134,
              without its distillation)

Before the rounds the largest network may be trained alone, to warm up.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from nahas.accelerator.refusal import check_counts, wrong
from nahas.search_space.space import SearchSpace
from nahas.train.data import Dataset
from nahas.train.final import Progress
from nahas.train.recipe import FinalRecipe
from nahas.train.shared_training import Ints, SharedTraining, check, extremes
from nahas.train.shared_weights import Fidelity

Rule = Literal["uniform", "fair", "sandwich"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which networks of a space are trained.

    Attributes:
        rule: See the module.
        round: Networks whose gradients are averaged to an update.
        largest_epochs: Epochs at first in which the largest network alone is trained.

    Raises:
        ValueError: If a number is out of its range, or the rule unknown.
    """

    rule: Rule = "fair"
    round: int = 3
    largest_epochs: int = 0

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise wrong("rule", f"one of {', '.join(get_args(Rule))}", self.rule)
        check_counts(self, "round", least=3 if self.rule == "sandwich" else 1)
        check_counts(self, "largest_epochs", least=0)

    def draw(self, space: SearchSpace, rng: np.random.Generator) -> Ints:
        """[round, D] choices of a round's networks."""
        if self.rule == "fair":
            return fair(space.cardinalities, self.round, rng)
        drawn = space.random(rng, self.round)
        if self.rule == "sandwich":
            drawn[0], drawn[1] = extremes(space)
        return drawn


def fair(cardinalities: Ints, count: int, rng: np.random.Generator) -> Ints:
    """[count, D] choices in which each value of a knob stands as often, but for one.

    >>> rows = fair(np.array([3, 2]), 6, np.random.default_rng(0))
    >>> [np.bincount(column).tolist() for column in rows.T]
    [[2, 2, 2], [3, 3]]
    """
    columns = []
    for values in cardinalities.tolist():
        rounds = [rng.permutation(values) for _ in range(-(-count // values))]
        columns.append(rng.permutation(np.concatenate(rounds)[:count]))
    return np.stack(columns, axis=1)


def train_one_shot(
    space: SearchSpace,
    data: Dataset,
    fidelity: Fidelity,
    recipe: FinalRecipe,
    sampling: Sampling,
    folder: Path,
    *,
    seed: int,
    threads: int = 1,
    progress: Progress | None = None,
) -> Any:
    """Trains the shared weights, from the folder's checkpoint where there is one.

    Args:
        space: Its networks share them.
        data: At the fidelity's resolution; it learns from the training split.
        fidelity: What is trained in the place of the networks.
        recipe: How; without dropout, stochastic depth and tuning.
        sampling: Which networks.
        folder: Where the checkpoint lies, and in the end the file of the weights; made
            where it is not.
        seed: Of weights, networks, order and augmentation.
        threads: Of TensorFlow.
        progress: Told of each epoch.

    Returns:
        The model (`supernet`); its weights are the averaged ones, where the recipe
        averages.

    Raises:
        ValueError: If the space is none of a one-shot model, or the recipe asks for
            what it has not.
        CheckpointError: If the folder's checkpoint is damaged or of another training.
        DivergedError: If the loss is not finite.
        RuntimeError: If TensorFlow runs in this process with other threads.
    """
    check(data, fidelity, recipe, sampling.round)
    training = SharedTraining(
        space, data, fidelity, recipe, seed, threads, folder, sampling.round,
        asdict(sampling),
    )  # fmt: skip
    model, log = training.begin()

    @lru_cache(maxsize=1)
    def rows(epoch: int) -> Ints:
        if epoch < sampling.largest_epochs:
            return np.array([extremes(space)[0]] * training.steps)
        rng = np.random.default_rng((seed, epoch, 1))
        rounds = training.steps // sampling.round
        return np.concatenate([sampling.draw(space, rng) for _ in range(rounds)])

    training.run(model, log, lambda epoch, step: rows(epoch)[step], progress)
    return model
