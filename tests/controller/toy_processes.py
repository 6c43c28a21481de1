"""Processes of a search, as Linux lists them."""

from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and theirs."""
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # gone meanwhile
        return []
    children = [int(word) for word in words]
    return children + [d for child in children for d in descendants(child)]


def named(driver: int, title: str) -> list[int]:
    """Processes beneath a driver whose command line begins so."""
    found = []
    for pid in descendants(driver):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if words.startswith(title.encode()):
            found.append(pid)
    return found


def memory_mb(pids: list[int]) -> float:
    """Memory of processes, 1e6 bytes; what they share is counted once among sharers."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024 / 1e6
