"""Trainings on Ray: the same trials as anywhere, on real clusters of this machine.

The slow tests start Ray itself, an extra, which `make test-all` installs.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import toy_study
from toy_faults import settled
from toy_processes import descendants, named
from toy_study import Sleepy, Unmade, outcomes

from nahas.controller import training_queue as queue
from nahas.controller.description import describe
from nahas.controller.outcome import Outcome
from nahas.controller.progress import Progress
from nahas.controller.ray_cluster import attach, check_engine
from nahas.controller.ray_pool import TASK, RayPool
from nahas.controller.rows import StudyError, Training, training_key
from nahas.controller.store import Store
from nahas.controller.study import Study, create

TRIALS = 30


@pytest.fixture(scope="module")
def unbroken() -> list[tuple[object, ...]]:
    return outcomes(toy_study.run(None, TRIALS))


def training_processes(driver: int) -> list[int]:
    """Ray's processes beneath a driver that are at a training."""
    return named(driver, f"ray::{TASK}")


def kill_trainings(killed: list[int], most: int):
    """Kills some of Ray's processes at trainings, at most one a training."""

    def kill_one(progress: Progress) -> None:
        for pid in training_processes(os.getpid())[:1]:
            if len(killed) < most and pid not in killed:
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

    return kill_one


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    config = {
        "oracle": describe(Sleepy()),
        "oracle_key": Sleepy().key,
        "timeout_seconds": 60.0,
        "reuse": [],
    }
    (tmp_path / "study").mkdir()
    create(Study(tmp_path / "study"), config)
    with Store(tmp_path / "study", write=True) as opened:
        yield opened


def a_network(kernel: int = 3) -> str:
    return str(toy_study.build({"kernel": kernel}).network)


def finish(pool: RayPool, store: Store, network: str) -> Training:
    """Steps until a training of the toy oracle is finished."""
    while (done := store.training(training_key(network, Sleepy().key))) is None:
        pool.step()
    return done


def test_what_a_worker_holds_is_unfinished_and_may_be_finished(store: Store) -> None:
    key = Sleepy().key
    for kernel in (3, 5):
        queue.enqueue(store, [(a_network(kernel), key)])
    held = queue.lease(store, "1@elsewhere/x")
    assert queue.unfinished(store) == [(a_network(3), key), (a_network(5), key)]
    done = [Training(a_network(3), key, Outcome(0.25))]
    queue.finish_unfinished(store, done)
    assert queue.unfinished(store) == [(a_network(5), key)]
    # The first result stays, whoever else has one.
    assert not queue.finish(store, held, Outcome(0.5))
    queue.finish_unfinished(store, [Training(a_network(3), key, Outcome(0.75))])
    assert store.training(training_key(a_network(3), key)).outcome.accuracy == 0.25


