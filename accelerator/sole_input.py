"""The one input that a model may have: a graph's `INPUT` has one shape."""

from collections.abc import Sequence
from typing import TypeVar

from nahas.accelerator.graph import UnsupportedError

T = TypeVar("T")


def sole_input(inputs: Sequence[T], where: str) -> T:
    """The only one of a model's inputs.

    Of several, whose shapes may differ, each would be taken for the first.

    >>> sole_input(["image"], "a model")
    'image'

    Raises:
        UnsupportedError: If there are several or none.
    """
    if len(inputs) != 1:
        raise UnsupportedError(
            f"The model must have one input. Received {len(inputs)} (in {where})."
        )
    return inputs[0]
