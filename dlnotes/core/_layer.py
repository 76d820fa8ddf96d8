"""A convolution layer whose arguments are checked, and what its algorithms share.

Inside, a layer has G groups of c channels and f filters, and Ho x Wo outputs. There padding may be negative: it then
cuts.
"""

import math
import threading
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np


@dataclass(frozen=True)
class Layer:
    """What a layer does along the two axes of an image, and how."""

    kernel: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    size: tuple  # of the image
    out: tuple
    groups: int
    algorithm: str

    @cached_property
    def extent(self):
        """Size of the kernel with its holes."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @cached_property
    def seen(self):
        """Size of the padded image that the outputs see."""
        return tuple(s * (o - 1) + e for s, o, e in zip(self.stride, self.out, self.extent, strict=True))

    @cached_property
    def turned(self):
        """The layer, from filters to channels, that gives dx where there is no stride."""
        padding = tuple(e - 1 - p for e, p in zip(self.extent, self.padding, strict=True))
        return replace(self, padding=padding, size=self.out, out=self.size)


def images_at_once(N, positions, enough):
    """Take enough images at once for a GEMM to be fast, and few enough for their copies to stay in the cache."""
    return min(N, -(-enough // positions))


def window(x, padding, size):
    """Return (N, C, *size): x behind that many rows and columns of zeros, cut or filled with zeros to the size."""
    if padding == (0, 0) and size == x.shape[2:]:
        return np.ascontiguousarray(x)
    inner, outer = _common(x.shape[2:], padding, size)
    window = np.zeros((*x.shape[:2], *size), x.dtype)
    window[outer] = x[inner]
    return window


@lru_cache(256)
def _common(given, padding, size):
    """Index the pixels that an image and its window share: in the image, and in the window."""
    inner, outer = [...], [...]
    for n, p, m in zip(given, padding, size, strict=True):
        first, last = max(p, 0), max(min(m, n + p), p, 0)
        outer.append(slice(first, last))
        inner.append(slice(first - p, last - p))
    return tuple(inner), tuple(outer)


_kept = threading.local()


def scratch(name, shape, dtype):
    """Return memory to fill. That of up to 12 MiB is kept: new memory costs as much time as a pass over it.

    Each thread has its own, one block a name: at most 9 x 12 MiB.
    """
    size = math.prod(shape) * dtype.itemsize
    if size > 12 << 20:
        return np.empty(shape, dtype)
    block = getattr(_kept, name, None)
    if block is None or block.nbytes < size:
        block = np.empty(size, np.uint8)
        setattr(_kept, name, block)
    return np.ndarray(shape, dtype, block)
