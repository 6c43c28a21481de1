"""Warm starts: the words of `--warm-start` as the first choices of a search.

`published:NAME` is a published network on the baseline accelerator, `STUDY` or
`STUDY=K` the best feasible trials of another study. Of what the space does not hold the
nearest is taken, which is said.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid import BASELINE
from nahas.accelerator.template import Accelerator
from nahas.controller.description import describe
from nahas.controller.rows import Record
from nahas.controller.study import CONFIG, Study
from nahas.controller.warm_start import WarmStart
from nahas.decode import nearest
from nahas.search_space.joint import PREFIX, accelerator_choices, accelerator_knobs
from nahas.search_space.nearest import distance, nearest_choices, sized_as
from nahas.search_space.network import Network
from nahas.search_space.published import PUBLISHED
from nahas.search_space.space import Knob, SearchSpace

_PUBLISHED = "published:"
_PLACE = "search.warm_start"
_BEST = 8

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class FirstTrials:
    """The first trials of a search.

    Attributes:
        rows: [N][D] their choices, each once.
        sources: What each word gave, in a line.
    """

    rows: Rows
    sources: tuple[str, ...]


def first_trials(
    words: Sequence[str], space: SearchSpace, on: Accelerator | None = None
) -> FirstTrials:
    """What the words name, in their order.

    Args:
        words: As the command line has them.
        space: The joint space of the search.
        on: What all networks run on, where the search has one accelerator.

    Raises:
        ValueError: If a word names nothing, or what is not of the space.
    """
    found: list[tuple[int, ...]] = []
    sources = []
    for word in words:
        if word.startswith(_PUBLISHED):
            row, said = _published(word.removeprefix(_PUBLISHED), space)
            rows = [row]
        else:
            rows, said = _best_of(word, space, on)
        found += rows
        sources.append(f"{word}: {said}")
    if on is not None:
        places = accelerator_knobs(space)
        moved = np.array(found, np.int64).reshape(-1, len(space.knobs))
        moved[:, places] = accelerator_choices(space, on)
        found = [tuple(row) for row in moved.tolist()]
    return FirstTrials(tuple(dict.fromkeys(found)), tuple(sources))


def recorded(study: Study) -> Rows | None:
    """The first trials that a study was begun with.

    They stay, whatever became of where they were taken from. None where the study is
    of a time when there were none, or was made from Python.
    """
    asked = study.config.get("config") or {}
    if not isinstance(asked, dict) or "warm_start" not in asked.get("search", {}):
        return None
    controller = study.config["controller"]
    if controller["class"] != describe(WarmStart):
        return ()
    return tuple(tuple(row) for row in controller["rows"])


def _published(name: str, space: SearchSpace) -> tuple[tuple[int, ...], str]:
    if name not in PUBLISHED:
        guess = nearest(name, list(PUBLISHED))
        raise ValueError(
            f"`{_PUBLISHED}` must be followed by the name of a published network. "
            f"Received {name!r}.{guess} (in {_PLACE})."
        )
    row = _nearest(PUBLISHED[name], asdict(BASELINE), space)
    network, wanted = _of_space(row, PUBLISHED[name], space)
    if distance(network, wanted) == 0:
        return row, "a network of the space"
    pairs = zip(str(network).split(), str(wanted).split(), strict=False)
    mine, other = next(pair for pair in pairs if pair[0] != pair[1])
    return row, (
        f"not of the space; the nearest network there is taken ({mine} for {other} is "
        "the first difference)"
    )


def _best_of(
    word: str, space: SearchSpace, on: Accelerator | None
) -> tuple[list[tuple[int, ...]], str]:
    folder, equals, number = word.rpartition("=")
    if (Path(word) / CONFIG).is_file() or not (equals and number.isdecimal()):
        folder, number = word, str(_BEST)
    if not (Path(folder) / CONFIG).is_file() or not int(number):
        raise _wrong(f"{_PUBLISHED}NAME, or the folder of a study, or STUDY=K", word)
    study = Study.open(folder)
    records = [one for one in study.records() if one.trial.feasible]
    records.sort(key=lambda one: (-(one.trial.reward or 0.0), one.trial.number))
    if not records:
        raise _wrong("a study with a feasible trial", word, "it has none")
    first: dict[tuple[int, ...], Record] = {}
    for one in records:
        first.setdefault(one.trial.choices, one)
    best = list(first.values())[: int(number)]
    theirs = study.config.get("space", {}).get("knobs", {})
    mine = json.loads(json.dumps({k.name: describe(k.values) for k in space.knobs}))
    if list(theirs.items()) == list(mine.items()):
        return [one.trial.choices for one in best], f"its {len(best)} best trials"
    rows = [_carried_over(one, theirs, space) for one in best]
    said = f"its {len(best)} best trials"
    told = {"networks": 1, "accelerators": 2}
    if on is not None:  # then a trial's own does not matter
        del told["accelerators"]
    for what, place in told.items():
        if others := sum(not row[place] for row in rows):
            said += f"; the nearest {what} for {others} that are not of the space"
    return [row[0] for row in rows], said


def _carried_over(
    record: Record, knobs: Mapping[str, Sequence[Any]], space: SearchSpace
) -> tuple[tuple[int, ...], bool, bool]:
    """A trial of another space in this one; are its network and accelerator of it?

    Args:
        record: The trial.
        knobs: Of the other space, with their values.
        space: This one.
    """
    chosen = zip(knobs.items(), record.trial.choices, strict=True)
    accelerator = {
        name.removeprefix(PREFIX): values[choice]
        for (name, values), choice in chosen if name.startswith(PREFIX)
    }  # fmt: skip
    network = Network.parse(record.network)
    chip = asdict(BASELINE) | accelerator
    row = _nearest(network, chip, space)
    found, wanted = _of_space(row, network, space)
    machine = asdict(space.decode(np.array(row)).accelerator)
    return row, distance(found, wanted) == 0, machine == chip


def _nearest(
    network: Network, accelerator: Mapping[str, float], space: SearchSpace
) -> tuple[int, ...]:
    """The choices that are nearest to a pair."""
    start = np.array([_nearest_value(knob, accelerator) for knob in space.knobs])
    try:
        choices = nearest_choices(space, network, start)
    except AttributeError as error:  # not networks of our own
        raise ValueError(
            "`warm_start` from elsewhere needs a space of networks. Received "
            f"{space.name} (in {_PLACE})."
        ) from error
    return tuple(int(choice) for choice in choices)


def _nearest_value(knob: Knob, accelerator: Mapping[str, float]) -> int:
    """Which value of a knob is nearest to an accelerator's; 0 for other knobs."""
    wanted = accelerator.get(knob.name.removeprefix(PREFIX))
    if not knob.name.startswith(PREFIX) or wanted is None:
        return 0
    numbers: NDArray[np.float64] = np.array(knob.values, float)
    return int(np.abs(numbers - wanted).argmin())


def _of_space(
    row: tuple[int, ...], network: Network, space: SearchSpace
) -> tuple[Network, Network]:
    """The network of choices, and another at its size."""
    found: Network = space.decode(np.array(row)).network
    return found, sized_as(network, found)


def _wrong(expected: str, word: str, why: str = "") -> ValueError:
    reason = f": {why}" if why else ""
    return ValueError(
        f"`warm_start` must be {expected}. Received {word!r}{reason} (in {_PLACE})."
    )
