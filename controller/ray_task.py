"""The body of a training on Ray; imports no more than it needs (`outcome.py`)."""

import gc
import json
import socket
from collections.abc import Iterator

from nahas.controller.description import rebuild
from nahas.controller.outcome import Outcome, evaluate, versions
from nahas.search_space.oracle import Oracle


def train(description: str, network: str) -> Iterator[dict[str, str] | Outcome]:
    """The body of a task: says where it has begun, then how the training ended.

    Args:
        description: The oracle, as `describe` has it, in JSON.
        network: Text of the network.
    """
    oracle: Oracle = rebuild(json.loads(description))
    yield {"node": socket.gethostname(), **versions()}
    outcome = evaluate(oracle, network)
    gc.collect()  # as in a worker: models go before the next comes
    yield outcome
