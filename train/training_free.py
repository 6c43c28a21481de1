"""What can be said of a network before any training.

Scores rank networks; they are no accuracies.
"""

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.network import Network


def naswot(network: Network, images: NDArray[np.float32], *, seed: int) -> float:
    """How differently a network with random weights treats images: higher is better.

    log |det K| with K[i, j] the number of activations that are both off or both on for
    images i and j (Mellor et al. 2021, "Neural Architecture Search without Training",
    https://arxiv.org/abs/2006.04647, section 3). Layers are normalized by the batch.

    Args:
        network: What is scored, at the images' resolution and channels.
        images: [B, H, W, C] inputs, of mean 0 and deviation 1.
        seed: Of the weights.

    Returns:
        The logarithm, -inf where two images are treated alike.
    """
    import keras

    from nahas.train.fit import seed_everything
    from nahas.train.model import build_model

    seed_everything(seed)
    model = build_model(network)
    outputs = [
        layer.output for layer in model.layers if layer.name.endswith("_activation")
    ]
    watched = keras.Model(model.input, outputs)
    alike = np.zeros((len(images), len(images)))
    for output in watched(keras.ops.convert_to_tensor(images), training=True):
        values = keras.ops.convert_to_numpy(output).reshape(len(images), -1)
        on = (values > 0).astype(np.float64)
        alike += on @ on.T + (1 - on) @ (1 - on).T
    sign, logarithm = np.linalg.slogdet(alike)
    return float(logarithm) if sign > 0 else float("-inf")
