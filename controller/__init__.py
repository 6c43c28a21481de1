"""Who chooses: controllers, rewards, the study and the one search loop."""

from collections.abc import Callable

from nahas.controller.bayesian import Bayesian
from nahas.controller.controller import Controller
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.front_guided import FrontGuided
from nahas.controller.local_search import LocalSearch
from nahas.controller.nsga2 import NSGA2
from nahas.controller.ppo import PPO
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.random_search import RandomSearch
from nahas.controller.reinforce import Reinforce
from nahas.controller.space_shrinking import SpaceShrinking

CONTROLLERS: dict[str, Callable[[], Controller]] = {
    "random": RandomSearch,
    "evolution": RegularizedEvolution,
    "ppo": PPO,
    "local": LocalSearch,
    "nsga2": NSGA2,
    "reinforce": Reinforce,
    "shrinking": SpaceShrinking,
    "guided": PredictorGuided,
    "front": FrontGuided,
    "bayesian": Bayesian,
    "sweep-random": lambda: ExactSweep(RandomSearch()),
    "sweep-evolution": lambda: ExactSweep(RegularizedEvolution()),
    "sweep-guided": lambda: ExactSweep(PredictorGuided()),
    "sweep-bayesian": lambda: ExactSweep(Bayesian()),
}
"""Every controller by its name on the command line; the contract tests iterate this."""
