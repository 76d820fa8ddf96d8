"""A product of a Hessian and a direction: the fast core beside PyTorch, and beside the gradient."""

from itertools import pairwise

import numpy as np
import pytest

from dlnotes import newton as chapter
from dlnotes.core import newton

torch = pytest.importorskip("torch")

SIZES, N = (32, 512, 512, 10), 128


def _network(rng):
    return [
        ((rng.normal(size=(o, i)) / i**0.5).astype(np.float32), rng.normal(size=o).astype(np.float32))
        for i, o in pairwise(SIZES)
    ]


def _loss(leaves, x, labels):
    for i in range(0, len(leaves), 2):
        x = torch.nn.functional.linear(torch.nn.functional.softplus(x) if i else x, leaves[i], leaves[i + 1])
    return torch.nn.functional.cross_entropy(x, labels)


def _double_backward(params, v, x, labels):
    leaves = [p.clone().requires_grad_() for p in params]

    def call():
        gradient = torch.autograd.grad(_loss(leaves, x, labels), leaves, create_graph=True)
        return torch.autograd.grad(gradient, leaves, grad_outputs=v)

    return call


def _forward_over_reverse(params, v, x, labels):
    gradient = torch.func.grad(lambda leaves: _loss(leaves, x, labels))
    return lambda: torch.func.jvp(gradient, (params,), (v,))[1]


def _flat(pairs):
    return [a for pair in pairs for a in pair]


def _off(answers, exact):
    answers, scale = [np.asarray(a.detach()) for a in answers], max(np.abs(b).max() for b in exact)
    assert [a.shape for a in answers] == [b.shape for b in exact]
    return float(np.max([np.abs(a - b).max() / scale for a, b in zip(answers, exact, strict=True)]))  # NaN if one is


def bench_hvp(race):
    rng = np.random.default_rng(0)
    params, v = _network(rng), _network(rng)
    x, labels = rng.normal(size=(N, SIZES[0])).astype(np.float32), rng.integers(0, SIZES[-1], N)
    wide = [[(W.astype(float), b.astype(float)) for W, b in pairs] for pairs in (params, v)]
    exact = _flat(chapter.mlp_hvp(wide[0], x.astype(float), labels, wide[1]))
    leaves, direction = ([torch.from_numpy(a) for a in _flat(pairs)] for pairs in (params, v))
    data = torch.from_numpy(x), torch.from_numpy(labels)
    peers = {
        "torch, double backward": _double_backward(leaves, direction, *data),
        "torch.func.jvp(grad)": _forward_over_reverse(leaves, direction, *data),
    }
    ours = [torch.from_numpy(a) for a in _flat(newton.mlp_hvp(params, x, labels, v))]
    error = _off(ours, exact)
    assert error < 1e-5
    for call in peers.values():
        assert _off(call(), exact) < 1e-4
    gradient = _flat(newton.mlp_gradient(params, x, labels))
    there = _flat(chapter.mlp_gradient(wide[0], x.astype(float), labels))
    assert _off([torch.from_numpy(a) for a in gradient], there) < 1e-5
    weights = [i * o for i, o in pairwise(SIZES)]
    race(
        lambda: newton.mlp_hvp(params, x, labels, v),
        peers | {"our own gradient": lambda: newton.mlp_gradient(params, x, labels)},
        work="Hessian-vector product",
        size="-".join(map(str, SIZES)) + f", batch {N}",
        # products: 8 a layer, but 3 in the first (no R of x, no gradient by x)
        flops=2 * N * (3 * weights[0] + 8 * sum(weights[1:])),
        error=error,
    )
