"""Batch normalisation, forward and backward: the fast core beside PyTorch's layer with autograd."""

import numpy as np
import pytest

from dlnotes import batch_norm as chapter
from dlnotes.core import batch_norm

torch = pytest.importorskip("torch")

SIZES = [((256, 1000), "float32"), ((8, 64, 56, 56), "float32"), ((32, 64, 56, 56), "float64")]


def _ours(x, dy, gamma, beta, module=batch_norm):
    y, saved = module.forward(x, gamma, beta)
    gradients = module.backward(dy, saved)
    return y, gradients.dx, gradients.dgamma, gradients.dbeta


def _torch(x, dy, gamma, beta):
    leaves = [tensor.detach().requires_grad_() for tensor in (x, gamma, beta)]
    y = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True)
    return y.detach(), *torch.autograd.grad(y, leaves, dy)


def _off(answers, exact):
    assert [a.shape for a in answers] == [b.shape for b in exact]
    ratios = [np.abs(np.asarray(a) - b).max() / np.abs(b).max() for a, b in zip(answers, exact, strict=True)]
    return float(np.max(ratios))  # NaN if one is


@pytest.mark.parametrize(("shape", "dtype"), SIZES)
def bench_forward_backward(race, shape, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype(dtype) for s in (shape, shape, shape[1:2], shape[1:2])]
    tensors = [torch.from_numpy(a) for a in arrays]
    exact = _ours(*(a.astype(np.float64) for a in arrays), module=chapter)
    error = _off(_ours(*arrays), exact)
    assert error < 1e-5
    assert _off(_torch(*tensors), exact) < 1e-4
    race(
        lambda: _ours(*arrays),
        {"F.batch_norm, autograd": lambda: _torch(*tensors)},
        work="batch norm forward and backward",
        size=" x ".join(map(str, shape)),
        dtype=dtype,
        bytes=5 * arrays[0].nbytes,  # x is read and y written; then x and dy are read, and dx written
        error=error,
    )
