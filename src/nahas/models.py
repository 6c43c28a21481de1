"""Models: what a user names on the command line, as a network and its accelerator.

A model is a published network (`keras:EfficientNetB0`), a network's one-line text, a
pair's JSON, or a file that holds one of the two.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from nahas.accelerator.template import Accelerator
from nahas.decode import nearest
from nahas.search_space.joint import Candidate
from nahas.search_space.network import Network
from nahas.search_space.published import PUBLISHED

PREFIX = "keras:"


@dataclass(frozen=True, slots=True)
class Model:
    """A network by its name.

    Attributes:
        name: What the user called it.
        network: The network.
        accelerator: The accelerator that came with it; None for none.
    """

    name: str
    network: Network
    accelerator: Accelerator | None = None


def resolve(model: str | Path | Network | Candidate | Model) -> Model:
    """The model that a word, a file or a value names.

    >>> resolve("keras:MobileNetV2").network.resolution
    224

    Raises:
        ValueError: If no model is named so, or a text is not a network.
        TypeError: If it is something else.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, Network):
        return Model("network", model)
    if isinstance(model, Candidate):
        return Model("pair", model.network, model.accelerator)
    if not isinstance(model, str | Path):
        raise TypeError(
            "`model` must be text, a path, a Network or a Candidate. Received "
            f"{type(model).__name__}."
        )
    text = str(model).strip()
    if text.startswith(PREFIX):
        return Model(text, _published(text))
    if _is_file(text):
        return _parse(_read(Path(text)), Path(text).name)
    if " " not in text and not text.startswith("{"):
        return Model(text, _network_of_word(text))
    return _parse(text, "network")


def known() -> list[str]:
    """Names of the published networks, as `resolve` takes them."""
    return [PREFIX + name for name in PUBLISHED]


def _published(name: str) -> Network:
    found = PUBLISHED.get(name.removeprefix(PREFIX))
    if found is None:
        raise ValueError(
            f"The model must be one of {', '.join(known())}. Received {name!r}."
            f"{nearest(name, known())}"
        )
    return found


def _network_of_word(word: str) -> Network:
    """A word without spaces: a very short network, or a name that is not known."""
    try:
        return Network.parse(word)
    except ValueError:
        raise ValueError(
            f"The model must be one of {', '.join(known())}, a network's text, a "
            "pair's JSON, or a file that holds one of the two. Received "
            f"{word!r}.{nearest(PREFIX + word, known())}"
        ) from None


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a network's text is too long for a file's name
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The model file {path} cannot be read: {error}.") from error


def _parse(text: str, name: str) -> Model:
    if text.startswith("{"):
        try:
            table = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"A pair must be sound JSON. Received {name}: {error}."
            ) from error
        pair = Candidate.from_json(table)
        return Model(name, pair.network, pair.accelerator)
    return Model(name, Network.parse(text))
