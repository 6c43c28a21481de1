"""The command `one-shot`, and a search with the weights that it trains."""

import json

import pytest

from nahas.__main__ import main
from nahas.controller.study import Study
from nahas.search_space.joint import joint_space
from nahas.search_space.tabular import nas_bench_macro

SHORT = ["--resolution", "8", "--width", "0.125", "--set", "final.epochs=1",
         "--set", "final.batch=16", "--set", "final.warmup_epochs=0.5",
         "--set", "final.crop=1"]  # fmt: skip


@pytest.mark.slow
def test_weights_are_trained_once_and_searched_with(images, tmp_path, capsys):
    folder, study = tmp_path / "shared", tmp_path / "study"
    words = ["one-shot", "nas-bench-macro", "--data", images, *SHORT,
             "--folder", str(folder)]  # fmt: skip
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("1 epochs of 64 images at 8x8, 8 slots of nas-bench-")
    assert "epoch 1 of 1, loss " in printed.err
    assert f"--accuracy one-shot:{folder}" in printed.out
    stamp = (folder / "weights.npz").read_bytes()

    assert main([*words, "--json"]) == 0
    printed = capsys.readouterr()
    assert "epoch" not in printed.err.splitlines()[1:]
    assert json.loads(printed.out)["cpu_seconds"] > 0
    assert (folder / "weights.npz").read_bytes() == stamp

    search = ["search", "--space", "nas-bench-macro", "--controller", "random",
              "--accuracy", f"one-shot:{folder}", "--trials", "4", "--workers", "0",
              "--folder", str(study)]  # fmt: skip
    assert main(search) == 0
    trials = Study.open(study).trials()
    assert len(trials) == 4
    assert all(trial.status != "failed" for trial in trials)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--resolution", "0"], "`--resolution` must be an integer of at least 1"),
        (["--set", "sampling.rule=best"], "`rule` must be "),
        (["--set", "search.seed=3"], "`search` must be one of final, sampling"),
        (["--set", "final.batch=30"], "`batch` must be at most the 64 images over"),
        (["--set", "final.dropout=0.2"], "`dropout` must be 0 for a one-shot model"),
        (["--set", "final.precision=mixed_bfloat16"], "must be float32 for a one-shot"),
        (["--width", "0"], "`--width` must be positive"),
        (["--data", "cifar11"], "Received 'cifar11'"),
    ],
)
def test_wrong_use_is_a_line(images, tmp_path, capsys, more, said):
    words = ["one-shot", "nas-bench-macro", "--data", images, *SHORT,
             "--folder", str(tmp_path / "shared")]  # fmt: skip
    assert main([*words, *more]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "shared").exists()


def pairs():
    return joint_space(nas_bench_macro())


def test_a_space_of_pairs_is_refused(images, tmp_path, capsys):
    for command in ("one-shot", "co-train"):
        words = [command, f"{__name__}:pairs", "--data", images, *SHORT]
        assert main([*words, "--folder", str(tmp_path / "shared")]) == 2
        assert "whose points are of type Candidate" in capsys.readouterr().err


def test_spaces_and_weights_that_do_not_fit(images, tmp_path, capsys):
    words = ["one-shot", "b0-stages", "--data", images, *SHORT]
    assert main([*words, "--folder", str(tmp_path / "shared")]) == 2
    assert "neither squeeze-and-excite nor" in capsys.readouterr().err
    absent = ["search", "--space", "s1", "--accuracy", "one-shot:nowhere"]
    assert main([*absent, "--folder", str(tmp_path / "study")]) == 2
    assert "nowhere/weights.npz cannot be read" in capsys.readouterr().err
