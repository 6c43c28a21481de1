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

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.lower import lower
from nahas.search_space.skeleton import Skeleton
from nahas.search_space.space import SearchSpace
from nahas.train import fit
from nahas.train.batches import training_batch
from nahas.train.checkpoint import Checkpoint
from nahas.train.data import Dataset, fingerprint
from nahas.train.final import CHECKPOINT, DivergedError, compile_model
from nahas.train.recipe import FinalRecipe
from nahas.train.shared_weights import WEIGHTS, Fidelity, SharedWeights
from nahas.train.supernet import supernet

Rule = Literal["uniform", "fair", "sandwich"]
Ints = NDArray[np.int64]
_DRAWN = 2_000  # networks of which the skeleton is made

Progress = Callable[[int, int, dict[str, float]], None]
"""Told of each epoch: how many are done, of how many, and the row of its log."""


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
            raise _wrong("rule", f"one of {', '.join(get_args(Rule))}", self.rule)
        least = 3 if self.rule == "sandwich" else 1
        for name, low in (("round", least), ("largest_epochs", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise _wrong(name, f"an integer of at least {low}", value)

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


@lru_cache(maxsize=8)
def extremes(space: SearchSpace) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choices [D] of most and of fewest MACs that no other value of a knob betters."""
    start = tuple(space.reference or (0,) * len(space.knobs))
    return _extreme(space, start, np.argmax), _extreme(space, start, np.argmin)


def _extreme(
    space: SearchSpace, start: tuple[int, ...], best: Callable[[Any], Any]
) -> tuple[int, ...]:
    """Knob by knob, until none changes."""
    choices, before = np.array(start), None
    while choices.tolist() != before:
        before = choices.tolist()
        for knob, values in enumerate(space.cardinalities.tolist()):
            rows = np.repeat(choices[None], values, axis=0)
            rows[:, knob] = np.arange(values)
            work = lower([space.decode(row) for row in rows])
            choices[knob] = int(best(work.per_network(work.macs)))
    return tuple(choices.tolist())


def skeleton_of(space: SearchSpace, fidelity: Fidelity, data: Dataset) -> Skeleton:
    """Of networks of the space that are drawn at random, at a fidelity.

    Raises:
        ValueError: If the space's networks differ in what a one-shot model cannot vary.
    """
    drawn = space.random(np.random.default_rng(0), _DRAWN)
    rows = np.concatenate([drawn, extremes(space)])
    return Skeleton.of([fidelity.proxy(space.decode(row), data) for row in rows])


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
        recipe: How; dropout and stochastic depth are not used.
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
    check(data, fidelity, recipe, sampling)
    fit.prepare(threads)
    skeleton = skeleton_of(space, fidelity, data)
    key = json.dumps([
        "one-shot", space.name, fingerprint(data.name), asdict(fidelity),
        asdict(recipe), asdict(sampling), seed,
    ])  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    found = Checkpoint.read(folder / CHECKPOINT, key)
    fit.seed_everything(seed)
    model = supernet(skeleton)
    steps = len(data.train) // recipe.batch // sampling.round * sampling.round
    compile_model(model, recipe, steps, accumulated=sampling.round)
    log: list[dict[str, float]] = []
    if found is not None:
        found.restore(model)
        log = list(found.log)
    scaling = fit.Scaling.of(data.train.images)
    for epoch in range(len(log), recipe.epochs):
        started = time.process_time()
        codes = _codes(space, data, fidelity, sampling, skeleton, seed, epoch, steps)
        losses = []
        for step in range(steps):
            images, labels = training_batch(
                data.train, scaling, data.classes, recipe,
                seed=seed, epoch=epoch, step=step,
            )  # fmt: skip
            inputs = {"images": images, "codes": codes[step]}
            losses.append(float(model.train_on_batch(inputs, labels)))
            if not isfinite(losses[-1]):
                raise DivergedError(
                    f"Training diverged: loss {losses[-1]} in epoch {epoch + 1}. Lower "
                    f"`learning_rate` ({recipe.learning_rate})."
                )
        seconds = time.process_time() - started
        log.append({"loss": float(np.mean(losses)), "seconds": seconds})
        Checkpoint.of(model, key, log).write(folder / CHECKPOINT)
        if progress is not None:
            progress(len(log), recipe.epochs, log[-1])
    if recipe.ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    seconds = sum(row["seconds"] for row in log)
    SharedWeights.of(model, space.name, data, fidelity, seconds).write(folder / WEIGHTS)
    return model


def _codes(
    space: SearchSpace,
    data: Dataset,
    fidelity: Fidelity,
    sampling: Sampling,
    skeleton: Skeleton,
    seed: int,
    epoch: int,
    steps: int,
) -> list[NDArray[np.int32]]:
    """What is trained in each step of an epoch."""
    rng = np.random.default_rng((seed, epoch, 1))
    if epoch < sampling.largest_epochs:
        rows = np.array([extremes(space)[0]] * steps)
    else:
        rounds = [sampling.draw(space, rng) for _ in range(steps // sampling.round)]
        rows = np.concatenate(rounds)
    return [skeleton.codes(fidelity.proxy(space.decode(row), data)) for row in rows]


def check(
    data: Dataset, fidelity: Fidelity, recipe: FinalRecipe, sampling: Sampling
) -> None:
    """Raises a ValueError where a one-shot training has not what is asked for."""
    if data.resolution != fidelity.resolution:
        raise _wrong("data", f"at {fidelity.resolution} pixels", data.resolution)
    if recipe.batch * sampling.round > len(data.train):
        most = f"at most the {len(data.train)} images over a round's {sampling.round}"
        raise _wrong("batch", most, recipe.batch)
    for name in ("dropout", "drop_path"):
        if getattr(recipe, name):
            raise _wrong(name, "0 for a one-shot model", getattr(recipe, name))


def _wrong(name: str, expected: str, value: object) -> ValueError:
    return ValueError(f"`{name}` must be {expected}. Received {value!r}.")
