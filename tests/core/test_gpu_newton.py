"""Products of a Hessian and a direction on torch tensors against the chapter's, in float64."""

from itertools import pairwise

import numpy as np
import pytest
from gpu_paths import DEVICES, TOLERANCE, torch

from dlnotes import newton as chapter
from dlnotes.core.gpu import mlp_hvp, newton

NETWORKS = [(3, 4), (2, 1, 3), (5, 7, 4), (4, 6, 5, 3), (3, 5, 2, 6, 4)]
DEVICES_DTYPES = [(device, dtype) for device in DEVICES for dtype in ("float32", "float64")]


def draw(sizes, N=9, dtype="float64", device="cpu", seed=0):
    """(params, x, labels, v)."""
    rng = np.random.default_rng(seed)

    def tensor(*shape, scale=1):
        return torch.from_numpy(scale * rng.normal(0.1, 1, shape)).to(device, getattr(torch, dtype))

    params, v = ([(tensor(o, i, scale=i**-0.5), tensor(o)) for i, o in pairwise(sizes)] for _ in range(2))
    return params, tensor(N, sizes[0]), torch.from_numpy(rng.integers(0, sizes[-1], N)).to(device), v


def off(pairs, exact):
    """The largest deviation, relative to the largest entry of all."""
    flat, there = ([np.asarray(a.cpu() if hasattr(a, "cpu") else a) for p in q for a in p] for q in (pairs, exact))
    assert [a.shape for a in flat] == [b.shape for b in there]
    worst = np.max([np.abs(a - b).max() for a, b in zip(flat, there, strict=True)])  # NaN if one is
    return worst / max(np.abs(b).max() for b in there)


def exact(params, x, labels, v):
    def wide(pairs):
        return [tuple(a.detach().cpu().double().numpy() for a in pair) for pair in pairs]

    return chapter.mlp_hvp(wide(params), x.cpu().double().numpy(), labels.cpu().numpy(), wide(v))


@pytest.mark.parametrize("sizes", NETWORKS)
@pytest.mark.parametrize(("device", "dtype"), DEVICES_DTYPES)
def test_agrees_with_the_chapter(device, dtype, sizes):
    given = draw(sizes, dtype=dtype, device=device)
    before = [a.clone() for pairs in (given[0], given[3]) for pair in pairs for a in pair]
    answers = mlp_hvp(*given)
    assert all(a.dtype == given[1].dtype and a.device == given[1].device for pair in answers for a in pair)
    assert off(answers, exact(*given)) < TOLERANCE[dtype]
    after = [a for pairs in (given[0], given[3]) for pair in pairs for a in pair]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", [40, 800])
def test_large_activations(device, scale):
    params, x, labels, v = draw((4, 6, 5, 3), device=device)
    assert off(mlp_hvp(params, scale * x, labels, v), exact(params, scale * x, labels, v)) < 1e-12


@pytest.mark.parametrize("device", DEVICES)
def test_units_beyond_20(device):
    """From there on torch's own softplus(z) is z, which is right to nine digits."""
    params, x, labels, v = draw((4, 6, 3), device=device)
    (W, b), (last_W, last_b) = params
    params = [(0.1 * W, b + 20), (0.05 * last_W, last_b)]
    assert off(mlp_hvp(params, x, labels, v), exact(params, x, labels, v)) < 1e-12


@pytest.mark.parametrize("device", DEVICES)
def test_graphed_serves_other_values(device):
    """On the CPU without a graph, on the same buffers."""
    first, second = (draw((4, 6, 5, 3), device=device, seed=seed) for seed in (1, 2))
    call = newton.graphed(*first)
    for given in (first, second, first):
        assert off(call(*given), exact(*given)) < 1e-12
    params, x, labels, v = second
    with pytest.raises(ValueError, match=r"^x is"):
        call(params, x[:3], labels, v)
    with pytest.raises(ValueError, match=r"^v\[0\]\[0\] is"):
        call(params, x, labels, [(W.T, b) for W, b in v])
    with pytest.raises(ValueError, match=r"^v has 0 tensors"):
        call(params + v, x, labels, [])


def test_no_example_and_autograd():
    params, x, labels, v = draw((4, 6, 3))
    assert not any(a.any() for pair in mlp_hvp(params, x[:0], labels[:0], v) for a in pair)
    learnt = [(W.requires_grad_(), b.requires_grad_()) for W, b in params]
    assert not any(a.requires_grad for pair in mlp_hvp(learnt, x, labels, v) for a in pair)


BAD = {
    "params is not a sequence": {"params": [torch.zeros(3)]},
    "params has no layer": {"params": []},
    "params has shapes (3, 5) and (3,) in layer 1": {"params": [(torch.zeros(3, 5).double(), torch.zeros(3).double())]},
    "params[0][0] has dtype": {"params": [(torch.zeros(3, 4), torch.zeros(3))]},
    "x has shape (9,)": {"x": torch.zeros(9, dtype=torch.float64)},
    "x has dtype torch.int64": {"x": torch.zeros(9, 4, dtype=torch.int64)},
    "labels is not a tensor": {"labels": torch.zeros(8, dtype=torch.int64)},
    "labels runs from 0 to 3": {"labels": torch.tensor([0, 1, 2, 3, 0, 0, 0, 0, 0])},
    "labels runs from -1 to 2": {"labels": torch.tensor([0, 1, 2, -1, 0, 0, 0, 0, 0])},
    "labels has dtype torch.uint16": {"labels": torch.zeros(9, dtype=torch.uint16)},
    "labels has dtype torch.bool": {"labels": torch.zeros(9, dtype=torch.bool)},
    "v has shapes": {"v": [(torch.zeros(3, 4).double(), torch.zeros(3).double())]},
    "v[0][1] is of type float": {"v": [(torch.zeros(3, 4).double(), 0.0)]},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    good = dict(zip(("params", "x", "labels", "v"), draw((4, 6, 3)), strict=True))
    escaped = message.replace("(", r"\(").replace(")", r"\)").replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(ValueError, match="^" + escaped):
        mlp_hvp(**good | BAD[message])
