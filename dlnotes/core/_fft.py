"""Convolutions by the discrete Fourier transform: one product a frequency, for large kernels, for any layer."""

from functools import lru_cache

import numpy as np

from dlnotes.core._layer import window


def forward(x, w, b, plan):
    """y is a correlation: the spectrum of x times the conjugate of that of w, summed over the channels."""
    X, K = _spectra(x, w, plan)
    (s, t), (Ho, Wo) = plan.stride, plan.out
    y = _pixels(np.matmul(X, K.conj().mT), plan, slice(0, s * (Ho - 1) + 1, s), slice(0, t * (Wo - 1) + 1, t))
    return np.ascontiguousarray(y if b is None else y + b)


def backward(dy, x, w, plan):
    """In y = x w*, a star for the conjugate, dx is dy w and dw is dy* x."""
    (p, q), (H, W), (d, e) = plan.padding, plan.size, plan.dilation
    g, (X, K) = _spectrum(_spread(dy, plan.stride), plan), _spectra(x, w, plan)
    dx = _pixels(np.matmul(g, K), plan, slice(p, p + H), slice(q, q + W))
    rows, columns = slice(0, plan.extent[0], d), slice(0, plan.extent[1], e)
    dw = _pixels(np.matmul(g.conj().mT, X), plan, rows, columns, axis=0)
    return np.ascontiguousarray(dx), np.ascontiguousarray(dw)


def _spectra(x, w, plan):
    """Return the spectra of x and of w. What follows the last row counts as zero, and costs nothing."""
    behind = tuple(n + p for n, p in zip(plan.size, plan.padding, strict=True))
    return _spectrum(window(x, plan.padding, behind), plan), _spectrum(_spread(w, plan.dilation), plan, axis=0)


def _spread(a, steps):
    """Put zeros between the rows and between the columns."""
    if steps == (1, 1):
        return a
    spread = np.zeros((*a.shape[:2], *(s * (n - 1) + 1 for s, n in zip(steps, a.shape[2:], strict=True))), a.dtype)
    spread[..., :: steps[0], :: steps[1]] = a
    return spread


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


def _spectrum(a, plan, axis=1):
    """Return the spectrum (rows, columns, G, p, q) of a (p, q, H, W), the groups being taken out of an axis of a."""
    p, q = a.shape[:2]
    spectrum = np.fft.rfft2(a, _period(plan)).transpose(2, 3, 0, 1)
    if axis == 0:
        return np.ascontiguousarray(spectrum).reshape(*spectrum.shape[:2], plan.groups, p // plan.groups, q)
    spectrum = spectrum.reshape(*spectrum.shape[:2], p, plan.groups, q // plan.groups)
    return np.ascontiguousarray(spectrum.swapaxes(2, 3))


def _pixels(spectrum, plan, rows, columns, axis=1):
    """Return these rows and columns of the array (p, q, rows, columns) of such a spectrum."""
    G, p, q = spectrum.shape[2:]
    order = (2, 3, 4, 0, 1) if axis == 0 else (3, 2, 4, 0, 1)
    shape = (G * p, q) if axis == 0 else (p, G * q)
    spectrum = spectrum.transpose(order).reshape(*shape, *spectrum.shape[:2])
    few = np.fft.ifft(spectrum, axis=2)[:, :, rows]  # one axis at a time: the rows not asked for need no second one
    return np.fft.irfft(few, _period(plan)[1])[..., columns]
