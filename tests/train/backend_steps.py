"""Three steps of each kind of training, on the backend that KERAS_BACKEND names.

A program of its own, for a process has one backend. Prints the losses as JSON.
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from toy_images import PLAIN, bright_and_dark

from nahas.search_space.network import Block, Network
from nahas.search_space.skeleton import Skeleton
from nahas.train import fit
from nahas.train.data import Dataset
from nahas.train.final import compile_model, train_final
from nahas.train.supernet import supernet

DATA = Dataset("made up", "ours", 2, *(bright_and_dark(n, n) for n in (48, 20, 20)))
NETWORKS = [
    Network((Block(kind, 3, 2, 8), Block("ibn", kernel, 2, 8)), 8, 8,
            resolution=8, classes=2, channels=1, stem_stride=1)
    for kind in ("ibn", "fused_ibn") for kernel in (3, 5)
]  # fmt: skip


def final():
    """Three steps, an epoch; with all that a recipe has."""
    recipe = replace(
        PLAIN, epochs=1, warmup_epochs=0.5, dropout=0.1, drop_path=0.1, ema=0.9,
        label_smoothing=0.1, mixup=0.2, operations=1,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        done = train_final(NETWORKS[0], DATA, recipe, Path(folder), seed=0)
    return [done.log[0]["loss"]]


def one_shot():
    """A step of each of three networks."""
    skeleton = Skeleton.of(NETWORKS)
    keras.utils.set_random_seed(0)
    model = supernet(skeleton)
    compile_model(model, replace(PLAIN, ema=0.0), 3)
    scaling = fit.Scaling.of(DATA.train.images)
    images, labels = scaling(DATA.train.images[:16]), np.eye(2)[DATA.train.labels[:16]]
    return [
        float(model.train_on_batch(
            {"images": images, "codes": skeleton.codes(network)}, labels
        ))
        for network in NETWORKS[:3]
    ]  # fmt: skip


if __name__ == "__main__":
    fit.prepare(1)
    json.dump(
        {
            "backend": keras.backend.backend(),
            "devices": fit.distribute(),
            "final": final(),
            "one-shot": one_shot(),
        },
        sys.stdout,
    )
