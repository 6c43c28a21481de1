"""Predictions from trainings: what they learn, doubt, and refuse."""

import csv
import os
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from nahas.search_space.network import Block, Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.oracle import Oracle
from nahas.train import fitted
from nahas.train.fitted import LEAST, Fitted, FittedError, Model, features

SPACE = NETWORK_SPACES["s2"]()


DEEP = Network(
    tuple(Block("ibn", 3, 2, 8, stride=2) for _ in range(10)), 8, 8, resolution=2048
)


PREDICT = """
import sys
import numpy as np
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.train.fitted import Fitted
space = NETWORK_SPACES["s2"]()
rows = space.random(np.random.default_rng(1), 20)
found = Fitted(sys.argv[1]).evaluate([space.decode(row) for row in rows])
print(found.accuracy.tolist())
"""


def networks(count, seed):
    rows = SPACE.random(np.random.default_rng(seed), count)
    return [SPACE.decode(row) for row in rows]


def worth(network):
    """Depth and kernels count, with less and less to gain."""
    kernels = sum(block.kernel for block in network.blocks)
    wide = sum(np.log2(block.expansion) for block in network.blocks)
    return float(1 - np.exp(-0.6 - 0.005 * kernels - 0.02 * wide))


def written(path, known, *, spread=0.0, seed=0):
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("number", "network", "accuracy"))
        for number, network in enumerate(known):
            accuracy = worth(network) + rng.normal(0, spread)
            writer.writerow((number, network, repr(float(accuracy))))
            writer.writerow((number, network, ""))  # one that was not trained
    return str(path)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    written(folder / "trials.csv", networks(60, 0), spread=0.003)
    return Fitted(str(folder))


def test_features_are_counted_by_hand():
    blocks = (
        Block("ibn", 3, 4, 16, stride=2),
        Block("fused_ibn", 5, 2, 16, groups=2),
        Block("ibn", 7, 1, 32, stride=2, se=0.25),
    )
    [row] = features([Network(blocks, 8, 64, resolution=32)])
    first, second = row[:8], row[8:16]
    assert first.tolist() == [2, np.log1p(2), 3, 8, 1, 8, 1, 0]
    assert second.tolist() == [1, np.log1p(1), 0, 5, 0, 7, 0, 1]
    assert row[16:-3].tolist() == [0] * 56
    assert row[-3:].tolist() == [3, 6, 5]


def test_what_was_not_trained_is_ranked(oracle):
    others = networks(200, 1)
    found = oracle.evaluate(others)
    truth = [worth(network) for network in others]
    assert kendalltau(found.accuracy, truth).statistic > 0.8
    error = found.accuracy - truth
    assert np.sqrt(np.mean(error**2)) < 0.004
    assert isinstance(oracle, Oracle)
    assert found.error == ("",) * 200
    assert (found.seconds == 0).all()


def test_its_doubt_is_of_the_size_of_its_error(oracle):
    others = networks(200, 2)
    found = oracle.evaluate(others)
    noisy = [worth(network) for network in others]
    noisy += np.random.default_rng(0).normal(0, 0.003, 200)
    ratio = np.sqrt(np.mean(((noisy - found.accuracy) / found.deviation) ** 2))
    assert 0.5 < ratio < 2


def test_it_doubts_more_what_it_has_not_seen(oracle):
    seen = oracle.evaluate(networks(60, 0)).deviation.mean()
    strange = [NETWORK_SPACES["s3"]().decode(row) for row in
               NETWORK_SPACES["s3"]().random(np.random.default_rng(0), 20)]  # fmt: skip
    assert oracle.evaluate(strange).deviation.min() > seen


def test_its_quality_is_of_held_out_networks(oracle):
    quality = oracle.quality
    assert 0.5 < quality.tau < 1
    assert 0.002 < quality.rms < 0.006
    assert quality.low < 0 < quality.high
    low, high = oracle.interval(np.array([0.7]))
    assert low < 0.7 < high
    assert "60 networks" in oracle.scale
    assert f"tau {quality.tau:.2f}" in oracle.scale


def test_the_order_of_rows_does_not_matter(oracle, tmp_path):
    known = networks(60, 0)
    path = tmp_path / "others.csv"
    accuracy = dict(zip(map(str, known), range(60), strict=True))
    rows = [(network, 0.5 + accuracy[str(network)] / 200) for network in known]
    keys = []
    for seed in (1, 2):
        random.Random(seed).shuffle(rows)
        text = "".join(f"{network},{value!r}\n" for network, value in rows)
        path.write_text(f"network,accuracy\n{text}")
        keys.append((Fitted(str(path)).key, Fitted(str(path)).evaluate(known[:3])))
    assert keys[0][0] == keys[1][0] != oracle.key
    np.testing.assert_array_equal(keys[0][1].accuracy, keys[1][1].accuracy)