@pytest.mark.parametrize(
    ("engine", "address", "message"),
    [
        ("rai", "", "`engine` must be local or ray. Received 'rai'"),
        ("local", "a:1", "`address` must be left out"),
        ("ray", "ray://a:1", "`address` must be HOST:PORT"),
        ("ray", "a", "`address` must be HOST:PORT"),
        ("ray", "auto", "`address` must be HOST:PORT"),
    ],
)
def test_bad_engines_and_addresses_are_refused(engine, address, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_engine(engine, address)


def test_without_ray_its_installation_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'nahas\[ray\]'"):
        toy_study.run(None, 1, 1, engine="ray")


@pytest.mark.slow
def test_a_plain_function_and_no_workers_are_refused_on_ray() -> None:
    with pytest.raises(ValueError, match="works in this process only"):
        toy_study.run(None, 1, 1, oracle=lambda network: 0.5, engine="ray")
    with pytest.raises(ValueError, match="`workers` must be positive on Ray"):
        toy_study.run(None, 1, 0, engine="ray")


def test_nobody_at_an_address_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(StudyError, match=f"No Ray cluster answers at 127.0.0.1:{port}"):
        attach(f"127.0.0.1:{port}", 1)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_ray_changes_nothing(workers: int, tmp_path: Path) -> None:
    more = {"window": 8, "oracle": Sleepy(5.0)}
    study = toy_study.run(tmp_path, TRIALS, workers, engine="ray", **more)
    assert outcomes(study) == outcomes(toy_study.run(None, TRIALS, **more))


@pytest.mark.slow
def test_killed_ray_workers_lose_nothing(unbroken, tmp_path: Path) -> None:
    killed: list[int] = []
    study = toy_study.run(
        tmp_path,
        TRIALS,
        2,
        oracle=Sleepy(300.0),
        engine="ray",
        progress=kill_trainings(killed, 3),
    )
    assert len(killed) == 3
    assert outcomes(study) == unbroken


@pytest.mark.slow
def test_a_network_that_kills_its_ray_workers_fails(trained, tmp_path: Path) -> None:
    study = toy_study.run(None, 12)
    victim = next(r for r in study.records() if r.trial.status == "trained")
    before = trained().count(victim.network)
    oracle = Sleepy(deadly=victim.network)
    broken = toy_study.run(tmp_path / "study", 12, 1, oracle=oracle, engine="ray")
    trial = broken.trials()[victim.trial.number - 1]
    assert (trial.status, trial.error) == ("failed", "worker died 3 times")
    assert trained().count(victim.network) == before + 3
    assert len(broken.trials()) == 12


@pytest.mark.slow
def test_ray_trainings_are_ended_in_time(store: Store) -> None:
    key = Sleepy().key
    queue.enqueue(store, [(a_network(), key)])
    pool = RayPool(store, [Sleepy(60_000.0)], 1, timeout_seconds=1.0)
    started = time.monotonic()
    done = finish(pool, store, a_network())
    assert done.outcome.error == "training took longer than 1 s"
    # The next has the place of the one that was ended.
    queue.enqueue(store, [(a_network(5), key)])
    finish(pool, store, a_network(5))
    assert time.monotonic() - started < 60.0
    pool.stop()


@pytest.mark.slow
def test_the_private_cluster_is_on_loopback_and_closed(store: Store) -> None:
    pool = RayPool(store, [Sleepy()], 2, timeout_seconds=60.0)
    import ray  # reads, on import, what the pool has told it

    [node] = ray.nodes()
    assert node["NodeManagerAddress"] == "127.0.0.1"
    address = ray.get_runtime_context().gcs_address
    program = (
        "import ray, sys\n"
        f"try: ray.init(address={address!r}, logging_level='critical')\n"
        "except Exception as error: sys.exit(f'{type(error).__name__}: {error}')"
    )
    stranger = os.environ | {"RAY_AUTH_TOKEN": "0" * 64}
    found = subprocess.run(
        [sys.executable, "-c", program], env=stranger, capture_output=True, text=True
    )
    pool.stop()
    assert "token" in found.stderr


@pytest.mark.slow
def test_ray_workers_that_cannot_make_the_oracle_are_reported(store: Store) -> None:
    queue.enqueue(store, [(a_network(), Sleepy().key)])
    pool = RayPool(store, [Unmade()], 1, timeout_seconds=60.0)
    with pytest.raises(StudyError, match="no dragons here"):
        finish(pool, store, a_network())
    pool.stop()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_killed_driver_on_ray_is_continued(unbroken, tmp_path: Path, seed) -> None:
    """SIGKILL at random moments, then an interrupt, then to the end."""
    chance = random.Random(seed)
    folder = tmp_path / "study"
    words = ("search", str(folder), str(TRIALS), "2", "600", "ray")
    command = [*toy_study.COMMAND, *words]
    for last_word in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        driver = subprocess.Popen(command, env=clean())
        goal = min(TRIALS - 5, settled(folder) + 2)
        while driver.poll() is None and settled(folder) < goal:
            time.sleep(0.05)
        time.sleep(chance.uniform(0.0, 0.5))
        driver.send_signal(last_word)
        assert driver.wait(60) == (0 if last_word == signal.SIGINT else -last_word)
    assert settled(folder) < TRIALS
    study = toy_study.run(folder, TRIALS, 2, oracle=Sleepy(600.0), engine="ray")
    assert outcomes(study) == unbroken


@pytest.mark.slow
def test_nodes_join_and_die(unbroken, tmp_path: Path) -> None:
    """A cluster of `ray start` with tokens: a node joins, its machine dies."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    port = address.rpartition(":")[2]
    folder = tmp_path / "study"
    words = ("search", str(folder), str(TRIALS), "2", "2000", "ray", address)
    with node("--head", f"--port={port}", "--include-dashboard=false"):
        answer(address)
        driver = subprocess.Popen([*toy_study.COMMAND, *words], env=clean())
        wait_for(lambda: settled(folder) >= 2)
        with node(f"--address={address}") as joined:
            wait_for(lambda: driver.poll() == 0 or training_processes(joined.pid))
            assert training_processes(joined.pid)
        assert driver.wait(120) == 0
    assert outcomes(Study(folder)) == unbroken


def wait_for(done) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answer(address: str) -> None:
    def is_there() -> bool:
        host, _, port = address.partition(":")
        with suppress(OSError):
            socket.create_connection((host, int(port)), 1).close()
            return True
        return False

    wait_for(is_there)


def clean() -> dict[str, str]:
    """The environment without what earlier tests told Ray, with a token."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    return kept | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "5" * 64}


@contextmanager
def node(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A node of a cluster, killed with all of its processes in the end."""
    program = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "start", "--block", "--num-cpus=1",
               "--object-store-memory=100000000", *words]  # fmt: skip
    started = subprocess.Popen(
        command,
        env=clean() | {"RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        for pid in [*descendants(started.pid), started.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        started.wait()
