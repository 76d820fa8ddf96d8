"""Batch normalisation, fast: the layer of ``dlnotes.batch_norm`` as one line per feature.

With the statistics known, the output is y = a x + c, and the gradient is dx = a (dy + b x + c), with numbers that
depend on the feature alone. The sums that give them are left to BLAS. Nothing is kept but the input.
"""

import math
from dataclasses import dataclass

import numpy as np

from dlnotes.batch_norm import Gradients
from dlnotes.core import _memory

BLOCK = 1 << 19  # bytes of an operand that is worked on at once: three of them stay in the second cache
NO_VARIANCE = "eps is 0 in the precision of x; expected more, as a feature has no variance"
RUN = 4096  # terms that are added up in the precision of x; such sums are added up in float64


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass."""

    x: np.ndarray  # the input as it is, not a copy; or less an approximate mean, where that is far from 0
    mean: np.ndarray  # (D,), float64: of this x
    inv_std: np.ndarray  # (D,), float64: 1 / sqrt(v + eps)
    gamma: np.ndarray  # (D,): the scale


@np.errstate()  # on its end, NumPy's buffer has its size again
def forward(x, gamma, beta, *, eps=1e-5):
    """Return ``(y, saved)``, y = gamma * (x - mean) / sqrt(variance + eps) + beta, as ``dlnotes.batch_norm.forward``.

    Args:
        x: (N, D) or (N, C, H, W), float32 or float64. Statistics are taken over all axes but the second.
        gamma, beta: (D,) or (C,), the scale and the shift, of the dtype of x.
        eps: added to the biased variance, in the units of x squared. Not negative.

    What is saved refers to x: do not write to x before ``backward``.

    Raises:
        ValueError: a shape, a dtype or eps is not as said; or eps is 0 in the precision of x, and a feature has no
            variance.
    """
    x, gamma, beta = (np.ascontiguousarray(a) for a in (x, gamma, beta))
    eps = _check_input(x, gamma, beta, eps)
    mean, variance = _statistics(x)
    # The mean of the squares less the square of the mean loses digits where the mean is many deviations from 0.
    # Only then, one more pass brings the mean close to 0.
    if not (mean * mean <= 8 * variance).all():
        x = (_images(x) - _columns(_images(x), mean)[0]).reshape(x.shape)
        mean, variance = _statistics(x)
    if eps == 0 and not variance.astype(x.dtype).all():  # a variance below the precision of x
        raise ValueError(NO_VARIANCE)
    inv_std = 1 / np.sqrt(variance + eps)
    slope = gamma * inv_std
    y, images = _memory.empty_like(x), _images(x)
    _memory.read_not_copied(images.shape[-1])
    a, c = _columns(images, slope, beta - slope * mean)
    for at, features in _blocks(images):
        out = _images(y)[at]
        np.multiply(images[at], a[features], out)
        out += c[features]
    return y, Saved(x, mean, inv_std, gamma)


@np.errstate()
def backward(dy, saved):
    """Return ``Gradients(dx, dgamma, dbeta)`` of the loss, as ``dlnotes.batch_norm.backward``.

    Args:
        dy: as x, of its dtype: the loss's gradient by the output.
        saved: what ``forward`` saved.

    Raises:
        ValueError: dy has not the shape and the dtype of the output.
    """
    dy, x = np.ascontiguousarray(dy), saved.x
    if dy.shape != x.shape:
        raise ValueError(f"dy has shape {dy.shape}; expected that of the output, {x.shape}")
    if dy.dtype != x.dtype:
        raise ValueError(f"dy has dtype {dy.dtype}; expected that of the output, {x.dtype}")
    dbeta, dy_x = _sums(_images(dy), _images(x))
    dgamma = saved.inv_std * (dy_x - saved.mean * dbeta)
    # dx = slope (dy - dbeta / N - x_hat dgamma / N), and x_hat = (x - mean) inv_std
    N = max(dy.size // dy.shape[1], 1)  # values that share a statistic
    by_x = -saved.inv_std * dgamma / N
    dx, images, d_images = _memory.empty_like(x), _images(x), _images(dy)
    _memory.read_not_copied(images.shape[-1])
    a, b, c = _columns(images, saved.gamma * saved.inv_std, by_x, -dbeta / N - by_x * saved.mean)
    for at, features in _blocks(images):
        out = _images(dx)[at]
        np.multiply(images[at], b[features], out)
        out += d_images[at]
        out += c[features]
        out *= a[features]
    return Gradients(dx, dgamma.astype(x.dtype), dbeta.astype(x.dtype))


def _images(x):
    """View x as (N, C, H W), or as (N, D) where a feature has one value an example."""
    area = math.prod(x.shape[2:])
    return x.reshape(x.shape[:2] if area == 1 else (*x.shape[:2], area))


def _columns(images, *numbers):
    """Give each array of numbers, one a feature, the dtype of the images, and the shape of a column for images."""
    return [a.astype(images.dtype).reshape((-1,) + (1,) * (images.ndim - 2)) for a in numbers]


def _blocks(images):
    """Yield views' indices that cut the images into blocks that fit in the cache, and those of their features."""
    N, D = images.shape[:2]
    size = max(images.itemsize * math.prod(images.shape[2:]), 1)
    features = math.ceil(D / max(math.ceil(D * size / BLOCK), 1))
    examples = min(max(BLOCK // (size * features), 1), RUN)
    for n in range(0, N, examples):
        for d in range(0, D, features):
            yield (slice(n, n + examples), slice(d, d + features)), slice(d, d + features)


def _sums(images, factor):
    """The sums (D,) over a feature of the images, and of their product with a factor, in float64.

    At most RUN terms are added up in the precision of the images.
    """
    totals, products = np.zeros((2, images.shape[1]))
    ones = np.ones(RUN, images.dtype)
    for at, features in _blocks(images):
        block, other = images[at], factor[at]
        if images.ndim == 2:
            totals[features] += ones[: len(block)] @ block
            products[features] += np.einsum("nd,nd->d", block, other)
            continue
        for i in range(0, images.shape[2], RUN):
            run = block[:, :, i : i + RUN]
            totals[features] += (run @ ones[: run.shape[2]]).sum(0, dtype=np.float64)
            products[features] += np.vecdot(run, other[:, :, i : i + RUN]).sum(0, dtype=np.float64)
    return totals, products


def _statistics(x):
    """The mean and the biased variance of each feature."""
    N = max(x.size // x.shape[1], 1)
    mean, square = (total / N for total in _sums(_images(x), _images(x)))
    return mean, np.maximum(square - mean * mean, 0)


def _check_input(x, gamma, beta, eps):
    """Check what ``forward`` is given; return eps in the precision of x."""
    if x.ndim not in (2, 4) or x.size == 0 < len(x):
        raise ValueError(f"x has shape {x.shape}; expected (N, D) or (N, C, H, W), each example not empty")
    if x.dtype not in (np.float32, np.float64):
        raise ValueError(f"x has dtype {x.dtype}; expected float32 or float64")
    for name, a in (("gamma", gamma), ("beta", beta)):
        if a.shape != (x.shape[1],):
            raise ValueError(f"{name} has shape {a.shape}; expected ({x.shape[1]},), one entry a feature of x")
        if a.dtype != x.dtype:
            raise ValueError(f"{name} has dtype {a.dtype}; expected that of x, {x.dtype}")
    eps = np.asarray(eps)
    if eps.ndim or eps.dtype.kind not in "fiu" or not 0 <= eps < np.inf:
        raise ValueError(f"eps is {eps}; expected one finite number that is not negative")
    eps = x.dtype.type(eps)
    # A constant's variance may be rounded to more than 0, so constants are looked for as such.
    if eps == 0 and not (x.size and np.ptp(x, (0, *range(2, x.ndim))).all()):
        raise ValueError(NO_VARIANCE)
    return eps
