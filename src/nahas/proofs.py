"""Proofs: the additive predictor of a configuration or a study, and what it proves.

The functions behind `nahas prove`, for notebooks too.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.cost_model import evaluate
from nahas.config import Config
from nahas.controller import additive
from nahas.controller.additive import Additive
from nahas.controller.judgement import Task
from nahas.controller.proof import Progress, Proof
from nahas.controller.prove import Search
from nahas.controller.study import Study
from nahas.oracles import make_oracle
from nahas.output import percent
from nahas.parts import make_space
from nahas.search_space.b0 import choices_of
from nahas.search_space.joint import Candidate, network_knobs
from nahas.search_space.lower import lower
from nahas.search_space.oracle import Oracle
from nahas.search_space.space import SearchSpace
from nahas.train.imagenet_predictor import ImagenetPredictor
from nahas.train.table import TableOracle

Ints = NDArray[np.int64]

STRENGTH = 5.0
"""λ of the ridge regression, as the controller `guided` has it."""
_COUNTS = (
    "pairs",
    "accelerators",
    "screened",
    "searched",
    "nodes",
    "simulated",
    "seconds",
)
_MOST = 100_000  # choices of a table's space that are enumerated


@dataclass(frozen=True, eq=False)
class Proven:
    """A proof, what was asked, and the best pair in full.

    Attributes:
        task: Space, platform, limits and reward.
        predictor: What accuracies the proof is relative to.
        proof: What is known.
        row: The best pair in JSON's types; None where there is none.
    """

    task: Task
    predictor: Additive
    proof: Proof
    row: dict[str, Any] | None

    @property
    def relative_to(self) -> str:
        """What the proof is relative to, in a line."""
        known = self.predictor
        return (
            f"The proof is relative to an additive predictor, {known.source}: on "
            f"networks held out Kendall tau {known.tau:.3f}, RMS error "
            f"{100 * known.rmse:.2f} points. Costs are simulated; accuracies are "
            "predicted, and what the predictor gets wrong the proof gets wrong."
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        proof = self.proof
        return {
            "space": self.task.space.name,
            "proven": proof.proven,
            "best": self.row,
            "bound": proof.bound,
            "gap": proof.gap,
            **{name: getattr(proof, name) for name in _COUNTS},
            "limits": asdict(self.task.limits),
            "predictor": {
                name: getattr(self.predictor, name)
                for name in ("source", "networks", "tau", "rmse")
            },
            "relative_to": self.relative_to,
        }


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked, ready to be searched.

    Attributes:
        task: Space, platform, limits and reward.
        predictor: Fitted.
        search: Over the space's pairs.
        oracle: What a search would have asked; None where a study was.
    """

    task: Task
    predictor: Additive
    search: Search
    oracle: Oracle | None


def question(
    config: Config, study: Study | None = None, *, strength: float = STRENGTH
) -> Question:
    """What a configuration or a study asks.

    Args:
        config: Space, platform, limits, reward; and the oracle, where `study` is None.
        study: Whose trainings the predictor is fitted on.
        strength: λ of the ridge regression.

    Raises:
        ValueError: If there is no additive predictor to be had, or the space or the
            reward is not one that can be bounded.
    """
    if not 0 < strength < np.inf:
        raise ValueError(f"`strength` must be a number above 0. Received {strength!r}.")
    if config.search.minimise or config.limits.min_accuracy is not None:
        raise ValueError(
            "`min_accuracy` and `minimise` must be left out: what is proven is the "
            "highest reward within limits on costs. Received "
            f"{config.limits.min_accuracy!r} and {config.search.minimise!r}."
        )
    space = make_space(config)
    own = network_knobs(space)
    oracle = make_oracle(config) if study is None else None
    if study is not None:
        predictor = of_study(study, space, own, strength)
    elif oracle is not None:
        predictor = of_oracle(oracle, space, own, strength)
    task = Task(space, config.platform, config.limits, config.reward, "additive")
    return Question(task, predictor, Search(task, predictor), oracle)


def prove(
    asked: Question,
    *,
    minutes: float | None = None,
    progress: Progress | None = None,
) -> Proven:
    """The provably best pair, or the gap that is left.

    Args:
        asked: From `question`; it can be searched once.
        minutes: Stops after that long; None for no end.
        progress: Told what is known now and then.

    Raises:
        BoundError: If a simulated pair costs less than its bound.
    """
    proof = asked.search.run(minutes=minutes, progress=progress)
    row = _best(asked.task, proof, asked.oracle)
    return Proven(asked.task, asked.predictor, proof, row)


