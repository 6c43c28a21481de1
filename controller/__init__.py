"""Who chooses: controllers, rewards, the study and the one search loop."""

from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.ppo import PPO
from nahas.controller.random_search import RandomSearch

# Every controller by its name on the command line; the contract tests iterate this.
CONTROLLERS: dict[str, type[PPO] | type[RandomSearch] | type[RegularizedEvolution]] = {
    "random": RandomSearch,
    "evolution": RegularizedEvolution,
    "ppo": PPO,
}
