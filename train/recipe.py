"""How a discovered network and its rivals are trained to the end."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from nahas.accelerator.refusal import wrong

Optimizer = Literal["sgd", "rmsprop"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


@dataclass(frozen=True, slots=True)
class FinalRecipe:
    """A training of many epochs, the same for all that are compared.

    The learning rate rises from 0 in the warm-up and follows a cosine to 0. The loss is
    cross-entropy with label smoothing. What is measured are the averaged weights, where
    `ema` is not 0. RMSprop's constants are EfficientNet's (Tan and Le 2019,
    https://arxiv.org/abs/1905.11946, section 5.2): decay 0.9, momentum as given.

    Attributes:
        epochs: Times that each image is seen.
        batch: Images a step; an epoch's last, incomplete batch is left out.
        optimizer: "sgd" with Nesterov's momentum, or "rmsprop".
        learning_rate: The highest of the schedule.
        momentum: Of the gradient.
        warmup_epochs: Epochs in which the learning rate rises.
        weight_decay: Of kernels, not of biases nor of batch normalization; decoupled:
            a step takes learning rate times this off a weight.
        label_smoothing: Share of a label that is spread over all classes.
        ema: Decay of the weights' running mean, a step; 0 for none. It is less where
            its horizon, 1/(1 - ema) steps, were more than a tenth of the training.
        dropout: Rate before the classifier.
        drop_path: Rate at which the last residual branch is left out of an image's
            pass; earlier ones have a share that falls linearly to 0 (stochastic depth,
            Huang et al. 2016, https://arxiv.org/abs/1603.09382).
        area: Least share of an image that a random crop of it shows, resized to the
            whole (Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, section 6); 1
            for none. 0.08 is usual for ImageNet.
        crop: Pixels that images are shifted by, at most, each way.
        flip: Whether half of the images are mirrored.
        operations: RandAugment's operations an image; 0 for none.
        magnitude: RandAugment's strength, from 0 to 10.
        mixup: α of mixup's Beta(α, α); 0 for none.
        cutmix: α of CutMix's; 0 for none. With both, each batch takes one of the two.
        precision: Of the layers' arithmetic; weights are kept in float32.
        int8_epochs: Epochs of quantization-aware tuning after the others, of a copy of
            the network that the int8 file is made of; 0 for none.

    Raises:
        ValueError: If a number is out of its range, or a name unknown.
    """

    epochs: int = 30
    batch: int = 128
    optimizer: Optimizer = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    warmup_epochs: float = 1.0
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    ema: float = 0.99
    dropout: float = 0.0
    drop_path: float = 0.0
    area: float = 1.0
    crop: int = 4
    flip: bool = True
    operations: int = 1
    magnitude: float = 5.0
    mixup: float = 0.0
    cutmix: float = 0.0
    precision: Precision = "float32"
    int8_epochs: int = 0

    def __post_init__(self) -> None:
        self._check("a positive integer", "epochs", "batch", least=1, whole=True)
        self._check("an integer from 0 to 14", "operations", most=14, whole=True)
        self._check("an integer, at least 0", "crop", "int8_epochs", whole=True)
        self._check(
            "a number, at least 0", "warmup_epochs", "weight_decay", "mixup", "cutmix"
        )
        self._check("a number from 0 to 10", "magnitude", most=10)
        for name in ("momentum", "label_smoothing", "ema", "dropout", "drop_path"):
            if not 0 <= _number(getattr(self, name)) < 1:
                raise self._wrong("at least 0 and below 1", name)
        if not 0 < _number(self.area) <= 1:
            raise self._wrong("above 0 and at most 1", "area")
        if not 0 < _number(self.learning_rate) < float("inf"):
            raise self._wrong("a positive number", "learning_rate")
        if self.warmup_epochs >= self.epochs:
            raise self._wrong(f"below `epochs` ({self.epochs})", "warmup_epochs")
        if not isinstance(self.flip, bool):
            raise self._wrong("true or false", "flip")
        for name, known in (("optimizer", Optimizer), ("precision", Precision)):
            if getattr(self, name) not in get_args(known):
                raise self._wrong(f"one of {', '.join(get_args(known))}", name)

    def _check(
        self,
        expected: str,
        *names: str,
        least: float = 0,
        most: float = float("inf"),
        whole: bool = False,
    ) -> None:
        for name in names:
            value = getattr(self, name)
            number = _number(value)
            fits = isfinite(number) and least <= number <= most
            if not fits or (whole and not isinstance(value, int)):
                raise self._wrong(expected, name)

    def _wrong(self, expected: str, name: str) -> ValueError:
        return wrong(name, expected, getattr(self, name), "final")


def _number(value: object) -> float:
    """The value, or NaN where it is no number, or none that a float holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("nan")
