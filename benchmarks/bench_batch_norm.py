"""Batch normalisation, forward and backward: the chapter's formulas beside PyTorch's layer with autograd."""

import numpy as np
import pytest

from dlnotes import batch_norm

torch = pytest.importorskip("torch")

SIZES = {"256 x 1000": (256, 1000), "8 x 64 x 56 x 56": (8, 64, 56, 56)}


def _ours(x, dy, gamma, beta):
    y, saved = batch_norm.forward(x, gamma, beta)
    gradients = batch_norm.backward(dy, saved)
    return y, gradients.dx, gradients.dgamma, gradients.dbeta


def _torch(x, dy, gamma, beta):
    leaves = [tensor.detach().requires_grad_() for tensor in (x, gamma, beta)]
    y = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True)
    return y.detach(), *torch.autograd.grad(y, leaves, dy)


@pytest.mark.parametrize("size", SIZES)
def bench_forward_backward(race, size):
    rng = np.random.default_rng(0)
    shape = SIZES[size]
    arrays = [rng.normal(size=s).astype(np.float32) for s in (shape, shape, shape[1:2], shape[1:2])]
    tensors = [torch.from_numpy(a) for a in arrays]
    exact = _ours(*(a.astype(np.float64) for a in arrays))
    error = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(_ours(*arrays), exact, strict=True))
    assert error < 1e-5
    peers = {"F.batch_norm, autograd": lambda: _torch(*tensors)}
    race(lambda: _ours(*arrays), peers, work="batch norm forward and backward", size=size, error=float(error))
