"""A search at ImageNet scale by the predictor, from the command line."""

import json
from pathlib import Path

import pytest

from nahas.__main__ import main
from nahas.config import from_dict, read_toml
from nahas.oracles import make_oracle
from nahas.parts import check_known_to, make_space
from nahas.search_space.joint import joint_space
from nahas.search_space.network import Network
from nahas.train.imagenet_predictor import ImagenetPredictor

CONFIG = from_dict(read_toml(None, "imagenet_predictor"))
TRIALS = 60


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path("runs/imagenet_predictor")


@pytest.mark.parametrize(
    "words",
    [("--accuracy", "imagenet-predictor"),
     ("--set", "search.oracle=imagenet-predictor")],
)  # fmt: skip
def test_the_name_alone_is_a_search(folder, words, capsys):
    assert main(["search", *words, "--trials", str(TRIALS)]) == 0
    out = capsys.readouterr().out
    assert "Accuracies are predictions of ImageNet top-1 after a shortened" in out
    assert "likely to be overrated" in " ".join(out.split())
    assert "no accuracy: MobileNetV2: `network` must be of space b0" in out
    page = (folder / "report.html").read_text()
    assert "predictions of ImageNet top-1" in page
    assert "small images" not in page
    found = json.loads((folder / "summary.json").read_text())
    assert found["trials"] == TRIALS
    best = found["best"]
    network = Network.parse(best["network"])
    [predicted] = ImagenetPredictor().evaluate([network]).accuracy
    assert best["accuracy"] == predicted
    assert best["area_mm2"] <= 39.86
    assert best["latency_ms"] <= 1.0
    rows = {row["name"]: row for row in found["references"]}
    assert 0.6 < rows["EfficientNetB0"]["accuracy"] < 0.7
    assert "must be of space b0" in rows["MobileNetV2"]["error"]


def test_a_space_that_it_does_not_know_is_refused_at_once(folder, capsys):
    words = ["search", "--accuracy", "imagenet-predictor"]
    asked = (["--space", "s2"], ["--set", "network.resolution=160"])
    for more in (*asked, [*asked[0], "--dry-run"]):
        assert main([*words, *more]) == 2
        error = capsys.readouterr().err
        assert "must be of space b0" in error
        assert error.count("\n") == 1
    assert not folder.exists()
    assert main(["search", "--accuracy", "imagenet-predicter"]) == 2
    said = capsys.readouterr().err
    assert "must be proxy, imagenet-predictor, table:FILE, one-shot:FOLDER" in said


def test_the_packaged_configuration():
    assert make_oracle(CONFIG) == ImagenetPredictor()
    assert make_space(CONFIG).name.startswith("b0")
    check_known_to(ImagenetPredictor(), make_space(CONFIG))
    with pytest.raises(ValueError, match="space s1"):
        check_known_to(ImagenetPredictor(), joint_space("s1"))