def of_study(study: Study, space: SearchSpace, own: Ints, strength: float) -> Additive:
    """A ridge regression of a study's trainings.

    Args:
        study: Of the same space.
        space: Its pairs.
        own: Places of the network's knobs.
        strength: λ.

    Raises:
        ValueError: If it has too few trainings, or is of another space.
    """
    known = [t for t in study.trials() if t.accuracy is not None]
    choices = np.array([t.choices for t in known], np.int64)
    choices = space.check(choices.reshape(len(known), -1) if known else
                          np.zeros((0, len(space.knobs)), np.int64))  # fmt: skip
    return additive.fit(
        choices[:, own],
        np.array([t.accuracy for t in known], np.float64),
        space.cardinalities[own],
        source=f"a ridge regression of the trainings of study {study.folder}",
        strength=strength,
    )


def of_oracle(
    oracle: Oracle, space: SearchSpace, own: Ints, strength: float
) -> Additive:
    """The additive predictor of an oracle that answers at once.

    Raises:
        ValueError: If it does not, or knows not the space.
    """
    whole = np.zeros(len(space.knobs), np.int64)

    def networks(choices: Ints) -> list[Any]:
        found = []
        for row in choices:
            whole[own] = row
            found.append(space.decode(whole).network)
        return found

    sizes = space.cardinalities[own]
    if isinstance(oracle, ImagenetPredictor):
        tables = ImagenetPredictor("additive")
        figures = tables.provenance["figures"]["additive"]
        return additive.read_off(
            lambda rows: tables.tables(np.array(list(map(choices_of, networks(rows))))),
            sizes.tolist(),
            source="the shipped ridge regression of Accel-NASBench's trainings",
            networks=figures["trained"],
            tau=figures["tau"],
            rmse=figures["rmse"],
        )
    if isinstance(oracle, TableOracle) and sizes.prod() <= _MOST:
        choices = np.indices(tuple(sizes.tolist())).reshape(len(sizes), -1).T
        found = oracle.evaluate(networks(choices))
        there = np.isfinite(found.accuracy)
        file = Path(oracle.path).name
        return additive.fit(
            choices[there],
            found.accuracy[there],
            sizes,
            source=f"a ridge regression of the first trainings in {file}",
            strength=strength,
        )
    raise ValueError(
        "`oracle` must be imagenet-predictor or table:FILE, whose accuracies are there "
        f"at once. Received {oracle.key!r} (in search.oracle). Search with it, then "
        "prove with a predictor of the study's trainings: nahas prove STUDY."
    )


def _best(task: Task, proof: Proof, oracle: Oracle | None) -> dict[str, Any] | None:
    if proof.choices is None:
        return None
    pair: Candidate = task.space.decode(proof.choices)
    costs = evaluate(lower([pair.network]), [pair.accelerator], task.platform)
    said = (
        None if oracle is None else float(oracle.evaluate([pair.network]).accuracy[0])
    )
    names = ("latency_ms", "energy_mj", "area_mm2", "power_mw")
    return {
        **pair.to_json(),
        "reward": proof.reward,
        "accuracy": proof.accuracy,
        "oracle_accuracy": said,
        **{name: float(getattr(costs, name)[0]) for name in names},
    }


def in_words(found: Proven) -> str:
    """Whether it is proven, in a line."""
    proof = found.proof
    share = percent(proof.screened / proof.accelerators)
    what = f"{proof.pairs:,} pairs of {found.task.space.name}"
    if proof.proven and proof.choices is None:
        said = f"proven: none of {what} keeps the limits"
    elif proof.proven:
        said = f"proven: none of {what} has a higher reward"
    elif proof.choices is None:
        said = f"no pair found yet; none of {what} has a reward above {proof.bound:.6f}"
    else:
        said = (
            f"not proven: none of {what} has a reward above {proof.bound:.6f}, a gap "
            f"of {proof.gap:.6f}"
        )
    return (
        f"{said}. {share} of {proof.accelerators:,} accelerators ruled out by their "
        f"ceilings, {proof.searched:,} searched to the end; {proof.nodes:,} nodes, "
        f"{proof.simulated:,} pairs simulated, {proof.seconds:.1f} s."
    )
