"""A queue of final trainings: each in a process of its own, resumed after any kill.

A training's folder holds its checkpoint while it runs and, once it is done, its result
and its model. What has a result is not trained again, so that the same command goes on
where it was interrupted.
"""

import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nahas.child import Child, Failure, start
from nahas.closing import read_json, write, write_json
from nahas.controller.pool import thread_limits
from nahas.search_space.network import Network
from nahas.train.recipe import FinalRecipe

RESULT = "result.json"
MODEL = "model.keras"
TUNED = "tuned.keras"
RIGHT = "right.json"
LOG = "log.txt"
_LOCK_SECONDS = 10.0


class FinalTrainingError(RuntimeError):
    """Trainings that failed; what is done is kept."""


def mark(network: Network) -> str:
    """Eight digits that tell a network from others."""
    return blake2b(str(network).encode(), digest_size=4).hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """A final training.

    Attributes:
        name: Of the network, for people.
        network: What is trained, at the data's size.
        seed: Of the training.
        deployed: The network whose proxy it is, where it is one.
    """

    name: str
    network: Network
    seed: int
    deployed: Network | None = None

    def folder(self, root: Path) -> Path:
        """Where it lies: a name for people, and a hash of the network."""
        word = re.sub(r"[^A-Za-z0-9._-]+", "_", self.name).strip("_.") or "network"
        return root / f"{word[:40]}-{mark(self.network)}" / f"seed{self.seed}"


@dataclass(frozen=True, slots=True)
class Recipes:
    """What all trainings of a queue share.

    Attributes:
        data: Name or path of the data set.
        resolution: Of the images.
        width: Factor on the filters of what is deployed.
        recipe: How networks are trained.
        threads: Of each training; its weights depend on it.
    """

    data: str
    resolution: int
    width: float
    recipe: FinalRecipe
    threads: int = 1


Told = Callable[[Asked, int, int, dict[str, float]], None]
"""Told of each epoch: whose, how many are done, of how many, the row of its log."""


def result_of(asked: Asked, shared: Recipes, root: Path) -> dict[str, Any] | None:
    """The result of a training; None where it is not done.

    Raises:
        ValueError: If the folder holds one of another recipe or data.
    """
    folder = asked.folder(root)
    found = read_json(folder / RESULT)
    if not isinstance(found, dict):
        return None
    if found.get("shared") != _shared(shared):
        raise ValueError(
            f"{folder} must hold a training by the recipe, data, resolution and width "
            "that are asked for. Received one by others. Choose another --folder."
        )
    return found


def train_all(
    queue: Sequence[Asked],
    shared: Recipes,
    root: Path,
    *,
    workers: int = 1,
    told: Told | None = None,
) -> list[dict[str, Any]]:
    """The results of trainings, in their order, so many at a time.

    Args:
        queue: What is asked for.
        shared: What they share.
        root: The folder of all.
        workers: Processes at a time.
        told: Told of each epoch.

    Raises:
        FinalTrainingError: If some failed, once all others are done.
        ValueError: As `result_of`.
    """
    waiting = deque(a for a in queue if result_of(a, shared, root) is None)
    running: dict[Asked, Child] = {}
    failed: dict[Asked, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                asked = waiting.popleft()
                try:
                    running[asked] = _start(asked, shared, root)
                except OSError as error:  # its folder cannot be made
                    failed[asked] = str(error)
            ready = wait([child.pipe for child in running.values()])
            for asked, child in list(running.items()):
                if child.pipe not in ready:
                    continue
                message = child.receive()
                if isinstance(message, tuple):
                    if told is not None:
                        told(asked, *message)
                    continue
                del running[asked]
                child.process.join()
                if isinstance(message, Failure):
                    failed[asked] = message.reason
    finally:
        for child in running.values():
            child.stop()
    if failed:
        said = [
            f"{a.name} with seed {a.seed}: {text.rstrip('.')} (in {a.folder(root)})"
            for a, text in failed.items()
        ]
        raise FinalTrainingError(
            f"{len(failed)} of {len(queue)} trainings failed: {'; '.join(said)}. The "
            "others are done; the same command tries again."
        )
    return [found for a in queue if (found := result_of(a, shared, root))]


def _start(asked: Asked, shared: Recipes, root: Path) -> Child:
    folder = asked.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    with _environment(thread_limits(shared.threads)):  # which the child inherits
        return start(folder / LOG, _train, asked, shared, folder)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables of this process, set for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _train(
    send: Callable[[Any], None], asked: Asked, shared: Recipes, folder: Path
) -> None:
    """Runs in the child: sends each epoch, and None once result and model are there."""
    with held(folder):
        _train_here(send, asked, shared, folder)
    send(None)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """A training's folder, for this process alone.

    Raises:
        FinalTrainingError: If another holds it, and does after some seconds, in which
            the child of a parent that was killed has ended.
    """
    lock = FileLock(folder / "lock", timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise FinalTrainingError(
            f"another process is training in {folder}; wait for it, or end it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _train_here(
    send: Callable[[Any], None], asked: Asked, shared: Recipes, folder: Path
) -> None:
    from nahas.train.data import load
    from nahas.train.export import deployed
    from nahas.train.final import CHECKPOINT, Trained, train_final
    from nahas.train.int8_tuning import CHECKPOINT as TUNING
    from nahas.train.int8_tuning import tune

    def told(before: int) -> Callable[[int, int, dict[str, float]], None]:
        total = shared.recipe.epochs + shared.recipe.int8_epochs
        return lambda done, _, row: send((before + done, total, row))

    def save(trained: Trained, name: str) -> int:
        model = deployed(asked.network, trained.model.get_weights())
        # Written whole, for the checkpoint goes when it is there.
        draft = folder / f"draft.{name}"
        model.save(draft)
        write(folder / name, draft.read_bytes())
        draft.unlink()
        return int(model.count_params())

    started = time.process_time()
    data, recipe = load(shared.data, shared.resolution), shared.recipe
    trained = train_final(
        asked.network, data, recipe, folder, seed=asked.seed, threads=shared.threads,
        progress=told(0),
    )  # fmt: skip
    parameters = save(trained, MODEL)
    epochs, rounded = list(trained.log), None
    (folder / TUNED).unlink(missing_ok=True)  # of an earlier training here
    if recipe.int8_epochs:
        tuned = tune(
            trained, data, recipe, folder, seed=asked.seed,
            progress=told(recipe.epochs),
        )  # fmt: skip
        epochs += tuned.log
        rounded = tuned.accuracy
        save(tuned, TUNED)
    write_json(folder / RIGHT, [int(i) for i in trained.right.nonzero()[0]])
    write_json(
        folder / RESULT,
        {
            "name": asked.name,
            "network": str(asked.network),
            "deployed": str(asked.deployed or asked.network),
            "seed": asked.seed,
            "accuracy": trained.accuracy,
            "test_images": len(trained.right),
            "validation_accuracy": trained.log[-1]["accuracy"],
            "parameters": parameters,
            "accuracy_tuned_and_rounded": rounded,
            "scaling": asdict(trained.scaling),
            "cpu_seconds_of_the_last_run": time.process_time() - started,
            "epochs": epochs,
            "data": shared.data,
            "shared": _shared(shared),
        },
    )
    (folder / CHECKPOINT).unlink()  # the result and the model take its place
    (folder / TUNING).unlink(missing_ok=True)


def _shared(shared: Recipes) -> dict[str, Any]:
    from nahas.train.data import fingerprint

    found = asdict(shared) | {"data": fingerprint(shared.data)}
    return dict(json.loads(json.dumps(found)))
