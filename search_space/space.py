"""SearchSpace: ordered knobs and what a choice of their values builds.

A point of a space is an array of D indices, one a knob; batches are [B, D]. PyGlove's
DNA is the format at the border: its numbers are the indices.

>>> knobs = (Knob("kernel", (3, 5, 7)), Knob("wide", (False, True)))
>>> space = SearchSpace("toy", knobs, dict)
>>> space.size
6
>>> space.decode([2, 1])
{'kernel': 7, 'wide': True}
>>> print(space)
toy: 2 knobs, 6 candidates
  kernel  3, 5, 7
  wide    False, True

A space of one's own is such a value: name it as `module:name` on the command line.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_REMEMBERED = 512  # candidates of a product's spaces: a search comes back to its best


@dataclass(frozen=True, slots=True)
class Knob:
    """One choice: its name and the values it may take.

    Raises:
        ValueError: If there are no values, or one twice.
    """

    name: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        try:
            distinct = len(set(self.values))
        except TypeError:  # such as lists
            distinct = 0
        if not self.values or distinct < len(self.values):
            raise ValueError(
                f"`values` of knob {self.name!r} must be distinct, hashable, and at "
                f"least one. Received {self.values!r}."
            )


@dataclass(frozen=True)
class SearchSpace:
    """D knobs and a function from their values to what they choose.

    Attributes:
        name: What reports call it.
        knobs: The knobs, in the order of the choices.
        build: Turns the values, by the knobs' names, into a candidate.
        reference: [D] choices of the candidate that a search by phases starts from;
            None for none.

    Raises:
        ValueError: If two knobs have one name, or the reference is not of the space.
    """

    name: str
    knobs: tuple[Knob, ...]
    build: Callable[[Mapping[str, Any]], Any] = field(compare=False)
    reference: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        names = [knob.name for knob in self.knobs]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"`knobs` of space {self.name!r} must have distinct names, and be at "
                f"least one. Received {names}."
            )
        if self.reference is not None:
            self.check([self.reference])

    @cached_property
    def cardinalities(self) -> NDArray[np.int64]:
        """[D] number of values of each knob."""
        return np.array([len(knob.values) for knob in self.knobs], dtype=np.int64)

    @property
    def size(self) -> int:
        """Number of candidates: the product of the choices."""
        return prod(len(knob.values) for knob in self.knobs)

    def decode(self, choices: ArrayLike) -> Any:
        """The candidate of choices [D].

        Raises:
            ValueError: If the choices are not D indices inside the space.
        """
        [row] = self.check(np.asarray(choices)[None])
        pairs = zip(self.knobs, row.tolist(), strict=True)
        return self.build({knob.name: knob.values[i] for knob, i in pairs})

    def check(self, choices: ArrayLike) -> NDArray[np.int64]:
        """The choices [B, D] as int64, if all are inside the space.

        Raises:
            ValueError: Naming the knob and the index that is not.
        """
        array = np.asarray(choices)
        if array.ndim != 2 or array.shape[1] != len(self.knobs):
            raise ValueError(
                f"`choices` must have shape [B, {len(self.knobs)}], one index a knob "
                f"of {self.name!r}. Received shape {list(array.shape)}."
            )
        if not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"`choices` must be integers. Received {array.dtype}.")
        outside = (array < 0) | (array >= self.cardinalities)
        if outside.any():
            row, d = np.argwhere(outside)[0]
            knob = self.knobs[d]
            raise ValueError(
                f"Choice of knob {knob.name!r} must be an index from 0 to "
                f"{len(knob.values) - 1}. Received {array[row, d]}."
            )
        return array.astype(np.int64)

    def random(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """[count, D] uniformly random choices."""
        shape = (count, len(self.knobs))
        choices: NDArray[np.int64] = rng.integers(self.cardinalities, size=shape)
        return choices

    @cached_property
    def dna_spec(self) -> Any:
        """The space as PyGlove's `DNASpec`, a choice a knob, by the knob's name."""
        import pyglove as pg  # a border: nothing else here needs it

        # A list: as keys of a dictionary, names with dots would be paths into it.
        choices = [
            pg.oneof(list(range(len(knob.values))), name=knob.name)
            for knob in self.knobs
        ]
        return pg.dna_spec(pg.List(choices))

    def to_dna(self, choices: ArrayLike) -> Any:
        """PyGlove's DNA of choices [D]; `dna.to_numbers()` gives them back."""
        import pyglove as pg

        [row] = self.check(np.asarray(choices)[None])
        return pg.DNA.from_numbers(row.tolist(), self.dna_spec)

    def from_dna(self, dna: Any) -> NDArray[np.int64]:
        """[D] choices of PyGlove's DNA."""
        choices: NDArray[np.int64] = self.check([dna.to_numbers()])[0]
        return choices

    def __str__(self) -> str:
        width = max(len(knob.name) for knob in self.knobs)
        rows = [
            f"  {knob.name:<{width}}  {', '.join(map(str, knob.values))}"
            for knob in self.knobs
        ]
        head = f"{self.name}: {len(self.knobs)} knobs, {self.size:,} candidates"
        return "\n".join([head, *rows])


def product(
    name: str,
    spaces: Sequence[SearchSpace],
    build: Callable[..., Any],
) -> SearchSpace:
    """The space of all combinations; `build` gets a candidate of each space in turn.

    A candidate of a space is built once for many combinations, and must be a value that
    nothing changes. The product's reference is that of the spaces, where each has one.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def part(place: int, *values: Any) -> Any:
        names = (knob.name for knob in spaces[place].knobs)
        return spaces[place].build(dict(zip(names, values, strict=True)))

    def build_all(values: Mapping[str, Any]) -> Any:
        parts = [
            part(place, *(values[knob.name] for knob in space.knobs))
            for place, space in enumerate(spaces)
        ]
        return build(*parts)

    knobs = tuple(knob for space in spaces for knob in space.knobs)
    known = [space.reference for space in spaces if space.reference is not None]
    reference = sum(known, ()) if len(known) == len(spaces) else None
    return SearchSpace(name, knobs, build_all, reference)
