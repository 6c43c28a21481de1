"""Faults of disks: damaged files, lost logs, and a disk that is full."""

import random
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from fault_bench import PROCESSES, TRIALS, Bench, Row, new_bench, shown
from toys import toy_faults

from nahas.controller import pages
from nahas.controller.progress import Progress
from nahas.controller.rows import StudyError
from nahas.controller.salvage import salvage
from nahas.controller.store import FILE


def damage(
    fault: str,
    break_it: Callable[[Bench, random.Random], None],
    unbroken: object,
    seed: int,
) -> Row:
    """A study's file is damaged: it is refused, salvaged and continued."""
    with new_bench() as bench:
        break_it(bench, random.Random(seed))
        try:
            bench.run()
        except StudyError as error:
            saved = Bench(bench.folder.with_name("saved"), bench.log)
            found = salvage(bench.folder, saved.folder)
            saved.run()
            kept = f"{found.trials} trials and {found.trainings} trainings salvaged"
            said = f"{shown(error, bench)} (here {kept})"
            return saved.row(fault, 1, unbroken, said, refused=1)
        return bench.row(fault, 1, unbroken)


def truncated(bench: Bench, moments: random.Random) -> None:
    bench.run()
    share = moments.uniform(0.05, 0.95)
    toy_faults.change(bench.folder, lambda data: toy_faults.truncate(data, share))


def flipped(bench: Bench, moments: random.Random) -> None:
    bench.run()
    count = (bench.folder / FILE).stat().st_size // pages.PAGE_BYTES
    page = moments.randint(1, count)
    toy_faults.change(bench.folder, lambda data: toy_faults.flip_page(data, page))


def without_log(bench: Bench, moments: random.Random) -> None:
    """A driver is killed, in its first or a later run, and its log is lost."""
    if moments.random() < 0.5:

        def stop(progress: Progress) -> None:
            if progress.done >= TRIALS // 3:
                raise KeyboardInterrupt

        bench.run(progress=stop)
    toy_faults.kill_driver(
        lambda: bench.start(0, "local"),
        bench.folder,
        moments,
        least=0.0,
        most=1.0,
        goal=toy_faults.settled(bench.folder) + 20,
    )
    toy_faults.lose_log(bench.folder)


def full_disk(unbroken: object, kilobytes: int) -> Row:
    """The study's file system is full after so many KB, then has room."""
    mounted = _may_mount()
    with tempfile.TemporaryDirectory() as place:
        disk = Path(place) / "disk"
        disk.mkdir()
        bench = Bench(disk / "study", Path(place) / "networks.log")
        note = Path(place) / "error"
        with _small_disk(disk, kilobytes) if mounted else nullcontext():
            most = 0 if mounted else kilobytes * 1024
            child = PROCESSES.Process(target=filled, args=(bench, most, note))
            note.write_text("the driver ended without a word")
            child.start()
            child.join()
            if mounted:
                _mount("remount,size=64m", disk)
            bench.run()
            how = "a tmpfs" if mounted else "RLIMIT_FSIZE"
            return bench.row(f"full disk: {how}", 1, unbroken, note.read_text())


def filled(bench: Bench, most_bytes: int, note: Path) -> None:
    """The body of a driver whose disk is too small; notes the error's line."""
    if most_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        bench.run()
        note.write_text("no error")
    except StudyError as error:
        note.write_text(shown(error, bench))


@contextmanager
def _small_disk(place: Path, kilobytes: int) -> Iterator[None]:
    _mount(f"size={kilobytes}k", place)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _mount(options: str, place: Path) -> None:
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    subprocess.run(words, check=True, capture_output=True)


def _may_mount() -> bool:
    with tempfile.TemporaryDirectory() as place:
        try:
            with _small_disk(Path(place), 64):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False
