"""Batch normalisation on torch tensors: the layer of ``dlnotes.batch_norm``.

About 10 operations an entry, so bytes decide: forward reads x and writes y, backward reads x and dy and writes dx. That
is 5 arrays of x.numel() numbers, and the floor is 5 x bytes / bandwidth. The statistics must be known before the first
output, so the kernels read x a second time, and dy too: 8 arrays, of which what the second cache still holds is cheap.
"""

import math
from dataclasses import dataclass
from numbers import Real

import torch

from dlnotes.core.gpu.tensors import by_triton, floats

NO_VARIANCE = "eps is 0 in the precision of x; expected more, as a feature has no variance"


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass."""

    x: torch.Tensor  # the input as it is, not a copy
    mean: torch.Tensor  # (D,)
    inv_std: torch.Tensor  # (D,): 1 / sqrt(v + eps)
    gamma: torch.Tensor  # (D,): the scale


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dx: torch.Tensor  # as x
    dgamma: torch.Tensor  # (D,)
    dbeta: torch.Tensor  # (D,)


@torch.no_grad()
def forward(x, gamma, beta, *, eps=1e-5, algorithm="torch"):
    """Return ``(y, saved)``, y = gamma * (x - mean) / sqrt(variance + eps) + beta, as ``dlnotes.batch_norm.forward``.

    Args:
        x: (N, D) or (N, C, H, W), float32 or float64. Statistics are taken over all axes but the second.
        gamma, beta: (D,) or (C,), the scale and the shift, of the dtype and on the device of x.
        eps: added to the biased variance, in the units of x squared. Not negative.
        algorithm: "torch", or "triton": two kernels.

    Raises:
        ValueError: a shape, a dtype, a device, eps or the algorithm is not as said; or eps is 0 in the precision of x,
            and a feature has no variance. (Only with eps = 0 does the CPU wait for the GPU to know.)
    """
    x, gamma, beta = floats(x=x, gamma=gamma, beta=beta)
    eps = _check_input(x, gamma, beta, eps)
    if by_triton(algorithm, x=x):
        from dlnotes.core.gpu import batch_norm_kernels

        y, mean, inv_std = batch_norm_kernels.forward(x, gamma, beta, eps)
        _check_scale(inv_std, eps)
        return y, Saved(x, mean, inv_std, gamma)
    if x.numel():
        variance, mean = torch.var_mean(x, _examples(x), correction=0)
    else:
        variance, mean = torch.zeros_like(gamma), torch.zeros_like(gamma)
    inv_std = (variance + eps).rsqrt_()
    _check_scale(inv_std, eps)
    y = x - _per_feature(mean, x)
    y.mul_(_per_feature(gamma * inv_std, x)).add_(_per_feature(beta, x))
    return y, Saved(x, mean, inv_std, gamma)


@torch.no_grad()
def backward(dy, saved, *, algorithm="torch"):
    """Return ``Gradients(dx, dgamma, dbeta)`` of the loss, as ``dlnotes.batch_norm.backward``.

    Args:
        dy: as x: the loss's gradient by the output.
        saved: what ``forward`` saved.
        algorithm: as for ``forward``.

    Raises:
        ValueError: dy has not the shape, the dtype and the device of the output; or the algorithm is not as said.
    """
    x, dy = floats(y=saved.x, dy=dy)
    if dy.shape != x.shape:
        raise ValueError(f"dy has shape {tuple(dy.shape)}; expected that of the output, {tuple(x.shape)}")
    if by_triton(algorithm, x=x):
        from dlnotes.core.gpu import batch_norm_kernels

        return Gradients(*batch_norm_kernels.backward(dy, x, saved.mean, saved.inv_std, saved.gamma))
    N = max(dy.numel() // max(dy.shape[1], 1), 1)  # values that share a statistic
    x_hat = (x - _per_feature(saved.mean, x)).mul_(_per_feature(saved.inv_std, x))
    dbeta, dgamma = dy.sum(_examples(dy)), (dy * x_hat).sum(_examples(dy))
    dx = x_hat.mul_(_per_feature(-dgamma / N, x)).add_(dy).sub_(_per_feature(dbeta / N, x))
    return Gradients(dx.mul_(_per_feature(saved.gamma * saved.inv_std, x)), dgamma, dbeta)


def _examples(x):
    """The axes a statistic is taken over: all but the features'."""
    return tuple(axis for axis in range(x.ndim) if axis != 1)


def _per_feature(a, x):
    return a.view(-1, *(1,) * (x.ndim - 2))


def _check_input(x, gamma, beta, eps):
    """Check what ``forward`` is given; return eps in the precision of x."""
    if x.ndim not in (2, 4) or x.numel() == 0 < len(x):
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (N, D) or (N, C, H, W), each example not empty")
    for name, a in (("gamma", gamma), ("beta", beta)):
        if a.shape != (x.shape[1],):
            raise ValueError(f"{name} has shape {tuple(a.shape)}; expected ({x.shape[1]},), one entry a feature of x")
    if isinstance(eps, bool) or not isinstance(eps, Real) or not 0 <= eps < math.inf:
        raise ValueError(f"eps is {eps}; expected one finite number that is not negative")
    eps = torch.tensor(float(eps), dtype=x.dtype).item()
    if eps == 0 and not (x.numel() and (x.amax(_examples(x)) > x.amin(_examples(x))).all()):
        raise ValueError(NO_VARIANCE)
    return eps


def _check_scale(inv_std, eps):
    """Look for a variance that is 0 in the precision of x though its feature is not constant."""
    if eps == 0 and inv_std.isinf().any():
        raise ValueError(NO_VARIANCE)
