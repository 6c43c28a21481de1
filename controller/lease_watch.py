"""The driver's watch over leases: trainings are taken back from dead workers."""

import time
from dataclasses import dataclass

from nahas.controller import training_queue as queue
from nahas.controller.store import Store
from nahas.controller.workers import is_alive

LEASE_SECONDS = 30.0


class LeaseWatch:
    """Notices workers that are gone or stand still, by their heartbeats.

    Args:
        store: The study, open for writing.
        lease_seconds: How long a heartbeat may stand still.
    """

    def __init__(self, store: Store, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._beats: dict[tuple[str, str], _Beat] = {}

    def expire(self) -> list[str]:
        """Takes trainings back from workers that are dead or stand still.

        Returns:
            The owners that stand still.
        """
        beats: dict[tuple[str, str], _Beat] = {}
        still = []
        now = time.monotonic()
        for held in queue.leases(self._store):
            place = (held.key, held.owner)
            beat = _moved(self._beats.get(place), held.heartbeat, now)
            stale = beat.still_seconds >= self._lease_seconds
            if stale:
                still.append(held.owner)
            if stale or not is_alive(held.owner):
                queue.worker_died(self._store, held)
            else:
                beats[place] = beat
        self._beats = beats
        return still


@dataclass(frozen=True, slots=True)
class _Beat:
    """A heartbeat counter, when it was read and how long it has stood still."""

    count: int
    read: float
    still_seconds: float


def _moved(last: _Beat | None, count: int, now: float) -> _Beat:
    if last is None or last.count != count:
        return _Beat(count, now, 0.0)
    # A driver that itself was stopped for long must not blame its workers for it.
    return _Beat(count, now, last.still_seconds + min(now - last.read, 1.0))
