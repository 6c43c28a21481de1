"""Report: a study on one HTML page that needs nothing else, pictures included."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

from nahas import plots
from nahas.closing import best_candidate, others_in_words, others_of, summary
from nahas.controller.study import Study
from nahas.costs import simulate
from nahas.fronts import UNKNOWN
from nahas.output import counted, number, percent
from nahas.study_platform import platform_of

_TOP_OPERATORS = 12
_TOP_FRONT = 30


def render(study: Study, pictures: Mapping[str, bytes] | None = None) -> bytes:
    """The page of a study: configuration, counts, best pair, front and pictures.

    Args:
        study: The study.
        pictures: PNG files as of `plots.of_study`; drawn here where None.
    """
    frame, found = study.to_frame(), summary(study)
    pictures = plots.of_study(frame, found) if pictures is None else pictures
    best = best_candidate(study, study.best())
    simulation, operators = None, []
    if best is not None:
        simulated = simulate(best, platform=platform_of(study.config))
        simulation = {
            weights: simulated.with_weights(weights).summary()
            for weights in simulated.uses_of_weights
        }
        operators = simulated.operators.nlargest(_TOP_OPERATORS, "latency_ms").to_dict(
            "records"
        )
    return render_template(
        "report.html",
        summary=found,
        counts=counted(found),
        others=others_of(found),
        in_words=others_in_words(others_of(found)),
        config=list(flat(study.config.get("config") or study.config)),
        versions=study.config.get("versions", {}),
        simulation=simulation,
        operators=operators,
        front=found["front"][:_TOP_FRONT],
        unknown_noise=UNKNOWN,
        pictures=pictures,
    )


def render_template(name: str, pictures: Mapping[str, bytes], **values: Any) -> bytes:
    """The page that a packaged template makes of values.

    Args:
        name: The template's file.
        pictures: PNG files that it shows.
        values: What else it names.
    """
    template = resources.files("nahas").joinpath(name).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, percent=percent)
    encoded = {name: b64encode(data).decode() for name, data in pictures.items()}
    return environment.from_string(template).render(values, pictures=encoded).encode()


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested tables by their dotted paths.

    >>> list(flat({"search": {"seed": 0}}))
    [('search.seed', 0)]
    """
    for key, value in table.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            yield from flat(value, path)
        else:
            yield path, value
