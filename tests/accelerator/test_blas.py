"""One thread around the linear algebra of models, whatever the process has."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nahas.accelerator.blas import one_thread
from nahas.controller.gaussian_process import Posterior
from nahas.controller.ridge import Ridge


def _threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if _is_blas(pool)}


def _is_blas(pool: dict[str, object]) -> bool:
    return pool["user_api"] == "blas"


def test_every_blas_has_one_thread_inside_and_what_it_had_outside() -> None:
    import scipy.linalg  # noqa: F401  # brings a BLAS of its own

    with threadpool_limits(2, user_api="blas"):
        with one_thread():
            assert _threads() == {1}
        assert _threads() == {2}


def test_a_failure_inside_gives_the_threads_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(np.linalg.LinAlgError), one_thread():
            np.linalg.cholesky(-np.eye(2))
        assert _threads() == {2}


def test_a_fit_has_the_same_last_bits_with_one_and_two_threads() -> None:
    """As large as S3's: with two threads, products of this size are split."""
    rng = np.random.default_rng(0)
    features = (rng.random((400, 320)) < 0.2).astype(np.float64)
    targets = rng.random(400)
    fits = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            ridge = Ridge.fit(features, targets, 5.0)
            drawn = ridge.draw(np.random.default_rng(1))
            kernel = Posterior.fit(features[:40], targets[:40]).kernel
            process = Posterior.fit(features, targets, kernel)
            fits.append((drawn, *process.at(features[:50])))
    for one, two in zip(*fits, strict=True):
        np.testing.assert_array_equal(one, two)
