"""Images a second of trainings and of their input, beside Keras; memory of many.

    python benchmarks/training_speed.py

A final training is timed beside a plain `model.fit` of the same model, on arrays and on
the same batches; batches beside Keras' own preprocessing layers in a tf.data pipeline,
with the same augmentation as far as Keras has it; pictures in files beside
`keras.utils.image_dataset_from_directory`. Each measurement has a process of its own.
Then a worker of a search trains a hundred different networks, and its memory is read
after each. Images are random: none is learned from. The figures go to
results/training_speed/.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from page import ROOT, command, cores, made_with, table, write_csv
from worker_memory import memory

from nahas.accelerator.quiet import quiet_import
from nahas.controller.pool import thread_limits
from nahas.search_space.published import PUBLISHED
from nahas.train import fit
from nahas.train.batches import batches_class
from nahas.train.data import Dataset, Split, load
from nahas.train.final import train_final
from nahas.train.model import build_model
from nahas.train.recipe import FinalRecipe

RESULTS = ROOT / "results" / "training_speed"
NETWORKS = ("MobileNetV2", "EfficientNetB0")
RESOLUTION, WIDTH, CLASSES, BATCH = 32, 0.25, 10, 64
IMAGES, EPOCHS = 1_920, 3
PLAIN = FinalRecipe(
    epochs=EPOCHS, batch=BATCH, operations=0, crop=0, flip=False, ema=0.0,
    label_smoothing=0.0, weight_decay=0.0,
)  # fmt: skip
AUGMENTED = FinalRecipe(epochs=EPOCHS, batch=BATCH, operations=1, ema=0.99)
PICTURES, LARGE = 256, 224
SEED = 0
"""Of Keras' own pipelines, which want one."""

Rate = Callable[[], float]
"""Measures images a second of CPU."""


def dataset(seed: int) -> Dataset:
    """Random images."""
    rng = np.random.default_rng(seed)
    shape = (RESOLUTION, RESOLUTION, 3)

    def split(count: int) -> Split:
        images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
        return Split(images, np.arange(count) % CLASSES)

    return Dataset("random", "none", CLASSES, split(IMAGES), split(BATCH), split(BATCH))


def per_second(epochs: list[float]) -> float:
    """Images a CPU second of epochs after the first, which traces."""
    return IMAGES / statistics.mean(epochs[1:])


def nahas_training(name: str, recipe: FinalRecipe, seed: int) -> float:
    """Of `train_final`; what it does at an epoch's end is part of it."""
    network = PUBLISHED[name].proxy(RESOLUTION, CLASSES, width=WIDTH)
    marks = [time.process_time()]
    with tempfile.TemporaryDirectory() as folder:
        train_final(
            network, dataset(seed), recipe, Path(folder), seed=seed,
            progress=lambda *_: marks.append(time.process_time()),
        )  # fmt: skip
    return per_second(np.diff(marks).tolist())


def keras_training(name: str, seed: int, recipe: FinalRecipe | None = None) -> float:
    """Of `model.fit` with SGD and momentum, as Keras' guide has it.

    On arrays of floats; of a recipe, on its batches, which nahas makes.
    """
    with quiet_import():
        import keras

    keras.utils.set_random_seed(SEED)
    data = dataset(seed)
    network = PUBLISHED[name].proxy(RESOLUTION, CLASSES, width=WIDTH)
    model = build_model(network)
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    marks = [time.process_time()]
    mark = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: marks.append(time.process_time())
    )
    scaling = fit.Scaling.of(data.train.images)
    if recipe is None:
        images = scaling(data.train.images)
        labels = keras.utils.to_categorical(data.train.labels, CLASSES)
        inputs: Any = images, labels
    else:
        inputs = (batches_class()(data.train, scaling, CLASSES, recipe, seed=seed),)
    batch = BATCH if recipe is None else None
    model.fit(*inputs, batch_size=batch, epochs=EPOCHS, verbose=0, callbacks=[mark])
    return per_second(np.diff(marks).tolist())


def nahas_batches(seed: int) -> float:
    """Of batches with shifts, mirroring and one operation of RandAugment an image."""
    data = dataset(seed)
    scaling = fit.Scaling.of(data.train.images)
    batches = batches_class()(data.train, scaling, CLASSES, AUGMENTED, seed=seed)
    started = time.process_time()
    for step in range(batches.num_batches):
        batches[step]
    return batches.num_batches * BATCH / (time.process_time() - started)


def keras_batches(seed: int) -> float:
    """Of the same by Keras' layers, in a tf.data pipeline with one thread."""
    with quiet_import():
        import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    data = dataset(seed)
    layers = [
        keras.layers.RandomTranslation(4 / RESOLUTION, 4 / RESOLUTION, "constant"),
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandAugment(num_ops=1, factor=0.5),
        keras.layers.Normalization(mean=[127.0] * 3, variance=[5500.0] * 3),
    ]

    def augmented(images: Any) -> Any:
        for layer in layers:
            images = layer(images)
        return images

    found = tf.data.Dataset.from_tensor_slices(data.train.images)
    found = found.shuffle(IMAGES).batch(BATCH).map(augmented)
    for _ in found.take(1):  # traces
        pass
    started = time.process_time()
    count = sum(len(batch) for batch in found)
    return count / (time.process_time() - started)


