"""Batch normalisation: the layer, and the gradients of a loss through it.

An example is a row of ``x`` (N, D), or a position of an image of ``x`` (N, C, H, W). A feature is a column, or a
channel. Every feature is normalised by the mean and the variance of its own values in the batch.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass. The input itself is not needed."""

    x_hat: np.ndarray  # as x: the normalised values
    inv_std: np.ndarray  # (D,): 1 / sqrt(v + eps)
    gamma: np.ndarray  # (D,): the scale


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dx: np.ndarray  # as x
    dgamma: np.ndarray  # (D,)
    dbeta: np.ndarray  # (D,)


def forward(x, gamma, beta, *, eps=1e-5):
    """Return ``(y, saved)``, y = gamma * (x - mean) / sqrt(variance + eps) + beta.

    Claim batch-norm-forward.

    Args:
        x: (N, D) or (N, C, H, W), floating point. Statistics are taken over all axes
            but the second.
        gamma: (D,) or (C,), the scale.
        beta: (D,) or (C,), the shift.
        eps: added to the biased variance, in the units of x squared. Not negative.

    Raises:
        ValueError: a shape, a dtype or eps is not as said; or eps is 0 in the precision
            of x, and a feature has no variance.

    Source: Ioffe and Szegedy 2015, algorithm 1.
    """
    x, gamma, beta = np.asarray(x), np.asarray(gamma), np.asarray(beta)
    eps = _check_input(x, gamma, beta, eps)
    mean = x.mean(_examples(x), keepdims=True)
    variance = np.square(x - mean).mean(_examples(x), keepdims=True)
    # A constant's variance may be rounded to more than 0, so constants are looked for as such.
    if eps == 0 and not (variance.all() and np.ptp(x, _examples(x)).all()):
        raise ValueError("eps is 0 in the precision of x; expected more, as a feature has no variance")
    inv_std = 1 / np.sqrt(variance + eps)
    x_hat = (x - mean) * inv_std
    y = _per_feature(gamma, x) * x_hat + _per_feature(beta, x)
    return y, Saved(x_hat, inv_std.reshape(-1), gamma)


def backward(dy, saved):
    """Return ``Gradients(dx, dgamma, dbeta)`` of the loss.

    Claims batch-norm-input-gradient, batch-norm-scale-gradient, batch-norm-shift-gradient.

    Args:
        dy: as x, floating point: the loss's gradient by the output. Symbols work too.
        saved: what ``forward`` saved.

    Raises:
        ValueError: dy has not the shape of the output, or is not floating point.

    Source: the chapter's derivation; Ioffe and Szegedy 2015, section 3, give the paths.
    """
    dy, x_hat = np.asarray(dy), saved.x_hat
    if dy.shape != x_hat.shape:
        raise ValueError(f"dy has shape {dy.shape}; expected that of the output, {x_hat.shape}")
    if dy.dtype.kind not in "fO":
        raise ValueError(f"dy has dtype {dy.dtype}; expected a floating point dtype")
    N = dy.size // dy.shape[1]  # values that share a statistic
    dbeta = dy.sum(_examples(dy))
    dgamma = (dy * x_hat).sum(_examples(dy))
    means = (_per_feature(dbeta, dy) + x_hat * _per_feature(dgamma, dy)) / N
    dx = _per_feature(saved.gamma * saved.inv_std, dy) * (dy - means)
    return Gradients(dx, dgamma, dbeta)


def _examples(x):
    """The axes a statistic is taken over: all but the features'."""
    return tuple(axis for axis in range(x.ndim) if axis != 1)


def _per_feature(a, x):
    """View (D,) so that it broadcasts over x along the axis of features."""
    return a.reshape((1, -1) + (1,) * (x.ndim - 2))


def _check_input(x, gamma, beta, eps):
    """Check what ``forward`` is given; return eps in the precision of x."""
    if x.ndim not in (2, 4) or x.size == 0:
        raise ValueError(f"x has shape {x.shape}; expected (N, D) or (N, C, H, W), not empty")
    if x.dtype.kind != "f":
        raise ValueError(f"x has dtype {x.dtype}; expected a floating point dtype")
    for name, a in (("gamma", gamma), ("beta", beta)):
        if a.shape != (x.shape[1],):
            raise ValueError(f"{name} has shape {a.shape}; expected ({x.shape[1]},), one entry a feature of x")
        if a.dtype.kind not in "fiu":
            raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
    eps = np.asarray(eps)
    if eps.ndim or eps.dtype.kind not in "fiu" or not 0 <= eps < np.inf:
        raise ValueError(f"eps is {eps}; expected one finite number that is not negative")
    return x.dtype.type(eps)
