"""Augmentation on the host: batches of images, changed at random.

All is drawn from a generator that the caller seeds by what is augmented, so that a
training which resumes sees the images that the unbroken one would have. RandAugment's
operations are Pillow's, an image at a time; all else is done on whole batches.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]

HIGHEST = 10.0
"""RandAugment's greatest magnitude."""
GREY = (128, 128, 128)
"""What is shown where an image was moved away."""


def mirrored(images: Images, rng: np.random.Generator) -> Images:
    """[B, H, W, C] of which each is mirrored with chance 1/2."""
    chosen = rng.random(len(images)) < 0.5
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def shifted(images: Images, most: int, rng: np.random.Generator) -> Images:
    """[B, H, W, C] each moved by up to `most` pixels each way, black coming in."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (height, width), axis=(1, 2)
    )  # [B, 2 most + 1, 2 most + 1, C, H, W]
    down, across = rng.integers(2 * most + 1, size=(2, len(images)))
    moved: Images = windows[np.arange(len(images)), down, across]
    return np.ascontiguousarray(moved.transpose(0, 2, 3, 1))


def cropped(images: Images, least: float, rng: np.random.Generator) -> Images:
    """[B, H, W, C] of which each shows a part of itself, resized to the whole.

    The part has a share of the area from `least` to 1, and sides in a ratio from 3/4 to
    4/3, drawn evenly of its logarithm; it is cut to what the image has.
    """
    from PIL import Image

    height, width = images.shape[1:3]
    share = rng.uniform(least, 1, len(images))
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3), len(images)))
    wide = np.minimum(width * np.sqrt(share * ratio), width)
    tall = np.minimum(height * np.sqrt(share / ratio), height)
    left = rng.random(len(images)) * (width - wide)
    top = rng.random(len(images)) * (height - tall)
    boxes = np.stack([left, top, left + wide, top + tall], axis=1)
    grey = images.shape[3] == 1
    found = np.empty_like(images)
    for row, (image, box) in enumerate(zip(images, boxes.tolist(), strict=True)):
        picture = Image.fromarray(image[..., 0] if grey else image)
        whole = picture.resize((width, height), Image.Resampling.BILINEAR, tuple(box))
        found[row] = np.asarray(whole).reshape(image.shape)
    return found


def rand_augmented(
    images: Images, operations: int, magnitude: float, rng: np.random.Generator
) -> Images:
    """RandAugment, Cubuk et al. 2019, https://arxiv.org/abs/1909.13719.

    Each image goes through `operations` of the paper's 14, drawn with equal chance, at
    one magnitude; the direction of those that have one is drawn. What the magnitude
    comes to is as in `OPERATIONS`; 10 is the strongest.

    Args:
        images: [B, H, W, C] of 1 or 3 channels.
        operations: How many an image.
        magnitude: From 0 to 10.
        rng: Source of the draws.
    """
    from PIL import Image

    names = list(OPERATIONS)
    drawn = rng.integers(len(names), size=(len(images), operations))
    signs = rng.choice((-1.0, 1.0), size=drawn.shape)
    grey = images.shape[3] == 1
    found = np.empty_like(images)
    for row, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if grey else image)
        for place, sign in zip(drawn[row], signs[row], strict=True):
            strength = magnitude / HIGHEST
            picture = OPERATIONS[names[place]](picture, strength, sign)
        found[row] = np.asarray(picture).reshape(image.shape)
    return found


def _moved(matrix: Callable[[float, float, float], tuple[float, ...]]) -> Any:
    """An affine operation: (by how much, width, height) -> Pillow's six numbers."""

    def move(picture: Any, strength: float, sign: float) -> Any:
        from PIL import Image

        fill = GREY if picture.mode == "RGB" else GREY[0]
        numbers = matrix(sign * strength, picture.width, picture.height)
        return picture.transform(
            picture.size, Image.Transform.AFFINE, numbers, fillcolor=fill
        )

    return move