def folder_of_pictures(folder: Path, seed: int) -> None:
    """JPEG files of 500 x 375, as ImageNet's are, of two classes."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    for number in range(PICTURES):
        # Smooth, so that a file has about the bytes of a photograph's.
        rough = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
        place = folder / str(number % 2) / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rough).resize((500, 375), 3).save(place, quality=90)


def nahas_pictures(folder: str) -> float:
    """Of pictures decoded and resized to 224 x 224."""
    data = load(folder, LARGE)
    images = data.train.images
    started = time.process_time()
    for start in range(0, len(images), 32):
        images[start : start + 32]
    return len(images) / (time.process_time() - started)


def keras_pictures(folder: str) -> float:
    """Of the same by Keras' own reader of folders."""
    with quiet_import():
        import keras

    keras.utils.set_random_seed(SEED)
    found = keras.utils.image_dataset_from_directory(
        folder, image_size=(LARGE, LARGE), batch_size=32, crop_to_aspect_ratio=True,
        verbose=False,
    )  # fmt: skip
    for _ in found.take(1):
        pass
    started = time.process_time()
    count = sum(len(images) for images, _ in found)
    return count / (time.process_time() - started)


def rates(seed: int, folder: str) -> Iterator[tuple[str, Rate, Rate]]:
    """What is measured: its name, ours and Keras'."""
    for name in NETWORKS:
        yield (
            f"training of {name}, no augmentation",
            lambda name=name: nahas_training(name, PLAIN, seed),
            lambda name=name: keras_training(name, seed),
        )
        yield (
            f"training of {name}, augmented, EMA",
            lambda name=name: nahas_training(name, AUGMENTED, seed),
            lambda name=name: keras_training(name, seed, AUGMENTED),
        )
    yield "augmented batches", lambda: nahas_batches(seed), lambda: keras_batches(seed)
    yield (
        f"pictures in files, to {LARGE} x {LARGE}",
        lambda: nahas_pictures(folder),
        lambda: keras_pictures(folder),
    )


def measure(number: int, which: int, seed: int, folder: str) -> float:
    """One measurement; runs in a process of its own."""
    return list(rates(seed, folder))[number][1 + which]()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="of which the median")
    arguments = parser.parse_args()
    os.environ.update(thread_limits(1))
    context = multiprocessing.get_context("spawn")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder_of_pictures(Path(folder), arguments.seed)
        for number, (name, *_) in enumerate(rates(arguments.seed, folder)):
            found: list[float] = []
            for which in (0, 1):
                jobs = [(number, which, arguments.seed, folder)] * arguments.repeats
                with context.Pool(1, maxtasksperchild=1) as pool:
                    measured = pool.starmap(measure, jobs, chunksize=1)
                found.append(statistics.median(measured))
            ours, peer = found
            rows.append((name, f"{ours:.0f}", f"{peer:.0f}", f"{ours / peer:.2f}"))
            print(*rows[-1], flush=True)
    write(rows, memory(arguments.seed), arguments)


def write(
    rows: list[tuple[str, ...]], used: list[float], arguments: argparse.Namespace
) -> None:
    """The table, the picture of the memory, and the page."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    titles = ("what", "nahas, images a CPU second", "Keras", "ratio")
    write_csv(RESULTS / "rates.csv", titles, rows)
    write_csv(RESULTS / "memory.csv", ("training", "mb"), list(enumerate(used, 1)))
    figure, panel = plt.subplots(figsize=(8, 4), layout="tight")
    panel.plot(range(1, len(used) + 1), used, marker=".")
    panel.set_ylim(0)
    panel.set_xlabel("trainings done")
    panel.set_ylabel("memory of the worker, MB")
    panel.grid(alpha=0.3)
    figure.savefig(RESULTS / "memory.png", dpi=120)
    plt.close(figure)
    fifth = len(used) // 5
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), rates=table(titles, rows), count=len(used),
        first=max(used[:fifth]), last=max(used[-fifth:]), repeats=arguments.repeats,
        load=os.getloadavg()[0],
        made=made_with("keras", "tensorflow", "numpy", "pillow", seed=arguments.seed,
                       machine=cores()),
    ))  # fmt: skip


_PAGE = """\
# Images a second, and memory of many trainings

Remade by

    {command}

{rates}

Images a second of CPU, median of {repeats} processes of one thread each. Trainings are
of networks at 32x32, a quarter of their width, in batches of 64; epochs after the
first, with validation and the checkpoint at their ends, which the plain loop has not.
That loop is `model.fit` as it comes: on arrays of floats, or, where images are
augmented, on the very batches of ours, in a `PyDataset`, without an average of weights.
Batches are of 32x32, shifted, mirrored and with one operation of RandAugment; Keras has
the same as layers. Pictures are JPEG files of 500 x 375; Keras' own reader crops and
resizes them too.

![Memory](memory.png)

A worker of a search trained {count} different networks of S3, one after another. Its
memory was at most {first:.0f} MB in the first fifth of them and {last:.0f} MB in the
last. It is one process: they are replaced after a hundred trainings.

The system's load at the end was {load:.1f}.

{made}
"""


if __name__ == "__main__":
    main()
