"""Joint search of a neural network and the edge accelerator that runs it.

The public names; each is imported when it is first used, so that `import nahas` takes
no time and loads no TensorFlow.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nahas.accelerator.bounds import lower_bounds as lower_bounds
    from nahas.accelerator.cost_model import evaluate as evaluate
    from nahas.accelerator.cost_model import evaluate_all as evaluate_all
    from nahas.accelerator.grid import BASELINE as BASELINE
    from nahas.accelerator.machines import area_mm2 as area_mm2
    from nahas.accelerator.metrics import Metrics as Metrics
    from nahas.accelerator.presets import PRESETS as PRESETS
    from nahas.accelerator.presets import Preset as Preset
    from nahas.accelerator.template import Accelerator as Accelerator
    from nahas.accelerator.template import Capabilities as Capabilities
    from nahas.accelerator.template import Platform as Platform
    from nahas.controller.bayesian import Bayesian as Bayesian
    from nahas.controller.evolution import RegularizedEvolution as RegularizedEvolution
    from nahas.controller.exact_sweep import ExactSweep as ExactSweep
    from nahas.controller.fixed_accelerator import FixedAccelerator as FixedAccelerator
    from nahas.controller.front_guided import FrontGuided as FrontGuided
    from nahas.controller.local_search import LocalSearch as LocalSearch
    from nahas.controller.nested import Nested as Nested
    from nahas.controller.nsga2 import NSGA2 as NSGA2
    from nahas.controller.phases import Phases as Phases
    from nahas.controller.ppo import PPO as PPO
    from nahas.controller.predictor_guided import PredictorGuided as PredictorGuided
    from nahas.controller.random_search import RandomSearch as RandomSearch
    from nahas.controller.reinforce import Reinforce as Reinforce
    from nahas.controller.reward import Least as Least
    from nahas.controller.reward import Limits as Limits
    from nahas.controller.reward import Reward as Reward
    from nahas.controller.rows import StudyError as StudyError
    from nahas.controller.screening import Screening as Screening
    from nahas.controller.search import search as search
    from nahas.controller.space_shrinking import SpaceShrinking as SpaceShrinking
    from nahas.controller.study import Study as Study
    from nahas.controller.trial import Trial as Trial
    from nahas.controller.truth import Truth as Truth
    from nahas.controller.truth_cache import truth_of as truth_of
    from nahas.controller.warm_start import WarmStart as WarmStart
    from nahas.costs import simulate as simulate
    from nahas.explain import explain as explain
    from nahas.models import resolve as resolve
    from nahas.plots import plot_convergence as plot_convergence
    from nahas.plots import plot_pareto as plot_pareto
    from nahas.plots_explain import plot_explanation as plot_explanation
    from nahas.plots_sweep import plot_front as plot_front
    from nahas.plots_sweep import plot_map as plot_map
    from nahas.search_space.joint import Candidate as Candidate
    from nahas.search_space.joint import accelerator_space as accelerator_space
    from nahas.search_space.joint import joint_space as joint_space
    from nahas.search_space.lower import lower as lower
    from nahas.search_space.nearest import nearest_choices as nearest_choices
    from nahas.search_space.network import Block as Block
    from nahas.search_space.network import Network as Network
    from nahas.search_space.oracle import Estimate as Estimate
    from nahas.search_space.oracle import Oracle as Oracle
    from nahas.search_space.published import PUBLISHED as PUBLISHED
    from nahas.search_space.space import Knob as Knob
    from nahas.search_space.space import SearchSpace as SearchSpace
    from nahas.search_space.tailor import profile as profile
    from nahas.search_space.tailor import tailor as tailor
    from nahas.sharing import share as share
    from nahas.sweeps import pareto_front as pareto_front
    from nahas.sweeps import regret_rows as regret_rows
    from nahas.sweeps import sweep as sweep
    from nahas.train.imagenet_predictor import ImagenetPredictor as ImagenetPredictor
    from nahas.train.oracles import ProxyTraining as ProxyTraining
    from nahas.train.table import TableOracle as TableOracle
    from nahas.truths import predictor_problem as predictor_problem
    from nahas.truths import table_problem as table_problem

_HOMES = {
    "accelerator.bounds": ("lower_bounds",),
    "accelerator.cost_model": ("evaluate", "evaluate_all"),
    "accelerator.grid": ("BASELINE",),
    "accelerator.machines": ("area_mm2",),
    "accelerator.metrics": ("Metrics",),
    "accelerator.presets": ("PRESETS", "Preset"),
    "accelerator.template": ("Accelerator", "Capabilities", "Platform"),
    "controller.bayesian": ("Bayesian",),
    "controller.evolution": ("RegularizedEvolution",),
    "controller.exact_sweep": ("ExactSweep",),
    "controller.fixed_accelerator": ("FixedAccelerator",),
    "controller.front_guided": ("FrontGuided",),
    "controller.local_search": ("LocalSearch",),
    "controller.nested": ("Nested",),
    "controller.nsga2": ("NSGA2",),
    "controller.phases": ("Phases",),
    "controller.ppo": ("PPO",),
    "controller.predictor_guided": ("PredictorGuided",),
    "controller.random_search": ("RandomSearch",),
    "controller.reinforce": ("Reinforce",),
    "controller.reward": ("Least", "Limits", "Reward"),
    "controller.rows": ("StudyError",),
    "controller.screening": ("Screening",),
    "controller.search": ("search",),
    "controller.space_shrinking": ("SpaceShrinking",),
    "controller.study": ("Study",),
    "controller.trial": ("Trial",),
    "controller.truth": ("Truth",),
    "controller.truth_cache": ("truth_of",),
    "controller.warm_start": ("WarmStart",),
    "costs": ("simulate",),
    "explain": ("explain",),
    "models": ("resolve",),
    "plots": ("plot_convergence", "plot_pareto"),
    "plots_explain": ("plot_explanation",),
    "plots_sweep": ("plot_front", "plot_map"),
    "search_space.joint": ("Candidate", "accelerator_space", "joint_space"),
    "search_space.lower": ("lower",),
    "search_space.nearest": ("nearest_choices",),
    "search_space.network": ("Block", "Network"),
    "search_space.oracle": ("Estimate", "Oracle"),
    "search_space.published": ("PUBLISHED",),
    "search_space.space": ("Knob", "SearchSpace"),
    "search_space.tailor": ("profile", "tailor"),
    "sharing": ("share",),
    "sweeps": ("pareto_front", "regret_rows", "sweep"),
    "train.imagenet_predictor": ("ImagenetPredictor",),
    "train.oracles": ("ProxyTraining",),
    "train.table": ("TableOracle",),
    "truths": ("predictor_problem", "table_problem"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    """A public name, from the module where it lives (PEP 562)."""
    if name == "__version__":
        return version("nahas")
    if name not in _HOME:
        raise AttributeError(f"module 'nahas' has no attribute {name!r}")
    value = getattr(import_module(f"nahas.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
