"""Convolution layers, fast: three algorithms, each forward and backward, for NumPy on one thread.

direct    GEMM on shifted copies of the image. Exact up to the order of its sums. Any layer.
winograd  F(4, 3): 36 products where direct takes 144. 3 x 3, no stride, no dilation. Loses about one digit.
fft       One product a frequency. For large kernels. Any layer.

Without an argument `algorithm`, the layer's size decides. An infinite or NaN entry may spoil more results than by the
definition: zeros of the padding, whole tiles (winograd) or whole images (fft) are multiplied by it.
"""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from dlnotes.convolution import Gradients, _pair, _whole
from dlnotes.convolution import _Layer as _Checked
from dlnotes.core import _direct, _fft, _winograd
from dlnotes.core._layer import Layer

_SMALL = 1 << 16  # entries of the matrix of columns up to which a call costs more than a copy
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_FORWARD = {
    "direct": _direct.forward,
    "columns": _direct.columns,
    "winograd": _winograd.forward,
    "fft": _fft.forward,
}
_BACKWARD = {
    "direct": _direct.backward,
    "columns": _direct.columns_backward,
    "winograd": _winograd.backward,
    "fft": _fft.backward,
}


def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1, algorithm=None):
    """Return y (N, F, Ho, Wo), as dlnotes.convolution.conv2d.

    Args:
        x: (N, C, H, W), float32 or float64. N may be 0.
        w: (F, C/groups, kH, kW), of the same dtype, which is that of y.
        b: (F,), of the same dtype, or None for 0.
        stride, padding, dilation: an integer, or one for the rows and one for the columns.
        groups: divides C and F.
        algorithm: "direct", "winograd", "fft", or None for the one that is likely to be the fastest.

    Raises:
        ValueError: a shape, a dtype or an option is not as said, or the algorithm cannot do this layer.
    """
    x, w, plan = _check(x, w, stride, padding, dilation, groups, algorithm)
    if b is not None:
        b = _real("b", b, 1, x.dtype)
        if b.shape != (len(w),):
            raise ValueError(f"b has shape {b.shape}; expected ({len(w)},), one entry a filter")
        b = b[:, None, None]
    if not len(x):
        return np.empty((0, len(w), *plan.out), x.dtype)
    return _FORWARD[plan.algorithm](x, w, b, plan)


def conv2d_backward(dy, x, w, *, stride=1, padding=0, dilation=1, groups=1, algorithm=None):
    """Return ``Gradients(dx, dw, db)`` of the loss through conv2d, as dlnotes.convolution.conv2d_backward.

    Args and Raises: as conv2d, and dy is (N, F, Ho, Wo), the loss's gradient by the output.
    """
    x, w, plan = _check(x, w, stride, padding, dilation, groups, algorithm)
    dy = _real("dy", dy, 4, x.dtype)
    if dy.shape != (len(x), len(w), *plan.out):
        raise ValueError(f"dy has shape {dy.shape}; expected that of the output, {(len(x), len(w), *plan.out)}")
    if not len(x):
        return Gradients(np.empty_like(x), np.zeros_like(w), np.zeros(len(w), w.dtype))
    dy = np.ascontiguousarray(dy)
    dx, dw = _BACKWARD[plan.algorithm](dy, x, w, plan)
    return Gradients(dx, dw, dy.reshape(*dy.shape[:2], -1).sum(2).sum(0))


def _check(x, w, stride, padding, dilation, groups, algorithm):
    x = _real("x", x, 4)
    w = _real("w", w, 4, x.dtype)
    options = (_two("stride", stride, 1), _two("padding", padding, 0), _two("dilation", dilation, 1), groups, algorithm)
    try:
        plan = _plan(x.shape, w.shape, *options)
    except TypeError:  # an option that cannot be hashed: let it be named
        plan = _plan.__wrapped__(x.shape, w.shape, *options)
    return x, w, plan


def _real(name, a, ndim, dtype=None):
    a = np.asarray(a)
    if a.ndim != ndim:
        raise ValueError(f"{name} has shape {a.shape}; expected {ndim} axes")
    if a.dtype not in _FLOATS or a.dtype != (dtype or a.dtype):
        raise ValueError(f"{name} has dtype {a.dtype}; expected {'float32 or float64' if dtype is None else dtype}")
    return a


def _two(name, option, least):
    """Return an option that can be compared with those seen before: True and 1 are equal there, and True is refused."""
    return option if type(option) is int else _pair(name, option, least)


@lru_cache(256, typed=True)
def _plan(x_shape, w_shape, stride, padding, dilation, groups, algorithm):
    """Check what does not depend on the values. Kept, as it takes longer than a small layer."""
    _whole("groups", groups, 1)
    (_, C, *size), (F, c, *kernel) = x_shape, w_shape
    for name, shape, sizes in (("x", x_shape, x_shape[1:]), ("w", w_shape, w_shape)):
        if 0 in sizes:
            raise ValueError(f"{name} has shape {shape}; expected no empty axis{' but the first' * (name == 'x')}")
    if C % groups or F % groups:
        raise ValueError(f"groups is {groups}; expected a divisor of C = {C} and of F = {F}")
    if c * groups != C:
        raise ValueError(f"w has shape {w_shape}; expected (F, {C // groups}, kH, kW) for x of {x_shape}")
    layer = _Checked(kernel, stride, padding, dilation).on("x", size)
    plan = Layer(layer.kernel, layer.stride, layer.padding, layer.dilation, layer.size, layer.out, groups, "direct")
    fits = plan.kernel == (3, 3) and plan.stride == plan.dilation == (1, 1)
    if algorithm is None:
        algorithm = _fastest(x_shape, w_shape, plan, fits)
    if not isinstance(algorithm, str) or algorithm not in ("direct", "winograd", "fft"):
        raise ValueError(f"algorithm is {algorithm!r}; expected 'direct', 'winograd', 'fft' or None")
    if algorithm == "winograd" and not fits:
        raise ValueError(
            "algorithm is 'winograd'; expected another for a layer that is not 3 x 3 of stride and dilation 1"
        )
    if algorithm == "direct" and math.prod(w_shape[1:]) * math.prod(plan.out) * x_shape[0] < _SMALL:
        algorithm = "columns"
    return replace(plan, algorithm=algorithm)


def _fastest(x_shape, w_shape, plan, fits):
    """Choose by rules of thumb, measured on one machine: the transforms must cost less than the products they save."""
    if fits and min(w_shape[0] // plan.groups, w_shape[1]) >= 32 and x_shape[0] * math.prod(plan.out) >= 500:
        return "winograd"
    return "fft" if math.prod(plan.kernel) >= 144 * math.prod(plan.stride) else "direct"
