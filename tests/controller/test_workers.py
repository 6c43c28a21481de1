"""Workers: leases, heartbeats, deaths, timeouts and what the driver does about them."""

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_study
from toy_faults import kill_worker
from toy_study import Sleepy, outcomes

from nahas.controller import training_queue as queue
from nahas.controller import workers
from nahas.controller.description import describe
from nahas.controller.outcome import Outcome, evaluate
from nahas.controller.pool import InProcess, Pool, recover
from nahas.controller.progress import Progress
from nahas.controller.rows import StudyError, training_key
from nahas.controller.store import Store
from nahas.controller.study import Study, create
from nahas.search_space.network import Network

KEY = Sleepy().key
ALIVE = f"{os.getpid()}@{workers.socket.gethostname()}/x"


def a_network(kernel: int = 3, expansion: int = 2) -> str:
    return str(toy_study.build({"kernel": kernel, "expansion": expansion}).network)


def make_study(folder: Path, oracle: Sleepy, timeout_seconds: float = 60.0) -> None:
    config = {
        "oracle": describe(oracle),
        "oracle_key": oracle.key,
        "timeout_seconds": timeout_seconds,
        "reuse": [],
    }
    create(Study(folder), config)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    make_study(tmp_path, Sleepy())
    with Store(tmp_path, write=True) as opened:
        yield opened


def asked(networks: list[str]) -> list[queue.Asked]:
    return [(network, KEY) for network in networks]


def dead_owner() -> str:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return f"{child.pid}@{workers.socket.gethostname()}/x"


def test_the_longest_waiting_training_is_leased_first(store: Store) -> None:
    networks = [a_network(kernel) for kernel in (7, 3, 5)]
    queue.enqueue(store, [])
    queue.enqueue(store, asked(networks[:2]))
    queue.enqueue(store, asked([*networks, networks[0]]))
    assert queue.queued(store) == asked(networks)
    taken = [queue.lease(store, ALIVE) for _ in range(4)]
    assert [lease.network for lease in taken[:3]] == networks
    assert taken[3] is None
    assert taken[0].oracle == KEY


def test_only_the_owner_finishes_a_training(store: Store) -> None:
    queue.enqueue(store, [(a_network(), KEY)])
    first = queue.lease(store, ALIVE)
    queue.worker_died(store, first)
    second = queue.lease(store, dead_owner())
    assert not queue.finish(store, first, Outcome(0.1))
    assert queue.finish(store, second, Outcome(0.2))
    assert not queue.finish(store, second, Outcome(0.3))
    found = store.training(training_key(a_network(), KEY))
    assert found.outcome == Outcome(0.2)


def test_the_third_death_fails_a_training(store: Store) -> None:
    queue.enqueue(store, [(a_network(), KEY)])
    key = training_key(a_network(), KEY)
    for _ in range(3):
        assert store.training(key) is None
        queue.worker_died(store, queue.lease(store, ALIVE))
    assert store.training(key).outcome.error == "worker died 3 times"
    assert queue.lease(store, ALIVE) is None


def test_deaths_do_not_outlive_their_driver(store: Store) -> None:
    queue.enqueue(store, [(a_network(), KEY)])
    for _ in range(5):
        queue.lease(store, dead_owner())
        recover(store)
    assert queue.queued(store) == [(a_network(), KEY)]


def test_a_lease_expires_when_its_heartbeat_stands_still(store: Store) -> None:
    pool = Pool(store, store.path.parent, 0, lease_seconds=0.3, poll_seconds=0.05)
    for kernel in (3, 5):
        queue.enqueue(store, [(a_network(kernel), KEY)])
    queue.lease(store, ALIVE)
    beating = queue.lease(store, ALIVE)
    for _ in range(12):
        queue.beat(store, beating)
        pool.step()
    assert [held.key for held in queue.leases(store)] == [beating.key]
    assert queue.queued(store) == [(a_network(3), KEY)]


