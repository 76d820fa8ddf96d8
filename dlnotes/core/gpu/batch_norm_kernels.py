"""Batch normalisation as two kernels each way: partial sums of blocks of a feature, then the output.

One program a feature would leave half of the multiprocessors of a large GPU idle at 64 features, so a feature is cut
into parts. The second kernel adds the parts up itself: a third kernel would cost more than it saves.
"""

import torch
import triton
import triton.language as tl

from dlnotes.core.gpu.tensors import on_its_device

PROGRAMS = 1056  # aimed at: 8 for each of 132 multiprocessors
PARTS = 128  # at most, of a feature
OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}


@triton.jit
def _places(first, c, C, S, V, VECTOR: tl.constexpr, LENGTH: tl.constexpr):
    """Where the values first, first + 1, ... of features c lie, and which exist. Value v is pixel v % S of v // S."""
    v = first + tl.arange(0, LENGTH)
    place = (v // S * (C * S) + v % S)[None, :] + (c * S)[:, None]
    if VECTOR > 1:  # runs of so many values never cross the end of an image: 16 bytes in one load
        place = tl.max_contiguous(tl.multiple_of(place, (1, VECTOR)), (1, VECTOR))
    return place, (v < V)[None, :] & (c < C)[:, None]


@triton.jit
def statistics(x, means, squares, C, S, V, each, VECTOR: tl.constexpr, FEATURES: tl.constexpr, LENGTH: tl.constexpr):
    """Write the mean of a part of each feature, and the sum of squares about it, merged block by block."""
    c, part = tl.program_id(0) * FEATURES + tl.arange(0, FEATURES), tl.program_id(1)
    start = part * each
    stop = tl.minimum(start + each, V)
    mean = tl.zeros((FEATURES,), tl.float32)
    square = tl.zeros((FEATURES,), tl.float32)
    for first in range(start, stop, LENGTH):
        place, inside = _places(first, c, C, S, stop, VECTOR, LENGTH)
        value = tl.load(x + place, mask=inside, other=0.0)
        n, before = tl.minimum(stop - first, LENGTH).to(tl.float32), (first - start) * 1.0
        block_mean = tl.sum(value, axis=1) / n
        off = tl.where(inside, value - block_mean[:, None], 0.0)
        change = block_mean - mean
        mean += change * (n / (before + n))
        square += tl.sum(off * off, axis=1) + change * change * (before * n / (before + n))
    at = part * C + c
    tl.store(means + at, mean, mask=c < C)
    tl.store(squares + at, square, mask=c < C)


@triton.jit
def normalise(
    x, gamma, beta, means, squares, y, mean_out, inv_std_out, eps, C, S, V, each, parts,
    VECTOR: tl.constexpr, FEATURES: tl.constexpr, LENGTH: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """Add up the parts; write the output."""
    c, part = tl.program_id(0) * FEATURES + tl.arange(0, FEATURES), tl.program_id(1)
    r = tl.arange(0, PARTS)
    n = tl.maximum(tl.minimum(V - r * each, each), 0).to(tl.float32)[None, :]
    at, whole = r[None, :] * C + c[:, None], (r < parts)[None, :] & (c < C)[:, None]
    part_mean = tl.load(means + at, mask=whole, other=0.0)
    part_square = tl.load(squares + at, mask=whole, other=0.0)
    near = tl.load(means + c, mask=c < C, other=0.0)  # sums of differences from one part's mean keep their digits
    mean = near + tl.sum(tl.where(whole, part_mean - near[:, None], 0.0) * n, axis=1) / V
    off = tl.where(whole, part_mean - mean[:, None], 0.0)
    variance = tl.where(c < C, tl.sum(part_square + n * off * off, axis=1) / V, 1.0)
    inv_std = 1 / tl.sqrt_rn(variance + eps)
    if part == 0:
        tl.store(mean_out + c, mean, mask=c < C)
        tl.store(inv_std_out + c, inv_std, mask=c < C)
    slope = inv_std * tl.load(gamma + c, mask=c < C, other=0.0)
    shift = tl.load(beta + c, mask=c < C, other=0.0)
    start = part * each
    stop = tl.minimum(start + each, V)
    for first in range(start, stop, LENGTH):
        place, inside = _places(first, c, C, S, stop, VECTOR, LENGTH)
        value = tl.load(x + place, mask=inside, other=0.0)
        tl.store(y + place, (value - mean[:, None]) * slope[:, None] + shift[:, None], mask=inside)


@triton.jit
def sums(
    dy, x, mean, inv_std, dgammas, dbetas, C, S, V, each,
    VECTOR: tl.constexpr, FEATURES: tl.constexpr, LENGTH: tl.constexpr,
):  # fmt: skip
    """Write the sums of dy x_hat and of dy over a part of each feature."""
    c, part = tl.program_id(0) * FEATURES + tl.arange(0, FEATURES), tl.program_id(1)
    mu, scale = tl.load(mean + c, mask=c < C, other=0.0), tl.load(inv_std + c, mask=c < C, other=0.0)
    dgamma = tl.zeros((FEATURES,), tl.float32)
    dbeta = tl.zeros((FEATURES,), tl.float32)
    start = part * each
    stop = tl.minimum(start + each, V)
    for first in range(start, stop, LENGTH):
        place, inside = _places(first, c, C, S, stop, VECTOR, LENGTH)
        d = tl.load(dy + place, mask=inside, other=0.0)
        value = tl.load(x + place, mask=inside, other=0.0)
        dgamma += tl.sum(d * (value - mu[:, None]), axis=1)
        dbeta += tl.sum(d, axis=1)
    at = part * C + c
    tl.store(dgammas + at, dgamma * scale, mask=c < C)
    tl.store(dbetas + at, dbeta, mask=c < C)


@triton.jit
def input_gradient(
    dy, x, mean, inv_std, gamma, dgammas, dbetas, dx, dgamma_out, dbeta_out, C, S, V, each, parts,
    VECTOR: tl.constexpr, FEATURES: tl.constexpr, LENGTH: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """Add up the parts; write dx = gamma inv_std (dy - (dbeta + x_hat dgamma) / V)."""
    c, part = tl.program_id(0) * FEATURES + tl.arange(0, FEATURES), tl.program_id(1)
    r = tl.arange(0, PARTS)
    at, whole = r[None, :] * C + c[:, None], (r < parts)[None, :] & (c < C)[:, None]
    dgamma = tl.sum(tl.load(dgammas + at, mask=whole, other=0.0), axis=1)
    dbeta = tl.sum(tl.load(dbetas + at, mask=whole, other=0.0), axis=1)
    if part == 0:
        tl.store(dgamma_out + c, dgamma, mask=c < C)
        tl.store(dbeta_out + c, dbeta, mask=c < C)
    mu, scale = tl.load(mean + c, mask=c < C, other=0.0), tl.load(inv_std + c, mask=c < C, other=0.0)
    slope = scale * tl.load(gamma + c, mask=c < C, other=0.0)
    by_x = dgamma * scale / V
    constant = dbeta / V
    start = part * each
    stop = tl.minimum(start + each, V)
    for first in range(start, stop, LENGTH):
        place, inside = _places(first, c, C, S, stop, VECTOR, LENGTH)
        d = tl.load(dy + place, mask=inside, other=0.0)
        value = tl.load(x + place, mask=inside, other=0.0)
        d -= constant[:, None] + (value - mu[:, None]) * by_x[:, None]
        tl.store(dx + place, d * slope[:, None], mask=inside)


@on_its_device
def forward(x, gamma, beta, eps):
    """Return (y, mean, inv_std); x (N, D) or (N, C, H, W), contiguous float32, not empty."""
    sizes, grid, options = _plan(x)
    (C, *_), parts = sizes, grid[1]
    y, (mean, inv_std), (means, squares) = torch.empty_like(x), x.new_empty(2, C), x.new_empty(2, parts, C)
    statistics[grid](x, means, squares, *sizes, **options)
    arrays = x, gamma, beta, means, squares, y, mean, inv_std
    normalise[grid](*arrays, eps, *sizes, parts, PARTS=triton.next_power_of_2(parts), **options)
    return y, mean, inv_std


@on_its_device
def backward(dy, x, mean, inv_std, gamma):
    """Return (dx, dgamma, dbeta)."""
    sizes, grid, options = _plan(x)
    (C, *_), parts = sizes, grid[1]
    dx, (dgamma, dbeta), (dgammas, dbetas) = torch.empty_like(x), x.new_empty(2, C), x.new_empty(2, parts, C)
    sums[grid](dy, x, mean, inv_std, dgammas, dbetas, *sizes, **options)
    arrays = dy, x, mean, inv_std, gamma, dgammas, dbetas, dx, dgamma, dbeta
    input_gradient[grid](*arrays, *sizes, parts, PARTS=triton.next_power_of_2(parts), **options)
    return dx, dgamma, dbeta


def _plan(x):
    """(C, S, V, values of a part), the grid (blocks of features, parts), and the options of the launch."""
    C = x.shape[1]
    V, S = x.numel() // C, x[0, 0].numel()
    # Neighbours in memory are the pixels of a feature, or, without many pixels, the features of an example.
    features, length = (1, 1024) if S >= 32 else (min(triton.next_power_of_2(C), 32), 64)
    blocks = triton.cdiv(C, features)
    parts = max(1, min(triton.cdiv(PROGRAMS, blocks), triton.cdiv(V, length), PARTS))
    each = triton.cdiv(triton.cdiv(V, parts), length) * length
    options = OPTIONS | {"FEATURES": features, "LENGTH": length, "VECTOR": 4 if S % 4 == 0 else 1}
    return (C, S, V, each), (blocks, triton.cdiv(V, each)), options
