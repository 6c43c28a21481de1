"""The training of shared weights: epochs of steps, each of which trains one network.

Which network is next is for others to say (`one_shot.py`, `co_training.py`).
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.refusal import wrong
from nahas.search_space.lower import lower
from nahas.search_space.skeleton import Skeleton
from nahas.search_space.space import SearchSpace
from nahas.train import fit
from nahas.train.batches import training_batch
from nahas.train.checkpoint import Checkpoint
from nahas.train.data import Dataset, fingerprint
from nahas.train.final import (
    CHECKPOINT,
    DivergedError,
    Progress,
    check_images,
    compile_model,
)
from nahas.train.recipe import FinalRecipe
from nahas.train.shared_weights import WEIGHTS, Fidelity, SharedWeights
from nahas.train.supernet import supernet

Ints = NDArray[np.int64]
_DRAWN = 2_000  # networks of which the skeleton is made


@dataclass(frozen=True, eq=False)
class SharedTraining:
    """A training of shared weights, whoever says which network is next.

    Attributes:
        space: Of networks.
        data: At the fidelity's resolution.
        fidelity: What is trained in the place of the networks.
        recipe: How.
        seed: Of weights, order and augmentation.
        threads: Of TensorFlow.
        folder: Of the checkpoint and of the weights.
        round: Steps whose gradients are averaged to an update.
        rules: How networks are chosen, as JSON takes it.
    """

    space: SearchSpace
    data: Dataset
    fidelity: Fidelity
    recipe: FinalRecipe
    seed: int
    threads: int
    folder: Path
    round: int
    rules: Any

    @cached_property
    def skeleton(self) -> Skeleton:
        """Of the space's networks."""
        return skeleton_of(self.space, self.fidelity, self.data)

    @cached_property
    def scaling(self) -> fit.Scaling:
        """Of the training images."""
        return fit.Scaling.of(self.data.train.images)

    @property
    def steps(self) -> int:
        """Of an epoch: whole rounds."""
        return len(self.data.train) // self.recipe.batch // self.round * self.round

    @property
    def key(self) -> str:
        """What is trained, and how."""
        return json.dumps([
            "one-shot", self.skeleton.to_dict(), fingerprint(self.data.name),
            asdict(self.fidelity), asdict(self.recipe), self.rules, self.seed,
            self.threads,
        ])  # fmt: skip

    def codes(self, choices: Ints) -> NDArray[np.int32]:
        """Of the network of choices [D]."""
        network = self.space.decode(choices)
        return self.skeleton.codes(self.fidelity.proxy(network, self.data))

    def begin(self) -> tuple[Any, list[dict[str, float]]]:
        """The model, from the checkpoint where there is one, and its log.

        Raises:
            ValueError: If the space is none of a one-shot model.
            CheckpointError: If the checkpoint is damaged or of another training.
            RuntimeError: If TensorFlow runs in this process with other threads.
        """
        fit.prepare(self.threads)
        self.folder.mkdir(parents=True, exist_ok=True)
        found = Checkpoint.read(self.folder / CHECKPOINT, self.key)
        fit.seed_everything(self.seed)
        model = supernet(self.skeleton)
        compile_model(model, self.recipe, self.steps, accumulated=self.round)
        if found is None:
            return model, []
        found.restore(model)
        return model, list(found.log)

    def run(
        self,
        model: Any,
        log: list[dict[str, float]],
        choose: Callable[[int, int], Ints],
        progress: Progress | None = None,
        kept: Callable[[], None] = lambda: None,
    ) -> None:
        """Trains the epochs that are left, and writes the weights.

        Args:
            model: From `begin`.
            log: From `begin`; a row is added for each epoch.
            choose: Choices [D] of the network that a step of an epoch trains.
            progress: Told of each epoch.
            kept: Called before each checkpoint.

        Raises:
            DivergedError: If the loss is not finite.
        """
        recipe, data, key = self.recipe, self.data, self.key
        for epoch in range(len(log), recipe.epochs):
            started = time.process_time()
            losses = []
            for step in range(self.steps):
                images, labels = training_batch(
                    data.train, self.scaling, data.classes, recipe,
                    seed=self.seed, epoch=epoch, step=step,
                )  # fmt: skip
                codes = self.codes(choose(epoch, step))
                inputs = {"images": images, "codes": codes}
                losses.append(float(model.train_on_batch(inputs, labels)))
                if not isfinite(losses[-1]):
                    raise DivergedError(
                        f"Training diverged: loss {losses[-1]} in epoch {epoch + 1}. "
                        f"Lower `learning_rate` ({recipe.learning_rate})."
                    )
            seconds = time.process_time() - started
            log.append({"loss": float(np.mean(losses)), "seconds": seconds})
            kept()
            Checkpoint.of(model, key, log).write(self.folder / CHECKPOINT)
            if progress is not None:
                progress(len(log), recipe.epochs, log[-1])
        if recipe.ema:
            model.optimizer.finalize_variable_values(model.trainable_variables)
        seconds = sum(row["seconds"] for row in log)
        weights = SharedWeights.of(
            model, self.space.name, data, self.fidelity, seconds
        )  # fmt: skip
        weights.write(self.folder / WEIGHTS)


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


def check(data: Dataset, fidelity: Fidelity, recipe: FinalRecipe, round: int) -> None:
    """Raises a ValueError where a one-shot training has not what is asked for."""
    if data.resolution != fidelity.resolution:
        raise wrong("data", f"at {fidelity.resolution} pixels", data.resolution)
    check_images(data, recipe)
    if recipe.batch * round > len(data.train):
        most = f"at most the {len(data.train)} images over a round's {round}"
        raise wrong("batch", most, recipe.batch, "final")
    for name in ("dropout", "drop_path", "int8_epochs"):
        if getattr(recipe, name):
            raise wrong(name, "0 for a one-shot model", getattr(recipe, name), "final")
    if recipe.precision != "float32":
        raise wrong("precision", "float32 for a one-shot model", recipe.precision,
                    "final")  # fmt: skip
