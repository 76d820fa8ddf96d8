"""Products of the Hessian of a network and a direction on torch tensors: ``dlnotes.newton.mlp_hvp``.

With N examples and P weights, of which P1 in the first layer, Hv takes 2 N (8 P - 5 P1) operations: 8 products a
layer, but 3 in the first. It reads the weights and v once and writes Hv: 3 P numbers. The floor on a GPU is the larger
of operations / rate and bytes / bandwidth; on small networks the time to launch some 15 kernels a layer is above both.
"""

import torch

from dlnotes.core.gpu.graph import Graphed
from dlnotes.core.gpu.tensors import floats


@torch.no_grad()
def mlp_hvp(params, x, labels, v):
    """Return H v, exact, as ``dlnotes.newton.mlp_hvp``.

    Args:
        params: pairs (W, b), one a layer, W (D_out, D_in), b (D_out,), float32 or float64. Hidden units are
            softplus; the last layer gives the logits.
        x: (N, D), of the dtype of params.
        labels: (N,), integers from 0 to D_out - 1 of the last layer. The CPU waits for the GPU to check them.
        v: the direction, pairs shaped as params, of their dtype.

    Returns:
        a list of pairs, shaped as params.

    Raises:
        ValueError: a shape, a dtype, a device or a label is not as said. All but the labels have one dtype.
    """
    return _pairs(_hvp(*_check(params, x, labels, v)))


def graphed(params, x, labels, v):
    """Return a function of (params, x, labels, v), as these but of any values, that gives H v by a CUDA graph.

    On the CPU it runs without a graph. See ``Graphed``: what it returns is overwritten by its next call, which does
    not look at the labels' range: one outside of it counts as no class.

    Args, Raises: as for ``mlp_hvp``.
    """
    x, labels, weights, direction = _check(params, x, labels, v)
    half = len(weights)

    def flat(x, labels, *rest):
        return _hvp(x, labels, rest[:half], rest[half:])

    names = [f"{name}[{i // 2}][{i % 2}]" for name in ("params", "v") for i in range(half)]
    rest = dict(zip(names, (*weights, *direction), strict=True))
    replay = Graphed(flat, x=x, labels=labels, **rest)

    def call(params, x, labels, v):
        weights, direction = ([a for pair in pairs for a in pair] for pairs in (params, v))
        if len(weights) != len(direction):
            raise ValueError(f"v has {len(direction)} tensors; expected as many as params, {len(weights)}")
        return _pairs(replay(x, labels, *weights, *direction))

    return call


def _hvp(x, labels, weights, direction):
    """H v, flat. An array a and R of it share the rows of one array where one product can serve both."""
    N, layers = len(x), list(zip(weights[::2], weights[1::2], direction[::2], direction[1::2], strict=True))
    both, saved = x, []  # rows: R of the units, then the units. R{x} = 0 needs no rows
    for i, (W, b, RW, Rb) in enumerate(layers):
        if i:
            z = both @ W.T
            Rz, z = z[:N].addmm_(both[N:], RW.T).add_(Rb), z[N:].add_(b)
        else:
            Rz, z = torch.addmm(Rb, x, RW.T), torch.addmm(b, x, W.T)
        if i + 1 < len(layers):
            slope = torch.sigmoid(z)
            saved.append((both, slope, slope * torch.sigmoid(-z) * Rz))
            both = torch.cat([slope * Rz, torch.logaddexp(z, torch.zeros_like(z))])
    p = torch.softmax(z, 1)
    one_hot = labels[:, None] == torch.arange(z.shape[1], device=z.device)
    dz = torch.cat([p - one_hot.to(p.dtype), p * (Rz - (p * Rz).sum(1, keepdim=True))]).div_(max(N, 1))
    product = []  # rows of dz: dz, then R of it
    for i in reversed(range(len(layers))):
        product += [dz[N:].sum(0), (dz if i else dz[N:]).T @ both]  # dz^T Rh + Rdz^T h is one product
        if i:
            W, _, RW, _ = layers[i]
            both, slope, bend = saved.pop()
            dh = dz @ W
            Rdh = dh[N:].addmm_(dz[:N], RW)
            dz = torch.cat([dh[:N] * slope, torch.addcmul(dh[:N] * bend, Rdh, slope)])
    return product[::-1]


def _check(params, x, labels, v):
    """Check all arguments; return x, labels, and the flat weights and direction."""
    pairs = {}
    for name, given in (("params", params), ("v", v)):
        try:
            pairs[name] = [(first, second) for first, second in given]
        except (TypeError, ValueError):
            raise ValueError(f"{name} is not a sequence of pairs; expected (W, b), one a layer") from None
    if not pairs["params"]:
        raise ValueError("params has no layer; expected one pair (W, b) at least")
    flat = {f"{name}[{i}][{j}]": a for name in pairs for i, pair in enumerate(pairs[name]) for j, a in enumerate(pair)}
    x, *tensors = floats(x=x, **flat)
    if x.ndim != 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (N, D)")
    half = 2 * len(pairs["params"])
    weights, direction, D = tensors[:half], tensors[half:], x.shape[1]
    for i, (W, b) in enumerate(_pairs(weights)):
        if W.ndim != 2 or W.numel() == 0 or W.shape[1] != D or b.shape != W.shape[:1]:
            shapes = f"{tuple(W.shape)} and {tuple(b.shape)}"
            raise ValueError(f"params has shapes {shapes} in layer {i + 1}; expected (D_out, {D}), (D_out,)")
        D = len(W)
    given, expected = ([tuple(a.shape) for a in arrays] for arrays in (direction, weights))
    if given != expected:
        raise ValueError(f"v has shapes {given}; expected those of params, {expected}")
    if not isinstance(labels, torch.Tensor) or labels.shape != x.shape[:1] or labels.dtype.is_floating_point:
        raise ValueError(f"labels is not a tensor of {len(x)} integers; expected shape ({len(x)},), one a row of x")
    if labels.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        raise ValueError(f"labels has dtype {labels.dtype}; expected signed integers, or uint8")
    if labels.device != x.device:
        raise ValueError(f"labels is on {labels.device}; expected the device of x, {x.device}")
    if len(labels):
        low, high = torch.stack(torch.aminmax(labels)).tolist()
        if low < 0 or high >= D:
            raise ValueError(f"labels runs from {low} to {high}; expected 0 to {D - 1}")
    return x, labels, weights, direction


def _pairs(flat):
    return list(zip(flat[::2], flat[1::2], strict=True))