def _turned(picture: Any, strength: float, sign: float) -> Any:
    fill = GREY if picture.mode == "RGB" else GREY[0]
    return picture.rotate(30.0 * strength * sign, fillcolor=fill)


def _enhanced(name: str) -> Any:
    def enhance(picture: Any, strength: float, sign: float) -> Any:
        from PIL import ImageEnhance

        return getattr(ImageEnhance, name)(picture).enhance(1.0 + 0.9 * strength * sign)

    return enhance


def _of_pixels(change: Callable[[Any, Any, float], Any]) -> Any:
    def changed(picture: Any, strength: float, sign: float) -> Any:
        from PIL import ImageOps

        del sign
        return change(ImageOps, picture, strength)

    return changed


OPERATIONS: dict[str, Callable[[Any, float, float], Any]] = {
    "identity": lambda picture, strength, sign: picture,
    "shear x": _moved(lambda by, w, h: (1, 0.3 * by, 0, 0, 1, 0)),
    "shear y": _moved(lambda by, w, h: (1, 0, 0, 0.3 * by, 1, 0)),
    "translate x": _moved(lambda by, w, h: (1, 0, 0.45 * by * w, 0, 1, 0)),
    "translate y": _moved(lambda by, w, h: (1, 0, 0, 0, 1, 0.45 * by * h)),
    "rotate": _turned,
    "brightness": _enhanced("Brightness"),
    "color": _enhanced("Color"),
    "contrast": _enhanced("Contrast"),
    "sharpness": _enhanced("Sharpness"),
    "auto contrast": _of_pixels(lambda ops, x, strength: ops.autocontrast(x)),
    "equalize": _of_pixels(lambda ops, x, strength: ops.equalize(x)),
    "posterize": _of_pixels(
        lambda ops, x, strength: ops.posterize(x, 8 - round(4 * strength))
    ),
    "solarize": _of_pixels(
        lambda ops, x, strength: ops.solarize(x, round(256 * (1 - strength)))
    ),
}
"""(image, strength from 0 to 1, direction -1 or 1) -> image. The ranges at strength 1
are those of AutoAugment (Cubuk et al. 2018, https://arxiv.org/abs/1805.09501, table 6),
which RandAugment takes over: shears 0.3, moves 0.45 of the size, turns 30 degrees."""


def mixed(
    inputs: Floats,
    labels: Floats,
    mixup: float,
    cutmix: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Each image joined with another of the batch, and its label in proportion.

    Mixup (Zhang et al. 2017, https://arxiv.org/abs/1710.09412) takes the weighted mean
    of both, CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899) puts a rectangle
    of the other in. A batch takes one of the two, and one weight.

    Args:
        inputs: [B, H, W, C].
        labels: [B, classes], rows that add up to 1.
        mixup: α of its Beta distribution; 0 for none.
        cutmix: The same of CutMix.
        rng: Source of the draws.
    """
    alphas = [alpha for alpha in (mixup, cutmix) if alpha]
    if not alphas:
        return inputs, labels
    chosen = int(rng.integers(len(alphas)))
    weight = float(rng.beta(alphas[chosen], alphas[chosen]))
    others = rng.permutation(len(inputs))
    if mixup and chosen == 0:
        joined = weight * inputs + (1 - weight) * inputs[others]
    else:
        joined = inputs.copy()
        height, width = inputs.shape[1:3]
        top, left = rng.integers(height), rng.integers(width)
        tall, wide = (int(n * np.sqrt(1 - weight) / 2) for n in (height, width))
        rows = slice(max(top - tall, 0), min(top + tall, height))
        columns = slice(max(left - wide, 0), min(left + wide, width))
        joined[:, rows, columns] = inputs[others][:, rows, columns]
        covered = (rows.stop - rows.start) * (columns.stop - columns.start)
        weight = 1 - covered / (height * width)
    both = weight * labels + (1 - weight) * labels[others]
    return joined.astype(np.float32), both.astype(np.float32)
