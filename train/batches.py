"""Batches of a training: shuffled, augmented, and the same after a resume."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.train import augment
from nahas.train.data import Split
from nahas.train.fit import Scaling
from nahas.train.recipe import FinalRecipe

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


def training_batch(
    data: Split,
    scaling: Scaling,
    classes: int,
    recipe: FinalRecipe,
    *,
    seed: int,
    epoch: int,
    step: int,
) -> Batch:
    """Inputs [B, H, W, C] and labels [B, classes] of a step of an epoch, both from 0.

    They depend on nothing else than what is given: which worker makes them, and in
    which order, is of no matter.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(data))
    rows = order[step * recipe.batch : (step + 1) * recipe.batch]
    rng = np.random.default_rng((seed, epoch, step))
    images = data.images[rows]
    if recipe.area < 1:
        images = augment.cropped(images, recipe.area, rng)
    if recipe.crop:
        images = augment.shifted(images, recipe.crop, rng)
    if recipe.flip:
        images = augment.mirrored(images, rng)
    if recipe.operations:
        images = augment.rand_augmented(
            images, recipe.operations, recipe.magnitude, rng
        )
    labels = np.eye(classes, dtype=np.float32)[data.labels[rows]]
    return augment.mixed(scaling(images), labels, recipe.mixup, recipe.cutmix, rng)


@cache
def batches_class() -> Any:
    """`Batches`, a `keras.utils.PyDataset`; a function, for Keras must be imported."""
    import keras

    class Batches(keras.utils.PyDataset):
        """An epoch after the other of `training_batch`.

        Args:
            data: Images and labels.
            scaling: Of pixels.
            classes: Number of classes.
            recipe: How it is trained.
            seed: Of order and augmentation.
            epoch: The first.
            workers: Threads that make batches ahead.
        """

        def __init__(
            self,
            data: Split,
            scaling: Scaling,
            classes: int,
            recipe: FinalRecipe,
            *,
            seed: int,
            epoch: int = 0,
            workers: int = 1,
        ) -> None:
            super().__init__(workers=workers, max_queue_size=2 * workers)
            self._made_of = data, scaling, classes, recipe
            self._steps = len(data) // recipe.batch
            self._seed, self._epoch = seed, epoch

        @property
        def num_batches(self) -> int:
            """Whole batches of an epoch."""
            return self._steps

        def __getitem__(self, step: int) -> Batch:
            return training_batch(
                *self._made_of, seed=self._seed, epoch=self._epoch, step=step
            )

        def on_epoch_end(self) -> None:
            """The next epoch's batches are of another order."""
            self._epoch += 1

    return Batches
