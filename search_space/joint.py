"""The joint space: a network and the accelerator that runs it, searched together."""

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid import BASELINE, GRID
from nahas.accelerator.template import Accelerator
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.space import Knob, SearchSpace, product

PREFIX = "accelerator."
"""What the names of the accelerator's knobs begin with."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network, as deployed, and the accelerator that is to run it."""

    network: Network
    accelerator: Accelerator

    def to_json(self) -> dict[str, Any]:
        """The pair in JSON's types."""
        return {"network": str(self.network), "accelerator": asdict(self.accelerator)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Candidate":
        """The pair that `to_json` gave.

        Raises:
            ValueError: If a part is missing, unknown or impossible.
        """
        if set(data) != {"network", "accelerator"}:
            raise ValueError(
                "A pair must have `network` and `accelerator`. Received "
                f"{', '.join(map(repr, data)) or 'nothing'}."
            )
        values = data["accelerator"]
        if not isinstance(values, Mapping) or set(values) != set(GRID):
            raise ValueError(
                f"`accelerator` must have {', '.join(GRID)}. Received {values!r}."
            )
        return cls(Network.parse(str(data["network"])), Accelerator(**values))


def accelerator_space(also: Accelerator = BASELINE) -> SearchSpace:
    """The grid of accelerators as a space; its reference is the baseline.

    Args:
        also: An accelerator whose values are among the knobs', beside the grid's.

    >>> accelerator_space().size
    50000
    >>> accelerator_space(Accelerator(4, 4, 64, 4, 2.0, 32.0, 17.0)).size
    60000
    """

    def build(values: Mapping[str, Any]) -> Accelerator:
        return Accelerator(**{n.removeprefix(PREFIX): v for n, v in values.items()})

    knobs = tuple(
        Knob(PREFIX + name, tuple(sorted({*values, getattr(also, name)})))
        for name, values in GRID.items()
    )
    places = (
        knob.values.index(value)
        for knob, value in zip(knobs, astuple(BASELINE), strict=True)
    )
    return SearchSpace("accelerators", knobs, build, tuple(places))


def accelerator_knobs(space: SearchSpace) -> NDArray[np.int64]:
    """[7] places of the accelerator's knobs, in the order of its fields.

    Raises:
        ValueError: If the space lacks one of them, or has no knob besides.
    """
    names = [knob.name for knob in space.knobs]
    wanted = [PREFIX + name for name in GRID]
    missing = [name for name in wanted if name not in names]
    if missing or len(names) == len(wanted):
        lacks = ", ".join(missing) or "knobs of the network"
        raise ValueError(
            "`space` must have knobs of the network and one for each parameter of "
            f"the accelerator, as `joint_space` makes it. Space {space.name!r}"
            f" lacks {lacks}: its accelerators are none apart from its networks."
        )
    return np.array([names.index(name) for name in wanted])


def accelerator_choices(
    space: SearchSpace, accelerator: Accelerator
) -> NDArray[np.int64]:
    """[7] choices of the accelerator's knobs, in the order of its fields.

    Raises:
        ValueError: If the space has not all the knobs, or not all its values.
    """
    found = []
    for d, (name, value) in zip(
        accelerator_knobs(space), asdict(accelerator).items(), strict=True
    ):
        values = space.knobs[d].values
        if value not in values:
            raise ValueError(
                f"`accelerator` must be one of the space. Its {name} is {value:g}, "
                f"among {', '.join(map(str, values))} in space {space.name!r}."
            )
        found.append(values.index(value))
    return np.array(found, np.int64)


def joint_space(
    networks: SearchSpace | str, *, also: Accelerator = BASELINE, **settings: Any
) -> SearchSpace:
    """A network space times the grid of accelerators; its values are `Candidate`s.

    Args:
        networks: A space of networks, or the name of one.
        also: As of `accelerator_space`.
        **settings: resolution, width and classes, for a space given by its name.

    Raises:
        ValueError: If the name is unknown, or settings come with a space.

    >>> joint_space("s2").size == 6**16 * 50_000
    True

    A network space of one's own is knobs and what they build, values that nothing
    changes afterwards, for candidates share them:

    >>> from nahas.search_space.network import Block
    >>> def build(values):
    ...     blocks = [Block("ibn", values["kernel"], 6, 24, stride=2)] * values["depth"]
    ...     return Network(tuple(blocks), stem_filters=16, head_filters=64)
    >>> knobs = (Knob("kernel", (3, 5, 7)), Knob("depth", (1, 2, 3, 4)))
    >>> space = joint_space(SearchSpace("mine", knobs, build))
    >>> space.size
    600000
    >>> len(space.decode([0, 1] + [0] * 7).network.blocks)
    2
    """
    if isinstance(networks, str):
        if networks not in NETWORK_SPACES:
            raise ValueError(
                f"`networks` must be a space or one of {', '.join(NETWORK_SPACES)}. "
                f"Received {networks!r}."
            )
        networks = NETWORK_SPACES[networks](**settings)
    elif settings:
        raise ValueError(
            f"Settings go with a space's name. Received {settings} with a space."
        )
    name = f"{networks.name} x accelerators"
    return product(name, (networks, accelerator_space(also)), Candidate)


def network_knobs(space: SearchSpace) -> NDArray[np.int64]:
    """[d] places of the knobs that are not the accelerator's; all where all are.

    >>> network_knobs(joint_space("s1")).tolist() == list(range(34))
    True
    """
    names = [knob.name for knob in space.knobs]
    own = [d for d, name in enumerate(names) if not name.startswith(PREFIX)]
    return np.array(own or range(len(names)), np.int64)
