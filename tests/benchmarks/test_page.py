"""Pages of results: what they share, and the commands that they show."""

import re
import sys
from importlib.metadata import version
from pathlib import Path

import many_networks
import page
import pytest
import two_models

PAGES = sorted((page.ROOT / "results").glob("*/README.md"))


def test_a_table_by_hand():
    rows = iter([("a", 1), ("b", 2.5)])
    assert page.table(("what", "how many"), rows) == (
        "| what | how many |\n|---|---|\n| a | 1 |\n| b | 2.5 |"
    )
    assert page.table(["x"], []) == "| x |\n|---|"


def test_a_file_quotes_what_holds_a_comma(tmp_path):
    page.write_csv(tmp_path / "new" / "a.csv", ("a", "b"), [("c, d", 1), ("", 2)])
    text = (tmp_path / "new" / "a.csv").read_bytes()
    assert text == b'a,b\n"c, d",1\n,2\n'


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["bounds.py"], "python benchmarks/bounds.py"),
        (["/else/where/bounds.py", "--machines", "5"],
         "python benchmarks/bounds.py --machines 5"),
        (["x.py", "--only", "a b"], "python benchmarks/x.py --only 'a b'"),
        (["x.py", "--data", "/my/own", "--seed", "1"],
         "python benchmarks/x.py --data FOLDER --seed 1"),
    ],
)  # fmt: skip
def test_the_command_is_the_one_given(monkeypatch, words, shown):
    monkeypatch.setattr(sys, "argv", words)
    assert page.command() == shown


def test_versions_seed_and_machine_are_named():
    made = page.made_with("numpy", seed=3, machine="two cores").replace("\n", " ")
    python = ".".join(map(str, sys.version_info[:3]))
    assert made == (
        f"Made with nahas {version('nahas')}, numpy {version('numpy')}, "
        f"Python {python}, seed 3; two cores."
    )
    assert "seed" not in page.made_with()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (many_networks, ["--networks", "3", "--runs", "1", "--seed", "4"]),
        (two_models, ["--operators", "4", "--networks", "3", "--seed", "4"]),
    ],
)
def test_a_script_writes_the_command_and_seed_it_was_given(
    monkeypatch, tmp_path, script, words
):
    monkeypatch.setattr(script, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", [script.__file__, *words])
    script.main()
    text = (tmp_path / "README.md").read_text()
    name = Path(script.__file__).name
    assert f"\n    python benchmarks/{name} {' '.join(words)}\n" in text
    assert "seed 4" in text.replace("\n", " ")
    [table] = tmp_path.glob("*.csv")
    assert len(table.read_text().splitlines()) == 1 + text.count("\n| ") - 1


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_the_commands_of_a_page_exist(path):
    found = re.findall(r"^    python benchmarks/(\w+\.py)(.*)$", path.read_text(), re.M)
    assert found
    for name, words in found:
        source = (page.ROOT / "benchmarks" / name).read_text()
        for option in re.findall(r"--[\w-]+", words):
            assert f'"{option}"' in source