def test_the_lease_of_a_dead_owner_is_given_back_at_once(store: Store) -> None:
    pool = Pool(store, store.path.parent, 0, poll_seconds=0.0)
    queue.enqueue(store, [(a_network(), KEY)])
    queue.lease(store, dead_owner())
    pool.step()
    assert queue.queued(store) == [(a_network(), KEY)]


def test_owners_elsewhere_are_taken_to_live() -> None:
    assert workers.is_alive("1@no-such-machine/x")
    assert workers.is_alive(ALIVE)
    assert not workers.is_alive(dead_owner())


def test_training_in_this_process_takes_over_from_the_dead(store: Store) -> None:
    queue.enqueue(store, [(a_network(), KEY)])
    queue.lease(store, dead_owner())
    runner = InProcess(store, [Sleepy()])
    runner.step()  # finds the dead worker
    runner.step()
    assert store.training(training_key(a_network(), KEY)) is not None


def test_training_in_this_process_shares_what_is_slow(store: Store, trained) -> None:
    """A worker of the user and the driver never begin the same training."""
    networks = [a_network(k, e) for k in (3, 5, 7) for e in (2, 3, 4, 6)]
    queue.enqueue(store, asked(networks))
    runner = InProcess(store, [Sleepy(150.0)])
    runner.step()  # finds that a training is slow
    helper = threading.Thread(
        target=workers.work,
        args=(store.path.parent, [Sleepy(150.0)]),
        kwargs={"max_trainings": 4},
    )
    helper.start()
    while queue.unfinished(store):
        runner.step()
    helper.join(10)
    assert sorted(trained()) == sorted(networks)


def test_an_interrupted_training_in_this_process_is_given_back(store: Store) -> None:
    class Interrupted(Sleepy):
        def evaluate(self, networks):
            if str(networks[0]) == a_network(5):
                raise KeyboardInterrupt
            return super().evaluate(networks)

    queue.enqueue(store, asked([a_network(3), a_network(5)]))
    runner = InProcess(store, [Interrupted(150.0)])
    runner.step()
    with pytest.raises(KeyboardInterrupt):
        runner.step()
    assert [held.network for held in queue.leases(store)] == [a_network(5)]
    runner.stop()
    assert queue.queued(store) == [(a_network(5), KEY)]


def test_evaluate_turns_exceptions_into_one_line() -> None:
    class Broken:
        key = "broken"

        def evaluate(self, networks):
            raise MemoryError("too\nbig " * 100)

    outcome = evaluate(Broken(), a_network())
    assert outcome.accuracy is None
    assert outcome.error.startswith("MemoryError: too big too big")
    assert len(outcome.error) <= 300


def test_a_worker_ends_after_so_many_trainings(store: Store) -> None:
    for kernel in (3, 5, 7):
        queue.enqueue(store, [(a_network(kernel), KEY)])
    assert workers.work(store.path.parent, max_trainings=2) == 2
    assert len(queue.queued(store)) == 1


def test_a_worker_keeps_nothing_of_a_training(store: Store) -> None:
    """What refers to itself, as a model does, goes before the next training."""
    made = []

    class Model(Sleepy):
        def evaluate(self, networks):
            model = type("Cyclic", (), {})()
            model.itself = model
            made.append(weakref.ref(model))
            return super().evaluate(networks)

    queue.enqueue(store, asked([a_network(3)]))
    gc.disable()
    try:
        workers.work(store.path.parent, [Model()], max_trainings=1)
    finally:
        gc.enable()
    assert [reference() for reference in made] == [None]


def test_a_worker_ends_with_its_parent(store: Store) -> None:
    assert workers.work(store.path.parent, parent=os.getppid() + 10**6) == 0


def test_a_worker_beats_while_it_trains(store: Store) -> None:
    queue.enqueue(store, [(a_network(), KEY)])
    beats = []

    class Slow(Sleepy):
        def evaluate(self, networks):
            time.sleep(1.3)
            beats.extend(held.heartbeat for held in queue.leases(store))
            return super().evaluate(networks)

    workers.work(store.path.parent, [Slow()], max_trainings=1)
    assert beats == [1]


