"""Graph: an imported model in neutral steps, which `fold.py` folds into a workload."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from math import ceil, prod

import numpy as np

from nahas.accelerator.workload import Kind

Shape = tuple[int, int, int]
"""Rows, columns and channels of a map; the batch is 1."""

Pair = tuple[int, int]
"""What a window has down and along."""

INPUT = -1
"""Where a step reads the model's input."""

LARGEST = 2**32
"""Elements of a map above which a model is taken to be damaged."""

IDENTITY, CLAMP, AFFINE, SCALE, PAD = "identity", "clamp", "affine", "scale", "pad"
"""What `fold` absorbs: no work; ReLU and its kin; a scalar scale or shift; a scale or
shift by channel; a pad."""


class UnsupportedError(ValueError):
    """A model cannot be costed; the message says which operator, and where."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a model, as its file says it.

    Attributes:
        name: Where it stands in the model.
        does: A `Kind`, or one of the words for what `fold` absorbs.
        inputs: Steps that it reads; `INPUT` is the model's input.
        shape: Of the output.
        window: Rows and columns of its window.
        strides: Steps of the window, down and along.
        groups: Groups of channels that do not mix.
        dilation: Step between the window's taps.
        constants: Elements that it reads beside its inputs and weights.
        weights: What names its weights and constants, where others may have the same;
            None where none do.
    """

    name: str
    does: Kind | str
    inputs: tuple[int, ...]
    shape: Shape
    window: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    groups: int = 1
    dilation: int = 1
    constants: int = 0
    weights: Hashable = None

    def __post_init__(self) -> None:
        rows, columns, channels = self.shape
        if min(self.shape) < 1 or rows * columns * channels > LARGEST:
            raise UnsupportedError(
                f"The output of {self.name} must be a map of 1 to {LARGEST:,} "
                f"elements. Received {rows} x {columns} x {channels}."
            )


@dataclass(slots=True)
class Graph:
    """Steps in running order, as an importer finds them.

    Attributes:
        shape: Of the model's input.
        steps: The steps so far.
        outputs: Steps whose results leave the model; the last step where none is named.
        found: Steps that `once` added, by all but their names, and their functions.
    """

    shape: Shape
    steps: list[Step] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    found: dict[tuple[Step, str], int] = field(default_factory=dict)

    def add(self, step: Step) -> int:
        """Appends a step; returns its number.

        Raises:
            UnsupportedError: If it is a change of view, and of the number of elements.
        """
        if step.does == IDENTITY:
            before = self.shape_of(step.inputs[0])
            if prod(step.shape) != prod(before):
                raise UnsupportedError(
                    f"{step.name} must leave the batch alone. Received a map of "
                    f"{' x '.join(map(str, before))} elements for one of "
                    f"{' x '.join(map(str, step.shape))}."
                )
        self.steps.append(step)
        return len(self.steps) - 1

    def add_pairs(self, step: Step) -> int:
        """Appends a step that combines any number of maps, two at a time.

        Raises:
            UnsupportedError: If two of three or more have shapes that do not fit.
        """
        first, second, *others = step.inputs
        if not others:
            return self.add(step)
        shapes = self.shape_of(first), self.shape_of(second)
        try:
            rows, columns, channels = np.broadcast_shapes(*shapes)
        except ValueError as error:
            one, other = (" x ".join(map(str, shape)) for shape in shapes)
            raise UnsupportedError(
                f"{step.name} must combine maps of sizes that are equal or 1. Received "
                f"{one} and {other}."
            ) from error
        name, shape = f"{step.name}/{len(others)}", (rows, columns, channels)
        both = replace(step, name=name, inputs=(first, second), shape=shape)
        return self.add_pairs(replace(step, inputs=(self.add(both), *others)))

    def once(self, step: Step, function: str) -> int:
        """Appends a step without weights, or finds the same one; returns its number.

        NASNet writes the same ReLU of the same value five times, and compilers do not.
        """
        place = (replace(step, name=""), function)
        if place not in self.found:
            self.found[place] = self.add(step)
        return self.found[place]

    def shape_of(self, number: int) -> Shape:
        """Shape of what a step, or the input, gives."""
        return self.shape if number == INPUT else self.steps[number].shape


def one_dilation(name: str, window: Pair, dilations: Pair) -> int:
    """The dilation of a window, which a machine has one of.

    One row of taps is dilated along only, one column down only, and one tap not at all.

    >>> one_dilation("conv", (1, 3), (4, 2))
    2

    Raises:
        UnsupportedError: If several rows and several columns of taps differ in it.
    """
    used = {d for taps, d in zip(window, dilations, strict=True) if taps > 1} or {1}
    if len(used) > 1:
        down, along = dilations
        raise UnsupportedError(
            f"{name} must be dilated alike both ways. Received {down} x {along}."
        )
    return used.pop()


def add_normalized(
    graph: Graph, name: str, producer: int, moments: Shape, constants: int,
    weights: Hashable = None,
) -> int:  # fmt: skip
    """Adds a normalization: moments in one pass, then a scale by position or channel.

    Args:
        graph: What it is added to.
        name: Of the normalization.
        producer: The step, or input, that it normalizes.
        moments: Shape of the sums and of the sums of squares.
        constants: Elements of its scale and shift.
        weights: What names these.
    """
    both = graph.add(Step(f"{name}/moments", Kind.REDUCE, (producer,), moments))
    return graph.add(
        Step(name, Kind.MULTIPLY, (producer, both), graph.shape_of(producer),
             constants=constants, weights=weights)
    )  # fmt: skip


def add_transposed(
    graph: Graph, name: str, producer: int, shape: Shape, kernel: Pair, strides: Pair,
    groups: int = 1, weights: Hashable = None,
) -> int:  # fmt: skip
    """Adds a transposed convolution as the machine runs it.

    A plain one with stride x stride times the filters on the small map, whose channels
    are then moved to their places. The zeros between the map's elements are not
    multiplied; where the strides do not divide the kernel, its taps are filled up with
    zeros, which are.
    """
    rows, columns, filters = shape
    small = (ceil(rows / strides[0]), ceil(columns / strides[1]))
    window = (ceil(kernel[0] / strides[0]), ceil(kernel[1] / strides[1]))
    dense = Step(
        name, Kind.CONV, (producer,), (*small, filters * prod(strides)), window,
        groups=groups, weights=weights,
    )  # fmt: skip
    return graph.add(Step(f"{name}/unpack", Kind.MOVE, (graph.add(dense),), shape))
