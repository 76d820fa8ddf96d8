"""Convolutions as matrix products whose second operand is gathered as it is needed (implicit GEMM).

One kernel gives the output and, with the two images exchanged, the input gradient. The other gives the weights'
gradient: a long sum over pixels, cut into parts that are added up at the end, always in the same order.
"""

import math

import torch
import triton
import triton.language as tl

from dlnotes.core.gpu.tensors import on_its_device

PROGRAMS = 528  # of the weights' gradient, aimed at: 4 for each of 132 multiprocessors
OPTIONS = {"num_warps": 8, "num_stages": 3, "enable_fp_fusion": True}


@triton.jit
def _seen(
    i, j, k, height, width, kH, kW, sH, sW, pH, pW, dH, dW, TRANSPOSED: tl.constexpr,
):  # fmt: skip
    """Where in an image the output's pixel (i, j) meets weight k = (channel, row, column), and whether it does."""
    down, right = k // kW % kH * dH - pH, k % kW * dW - pW
    if TRANSPOSED:  # the image's pixel that sees (i, j) through this weight
        row, column = i - down, j - right
        whole = (row >= 0) & (column >= 0) & (row % sH == 0) & (column % sW == 0)
        row, column = row // sH, column // sW
    else:
        row, column = i * sH + down, j * sW + right
        whole = (row >= 0) & (column >= 0)
    return k // (kH * kW) * (height * width) + row * width + column, whole & (row < height) & (column < width)


@triton.jit
def image(
    source, w, b, out, N, I, O, height, width, out_height, out_width, kH, kW, sH, sW, pH, pW, dH, dW,
    TRANSPOSED: tl.constexpr, BIAS: tl.constexpr, PRECISION: tl.constexpr,
    CHANNELS: tl.constexpr, PIXELS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """out (N, O, out_height, out_width): w (O, I kH kW) times what each pixel sees of source (N, I, height, width)."""
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    o = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    area, K = out_height * out_width, I * kH * kW
    n, i, j = p // area, p % area // out_width, p % out_width
    exists = p < N * area
    total = tl.zeros((CHANNELS, PIXELS), tl.float32)
    for first in range(0, K, DEPTH):
        k = first + tl.arange(0, DEPTH)
        weights = tl.load(w + o[:, None] * K + k[None, :], mask=(o < O)[:, None] & (k < K)[None, :], other=0.0)
        place, seen = _seen(
            i[None, :], j[None, :], k[:, None], height, width, kH, kW, sH, sW, pH, pW, dH, dW, TRANSPOSED
        )
        seen = seen & (k < K)[:, None] & exists[None, :]
        values = tl.load(source + (n * (I * height * width))[None, :] + place, mask=seen, other=0.0)
        total = tl.dot(weights, values, total, input_precision=PRECISION)
    if BIAS:
        total += tl.load(b + o, mask=o < O, other=0.0)[:, None]
    place = (n * (O * area) + p % area)[None, :] + (o * area)[:, None]
    tl.store(out + place, total, mask=(o < O)[:, None] & exists[None, :])


@triton.jit
def weights(
    dy, x, parts, N, C, F, height, width, out_height, out_width, kH, kW, sH, sW, pH, pW, dH, dW, each,
    PRECISION: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """parts (parts, F, C kH kW): the sum over some pixels of dy times what each of them sees of x."""
    f = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    k = tl.program_id(1) * DEPTH + tl.arange(0, DEPTH)
    part = tl.program_id(2)
    area, K = out_height * out_width, C * kH * kW
    start = part * each
    stop = tl.minimum(start + each, N * area)
    total = tl.zeros((CHANNELS, DEPTH), tl.float32)
    for first in range(start, stop, PIXELS):
        p = first + tl.arange(0, PIXELS)
        n, i, j = p // area, p % area // out_width, p % out_width
        at = (n * (F * area) + p % area)[None, :] + (f * area)[:, None]
        slopes = tl.load(dy + at, mask=(f < F)[:, None] & (p < stop)[None, :], other=0.0)
        place, seen = _seen(i[None, :], j[None, :], k[:, None], height, width, kH, kW, sH, sW, pH, pW, dH, dW, False)
        seen = seen & (k < K)[:, None] & (p < stop)[None, :]
        values = tl.load(x + (n * (C * height * width))[None, :] + place, mask=seen, other=0.0)
        total = tl.dot(slopes, tl.trans(values), total, input_precision=PRECISION)
    at = part * F * K + f[:, None] * K + k[None, :]
    tl.store(parts + at, total, mask=(f < F)[:, None] & (k < K)[None, :])


@on_its_device
def forward(x, w, b, layer, precision):
    """Return y (N, F, Ho, Wo); x (N, C, H, W), w (F, C, kH, kW), b (F,) or None, contiguous float32, not empty."""
    y = x.new_empty(len(x), len(w), *layer.out)
    _image(x, w, b, y, layer, precision, transposed=False)
    return y


@on_its_device
def backward(dy, x, w, layer, precision):
    """Return (dx, dw)."""
    dx = torch.empty_like(x)
    _image(dy, w.transpose(0, 1).contiguous(), None, dx, layer, precision, transposed=True)
    (N, C), F, K, pixels = x.shape[:2], len(w), w[0].numel(), len(x) * math.prod(layer.out)
    channels, depth, run = _power(F, 64), _power(K, 128), 32
    tiles = triton.cdiv(F, channels), triton.cdiv(K, depth)
    count = max(1, min(triton.cdiv(pixels, run), PROGRAMS // math.prod(tiles)))
    each = triton.cdiv(triton.cdiv(pixels, count), run) * run
    count = triton.cdiv(pixels, each)
    parts = x.new_empty(count, F, K)
    sizes = N, C, F, *layer.size, *layer.out, *_geometry(layer)
    blocks = {"CHANNELS": channels, "DEPTH": depth, "PIXELS": run}
    weights[*tiles, count](dy, x, parts, *sizes, each, PRECISION=precision, **blocks, **OPTIONS)
    return dx, parts.sum(0).view(w.shape)


def _image(source, w, b, out, layer, precision, *, transposed):
    (N, O, *size), I = out.shape, source.shape[1]
    channels, pixels = _power(O, 64), 128
    grid = triton.cdiv(N * math.prod(size), pixels), triton.cdiv(O, channels)
    flags = {"TRANSPOSED": transposed, "BIAS": b is not None, "PRECISION": precision}
    blocks = {"CHANNELS": channels, "PIXELS": pixels, "DEPTH": 32}
    sizes = N, I, O, *source.shape[2:], *size, *_geometry(layer)
    image[grid](source, w, w if b is None else b, out, *sizes, **flags, **blocks, **OPTIONS)


def _geometry(layer):
    return *layer.kernel, *layer.stride, *layer.padding, *layer.dilation


def _power(n, most):
    return min(max(triton.next_power_of_2(n), 16), most)
