"""Who chooses is told what the weights say, in the order of the steps, also resumed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_one_shot import FIDELITY, RECIPE, SPACE, data  # noqa: F401
from toy_images import StopError, stopped_after

from nahas.train import fit
from nahas.train.checkpoint import CheckpointError
from nahas.train.co_training import LESSONS, Alternation, co_train

HALF = Alternation(warm_up=0.4, images=10)


@pytest.fixture(autouse=True, scope="module")
def _prepared():
    fit.prepare(1)


class Counting:
    """Draws at random, and moves its generator by what it is told."""

    def __init__(self):
        self.rng = np.random.default_rng(5)
        self.told = []

    def propose(self):
        return SPACE.random(self.rng, 1)[0]

    def learn(self, accuracy):
        self.told.append(accuracy)
        self.rng.random(round(100 * accuracy))


def trained(data, folder, chooser, **more):  # noqa: F811
    return co_train(
        SPACE, chooser, data, FIDELITY, replace(RECIPE, epochs=3), HALF, folder,
        seed=2, rules="counting", **more,
    )  # fmt: skip


@pytest.mark.slow
def test_a_resumed_training_tells_the_same(data, tmp_path):  # noqa: F811
    whole, first, second = Counting(), Counting(), Counting()
    unbroken = trained(data, tmp_path / "whole", whole)
    steps = len(data.train) // RECIPE.batch
    assert len(whole.told) == 2 * steps  # the first of three epochs warms up
    assert all(0 <= accuracy <= 1 for accuracy in whole.told)
    assert max(whole.told) > 0.6
    with pytest.raises(StopError):
        trained(data, tmp_path / "broken", first, progress=stopped_after(2))
    resumed = trained(data, tmp_path / "broken", second)
    assert second.told == whole.told
    for mine, own in zip(
        resumed.trainable_variables, unbroken.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(mine.numpy(), own.numpy())
    lessons = [
        (tmp_path / name / LESSONS).read_text().splitlines()
        for name in ("whole", "broken")
    ]
    assert lessons[0] == lessons[1]
    assert [json.loads(line)["accuracy"] for line in lessons[0]] == whole.told

    kept = tmp_path / "broken" / LESSONS
    kept.write_text("".join(f"{line}\n" for line in lessons[0][:3]))
    with pytest.raises(CheckpointError, match=f"3 of {2 * steps} lessons are there"):
        trained(data, tmp_path / "broken", Counting())
    kept.write_text("".join(f"{line}\n" for line in lessons[0][::-1]))
    with pytest.raises(CheckpointError, match="other networks are chosen now"):
        trained(data, tmp_path / "broken", Counting())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"warm_up": 1.0}, "`warm_up` must be at least 0 and below 1. Received 1.0"),
        ({"images": 0}, "`images` must be a positive integer. Received 0"),
        ({"images": 2.5}, "`images` must be a positive integer. Received 2.5"),
    ],
)
def test_alternations_are_checked(values, said):
    with pytest.raises(ValueError, match=said):
        Alternation(**values)
