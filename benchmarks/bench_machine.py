"""What this machine can do at most: the rate of a matrix product, and of a copy."""

import numpy as np
import pytest


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def bench_matrix_product(race, dtype):
    n = 1024
    a, b = np.random.default_rng(0).normal(size=(2, n, n)).astype(dtype)
    out = np.empty_like(a)
    race(lambda: np.dot(a, b, out), {}, work="matrix product", size=f"{n} x {n} x {n}", dtype=dtype, flops=2 * n**3)


@pytest.mark.parametrize("mib", [1, 64])
def bench_copy(race, mib):
    """Within the second-level cache, and beyond it. Each byte is read once and written once."""
    a = np.ones(mib * 2**18, np.float32)
    out = np.empty_like(a)
    race(lambda: np.copyto(out, a), {}, work="copy", size=f"{mib} MiB", bytes=2 * a.nbytes)
