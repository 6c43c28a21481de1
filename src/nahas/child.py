"""Work in processes of their own, spawned, whose words go to a log.

TensorFlow takes much memory, says much, and may crash: a process for each piece of work
keeps that from the command.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the work ended without its answer.

    Attributes:
        reason: In a line.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Child:
    """A running process.

    Attributes:
        process: It.
        pipe: Where what it sends arrives; at its end `EOFError`.
    """

    process: Any
    pipe: Connection

    def receive(self) -> Any:
        """What it sends next; a `Failure` where it ends without."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):  # OSError: it was killed while it sent
            self.process.join()
            code = self.process.exitcode
            killed = f"the process was killed by signal {-code}"
            return Failure(
                killed if code < 0 else f"the process ended with code {code}"
            )

    def stop(self) -> None:
        """Ends it now."""
        self.process.terminate()
        self.process.join()


def start(log: Path, work: Callable[..., None], *arguments: Any) -> Child:
    """A process that does `work(send, *arguments)`, and ends with this one.

    `send` is a function, and what it is called with is received. An exception that the
    work raises arrives as a `Failure`.

    Args:
        log: The file that what it prints is added to.
        work: A function that can be pickled.
        arguments: Of it, the first apart.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_run, args=(log, work, arguments, theirs), daemon=True
    )
    process.start()
    theirs.close()
    return Child(process, ours)


def _run(
    log: Path, work: Callable[..., None], arguments: tuple[Any, ...], pipe: Connection
) -> None:
    """Runs in the child."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        work(pipe.send, *arguments)
    except Exception as error:  # the parent says it in a line
        text = " ".join(str(error).split())
        ours = type(error).__module__.startswith("nahas.")
        pipe.send(Failure(text if ours else f"{type(error).__name__}: {text}"))


def _end_with_parent() -> None:
    """Ends this process where its parent was killed: nobody would have its answer."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
