"""Convolutions by the discrete Fourier transform: one product a frequency, for large kernels, for any layer."""

from functools import lru_cache

import numpy as np


def forward(x, w, b, plan):
    """y is a correlation: the spectrum of x times the conjugate of that of w, summed over the channels."""
    X, K = _spectrum(x, plan), _spectrum(_place(w, plan), plan, 0)
    y = _pixels(np.matmul(X, K.conj().mT), plan)  # (N, F, rows, columns)
    y = y[..., *_strided(plan)]
    return np.ascontiguousarray(y if b is None else y + b)


def backward(dy, x, w, plan):
    spread = np.zeros((*dy.shape[:2], *(s * (o - 1) + 1 for s, o in zip(plan.stride, plan.out, strict=True))), dy.dtype)
    spread[..., *_strided(plan)] = dy
    g, X, K = _spectrum(spread, plan), _spectrum(x, plan), _spectrum(_place(w, plan), plan, 0)
    dx = _pixels(np.matmul(g, K), plan)[..., : plan.size[0], : plan.size[1]]
    dk = _pixels(np.matmul(g.conj().mT, X), plan, 0)
    return np.ascontiguousarray(dx), np.ascontiguousarray(dk[..., *_places(plan)])


def _period(plan):
    """Return a size of transform for each axis: no output meets another, and its factors are 2, 3 and 5."""
    axes = zip(plan.size, plan.padding, plan.extent, plan.stride, plan.out, strict=True)
    least = [max(n + p, e, s * (o - 1) + 1) for n, p, e, s, o in axes]
    return tuple(_smooth(n) for n in least)


@lru_cache(256)
def _smooth(n):
    while True:
        rest = n
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += 1


def _places(plan):
    """Index, on the circle of each axis, the pixels that the first output sees."""
    axes = zip(plan.dilation, plan.kernel, plan.padding, _period(plan), strict=True)
    rows, columns = ((d * np.arange(k) - p) % period for d, k, p, period in axes)
    return rows[:, None], columns


def _place(w, plan):
    kernel = np.zeros((*w.shape[:2], *_period(plan)), w.dtype)
    kernel[..., *_places(plan)] = w
    return kernel


def _strided(plan):
    return tuple(slice(0, s * (o - 1) + 1, s) for s, o in zip(plan.stride, plan.out, strict=True))


def _spectrum(a, plan, axis=1):
    """Return the spectrum (rows, columns, G, p, q) of a (p, q, H, W), the groups being taken out of an axis of a."""
    p, q = a.shape[:2]
    spectrum = np.fft.rfft2(a, _period(plan)).transpose(2, 3, 0, 1)
    if axis == 0:
        return np.ascontiguousarray(spectrum).reshape(*spectrum.shape[:2], plan.groups, p // plan.groups, q)
    spectrum = spectrum.reshape(*spectrum.shape[:2], p, plan.groups, q // plan.groups)
    return np.ascontiguousarray(spectrum.swapaxes(2, 3))


def _pixels(spectrum, plan, axis=1):
    """Return the array (p, q, rows, columns) of such a spectrum."""
    G, p, q = spectrum.shape[2:]
    order = (2, 3, 4, 0, 1) if axis == 0 else (3, 2, 4, 0, 1)
    shape = (G * p, q) if axis == 0 else (p, G * q)
    return np.fft.irfft2(spectrum.transpose(order).reshape(*shape, *spectrum.shape[:2]), _period(plan))
