"""Co-training: who chooses the networks learns while the shared weights do.

TuNAS's loop (Bender et al. 2020, https://arxiv.org/abs/2008.06120, section 4) over
networks and accelerators at once. In each step a pair is chosen; its network, with the
weights as they are, is measured on a batch of validation images; who chose is told; and
the network is trained on a batch of training images. At first, while the weights are
worth nothing, networks are drawn fairly and nobody is told. Costs are the simulator's
own: it takes a millisecond, where TuNAS needs a model of them.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.refusal import check_counts, wrong
from nahas.accelerator.whole_file import whole
from nahas.search_space.space import SearchSpace
from nahas.train.checkpoint import CheckpointError
from nahas.train.data import Dataset
from nahas.train.final import Progress
from nahas.train.one_shot import fair
from nahas.train.recipe import FinalRecipe
from nahas.train.shared_training import Ints, SharedTraining, check
from nahas.train.shared_weights import Fidelity

LESSONS = "lessons.jsonl"


class Chooser(Protocol):
    """Who chooses, and is told what came of it.

    Its choices are a function of the calls before: a training that resumes makes them
    again.
    """

    def propose(self) -> Ints:
        """[D] choices of a network, and perhaps of more that it keeps to itself."""
        ...

    def learn(self, accuracy: float) -> None:
        """Told of the last proposal: the share of a batch of validation images."""
        ...


@dataclass(frozen=True, slots=True)
class Alternation:
    """When weights and chooser learn.

    Attributes:
        warm_up: Share of the epochs in which the weights alone learn.
        images: Validation images a step.

    Raises:
        ValueError: If a number is out of its range.
    """

    warm_up: float = 0.25
    images: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up < 1:
            raise wrong("warm_up", "at least 0 and below 1", self.warm_up)
        check_counts(self, "images")


def co_train(
    space: SearchSpace,
    chooser: Chooser,
    data: Dataset,
    fidelity: Fidelity,
    recipe: FinalRecipe,
    alternation: Alternation,
    folder: Path,
    *,
    seed: int,
    rules: Any,
    threads: int = 1,
    progress: Progress | None = None,
) -> Any:
    """Trains shared weights and a chooser together, from the folder's checkpoint on.

    Args:
        space: Of networks.
        chooser: New, with no steps behind it.
        data: At the fidelity's resolution: training images teach the weights,
            validation images the chooser.
        fidelity: What is trained in the place of the networks.
        recipe: How; without dropout, stochastic depth and tuning.
        alternation: When who learns.
        folder: Where the checkpoint and the lessons lie, and in the end the weights.
        seed: Of weights, order, augmentation and of the networks of the warm-up.
        rules: What the chooser is, as JSON takes it: a checkpoint is of one alone.
        threads: Of TensorFlow.
        progress: Told of each epoch.

    Returns:
        The model (`supernet`); its weights are the averaged ones, where the recipe
        averages.

    Raises:
        ValueError: If the space is none of a one-shot model, or the recipe asks for
            what it has not.
        CheckpointError: If the folder's files are damaged or of another training.
        DivergedError: If the loss is not finite.
        RuntimeError: If TensorFlow runs in this process with other threads.
    """
    check(data, fidelity, recipe, 1)
    training = SharedTraining(
        space, data, fidelity, recipe, seed, threads, folder, 1,
        [asdict(alternation), rules],
    )  # fmt: skip
    model, log = training.begin()
    first = int(alternation.warm_up * recipe.epochs)
    told = _replayed(folder / LESSONS, chooser, (len(log) - first) * training.steps)
    new: list[dict[str, Any]] = []

    def choose(epoch: int, step: int) -> Ints:
        rng = np.random.default_rng((seed, epoch, step, 2))
        if epoch < first:
            choices: Ints = fair(space.cardinalities, 1, rng)[0]
            return choices
        choices = chooser.propose()
        accuracy = _accuracy(model, training, choices, alternation.images, rng)
        chooser.learn(accuracy)
        new.append({"choices": choices.tolist(), "accuracy": accuracy})
        return choices

    def keep() -> None:
        nonlocal told, new
        told, new = told + new, []
        _write(folder / LESSONS, told)

    training.run(model, log, choose, progress, keep)
    return model


def _accuracy(
    model: Any,
    training: SharedTraining,
    choices: Ints,
    count: int,
    rng: np.random.Generator,
) -> float:
    """Of a network on so many validation images, normalized by themselves."""
    held = training.data.validation
    rows = rng.choice(len(held), min(count, len(held)), replace=False)
    inputs = {
        "images": training.scaling(held.images[rows]),
        "codes": training.codes(choices),
    }
    outputs: NDArray[np.float32] = model.predict_on_batch(inputs)
    return float((outputs.argmax(-1) == held.labels[rows]).mean())


def _replayed(path: Path, chooser: Chooser, count: int) -> list[dict[str, Any]]:
    """The first lessons of a file, which the chooser has been taught again.

    A file is written before the checkpoint, so that it may hold more.
    """
    if count <= 0:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[:count]
        lessons = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if len(lessons) < count:
        raise _damaged(path, f"{len(lessons)} of {count} lessons are there")
    for lesson in lessons:
        if chooser.propose().tolist() != lesson["choices"]:
            raise _damaged(path, "other networks are chosen now")
        chooser.learn(lesson["accuracy"])
    return lessons


def _write(path: Path, lessons: list[dict[str, Any]]) -> None:
    """In the place of the file before, in one step."""
    with whole(path) as file:
        file.writelines(json.dumps(lesson).encode() + b"\n" for lesson in lessons)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} must hold what the checkpoint beside it was made with: {why}. Remove "
        "both to begin this training anew."
    )
