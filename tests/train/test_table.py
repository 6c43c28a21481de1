"""Tables of accuracies: what is read, what is refused, and the published one."""

import csv
import gzip

import numpy as np
import pytest

from nahas.search_space.tabular import nas_bench_macro
from nahas.train.table import TableError, TableOracle

TABLE = """\
arch,acc1,acc2,acc3,note
00000000,45.0,46.0,47.0,small
10000001,60.0,61.0,62.5,
10000010,63.0,62.0,61.5,the same network
22222222,93.0,92.0,92.5,large
"""
SPACE = nas_bench_macro()


@pytest.fixture
def oracle(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return TableOracle(str(path))


def networks(*archs):
    return [SPACE.decode([int(digit) for digit in arch]) for arch in archs]


def test_a_search_sees_the_first_training_and_is_judged_on_the_others(oracle):
    asked = networks("22222222", "00000000")
    seen, judged = oracle.evaluate(asked), oracle.judge(asked)
    assert seen.accuracy.tolist() == [0.93, 0.45]
    assert judged.accuracy == pytest.approx([0.9225, 0.465])
    assert seen.deviation == pytest.approx([0.005, 0.01])
    assert judged.deviation == pytest.approx([0.0025, 0.005])
    assert seen.error == judged.error == ("", "")


def test_rows_of_one_network_are_its_trainings(oracle):
    asked = networks("10000001", "10000010")
    assert asked[0] == asked[1]
    assert oracle.evaluate(asked).accuracy.tolist() == [0.6, 0.6]
    others = np.mean([0.61, 0.625, 0.63, 0.62, 0.615])
    assert oracle.judge(asked).accuracy == pytest.approx([others, others])
    assert oracle.table.rows == 4
    assert sorted(oracle.table.spelt.values()) == [1, 1, 2]


def test_the_size_at_which_it_is_deployed_does_not_matter(oracle):
    small = nas_bench_macro(resolution=32, classes=10).decode([2] * 8)
    assert oracle.evaluate([small]).accuracy.tolist() == [0.93]


def test_what_is_not_in_the_table_is_an_error_of_that_network(oracle):
    found = oracle.evaluate(networks("11111111", "22222222"))
    assert np.isnan(found.accuracy).tolist() == [True, False]
    assert found.error[0].startswith("It is not in ")
    assert found.error[1] == ""


def test_the_key_is_the_content(tmp_path, oracle):
    other = tmp_path / "other.csv"
    other.write_text(TABLE)
    assert TableOracle(str(other)).key == oracle.key
    other.write_text(TABLE.replace("45.0", "45.5"))
    assert TableOracle(str(other)).key != oracle.key
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(TABLE.encode()))
    asked = networks("22222222")
    assert TableOracle(str(packed)).evaluate(asked).accuracy.tolist() == [0.93]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no columns `arch` and `acc1`"),
        (b"arch,acc1\n", "no rows"),
        (b"arch,acc1\n00000000,1\n00000000,2\n", "two of one"),
        (b"arch,acc1\n00000003,1\n", r"eight digits of 0 to 2, .*\(line 2\)"),
        (b"arch,acc1\n00000000,101\n", r"`acc1` must be a percentage, .*\(line 2\)"),
        (b"arch,acc1\n00000000,nan\n", "`acc1` must be a percentage"),
        (b"arch,acc1,acc2\n00000000,1\n", "`acc2` must be a percentage"),
        (b"\xff\xfe\x00", "decode"),
        (b"\x1f\x8b123", "Received"),
        (gzip.compress(TABLE.encode())[:40], "Received"),
    ],
)
def test_a_table_that_is_none_is_refused_in_a_line(tmp_path, content, why):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=why) as error:
        _ = TableOracle(str(path)).key
    assert "must be NAS-Bench-Macro's" in str(error.value)


def test_a_missing_file_is_refused():
    with pytest.raises(TableError, match="No such file"):
        _ = TableOracle("nowhere.csv").key


def test_the_published_table_is_the_whole_space(data_file):
    path = data_file("accuracy/nas_bench_macro_cifar10.csv.gz")
    oracle = TableOracle(str(path))
    table = oracle.table
    assert table.rows == sum(table.spelt.values()) == nas_bench_macro().size
    assert len(table.trainings) == 9 * 21 * 21
    with gzip.open(path, "rt") as file:
        for row in list(csv.DictReader(file))[:300]:
            found = oracle.evaluate(networks(row["arch"]))
            if table.spelt[str(networks(row["arch"])[0].proxy(32, 10))] == 1:
                assert found.accuracy[0] == pytest.approx(float(row["acc1"]) / 100)
