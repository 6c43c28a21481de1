"""Pictures that lie in files: read when they are asked for, at one resolution.

What does not fit in memory is an array to the rest of the code: its rows are decoded
when a batch takes them, by as many threads as make batches (Pillow decodes without
Python's lock).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.train.sources import DatasetError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_CHECKED = 100  # at a time
_MARGIN = 0.875
"""Share of the shorter side that is kept, as of ImageNet's usual evaluation."""


class Source(Protocol):
    """Where pictures come from."""

    def read(self, number: int) -> bytes:
        """Content of a file."""
        ...

    def name(self, number: int) -> str:
        """What errors call a picture."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """Pictures in files.

    Attributes:
        paths: Of all.
    """

    paths: tuple[Path, ...]

    def read(self, number: int) -> bytes:
        """Content of a file."""
        return self.paths[number].read_bytes()

    def name(self, number: int) -> str:
        """Its path."""
        return str(self.paths[number])


@dataclass(frozen=True, eq=False)
class Pictures:
    """[N, R, R, 3] uint8, of which rows are decoded when they are taken.

    The middle square of a picture, 7/8 of its shorter side, is resized.

    Attributes:
        source: Where they come from.
        rows: [N] their numbers there.
        resolution: Rows and columns.
    """

    source: Source
    rows: NDArray[np.int64]
    resolution: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of an array."""
        return len(self.rows), self.resolution, self.resolution, 3

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(
        self, rows: slice | Sequence[int] | NDArray[np.integer[Any]]
    ) -> NDArray[np.uint8]:
        """Pixels [n, R, R, 3] of some rows.

        Raises:
            DatasetError: If a picture cannot be read.
        """
        chosen = self.rows[rows]
        found = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for place, number in enumerate(chosen.tolist()):
            try:
                found[place] = square(self.source.read(number), self.resolution)
            except OSError as error:  # Pillow's own is one
                raise DatasetError(
                    f"{self.source.name(number)} must be a picture that can be read. "
                    f"{error}."
                ) from None
        return found

    def check(self) -> None:
        """Reads all.

        Raises:
            DatasetError: Of the first that cannot be read.
        """
        for start in range(0, len(self), _CHECKED):
            self[start : start + _CHECKED]

    def take(self, rows: NDArray[np.integer[Any]]) -> "Pictures":
        """Some of them, none decoded."""
        return Pictures(self.source, self.rows[rows], self.resolution)


def square(content: bytes, resolution: int) -> NDArray[np.uint8]:
    """The middle of a picture's file at a resolution, [R, R, 3]; grey is repeated.

    Raises:
        OSError: If it is no picture, or one that fills the memory.
    """
    from PIL import Image

    try:
        picture: Image.Image = Image.open(BytesIO(content))
        least = ceil(resolution / _MARGIN)
        picture.draft("RGB", (least, least))  # a JPEG's smaller size is sooner decoded
        picture = picture.convert("RGB")
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise OSError(str(error)) from error  # Pillow says so of most files, not of all
    side = min(picture.size) * _MARGIN
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    small = picture.resize(
        (resolution, resolution),
        Image.Resampling.BILINEAR,
        box=(left, top, left + side, top + side),
        reducing_gap=2.0,
    )
    return np.asarray(small)


def folder_of_classes(
    folder: Path, classes: Sequence[str] | None = None
) -> tuple[tuple[Path, ...], NDArray[np.int64], tuple[str, ...]]:
    """Files, their labels, and the classes: a folder each, in the order of their names.

    Args:
        folder: Holds a folder of pictures for each class.
        classes: Those of another split, which must be the same.

    Raises:
        DatasetError: If there are fewer than two classes, one has no pictures, or they
            are others.
    """
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if len(names) < 2:
        raise DatasetError(
            "A folder of pictures must hold a folder for each of two or more classes. "
            f"Received {len(names)} (in {folder})."
        )
    if classes is not None and list(classes) != names:
        other = sorted(set(classes) ^ set(names))
        raise DatasetError(
            f"All splits must have the same classes. Received {other[0]!r} in one "
            f"alone (in {folder})."
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        own = sorted(
            path for path in (folder / name).rglob("*")
            if path.suffix.lower() in SUFFIXES
        )  # fmt: skip
        if not own:
            raise DatasetError(
                f"Each class must have pictures ({', '.join(SUFFIXES)}). Received none "
                f"(in {folder / name})."
            )
        paths += own
        labels += [label] * len(own)
    return tuple(paths), np.array(labels, dtype=np.int64), tuple(names)
