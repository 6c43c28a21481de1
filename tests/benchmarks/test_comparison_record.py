"""The record of the comparison: nothing that was computed is lost or made twice."""

from pathlib import Path

import comparison_record as record


def _row(seed: int, regret: float = 0.5) -> record.Row:
    return {
        "problem": "macro-32", "goal": "energy", "name": "random", "seed": seed,
        "version": record.VERSION, "end": {"regret": regret},
    }  # fmt: skip


def test_runs_of_both_files_are_known_in_order(tmp_path: Path) -> None:
    made, kept = tmp_path / "made.jsonl", tmp_path / "kept.jsonl.gz"
    assert record.known_runs(made, kept) == {}
    record.pack([_row(3), _row(1)], kept)
    record.append(_row(2), made)
    found = record.known_runs(made, kept)
    assert list(found.values()) == [_row(1), _row(2), _row(3)]
    assert [key[3] for key in found] == [1, 2, 3]


def test_packing_the_same_runs_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.gz", tmp_path / "second.gz"
    record.pack([_row(1), _row(2)], first)
    record.pack(record.known_runs(tmp_path / "none", first).values(), second)
    assert first.read_bytes() == second.read_bytes()


def test_a_line_that_a_kill_cut_short_costs_itself_alone(tmp_path: Path) -> None:
    made = tmp_path / "made.jsonl"
    record.append(_row(1), made)
    record.append(_row(2), made)
    made.write_bytes(made.read_bytes()[:-9])
    record.append(_row(3), made)
    found = record.known_runs(made, tmp_path / "none.gz")
    assert [key[3] for key in found] == [1, 3]


def test_runs_of_another_version_are_not_read(tmp_path: Path) -> None:
    made = tmp_path / "made.jsonl"
    record.append({**_row(1), "version": record.VERSION - 1}, made)
    assert record.known_runs(made, tmp_path / "none.gz") == {}
