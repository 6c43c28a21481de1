"""What a worker does: leases trainings of a study, evaluates them, writes the results.

It moves the heartbeat counter of a lease while it trains, and writes the result only if
the lease is still its own.
"""

import gc
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nahas.controller import training_queue as queue
from nahas.controller.description import rebuild
from nahas.controller.outcome import Outcome, evaluate, fewest_trainings, late
from nahas.controller.rows import StudyError
from nahas.controller.store import Store
from nahas.controller.study import Study
from nahas.search_space.oracle import Oracle

_BEAT_SECONDS = 1.0


def work(
    folder: str | Path,
    oracles: Sequence[Oracle] = (),
    *,
    parent: int | None = None,
    max_trainings: int | None = None,
    poll_seconds: float = 0.2,
    finished: Callable[[queue.Lease, Outcome], None] | None = None,
) -> int:
    """Trains what the study in a folder asks for, until its parent is gone.

    Args:
        folder: The study's folder.
        oracles: Say how accurate a network is; rebuilt from the study if not given.
        parent: Process without which this one ends; None for a worker of its own.
        max_trainings: After how many to end; by default `fewest_trainings`.
        poll_seconds: How often to look for work.
        finished: Called after each training.

    Returns:
        How many trainings were done.

    Raises:
        StudyError: If there is no study, it cannot be written, or its oracles'
            files have changed.
        ValueError: If one of the study's oracles cannot be rebuilt.
    """
    study = Study.open(folder)
    config = study.config
    asked = {oracle.key: oracle for oracle in oracles or rebuilt_oracles(config)}
    for key in (config["oracle_key"], *config.get("screening_keys", ())):
        if key not in asked:
            raise StudyError(
                f"What says how accurate a network is must be as the study in {folder} "
                f"began with it, {key!r}. Received {', '.join(asked)}: its files have "
                "changed. Put them back."
            )
    timeout = float(config["timeout_seconds"])
    owner = owner_name()
    done = 0
    if max_trainings is None:
        max_trainings = fewest_trainings(list(asked.values()))
    with Store(study.folder, write=True) as store:
        while not max_trainings or done < max_trainings:
            if _orphaned(parent) or not study.folder.exists():
                break
            held = queue.lease(store, owner)
            if held is None:
                time.sleep(poll_seconds)
                continue
            with _watched(study.folder, held, parent, timeout):
                outcome = evaluate(asked[held.oracle], held.network)
            queue.finish(store, held, outcome)
            done += 1
            if finished is not None:
                finished(held, outcome)
            # A model and its graphs refer to each other: memory is full of them before
            # the collector comes by on its own.
            gc.collect()
    return done


def rebuilt_oracles(config: Mapping[str, Any]) -> list[Oracle]:
    """A study's oracles, from its configuration: those that screen, and its own.

    Raises:
        ValueError: If one cannot be rebuilt.
    """
    screening = config.get("screening")
    cheaper = rebuild(screening).oracles if screening else ()
    return [*cheaper, rebuild(config["oracle"])]


def owner_name() -> str:
    """What this process leases under; see `is_alive`."""
    return f"{os.getpid()}@{socket.gethostname()}/{uuid.uuid4().hex[:8]}"


def is_alive(owner: str) -> bool:
    """Whether a worker may live: one of another machine is taken to."""
    pid, _, rest = owner.partition("@")
    if rest.rpartition("/")[0] != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _watched(
    folder: Path, held: queue.Lease, parent: int | None, timeout: float
) -> Iterator[None]:
    """Shows the worker alive; ends it when its parent is gone or time is up."""
    ended = threading.Event()

    def watch() -> None:
        started = time.monotonic()
        with Store(folder, write=True) as store:
            while not ended.wait(_BEAT_SECONDS):
                orphaned = _orphaned(parent)
                # What fails here fails again in the training's own write.
                with suppress(StudyError):
                    if orphaned:  # who leaves in order does not count as a death
                        queue.give_back(store, held)
                    if time.monotonic() - started > timeout:
                        queue.finish(store, held, late(timeout))
                        os._exit(1)
                    queue.beat(store, held)
                if orphaned:
                    os._exit(1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _orphaned(parent: int | None) -> bool:
    return parent is not None and os.getppid() != parent
