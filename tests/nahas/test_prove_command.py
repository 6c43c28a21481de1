"""The command `prove`, on four networks of our own times two accelerators."""

import json

import pytest

from nahas.__main__ import main

TOY = """\
from dataclasses import asdict, dataclass

import numpy as np

from nahas.accelerator.grid import BASELINE
from nahas.accelerator.template import Accelerator
from nahas.search_space.joint import PREFIX, Candidate
from nahas.search_space.network import Block, Network
from nahas.search_space.oracle import Estimate
from nahas.search_space.space import Knob, SearchSpace


def build(values):
    blocks = tuple(
        Block("ibn", values[f"block{i}.kernel"], values[f"block{i}.expansion"], 16)
        for i in range(2)
    )
    network = Network(blocks, stem_filters=8, head_filters=16, resolution=32, classes=2)
    chip = {n.removeprefix(PREFIX): v for n, v in values.items() if PREFIX in n}
    return Candidate(network, Accelerator(**chip))


def space():
    own = [Knob(f"block{i}.{n}", v) for i in range(2)
           for n, v in {"kernel": (3, 5), "expansion": (1, 4)}.items()]
    chip = asdict(BASELINE) | {"pes_x": None}
    rest = [Knob(PREFIX + n, (2, 4) if v is None else (v,)) for n, v in chip.items()]
    return SearchSpace("toy", (*own, *rest), build)


@dataclass(frozen=True)
class Oracle:
    key: str = "toy"

    def evaluate(self, networks):
        # Larger kernels and expansions add: a sum, which a ridge regression learns.
        found = [0.5 + 0.01 * sum(b.kernel + b.expansion for b in n.blocks)
                 for n in networks]
        zeros = np.zeros(len(found))
        return Estimate(np.array(found), zeros, zeros, ("",) * len(found))
"""


def run(capsys, *words):
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    (folder / "proven_toy.py").write_text(TOY)
    words = ["search", "--space", "proven_toy:space", "--accuracy", "proven_toy:Oracle",
             "--controller", "random", "--trials", "40", "--workers", "0", "--folder",
             "toy"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        assert main(words) == 0
        yield "toy"


def test_a_study_is_proven_by_its_own_trainings(capsys, study):
    code, out, _ = run(capsys, "prove", study, "--json", "--strength", "0.01")
    found = json.loads(out)
    assert code == 0
    assert found["proven"]
    assert found["gap"] == 0
    assert found["pairs"] == 32
    assert found["predictor"]["networks"] <= 16
    assert found["predictor"]["tau"] > 0.8
    assert "study toy" in found["relative_to"]
    # The most of everything, as far as the reward's latency target lets it.
    assert found["best"]["network"].count("ibn_k5_e4_f16") == 2
    assert found["best"]["accuracy"] == pytest.approx(0.5 + 0.18, abs=0.01)
    assert found["best"]["reward"] == found["bound"]


def test_the_words_say_what_the_proof_is_relative_to(capsys, study):
    code, out, _ = run(capsys, "prove", study)
    assert code == 0
    assert "proven: none of 32 pairs of toy has a higher reward" in " ".join(
        out.split()
    )
    assert "relative to an additive predictor" in " ".join(out.split())
    assert "Kendall tau" in out


def test_that_nothing_keeps_the_limits_is_an_answer(capsys, study):
    code, out, _ = run(capsys, "prove", study, "--max-latency-ms", "1e-6")
    assert code == 1
    assert "proven: none of 32 pairs of toy keeps the limits" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs/nowhere"], "STUDY must be the folder of a study"),
        (["--minutes", "0"], "`--minutes` must be positive"),
        (["--strength", "-1"], "`strength` must be a number above 0"),
        (["--set", "reward.form=absolute"], "never rises with a cost"),
        (["--set", "limits.min_accuracy=0.7"], "`min_accuracy` and `minimise` must be"),
        (["--space", "s1"], "must be of space b0"),
        (["--accuracy", "proxy"], "nahas prove STUDY"),
        (["--accuracy", "table:nowhere.csv"], "nowhere.csv"),
    ],
)
def test_wrong_use_is_one_line(capsys, words, said):
    code, out, err = run(capsys, "prove", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--space", "b0"], "`--space` must be left out"),
        (["--set", "search.seed=2"], "`--set` must be of limits, reward, platform"),
    ],
)
def test_what_a_study_says_is_not_said_again(capsys, study, words, said):
    code, _, err = run(capsys, "prove", study, *words)
    assert code == 2
    assert said in err