def test_several_trainings_of_a_network_count_as_their_mean(tmp_path):
    known = networks(40, 3)
    once = Fitted(written(tmp_path / "once.csv", known))
    path = tmp_path / "twice.csv"
    lines = ["network,accuracy"]
    for network in known:
        value = worth(network)
        lines += [f"{network},{value - 0.01!r}", f"{network},{value + 0.01!r}"]
    path.write_text("\n".join(lines))
    twice = Fitted(str(path)).evaluate(known)
    np.testing.assert_allclose(once.evaluate(known).accuracy, twice.accuracy, atol=1e-4)


def test_many_trainings_are_used_though_few_tune_the_kernel(monkeypatch):
    monkeypatch.setattr(fitted, "_TUNED", 50)
    known = networks(90, 4)
    accuracy = np.array([worth(network) for network in known])
    accuracy[60:] = 0.2  # they would pull their like down
    mean, _ = Model(known, accuracy)(known[60:])
    whole, _ = Model(known[:60], accuracy[:60])(known[60:])
    assert mean.mean() < whole.mean() - 0.02


def test_a_perfect_accuracy_is_no_infinity(tmp_path):
    lines = [f"{network},{1.0 if i % 2 else 0.9}"
             for i, network in enumerate(networks(30, 5))]  # fmt: skip
    path = tmp_path / "perfect.csv"
    path.write_text("\n".join(["network,accuracy", *lines]))
    assert np.isfinite(Fitted(str(path)).evaluate(networks(5, 6)).accuracy).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("network,loss\n", "it has no column accuracy"),
        ("", "it has no column accuracy, network"),
        ("network,accuracy\nnonsense,0.5\n", "nonsense"),
        (f"network,accuracy\n{networks(1, 0)[0]},1.5\n", "an accuracy is 1.5 (line 2)"),
        (f"network,accuracy\n{networks(1, 0)[0]},x\n", "could not convert"),
        (f"network,accuracy\n{networks(1, 0)[0]},0.5\n", f"1 networks.*{LEAST} are"),
        (b"\xff\xfe", "decode"),
        ("accuracy,network\n0.5\n", "network"),
        (
            "network,accuracy\n"
            + "".join(
                f"{replace(DEEP, head_filters=8 * i)},0.5\n" for i in range(1, 21)
            ),
            "at most 9 stages",
        ),
    ],
)
def test_a_file_that_says_too_little_is_a_line(tmp_path, content, said):
    path = tmp_path / "known.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FittedError, match=said.replace("(", r"\(").replace(")", r"\)")):
        _ = Fitted(str(path)).key
    with pytest.raises(FittedError) as caught:
        Fitted(str(path)).evaluate(networks(1, 0))
    assert "\n" not in str(caught.value)


def test_a_network_of_too_many_stages_is_refused(oracle):
    with pytest.raises(FittedError, match="at most 9 stages"):
        oracle.evaluate([DEEP])


def test_a_pinned_oracle_stays_what_it_was(tmp_path):
    path = tmp_path / "trials.csv"
    written(path, networks(30, 7))
    pinned, asked = Fitted(str(tmp_path)).pinned(), networks(5, 8)
    before = pinned.evaluate(asked)
    written(path, networks(31, 9))
    np.testing.assert_array_equal(pinned.evaluate(asked).accuracy, before.accuracy)
    assert pinned.key != Fitted(str(tmp_path)).key
    fresh = Fitted(str(tmp_path), "0" * 32)  # as another process would make it
    with pytest.raises(FittedError, match="something else than when the study began"):
        fresh.evaluate(asked)


def test_a_file_of_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "known.csv"
    written(path, networks(30, 7))
    key = Fitted(str(path)).key
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Fitted(str(path)).key == key


def test_threads_do_not_change_a_prediction(tmp_path):
    """More trainings than a thread of BLAS is content with."""
    path = tmp_path / "known.csv"
    written(path, networks(150, 10), spread=0.01)
    said = [
        subprocess.run(
            [sys.executable, "-c", PREDICT, str(path)], check=True, capture_output=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": n, "OMP_NUM_THREADS": n},
        ).stdout
        for n in ("1", "2")
    ]  # fmt: skip
    assert said[0] == said[1]


def test_a_line_leads_beyond_what_was_trained():
    """The truth is one. Where few were trained, and with noise, a process that is only
    smooth takes all that is unlike them for the mean: its mean tau here is below 0.
    """
    known = sorted(networks(300, 0), key=worth)
    worse, best = known[:150], known[-40:]
    truth = [worth(network) for network in best]
    taus = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        some = [worse[row] for row in rng.permutation(len(worse))[:25]]
        accuracy = [worth(network) for network in some] + rng.normal(0, 0.004, 25)
        predicted, _ = Model(some, accuracy)(best)
        taus.append(kendalltau(predicted, truth).statistic)
    assert np.mean(taus) > 0.15
