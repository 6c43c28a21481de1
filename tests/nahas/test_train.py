"""The command `train`: a queue of final trainings in real processes."""

import json
import os
import signal
import time

import numpy as np
import pytest

from nahas import final_queue
from nahas.__main__ import main
from nahas.epoch_log import LOGS, EpochLog
from nahas.final_queue import Asked, FinalTrainingError, Recipes, train_all
from nahas.search_space.network import Block, Network
from nahas.train.recipe import FinalRecipe

NETWORK = Network((Block("ibn", 3, 2, 8),), 8, 8, resolution=32, classes=10)
SHORT = ["--set", "final.epochs=1", "--set", "final.batch=16",
         "--set", "final.warmup_epochs=0.5", "--set", "final.crop=1"]  # fmt: skip


def test_networks_are_trained_once_and_tabled(images, tmp_path, capsys):
    words = ["train", str(NETWORK), "--data", images, "--seeds", "2", *SHORT,
             "--workers", "2", "--folder", str(tmp_path / "final")]  # fmt: skip
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "final trainings, 40 test images" in printed.out
    assert f"network {final_queue.mark(NETWORK)}" in printed.out
    assert printed.err.count("epoch 1 of 1") == 2
    results = sorted((tmp_path / "final").glob("*/*/result.json"))
    assert [path.parent.name for path in results] == ["seed0", "seed1"]
    stamps = [path.stat().st_mtime_ns for path in results]

    assert main([*words, "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("0 of 2 trainings of 1 epochs")
    assert printed.err.count("\n") == 1
    assert [path.stat().st_mtime_ns for path in results] == stamps
    rows = json.loads(printed.out)
    assert [row["seed"] for row in rows] == [0, 1]
    small = NETWORK.proxy(8, 2, channels=1)
    assert all(row["network"] == str(small) for row in rows)
    for row, path in zip(rows, results, strict=True):
        right = json.loads((path.parent / "right.json").read_text())
        assert row["accuracy"] == len(right) / row["test_images"]
        assert (path.parent / "model.keras").exists()
        assert not (path.parent / "checkpoint.npz").exists()

    alone = [*words[:4], *SHORT, "--first-seed", "1", "--json"]
    assert main([*alone, "--folder", str(tmp_path / "alone")]) == 0
    [row] = json.loads(capsys.readouterr().out)
    losses = [epoch["loss"] for epoch in row["epochs"]]
    assert row["seed"] == 1
    assert losses == [epoch["loss"] for epoch in rows[1]["epochs"]]
    assert losses != [epoch["loss"] for epoch in rows[0]["epochs"]]

    assert main([*words, "--resolution", "8"]) == 0  # which is the images' own
    assert [path.stat().st_mtime_ns for path in results] == stamps
    capsys.readouterr()
    assert main([*words, "--set", "final.epochs=2"]) == 2
    assert "Choose another --folder." in capsys.readouterr().err


def test_a_network_of_two_names_is_trained_once(images, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text(str(NETWORK))
    words = ["train", str(NETWORK), str(tmp_path / "mine.txt"), "--data", images]
    assert main([*words, *SHORT, "--folder", str(tmp_path / "final"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("final = 3", "`final` must be a section of its own. Received 3."),
        ("[finale]\nepochs = 3", "Did you mean `final`?"),
    ],
)
def test_files_of_settings_are_checked(images, tmp_path, capsys, text, said):
    (tmp_path / "mine.toml").write_text(text)
    words = ["train", str(NETWORK), "--data", images]
    assert main([*words, "--config", str(tmp_path / "mine.toml")]) == 2
    assert said in capsys.readouterr().err


def test_images_of_more_channels_are_not_for_pillow(tmp_path, capsys):
    pixels = np.zeros((60, 8, 8, 4), np.uint8)
    labels = np.arange(60) % 2
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    words = ["train", str(NETWORK), "--data", str(path), *SHORT]
    assert main([*words, "--folder", str(tmp_path / "final")]) == 2
    assert "`operations` must be 0 for images of 4 channels" in capsys.readouterr().err


def test_a_folder_is_held_by_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(final_queue, "_LOCK_SECONDS", 0.1)
    with (
        final_queue.held(tmp_path),
        pytest.raises(FinalTrainingError, match="another process is training in"),
        final_queue.held(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--seeds", "0"], "`--seeds` must be from 1 to 1,000. Received 0"),
        (["--first-seed", "-1"], "`--first-seed` must be from 0 to 1,000,000."),
        (["--set", "final.epoch=3"], "Did you mean `epochs`"),
        (["--set", "search.seed=3"], "`search` must be one of final. (in search)."),
        (["--set", "finale.epochs=3"], "Did you mean `final`? (in finale)."),
        (["--set", "final.epochs=0"], "positive integer. Received 0 (in final.epochs)"),
        (["--width", "inf"], "`--width` must be positive"),
        (["--set", "final.batch=100"], "at most the 64 training images"),
        (["--width", "0"], "`--width` must be positive"),
        (["--config", "absent.toml"], "must be a file that can be read"),
        (["--data", "cifar11"], "Received 'cifar11'"),
    ],
)
def test_wrong_use_is_a_line(images, tmp_path, capsys, more, said):
    words = ["train", str(NETWORK), "--data", images, "--folder", str(tmp_path)]
    assert main([*words, *SHORT, *more]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_each_epoch_is_logged_for_tensorboard(tmp_path):
    """What the files say is read by TensorFlow's own reader."""
    import tensorflow as tf

    small = NETWORK.proxy(8, 2, channels=1)
    asked = [Asked("a", small, seed) for seed in (0, 1)]
    log = EpochLog(tmp_path)
    for done in (1, 2):
        for one in asked:
            log(one, done, 3, {"loss": 2.0 / done, "accuracy": 0.25 * done})
    log.close()
    again = EpochLog(tmp_path)  # the training was interrupted
    again(asked[0], 3, 3, {"loss": 0.5, "accuracy": 0.75})
    again.close()
    for one, epochs in zip(asked, (3, 2), strict=True):
        files = sorted((one.folder(tmp_path) / LOGS).iterdir())
        assert len(files) == epochs - 1
        found = {
            (event.step, value.tag): value.simple_value
            for file in files
            for event in tf.compat.v1.train.summary_iterator(str(file))
            for value in event.summary.value
        }
        assert found == {
            (done, name): value
            for done in range(1, epochs + 1)
            for name, value in (
                ("loss", {1: 2.0, 2: 1.0, 3: 0.5}[done]), ("accuracy", 0.25 * done)
            )
        }  # fmt: skip


def test_a_model_that_is_only_read_is_refused(images, tmp_path, capsys):
    words = ["train", "keras:VGG16", "--data", images, "--folder", str(tmp_path)]
    assert main(words) == 2
    assert "read for its costs alone" in capsys.readouterr().err


def test_a_training_that_fails_says_why_and_ends_no_other(images, tmp_path, capsys):
    words = ["train", str(NETWORK), "--data", images, *SHORT, "--seeds", "2",
             "--workers", "2", "--folder", str(tmp_path)]  # fmt: skip
    small = NETWORK.proxy(8, 2, channels=1)
    name = f"network {final_queue.mark(NETWORK)}"
    folder = Asked(name, small, 0).folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "checkpoint.npz").write_bytes(b"PK")
    assert main(words) == 1
    printed = capsys.readouterr().err
    assert f"1 of 2 trainings failed: {name} with seed 0: " in printed
    assert "is damaged" in printed.splitlines()[-1]
    assert (folder.parent / "seed1" / "result.json").exists()


def test_a_folder_that_cannot_be_made_ends_no_other(images, tmp_path, capsys):
    other = Network((Block("ibn", 3, 3, 8),), 8, 8, resolution=32, classes=10)
    asked = Asked(
        f"network {final_queue.mark(NETWORK)}", NETWORK.proxy(8, 2, channels=1), 0
    )
    asked.folder(tmp_path).parent.write_text("in the way")
    words = ["train", str(NETWORK), str(other), "--data", images, *SHORT]
    assert main([*words, "--folder", str(tmp_path)]) == 1
    assert "1 of 2 trainings failed: " in capsys.readouterr().err
    assert len(list(tmp_path.glob("*/*/result.json"))) == 1


@pytest.mark.slow
def test_a_killed_training_fails_alone_and_resumes(images, tmp_path, monkeypatch):
    """SIGKILL of one process of two, after its first epoch; then the same again."""
    import keras

    small = NETWORK.proxy(8, 2, channels=1)
    # So many epochs that it is not done when the parent hears of the first.
    recipe = FinalRecipe(epochs=30, batch=16, crop=1)
    shared = Recipes(images, 8, 1.0, recipe)
    queue = [Asked("a", small, seed) for seed in (0, 1)]
    whole = train_all(queue, shared, tmp_path / "whole", workers=2)
    processes = {}
    start = final_queue._start

    def started(asked, *rest):
        child = start(asked, *rest)
        processes[asked.seed] = child.process
        return child

    monkeypatch.setattr(final_queue, "_start", started)

    def kill(asked, done, of, row):
        if (asked.seed, done) == (1, 1):
            os.kill(processes[1].pid, signal.SIGKILL)
            time.sleep(0.1)

    broken = tmp_path / "broken"
    with pytest.raises(
        FinalTrainingError, match=r"1 of 2 trainings failed: a with seed 1: .*signal 9"
    ):
        train_all(queue, shared, broken, workers=2, told=kill)
    assert final_queue.result_of(queue[0], shared, broken) is not None
    told = []
    again = train_all(queue, shared, broken, told=lambda a, *rest: told.append(a.seed))
    assert set(told) == {1}
    for one, other in zip(whole, again, strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert [e["loss"] for e in one["epochs"]] == [
            e["loss"] for e in other["epochs"]
        ]
        models = [
            keras.models.load_model(queue[one["seed"]].folder(root) / "model.keras")
            for root in (tmp_path / "whole", broken)
        ]
        for pair in zip(*(model.get_weights() for model in models), strict=True):
            np.testing.assert_array_equal(*pair)
