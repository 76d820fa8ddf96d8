"""Convolutions, forward and backward: each algorithm of dlnotes.core beside PyTorch's layer with autograd (oneDNN)."""

import numpy as np
import pytest

from dlnotes.core import conv2d, conv2d_backward

try:
    import torch
except ModuleNotFoundError:
    torch = None

PEER = "F.conv2d, autograd"
# N, C, H and W, F, kH and kW, dtype
LAYERS = {
    "8 x 64 x 56 x 56": (8, 64, 56, 64, 3, "float32"),
    "8 x 128 x 28 x 28": (8, 128, 28, 128, 3, "float32"),
    "8 x 256 x 14 x 14": (8, 256, 14, 256, 3, "float32"),
    "8 x 32 x 64 x 64": (8, 32, 64, 32, 3, "float64"),
    "8 x 64 x 56 x 56, float64": (8, 64, 56, 64, 3, "float64"),
    "8 x 128 x 28 x 28, float64": (8, 128, 28, 128, 3, "float64"),
    "1 x 1 x 8 x 8": (1, 1, 8, 1, 3, "float32"),
    "1 x 3 x 28 x 28": (1, 3, 28, 8, 3, "float32"),
}
RACES = [(size, None) for size in LAYERS] + [(size, "direct") for size in list(LAYERS)[:3]]


def _arrays(N, C, H, F, k, dtype):
    """Draw x, w, b, dy of a layer that keeps the size of the image."""
    rng = np.random.default_rng(0)
    shapes = (N, C, H, H), (F, C, k, k), (F,), (N, F, H, H)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def _ours(x, w, b, dy, algorithm):
    padding = w.shape[2] // 2
    y = conv2d(x, w, b, padding=padding, algorithm=algorithm)
    gradients = conv2d_backward(dy, x, w, padding=padding, algorithm=algorithm)
    return y, gradients.dx, gradients.dw, gradients.db


def _torch(x, w, b, dy):
    leaves = [tensor.detach().requires_grad_() for tensor in (x, w, b)]
    y = torch.nn.functional.conv2d(*leaves, padding=w.shape[2] // 2)
    return y.detach(), *torch.autograd.grad(y, leaves, dy)


def _error(answers, references):
    assert [a.shape for a in answers] == [r.shape for r in references]
    ratios = [np.abs(a - r).max() / np.abs(r).max() for a, r in zip(answers, references, strict=True)]
    return float(np.max(ratios))  # NaN if one is


@pytest.mark.parametrize(("size", "algorithm"), RACES)
def bench_forward_backward(race, size, algorithm):
    *sizes, dtype = LAYERS[size]
    N, C, H, F, k = sizes
    arrays = _arrays(*sizes, dtype)
    answers = _ours(*arrays, algorithm)
    # The reference is the algorithm without transforms, in float64.
    error = _error(answers, _ours(*(a.astype(np.float64) for a in arrays), "direct"))
    assert error < {"float32": 1e-4, "float64": 1e-12}[dtype]
    peers = {PEER: None}
    if torch:
        tensors = [torch.from_numpy(a) for a in arrays]
        assert _error(answers, [t.numpy() for t in _torch(*tensors)]) < {"float32": 1e-4, "float64": 1e-12}[dtype]
        peers = {PEER: lambda: _torch(*tensors)}
    race(
        lambda: _ours(*arrays, algorithm),
        peers,
        work=f"convolution {k} x {k}, forward and backward, {algorithm or 'chosen by size'}",
        size=size.removesuffix(", float64"),
        dtype=dtype,
        flops=6 * N * F * C * k * k * H * H,
        error=error,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def bench_large_kernel(race, dtype):
    arrays = x, w, b, _ = _arrays(8, 8, 128, 8, 31, dtype)
    y = conv2d(x, w, b, padding=15)
    error = _error([y], [conv2d(*(a.astype(np.float64) for a in arrays[:3]), padding=15, algorithm="direct")])
    assert error < {"float32": 1e-4, "float64": 1e-12}[dtype]
    peers = {"F.conv2d": None}
    if torch:
        tensors = [torch.from_numpy(a) for a in (x, w, b)]
        assert _error([y], [torch.nn.functional.conv2d(*tensors, padding=15).numpy()]) < 1e-4
        peers = {"F.conv2d": lambda: torch.nn.functional.conv2d(*tensors, padding=15)}
    race(
        lambda: conv2d(x, w, b, padding=15),
        peers,
        work="convolution 31 x 31, forward, chosen by size",
        size="8 x 8 x 128 x 128",
        dtype=dtype,
        flops=2 * 8 * 8 * 8 * 31**2 * 128**2,
        error=error,
    )
