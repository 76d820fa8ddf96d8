"""Batch normalisation, forward and backward: the chapter's formulas beside PyTorch's layer with autograd."""

import numpy as np
import pytest

from dlnotes import batch_norm

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

SIZES = {"rows 256x1000": (256, 1000), "images 8x64x56x56": (8, 64, 56, 56)}


def _ours(x, dy, gamma, beta):
    y, saved = batch_norm.forward(x, gamma, beta)
    gradients = batch_norm.backward(dy, saved)
    return y, gradients.dx, gradients.dgamma, gradients.dbeta


def _torch(x, dy, gamma, beta):
    leaves = [tensor.detach().requires_grad_() for tensor in (x, gamma, beta)]
    y = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True)
    return y.detach(), *torch.autograd.grad(y, leaves, dy)


@pytest.mark.parametrize("who", ["dlnotes", "torch"])
@pytest.mark.parametrize("size", SIZES)
def bench_forward_backward(benchmark, size, who):
    rng = np.random.default_rng(0)
    shape = SIZES[size]
    arrays = [rng.normal(size=s).astype(np.float32) for s in (shape, shape, shape[1:2], shape[1:2])]
    tensors = [torch.from_numpy(a) for a in arrays]
    for ours, theirs in zip(_ours(*arrays), _torch(*tensors), strict=True):
        scale = np.abs(theirs.numpy()).max()
        np.testing.assert_allclose(ours / scale, theirs.numpy() / scale, atol=1e-4)
    benchmark(_ours, *arrays) if who == "dlnotes" else benchmark(_torch, *tensors)
