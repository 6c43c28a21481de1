"""The command `compare`: trained networks beside their rivals, each at its best."""

import csv
import json
from dataclasses import replace

import pytest

import nahas as nh
from nahas.__main__ import main
from nahas.closing import write_json
from nahas.compare import compare, published
from nahas.search_space.network import Network
from nahas.search_space.published import PUBLISHED

B0 = PUBLISHED["EfficientNetB0"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small study at ImageNet's scale, without any training."""
    folder = tmp_path_factory.mktemp("studies") / "b0"
    words = ["search", "--accuracy", "imagenet-predictor", "--trials", "40",
             "--max-latency-ms", "0.5", "--folder", str(folder)]  # fmt: skip
    assert main(words) == 0
    return folder


def finished(root, name, network, accuracies, int8=None, recipe="a", width=1.0):
    """Writes what `nahas train` and `nahas export` leave."""
    for seed, accuracy in enumerate(accuracies):
        folder = root / name.replace(" ", "_") / f"seed{seed}"
        folder.mkdir(parents=True)
        write_json(folder / "result.json", {
            "name": name, "network": str(network.proxy(32, 10)), "seed": seed,
            "deployed": str(network), "accuracy": accuracy,
            "shared": {"recipe": recipe, "width": width},
        })  # fmt: skip
        if int8 is not None:
            write_json(folder / "export.json", {"int8_accuracy": int8[seed]})


@pytest.fixture
def root(study, tmp_path):
    best = json.loads((study / "best.json").read_text())["network"]
    finished(tmp_path, "EfficientNetB0", B0, [0.5, 0.52, 0.54], [0.5, 0.5, 0.53])
    finished(tmp_path, "found", Network.parse(best), [0.6])
    return tmp_path


def test_rows_by_hand(study, root):
    rows = compare(study, root)
    named = [(row.name, row.on, row.seeds) for row in rows]
    assert named == [
        ("found", "baseline", 1), ("found", "its best", 1), ("found", "as found", 1),
        ("EfficientNetB0", "baseline", 3), ("EfficientNetB0", "its best", 3),
    ]  # fmt: skip
    b0 = rows[3]
    assert (b0.accuracy, b0.deviation) == (pytest.approx(0.52), pytest.approx(0.02))
    assert b0.int8 == pytest.approx(0.51)
    assert (rows[0].deviation, rows[0].int8) == (None, None)
    costs = nh.simulate("EfficientNetB0", nh.BASELINE).summary()
    assert b0.latency_ms == costs["latency_ms"]
    assert (b0.macs, b0.parameters) == (costs["macs"], costs["parameters"])
    found = json.loads((study / "best.json").read_text())
    assert rows[2].accelerator == nh.Accelerator(**found["accelerator"])
    again = nh.simulate(found["network"], rows[2].accelerator).summary()
    assert rows[2].latency_ms == again["latency_ms"]


def test_the_best_accelerator_is_that_of_a_sweep(tmp_path):
    """Of a goal that a sweep has too: the least energy within the limits."""
    folder = tmp_path / "frugal"
    words = ["search", "--accuracy", "imagenet-predictor", "--trials", "20",
             "--minimise", "energy", "--min-accuracy", "0.5", "--max-area-mm2", "30",
             "--max-latency-ms", "1.0", "--folder", str(folder)]  # fmt: skip
    assert main(words) == 0
    finished(tmp_path / "f", "EfficientNetB0", B0, [0.5])
    rows = compare(folder, tmp_path / "f")
    swept = nh.sweep(
        "EfficientNetB0", objective="energy", max_area_mm2=30.0, max_latency_ms=1.0
    )
    assert rows[1].on == "its best"
    assert rows[1].accelerator == swept.best[0]


def test_rivals_are_deployed_at_the_studys_size(study, tmp_path):
    """Published at 240x240, B1 is costed at the 224x224 of the study."""
    finished(tmp_path, "B1", PUBLISHED["EfficientNetB1"], [0.5])
    row = compare(study, tmp_path)[0]
    assert Network.parse(row.network) == replace(
        PUBLISHED["EfficientNetB1"], resolution=224
    )


def test_a_network_that_keeps_no_limit_is_said_to_break_them(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tight") / "b0"
    words = ["search", "--accuracy", "imagenet-predictor", "--trials", "20",
             "--max-latency-ms", "0.3", "--folder", str(folder)]  # fmt: skip
    assert main(words) == 0
    finished(root, "B7", PUBLISHED["EfficientNetB7"], [0.7])
    rows = {(row.name, row.on): row for row in compare(folder, root)}
    assert not rows["B7", "its best"].keeps
    assert rows["B7", "its best"].latency_ms < rows["B7", "baseline"].latency_ms


def test_the_command_prints_writes_and_draws(study, root, tmp_path, capsys):
    plot, table = tmp_path / "plot.png", tmp_path / "rows.csv"
    words = ["compare", str(study), "--trainings", str(root)]
    assert main([*words, "--published", "--plot", str(plot), "--csv", str(table)]) == 0
    printed = capsys.readouterr().out
    assert "trained to the end; costs of the deployed networks" in printed
    assert "published accuracies, other recipes and data" in printed
    for path in (plot, tmp_path / "plot_published.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["on"] for row in rows].count("its best") == 2
    assert "accelerator.pes_x" in rows[0]

    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["trained"]] == [row["name"] for row in rows]
    assert "published" not in found


def test_published_accuracies_stand_beside_simulated_costs():
    rows = {(row.name, row.precision): row for row in published()}
    b0 = rows["EfficientNetB0", "float"]
    assert b0.top1 == pytest.approx(0.771)
    costs = nh.simulate("EfficientNetB0", nh.BASELINE).summary()
    assert b0.latency_ms == costs["latency_ms"]
    assert all(row.name in PUBLISHED and row.source for row in rows.values())
    assert all(0.7 < row.top1 < 0.85 for row in rows.values())


def test_published_figures_are_those_of_the_sources_table(data_file):
    """Each is a row of the table that names its source."""
    path = data_file("accuracy/imagenet_published.csv")
    known = {
        (float(row["top1"]), row["precision"], row["source"])
        for row in csv.DictReader(path.read_text().splitlines())
    }
    for row in published():
        assert (round(100 * row.top1, 4), row.precision, row.source) in known


@pytest.mark.parametrize("other", [{"recipe": "b"}, {"width": 0.25}])
def test_trainings_of_two_kinds_are_not_compared(study, root, capsys, other):
    finished(root, "other", PUBLISHED["MobileNetV2"], [0.4], **other)
    assert main(["compare", str(study), "--trainings", str(root)]) == 2
    printed = capsys.readouterr().err
    assert f"differ in {next(iter(other))}" in printed
    assert printed.count("\n") == 1


def test_a_training_under_two_names_counts_once(study, root):
    before = compare(study, root)
    finished(root, "another name", B0, [0.9])
    assert compare(study, root) == before


def test_an_empty_folder_is_refused(study, tmp_path, capsys):
    assert main(["compare", str(study), "--trainings", str(tmp_path / "none")]) == 2
    assert "Found none in" in capsys.readouterr().err


def test_a_study_without_a_best_pair_is_refused(root, tmp_path, capsys):
    folder = tmp_path / "none_keeps"
    words = ["search", "--accuracy", "imagenet-predictor", "--trials", "4",
             "--max-latency-ms", "0.001", "--folder", str(folder)]  # fmt: skip
    main(words)
    assert main(["compare", str(folder), "--trainings", str(root)]) == 2
    assert "must have a best pair" in capsys.readouterr().err
