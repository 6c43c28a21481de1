"""A study that is broken on purpose, and what became of it: a line of the table."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import astuple, dataclass
from multiprocessing import get_context
from pathlib import Path

from toys import toy_faults, toy_study

from nahas.controller.study import Study

COLUMNS = (
    "fault", "times", "studies", "trials_twice", "equal_in_the_end", "trainings",
    "trainings_again", "refused", "what_was_said",
)  # fmt: skip
TRIALS = 300
MILLISECONDS = 30.0
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["nahas.controller.search", "nahas.controller.evolution"]
)


@dataclass(frozen=True)
class Row:
    """A line of the table; fields as in `COLUMNS`."""

    fault: str
    times: int
    studies: int
    twice: int
    equal: int
    trainings: int
    again: int
    refused: int = 0
    said: str = ""

    def __add__(self, other: "Row") -> "Row":
        """Both as one line."""
        ours, theirs = astuple(self)[1:-1], astuple(other)[1:-1]
        counts = [a + b for a, b in zip(ours, theirs, strict=True)]
        return Row(self.fault, *counts, said=self.said or other.said)

    def cells(self) -> tuple[object, ...]:
        """As the table has it."""
        equal = "yes" if self.equal == self.studies else f"{self.equal} of them"
        return (*astuple(self)[:4], equal, *astuple(self)[5:])


@dataclass(frozen=True)
class Bench:
    """Where a fault is tried: a new study, and the log of its trainings."""

    folder: Path
    log: Path

    def run(self, workers: int = 0, milliseconds: float = 0.0, **more: object) -> Study:
        """The toy search, in this process."""
        os.environ["TOY_LOG"] = str(self.log)
        os.environ["TOY_MILLISECONDS"] = str(milliseconds)
        parts = {"oracle": toy_study.Paced(), "space": toy_study.wide()}
        return toy_study.run(self.folder, TRIALS, workers, **parts, **more)

    def start(self, workers: int, engine: str) -> toy_faults.Started:
        """The toy search, in a process of its own."""
        driver = PROCESSES.Process(target=drive, args=(self, workers, engine))
        driver.start()
        assert driver.pid is not None
        return driver.pid, driver.join

    def row(
        self,
        fault: str,
        times: int,
        unbroken: object,
        said: str = "",
        *,
        refused: int = 0,
    ) -> Row:
        """What became of the study that lies here."""
        study = Study(self.folder)
        trials = [trial.number for trial in study.trials()]
        begun = self.log.read_text().splitlines()
        return Row(
            fault,
            times,
            1,
            len(trials) - len(set(trials)),
            int(toy_study.outcomes(study) == unbroken),
            len(set(begun)),
            len(begun) - len(set(begun)),
            refused,
            said,
        )


def drive(bench: Bench, workers: int, engine: str) -> None:
    """The body of a driver's process."""
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        bench.run(workers, MILLISECONDS, engine=engine)


@contextmanager
def new_bench() -> Iterator[Bench]:
    """A bench in a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        yield Bench(Path(place) / "study", Path(place) / "networks.log")


def shown(error: Exception, bench: Bench) -> str:
    """An error's line without the folder that is gone."""
    return " ".join(str(error).replace(f"{bench.folder.parent}/", "").split())
