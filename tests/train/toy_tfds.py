"""A small data set as TensorFlow Datasets has them, made on the spot."""

import numpy as np
import tensorflow_datasets as tfds


class ToyPictures(tfds.core.GeneratorBasedBuilder):
    """Pictures of one grey each, and of two sizes; its class says how bright."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["dark", "bright"]),
        })  # fmt: skip
        keys = ("image", "label")
        return tfds.core.DatasetInfo(
            builder=self, features=features, supervised_keys=keys
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples(40),
                "validation": self._generate_examples(12)}  # fmt: skip

    def _generate_examples(self, count=0):
        for number in range(count):
            label = number % 2
            image = np.full((20 + number % 3, 30, 3), 50 + 150 * label, np.uint8)
            yield number, {"image": image, "label": label}


class ToyOthers(ToyPictures):
    """The same by another name."""

    VERSION = tfds.core.Version("1.0.0")


class ToySecrets(ToyPictures):
    """Whose test labels nobody is told."""

    VERSION = tfds.core.Version("1.0.0")

    def _split_generators(self, manager):
        secret = ((n, e | {"label": -1}) for n, e in self._generate_examples(6))
        return super()._split_generators(manager) | {"test": secret}


class ToyNumbers(tfds.core.GeneratorBasedBuilder):
    """No pictures."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"x": np.float32, "y": np.float32}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features),
            supervised_keys=("x", "y"),
        )  # fmt: skip

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"x": 0.0, "y": 0.0}
