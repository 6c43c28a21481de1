"""Warm starts: the words of `--warm-start` as the first choices of a search.

`published:NAME` is a published network on the baseline accelerator, or the space's
nearest network to it; `STUDY` or `STUDY=K` the best trials of another study over the
same space.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid import BASELINE
from nahas.controller.description import describe
from nahas.controller.study import CONFIG, Study
from nahas.controller.warm_start import WarmStart
from nahas.decode import nearest
from nahas.search_space.joint import PREFIX
from nahas.search_space.nearest import distance, nearest_choices, sized_as
from nahas.search_space.published import PUBLISHED
from nahas.search_space.space import SearchSpace

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


def first_trials(words: Sequence[str], space: SearchSpace) -> FirstTrials:
    """What the words name, in their order.

    Args:
        words: As the command line has them.
        space: The joint space of the search.

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
            rows, said = _best_of(word, space)
        found += rows
        sources.append(f"{word}: {said}")
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
    start = np.array([_on_baseline(knob.name, knob.values) for knob in space.knobs])
    try:
        choices = nearest_choices(space, PUBLISHED[name], start)
    except AttributeError as error:  # not networks of our own
        raise ValueError(
            f"`{_PUBLISHED}{name}` needs a space of networks. Received {space.name} "
            f"(in {_PLACE})."
        ) from error
    network = space.decode(choices).network
    wanted = sized_as(PUBLISHED[name], network)
    row = tuple(int(choice) for choice in choices)
    if distance(network, wanted) == 0:
        return row, "a network of the space"
    pairs = zip(str(network).split(), str(wanted).split(), strict=False)
    mine, other = next(pair for pair in pairs if pair[0] != pair[1])
    return row, (
        f"not of the space; the nearest network there is taken ({mine} for {other} is "
        "the first difference)"
    )


def _on_baseline(name: str, values: Sequence[object]) -> int:
    """The baseline's value of a knob of the accelerator, or the nearest; else 0."""
    wanted = getattr(BASELINE, name.removeprefix(PREFIX), None)
    if not name.startswith(PREFIX) or wanted is None:
        return 0
    numbers: NDArray[np.float64] = np.array(values, float)
    return int(np.abs(numbers - wanted).argmin())


def _best_of(word: str, space: SearchSpace) -> tuple[list[tuple[int, ...]], str]:
    folder, equals, number = word.rpartition("=")
    if not (equals and number.isdecimal()):
        folder, number = word, str(_BEST)
    if not (Path(folder) / CONFIG).is_file() or not int(number):
        raise _wrong(f"{_PUBLISHED}NAME, or the folder of a study, or STUDY=K", word)
    study = Study.open(folder)
    knobs = study.config.get("space", {}).get("knobs", {})
    mine = json.loads(json.dumps({k.name: describe(k.values) for k in space.knobs}))
    if list(knobs.items()) != list(mine.items()):
        names = [n for n in {**knobs, **mine} if knobs.get(n) != mine.get(n)]
        differs = f"knob {names[0]} differs" if names else "its knobs' order differs"
        raise _wrong("a study over the same space", word, differs)
    ranked = sorted(
        (-trial.reward, trial.number, trial.choices)
        for trial in study.trials()
        if trial.reward is not None
    )
    rows = list(dict.fromkeys(choices for _, _, choices in ranked))[: int(number)]
    if not rows:
        raise _wrong("a study with a feasible trial", word, "it has none")
    return rows, f"its {len(rows)} best trials"


def _wrong(expected: str, word: str, why: str = "") -> ValueError:
    reason = f": {why}" if why else ""
    return ValueError(
        f"`warm_start` must be {expected}. Received {word!r}{reason} (in {_PLACE})."
    )