def test_a_training_that_takes_too_long_is_an_outcome(tmp_path: Path) -> None:
    oracle = Sleepy(milliseconds=20_000)
    make_study(tmp_path, oracle, timeout_seconds=0.5)
    with Store(tmp_path, write=True) as store:
        queue.enqueue(store, [(a_network(), KEY)])
        pool = Pool(store, tmp_path, 1, command=toy_study.WORKER)
        key = training_key(a_network(), KEY)
        while (done := store.training(key)) is None:
            pool.step()
        pool.stop()
    assert done.outcome.error == "training took longer than 0.5 s"


def test_workers_of_a_killed_driver_end(tmp_path: Path) -> None:
    command = [*toy_study.COMMAND, "search", str(tmp_path), "50", "1", "20000"]
    driver = subprocess.Popen(command)
    pid = 0
    while not pid and driver.poll() is None:
        time.sleep(0.05)
        if (tmp_path / "study.sqlite").exists() and (tmp_path / "config.json").exists():
            with Store(tmp_path) as reader:
                held = queue.leases(reader)
            pid = int(held[0].owner.partition("@")[0]) if held else 0
    assert pid
    driver.kill()
    driver.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/cmdline").exists() and time.monotonic() < deadline:
        if not Path(f"/proc/{pid}/cmdline").read_bytes():
            break  # ended; nobody has asked for its exit status yet
        time.sleep(0.1)
    assert time.monotonic() < deadline


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    killed: set[str] = set()

    def kill_one(progress: Progress) -> None:
        if len(killed) < 3:
            killed.update(kill_worker(tmp_path, spare=killed))

    study = toy_study.run(tmp_path, 30, 2, oracle=Sleepy(100.0), progress=kill_one)
    assert len(killed) == 3
    assert outcomes(study) == outcomes(toy_study.run(None, 30))


def test_a_network_that_kills_its_workers_fails(trained, tmp_path: Path) -> None:
    study = toy_study.run(None, 12)
    victim = next(r for r in study.records() if r.trial.status == "trained")
    before = trained().count(victim.network)
    oracle = Sleepy(deadly=victim.network)
    broken = toy_study.run(tmp_path / "study", 12, 1, oracle=oracle)
    trial = broken.trials()[victim.trial.number - 1]
    assert (trial.status, trial.error) == ("failed", "worker died 3 times")
    assert trained().count(victim.network) == before + 3
    assert len(broken.trials()) == 12


def test_workers_that_cannot_start_are_reported(tmp_path: Path) -> None:
    program = "raise SystemExit('no module named dragons')"
    with pytest.raises(StudyError, match="no module named dragons"):
        toy_study.run(tmp_path, 10, 2, command=(sys.executable, "-c", program))


def test_idle_workers_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="Only 4 of 5 workers can be busy"):
        toy_study.run(None, 1, 5)


def test_an_oracle_that_cannot_be_rebuilt_is_refused() -> None:
    class Local(Sleepy):
        pass

    with pytest.raises(ValueError, match="Workers cannot make this oracle"):
        toy_study.run(None, 10, 1, oracle=Local())


def test_workers_of_the_user_help(tmp_path: Path) -> None:
    make_study(tmp_path, Sleepy())
    with Store(tmp_path, write=True) as store:
        queue.enqueue(store, [(a_network(), KEY)])
        helper = threading.Thread(
            target=workers.work, args=(tmp_path,), kwargs={"max_trainings": 1}
        )
        helper.start()
        helper.join(10)
        done = store.training(training_key(a_network(), KEY))
    assert done.network == str(Network.parse(a_network()))


def test_a_worker_whose_oracle_has_changed_takes_nothing(store: Store) -> None:
    class Other(Sleepy):
        key = "another"

    queue.enqueue(store, asked([a_network()]))
    with pytest.raises(StudyError, match="its files have changed") as caught:
        workers.work(store.path.parent, [Other()], max_trainings=1)
    assert "\n" not in str(caught.value)
    assert queue.queued(store) == asked([a_network()])
