"""Configuration: TOML files and `section.key=value` words -> frozen values, checked.

The sections are dataclasses; those of the folders (`Reward`, `Limits`, `ProxyTraining`,
`Platform`) are used as they are, so that a new field of theirs is a new key here. Keys
are the fields that TOML can say: numbers, words, booleans and tables of these. What
they cannot say of a platform comes by name: `preset = "coral"` in `[platform]`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from nahas import platform_table
from nahas.accelerator.objective import exponents
from nahas.accelerator.refusal import wrong
from nahas.accelerator.template import Platform
from nahas.controller.bayesian import Bayesian
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.front_guided import FrontGuided
from nahas.controller.judgement import Reject
from nahas.controller.local_search import LocalSearch
from nahas.controller.nsga2 import NSGA2
from nahas.controller.ppo import PPO
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.reinforce import Reinforce
from nahas.controller.reward import Least, Limits, Reward
from nahas.controller.screening import By
from nahas.controller.space_shrinking import SpaceShrinking
from nahas.decode import decode, keys, parse_value
from nahas.train.oracles import ProxyTraining

Mode = Literal["joint", "fixed", "phases", "nested"]

_RUN = ("trials", "workers", "minutes", "engine", "address")


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """What is searched, by whom, for how long.

    Attributes:
        space: "s1", "s2", "s3", "b0", "nas-bench-macro", "b0-stages", or
            `module:name` of a `SearchSpace` (of networks or of candidates) or of a
            function that returns one.
        tailor: A preset such as "edge-tpu-v1" to whose accelerator, on the platform of
            the search, the space of networks is tailored (`search_space/tailor.py`);
            "" for none.
        controller: "ppo", "evolution", "random", "local", "nsga2", "reinforce",
            "shrinking", "guided", "front", "bayesian" (those with settings have the
            section of their name), "sweep-random", "sweep-evolution", "sweep-guided",
            "sweep-bayesian", or `module:name` of one's own (docs/controllers.md).
        mode: "joint", "fixed" (the network alone, on one accelerator), "phases" (the
            accelerator first, then the network) or "nested" (networks searched anew on
            each accelerator); the last three have the section of their name
            (docs/modes.md).
        oracle: "proxy" (the `[training]` section), "imagenet-predictor" (for spaces
            "b0" and "b0-stages"), `table:FILE` (a table of NAS-Bench-Macro's
            accuracies), `one-shot:FOLDER` (weights that `nahas one-shot` trained),
            `fitted:STUDY` (predicted from its trainings) or `module:name` of an oracle.
        minimise: "energy", "latency", "edp" (energy x latency), "edap" (that x area) or
            weights such as "energy=1,area=0.5": the least of that, with an accuracy of
            at least `limits.min_accuracy`, is sought in place of the highest reward.
            "" for the reward.
        reject: "hard": what breaks a limit of a cost is not trained; "none": it is, and
            controllers learn from the reward alone.
        trials: Proposals in all.
        seed: Seed of the controller; the training's is `training.seed`.
        workers: Processes that train at the same time; 0 trains in this one.
        engine: Where these run: "local", or "ray" for tasks of a Ray cluster.
        address: HOST:PORT of a running Ray cluster, whose CPUs then count and not
            `workers`; "" starts a private one on this machine.
        window: Proposal i sees the results of 1 .. i - window.
        minutes: Ends the run after that many; None for no end.
        warm_start: What the first trials are: "published:NAME" for a published network
            on the baseline accelerator, or the folder of another study, "STUDY" or
            "STUDY=K", for its best trials.
    """

    space: str = "s2"
    tailor: str = ""
    controller: str = "ppo"
    mode: Mode = "joint"
    oracle: str = "proxy"
    minimise: str = ""
    reject: Reject = "hard"
    trials: int = 150
    seed: int = 0
    workers: int = 2
    engine: str = "local"
    address: str = ""
    window: int = 16
    minutes: float | None = None
    warm_start: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("trials", "window"):
            if getattr(self, name) < 1:
                raise wrong(name, "a positive integer", getattr(self, name))
        for name in ("workers", "seed"):
            if getattr(self, name) < 0:
                raise wrong(name, "0 or a positive integer", getattr(self, name))
        if self.minutes is not None and not self.minutes > 0:
            raise wrong("minutes", "positive", self.minutes)
        if self.minimise:
            try:
                exponents(self.minimise)
            except ValueError as error:
                raise ValueError(str(error).replace("objective", "minimise")) from error
        if self.engine == "ray" and not self.workers:
            raise wrong("workers", "a positive integer on Ray", self.workers)


@dataclass(frozen=True, slots=True)
class FixedConfig:
    """Of mode "fixed".

    Attributes:
        accelerator: A preset, whose accelerator runs all networks.
    """

    accelerator: str = "baseline"


@dataclass(frozen=True, slots=True)
class PhasesConfig:
    """Of mode "phases".

    Attributes:
        first: Trials of the first phase, that of the accelerator; more than
            `search.window`. Where None a third of `search.trials`, as they are when the
            study begins.
        accelerators: Controller of the first phase; "" for a `search.controller`.
    """

    first: int | None = None
    accelerators: str = ""


@dataclass(frozen=True, slots=True)
class NestedConfig:
    """Of mode "nested".

    Attributes:
        inner: Trials of the search of networks on each accelerator.
        accelerators: Controller of the accelerators; "" for a `search.controller`.
    """

    inner: int = 50
    accelerators: str = ""


@dataclass(frozen=True, slots=True)
class ScreeningConfig:
    """Cheaper oracles that a candidate must pass first (docs/screening.md).

    Attributes:
        oracle: One that is asked before all others, by a name as of `search.oracle`; ""
            for none.
        epochs: Of shorter trainings by the `[training]` section, the shortest first.
        keep: A candidate goes on if less than this share of those before it are better.
        by: What is better: "reward", or "front" of accuracy, latency and energy. By
            default front with `search.minimise` and controllers of fronts.
    """

    oracle: str = ""
    epochs: tuple[int, ...] = ()
    keep: float = 1 / 3
    by: By | None = None


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The deployed network, whose costs are simulated.

    Attributes:
        resolution: Rows and columns of its input.
        width: Multiplier of the space's filters.
        classes: Outputs of the classifier.
    """

    resolution: int = 224
    width: float = 1.0
    classes: int = 1000

    def __post_init__(self) -> None:
        for name in ("resolution", "width", "classes"):
            if getattr(self, name) <= 0:
                raise wrong(name, "positive", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Config:
    """All that a search is asked for."""

    search: SearchConfig = field(default_factory=SearchConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: ProxyTraining = field(default_factory=ProxyTraining)
    screening: ScreeningConfig = field(default_factory=ScreeningConfig)
    reward: Reward = field(default_factory=Reward)
    limits: Limits = field(default_factory=Limits)
    platform: Platform = field(default_factory=Platform)
    fixed: FixedConfig = field(default_factory=FixedConfig)
    phases: PhasesConfig = field(default_factory=PhasesConfig)
    nested: NestedConfig = field(default_factory=NestedConfig)
    ppo: PPO = field(default_factory=PPO)
    evolution: RegularizedEvolution = field(default_factory=RegularizedEvolution)
    local: LocalSearch = field(default_factory=LocalSearch)
    nsga2: NSGA2 = field(default_factory=NSGA2)
    reinforce: Reinforce = field(default_factory=Reinforce)
    shrinking: SpaceShrinking = field(default_factory=SpaceShrinking)
    guided: PredictorGuided = field(default_factory=PredictorGuided)
    front: FrontGuided = field(default_factory=FrontGuided)
    bayesian: Bayesian = field(default_factory=Bayesian)

    def __post_init__(self) -> None:
        if self.search.minimise and self.limits.min_accuracy is None:
            raise ValueError(
                f"`min_accuracy` must be given to minimise {self.search.minimise}: "
                "without it the smallest network is the best. Received None (in "
                "limits.min_accuracy)."
            )
        if self.search.minimise and self.search.reject == "none":
            raise ValueError(
                f"`reject` must be 'hard' to minimise {self.search.minimise}: else "
                "nothing teaches a controller the floor of the accuracy. Received "
                "'none' (in search.reject)."
            )

    @property
    def goal(self) -> Reward | Least:
        """What the search maximises: the reward, or a power of the costs minimised."""
        return Least(self.search.minimise) if self.search.minimise else self.reward


def load(path: str | Path | None = None, settings: Sequence[str] = ()) -> Config:
    """The configuration of a TOML file, with settings that override it.

    Args:
        path: The file; the packaged quick start where None.
        settings: Words like "limits.max_area_mm2=40".

    Raises:
        ValueError: If the file cannot be read, or a key or value is wrong.
    """
    return from_dict(merge(read_toml(path), settings))


def read_toml(
    path: str | Path | None = None, packaged: str = "quickstart"
) -> dict[str, Any]:
    """The tables of a TOML file; of a packaged one where `path` is None.

    Raises:
        ValueError: If the file cannot be read or is not TOML.
    """
    source = (
        resources.files("nahas").joinpath(f"{packaged}.toml")
        if path is None
        else Path(path)
    )
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"The configuration must be a file that can be read. Received {path} "
            f"({error.strerror})."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"The configuration must be TOML. Received {source}: {error}."
        ) from error


def merge(table: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """The tables with `section.key=value` words put over them.

    >>> merge({"search": {"seed": 1}}, ["search.seed=2", "search.space=s3"])
    {'search': {'seed': 2, 'space': 's3'}}

    Raises:
        ValueError: If a word has no section, key or value.
    """
    merged = _copy(table)
    for setting in settings:
        path, equals, value = setting.partition("=")
        *sections, key = path.strip().split(".")
        if not equals or not sections or not all((*sections, key)):
            raise ValueError(
                "A setting must read section.key=value, such as search.seed=1. "
                f"Received {setting!r}."
            )
        inner = merged
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ValueError(
                    f"`{section}` must be a value, not a section (in {path.strip()})."
                )
        inner[key] = parse_value(value.strip())
    return merged


def to_dict(value: Any) -> dict[str, Any]:
    """The keys of a configuration and their values, as `from_dict` takes them."""
    if isinstance(value, Platform):
        return platform_table.to_table(value)
    return {
        key: to_dict(item) if is_dataclass(item) else item
        for key in keys(type(value))
        if (item := getattr(value, key)) is not None
    }


def from_dict(table: Mapping[str, Any]) -> Config:
    """The configuration of tables by section, as TOML has them.

    Raises:
        ValueError: If a key is unknown, or a value is refused.
        TypeError: If a value has another type.
    """
    said = table.get("platform", {})
    if not isinstance(said, Mapping):
        return decode(Config, table)  # which says that it must be a section
    rest = {section: keys for section, keys in table.items() if section != "platform"}
    return replace(decode(Config, rest), platform=platform_table.from_table(said))


def to_stored(config: Config) -> dict[str, Any]:
    """What a study keeps; "run" holds what may differ when it is continued."""
    table = to_dict(config)
    run = {key: table["search"].pop(key) for key in _RUN if key in table["search"]}
    return {**table, "run": run}


def from_stored(table: Mapping[str, Any]) -> Config:
    """The configuration that `to_stored` wrote."""
    kept = _copy(table)
    run = kept.pop("run", {})
    return from_dict({**kept, "search": {**kept.get("search", {}), **run}})


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copy(v) if isinstance(v, Mapping) else v for k, v in table.items()}
