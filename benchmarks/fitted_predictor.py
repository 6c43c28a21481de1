"""How well accuracies are predicted from trainings, beside usual regressions.

    python benchmarks/fitted_predictor.py --data FOLDER

What `--accuracy fitted:` fits (`nahas.train.fitted.Model`), and on the same features a
process without its line, a ridge and extremely randomized trees: each learns the first
trainings of some development networks of NAS-Bench-Macro, and ranks the other
development networks by the mean of theirs. Test networks are not looked at. The figures
go to results/fitted_predictor/.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from oracle_truth import TABLE, Truth, read_truth
from page import ROOT, command, made_with, table, write_csv
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from nahas.train.fitted import Model, features
from nahas.train.table import TableOracle

RESULTS = ROOT / "results" / "fitted_predictor"
TRAINED = (20, 50, 150, 400)
REPEATS = 5

Floats = NDArray[np.float64]
Predict = Callable[[Truth, Floats, Truth], Floats]
"""Of trained networks, their accuracies, and others: what these are worth."""


def ours(known: Truth, accuracy: Floats, asked: Truth) -> Floats:
    """The product's."""
    return Model(known.networks, accuracy)(asked.networks)[0]


def regressed(make: Callable[[], object]) -> Predict:
    """By a regression of scikit-learn on the same features and the same target."""

    def predict(known: Truth, accuracy: Floats, asked: Truth) -> Floats:
        rows = features(known.networks)
        scaler = StandardScaler().fit(rows)
        inputs = scaler.transform(rows)
        model = make()
        model.fit(inputs, -np.log(1 - accuracy))  # type: ignore[attr-defined]
        others = scaler.transform(features(asked.networks))
        found: Floats = model.predict(others)  # type: ignore[attr-defined]
        return found

    return predict


_SMOOTH = ConstantKernel() * RBF(5.0) + WhiteKernel(0.1)

PREDICTORS: dict[str, Predict] = {
    "fitted:, a Gaussian process": ours,
    "a process without its line": regressed(
        lambda: GaussianProcessRegressor(_SMOOTH, normalize_y=True)
    ),
    "ridge": regressed(lambda: RidgeCV(np.logspace(-3, 3, 13))),
    "extremely randomized trees": regressed(
        lambda: ExtraTreesRegressor(200, random_state=0)
    ),
}


def taus(score: Floats, accuracy: Floats) -> tuple[float, float]:
    """Kendall's tau over all, and over the better half."""
    better = accuracy > np.median(accuracy)
    return tuple(
        float(kendalltau(score[kept], accuracy[kept]).statistic)
        for kept in (np.ones(len(score), bool), better)
    )  # type: ignore[return-value]


def chosen(truth: Truth, rows: NDArray[np.int64]) -> Truth:
    """Some of the networks."""
    return Truth(tuple(truth.networks[row] for row in rows), truth.accuracy[rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    truth, _ = read_truth(arguments.data)
    first = TableOracle(str(arguments.data / TABLE)).evaluate(truth.networks).accuracy
    rows = []
    for count in TRAINED:
        for name, predict in PREDICTORS.items():
            found = []
            for repeat in range(REPEATS):
                rng = np.random.default_rng((arguments.seed, repeat))
                order = rng.permutation(len(truth.networks))
                known, asked = order[:count], order[count:]
                score = predict(
                    chosen(truth, known), first[known], chosen(truth, asked)
                )
                found.append(taus(score, truth.accuracy[asked]))
            mean, deviation = np.mean(found, 0), np.std(found, 0, ddof=1)
            cells = (f"{m:.3f} ± {d:.3f}" for m, d in zip(mean, deviation, strict=True))
            rows.append((count, name, *cells))
            print(*rows[-1], flush=True)
    titles = ("trained", "predictor", "tau", "tau in the better half")
    write_csv(RESULTS / "taus.csv", titles, rows)
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), table=table(titles, rows), repeats=REPEATS,
        networks=f"{len(truth.networks):,}",
        made=made_with("numpy", "scikit-learn", "scipy", seed=arguments.seed),
    ))  # fmt: skip


_PAGE = """\
# Accuracies predicted from those of networks that were trained

Remade by

    {command}

{table}

Kendall's tau with the mean accuracy of a network's trainings, of {networks} development
networks of NAS-Bench-Macro without those that were trained: mean and standard deviation
over {repeats} draws of the latter. Predictors learn the first training of each, by the
same features of its stages, and the logarithm of its error rate.

{made}
"""


if __name__ == "__main__":
    main()
