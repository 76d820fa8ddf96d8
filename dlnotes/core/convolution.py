"""Convolution layers, fast: three algorithms, each forward and backward, for NumPy on one thread.

direct    GEMM on shifted copies of the image. Exact up to the order of its sums. Any layer.
winograd  F(4, 3): 36 products where direct takes 144. 3 x 3, no stride, no dilation. Loses about one digit.
fft       One product a frequency. For large kernels. Any layer.

Inside, a layer has G groups of c channels and f filters, and Ho x Wo outputs. There padding may be
negative: it then cuts.
"""

import math
import threading
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

import numpy as np

from dlnotes.convolution import Gradients, _Layer, _pair, _whole

_SMALL = 1 << 16  # entries of the matrix of columns up to which a call costs more than a copy
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class _Plan:
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


# --- direct -----------------------------------------------------------------------------------------------------------


def _columns(x, w, b, plan):
    """y is one GEMM (f, c kH kW) @ (c kH kW, positions): the fewest calls, for small layers."""
    N, (Ho, Wo) = len(x), plan.out
    y = np.matmul(w.reshape(plan.groups, len(w) // plan.groups, -1), _patches(x, plan))
    y = y.reshape(-1, Ho, N, Wo).swapaxes(1, 2) if N > 1 else y.reshape(-1, 1, Ho, Wo)
    if b is not None:
        y += b[:, None]
    return np.ascontiguousarray(y.swapaxes(0, 1))


def _columns_backward(dy, x, w, plan):
    g = _positions(dy, plan.groups)
    dw = np.matmul(g, _patches(x, plan).mT).reshape(w.shape)
    return _input_gradient(_columns, dy, w, plan) if plan.stride == (1, 1) else _scatter(g, w, plan), dw


def _patches(x, plan):
    """Return the pixels (G, c kH kW, positions) that each output sees, copied."""
    (s, t), (d, e), (Ho, Wo), (N, C) = plan.stride, plan.dilation, plan.out, x.shape[:2]
    image = _window(x, plan.padding, plan.seen)
    sn, sc, sh, sw = image.strides
    shape, strides = (C, *plan.kernel, Ho, N, Wo), (sc, d * sh, e * sw, s * sh, sn, t * sw)
    return np.ndarray(shape, x.dtype, image, 0, strides).reshape(plan.groups, -1, Ho * N * Wo)


def _direct(x, w, b, plan):
    """y is one GEMM (f, kH kW c) @ (kH kW c, columns) for each row of the output, of several images at once.

    The image is copied kW times, each copy shifted by one column, rows first. What a row of the output sees is then
    kH neighbouring blocks of that memory: the views of two rows overlap, and nothing more is copied.
    """
    (kH, kW), (s, t), (d, e), (Ho, Wo) = plan.kernel, plan.stride, plan.dilation, plan.out
    G, (F, c) = plan.groups, w.shape[:2]
    y = np.empty((len(x), F, Ho, Wo), x.dtype)
    weights = w.reshape(G, F // G, c, kH, kW).transpose(0, 1, 3, 4, 2).reshape(G, F // G, kH * kW * c)
    rows = d * (kH + s * (Ho - 1) // d)  # sorted by their remainder by the dilation, so that a view has neighbours
    starts = [kW * c * (s * i % d * (rows // d) + s * i // d) for i in range(Ho)]
    many = _images(len(x), Wo, 192)
    for n in range(0, len(x), many):
        part = y[n : n + many]
        image = _window(x[n : n + many], plan.padding, (rows, plan.seen[1]))
        sn, sc, sh, sw = image.strides
        shape, strides = (G, d, rows // d, kW, c, len(part), Wo), (c * sc, sh, d * sh, e * sw, sc, sn, t * sw)
        copies = _scratch("copies", shape, x.dtype)
        copies[...] = np.ndarray(shape, x.dtype, image, 0, strides)
        copies = copies.reshape(G, rows * kW * c, -1)
        result = _scratch("result", (Ho, G, F // G, len(part) * Wo), x.dtype)
        for row, start in zip(result, starts, strict=True):
            np.matmul(weights, copies[:, start : start + kH * kW * c], out=row)
        if b is not None:
            result += b.reshape(G, -1, 1)
        part[...] = result.reshape(Ho, F, len(part), Wo).transpose(2, 1, 0, 3)
    return y


def _direct_backward(dy, x, w, plan):
    """dw is one GEMM (c kW, positions) @ (positions, f) for each row of the kernel."""
    G, (F, c, kH, kW) = plan.groups, w.shape
    dw, term = np.zeros((kH, G, c * kW, F // G), x.dtype), None
    dx = _input_gradient(_direct, dy, w, plan) if plan.stride == (1, 1) else np.empty_like(x)
    many = _images(len(x), plan.out[0] * plan.out[1], 768)
    for n in range(0, len(x), many):
        g = _positions(dy[n : n + many], G)
        for j, view in enumerate(_row_views(x[n : n + many], plan)):
            term = np.matmul(view, g.mT, out=term)
            dw[j] += term
        if plan.stride != (1, 1):
            dx[n : n + many] = _scatter(g, w, plan)
    return dx, np.ascontiguousarray(dw.reshape(kH, G, c, kW, -1).transpose(1, 4, 2, 0, 3).reshape(w.shape))


def _images(N, positions, enough):
    """Take enough images at once for a GEMM to be fast, and few enough for their copies to stay in the cache."""
    return min(N, -(-enough // positions))


def _positions(dy, G):
    """Return dy as (G, f, positions), the rows outside, then the images: of one image it is the same memory."""
    N, F, Ho, Wo = dy.shape
    return dy.reshape(N, G, F // G, Ho, Wo).transpose(1, 2, 3, 0, 4).reshape(G, F // G, -1)


def _row_views(x, plan):
    """List the pixels (G, c kW, positions) that each row of the kernel sees.

    The image is copied kW times, each copy shifted by one column. What another row of the kernel sees then is the
    same memory from another row of the image on. Rows are sorted by their remainder by the stride, so that those of
    one view are neighbours.
    """
    (kH, kW), (s, t), (d, e), (Ho, Wo) = plan.kernel, plan.stride, plan.dilation, plan.out
    (N, C), G = x.shape[:2], plan.groups
    rows = Ho + d * (kH - 1) // s
    image = _window(x, plan.padding, (s * rows, plan.seen[1]))
    sn, sc, sh, sw = image.strides
    copies = _scratch("copies", (C, kW, s, rows, N, Wo), x.dtype)
    copies[...] = np.ndarray(copies.shape, x.dtype, image, 0, (sc, e * sw, sh, s * sh, sn, t * sw))
    copies = copies.reshape(G, C // G * kW, s, rows * N * Wo)
    starts = [divmod(d * j, s) for j in range(kH)]
    return [copies[:, :, phase, first * N * Wo : (first + Ho) * N * Wo] for first, phase in starts]


def _scatter(g, w, plan):
    """Return dx: at each pixel, the sum of the gradients (c kW, positions) of the outputs that see it."""
    (kH, kW), (s, t), (d, e), (Ho, Wo) = plan.kernel, plan.stride, plan.dilation, plan.out
    G, (F, c) = plan.groups, w.shape[:2]
    N, rows = g.shape[2] // (Ho * Wo), Ho + d * (kH - 1) // s
    copies = np.zeros((G, c * kW, s, rows * N * Wo), g.dtype)
    for j in range(kH):
        first, phase = divmod(d * j, s)
        weight = w[:, :, j].reshape(G, F // G, c * kW)
        copies[:, :, phase, first * N * Wo : (first + Ho) * N * Wo] += np.matmul(weight.mT, g)
    copies = copies.reshape(G * c, kW, s, rows, N, Wo)
    image = np.zeros((N, G * c, rows, s, plan.seen[1]), g.dtype)
    for j in range(kW):
        image[..., e * j : e * j + t * (Wo - 1) + 1 : t] += copies[:, j].transpose(3, 0, 2, 1, 4)
    return _window(image.reshape(N, G * c, s * rows, -1), tuple(-p for p in plan.padding), plan.size)


def _input_gradient(forward, dy, w, plan):
    """Return dx of a layer without stride: it is a layer too, with the kernel turned over, from filters to channels."""
    G, (F, c, kH, kW) = plan.groups, w.shape
    turned = w.reshape(G, F // G, c, kH, kW)[..., ::-1, ::-1].swapaxes(1, 2).reshape(G * c, F // G, kH, kW)
    return forward(dy, turned, None, plan.turned)


# --- winograd ---------------------------------------------------------------------------------------------------------


@cache
def _transforms(dtype):
    """Return the transforms of an image tile (36, 36), of a kernel (36, 9) and of the products (16, 36).

    For one axis y = A^T ((G w) * (B^T x)): 4 outputs of 6 pixels (Lavin and Gray 2016, section 4.3). For two axes each
    is the Kronecker product with itself: one GEMM, faster than the many short passes of a sparse transform.
    """
    BT = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0]]
    BT += [[0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
    G = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6]]
    G += [[1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
    AT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    return tuple(np.kron(m, m).astype(dtype) for m in (BT, G, AT))


def _winograd(x, w, b, plan):
    U = _scratch("U", (36, plan.groups, len(w) // plan.groups, w.shape[1]), x.dtype)
    np.matmul(_transforms(x.dtype)[1], w.reshape(-1, 9).T, out=U.reshape(36, -1))
    return _winograd_layer(x, U, b, plan)


def _winograd_layer(x, U, b, plan):
    """Apply transformed kernels (36, G, f, c): one product of matrices for each of the 36 places of a tile."""
    N, F, (Ho, Wo), (Th, Tw), G = len(x), plan.groups * U.shape[2], plan.out, _tiles(plan), plan.groups
    y = np.empty((N, F, Ho, Wo), x.dtype)
    many = _images(N, Th * Tw, 192)
    for n in range(0, N, many):
        part = y[n : n + many]
        T = len(part) * Th * Tw
        M = _scratch("M", (36, F * T), x.dtype)
        np.matmul(U, _image_tiles(x[n : n + many], plan), out=M.reshape(36, G, -1, T))
        exact = (4 * Th, 4 * Tw) == (Ho, Wo)
        target = part if exact else _scratch("target", (len(part), F, 4 * Th, 4 * Tw), x.dtype)
        for few in _channels(F, T):
            tiles = np.matmul(M[:, few.start * T : few.stop * T].T, _transforms(x.dtype)[2].T)
            if b is not None:
                tiles.reshape(-1, T * 16)[...] += b[few, :, 0]
            fours = tiles.view(_four(x.dtype)).reshape(-1, len(part), Th, Tw, 4)
            _fours(target)[:, few] = fours.transpose(1, 0, 2, 4, 3)
        if not exact:
            part[...] = target[:, :, :Ho, :Wo]
    return y


def _winograd_backward(dy, x, w, plan):
    """dw goes back through the three transforms; dx is a layer again."""
    (Th, Tw), G, N, (F, c) = _tiles(plan), plan.groups, len(x), w.shape[:2]
    _, kernel, back = _transforms(x.dtype)
    dU = _scratch("U", (36, G, F // G, c), x.dtype)
    many = _images(N, Th * Tw, 192)
    for n in range(0, N, many):
        part = _window(dy[n : n + many], (0, 0), (4 * Th, 4 * Tw))
        T = len(part) * Th * Tw
        dM = _scratch("M", (36, F * T), x.dtype)
        for few in _channels(F, T):
            tiles = np.ascontiguousarray(_fours(part)[:, few].transpose(1, 0, 2, 4, 3))
            np.matmul(back.T, tiles.view(x.dtype).reshape(-1, 16).T, out=dM[:, few.start * T : few.stop * T])
        V, dM = _image_tiles(x[n : n + many], plan), dM.reshape(36, G, -1, T)
        if n == 0:
            np.matmul(dM, V.mT, out=dU)
        else:
            dU += np.matmul(dM, V.mT)
    dw = np.matmul(dU.reshape(36, -1).T, kernel).reshape(w.shape)
    turned = np.matmul(kernel[:, ::-1], w.reshape(-1, 9).T, out=dU.reshape(36, -1))  # as in _input_gradient
    return _winograd_layer(dy, turned.reshape(dU.shape).mT, None, plan.turned), dw


def _channels(channels, tiles):
    """Give slices of the channels whose transforms stay in the cache together."""
    few = -(-channels // -(-channels * tiles // 6400))  # the slices are of one size, nearly
    return [slice(c, min(c + few, channels)) for c in range(0, channels, few)]


def _four(dtype):
    """Return the type of four numbers in one: they are copied at once."""
    return np.dtype((np.void, 4 * dtype.itemsize))


def _fours(a):
    """View images (N, C, rows, columns) as (N, C, rows / 4, 4, columns / 4), four numbers in one."""
    return a.view(_four(a.dtype)).reshape(*a.shape[:2], -1, 4, a.shape[-1] // 4)


def _tiles(plan):
    return tuple(-(-n // 4) for n in plan.out)


def _image_tiles(x, plan):
    """Return the transformed tiles (36, G, c, tiles) of the images: 6 x 6 pixels each, a new one every 4."""
    (Th, Tw), (N, C) = _tiles(plan), x.shape[:2]
    image, T = _window(x, plan.padding, (4 * Th + 2, 4 * Tw + 2)), N * Th * Tw
    sn, sc, sh, sw = image.strides
    tiles = np.ndarray((6, 6, C, N, Th, Tw), x.dtype, image, 0, (sh, sw, sc, sn, 4 * sh, 4 * sw))
    V = _scratch("V", (36, C * T), x.dtype)
    for few in _channels(C, T):
        part = tiles[:, :, few].reshape(36, -1)
        np.matmul(_transforms(x.dtype)[0], part, out=V[:, few.start * T : few.stop * T])
    return V.reshape(36, plan.groups, -1, T)


# --- fft --------------------------------------------------------------------------------------------------------------


def _fft(x, w, b, plan):
    """y is a correlation: the spectrum of x times the conjugate of that of w, summed over the channels."""
    X, K = _spectrum(x, plan), _spectrum(_place(w, plan), plan, 0)
    y = _pixels(np.matmul(X, K.conj().mT), plan)  # (N, F, rows, columns)
    y = y[..., *_strided(plan)]
    return np.ascontiguousarray(y if b is None else y + b)


def _fft_backward(dy, x, w, plan):
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


# --- arguments --------------------------------------------------------------------------------------------------------


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
    layer = _Layer(kernel, stride, padding, dilation).on("x", size)
    plan = _Plan(layer.kernel, layer.stride, layer.padding, layer.dilation, layer.size, layer.out, groups, "direct")
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


def _window(x, padding, size):
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


def _scratch(name, shape, dtype):
    """Return memory to fill. That of up to 12 MiB is kept: new memory costs as much time as a pass over it.

    Each thread has its own, one block a name: at most 6 x 12 MiB.
    """
    size = math.prod(shape) * dtype.itemsize
    if size > 12 << 20:
        return np.empty(shape, dtype)
    block = getattr(_kept, name, None)
    if block is None or block.nbytes < size:
        block = np.empty(size, np.uint8)
        setattr(_kept, name, block)
    return np.ndarray(shape, dtype, block)


_FORWARD = {"direct": _direct, "columns": _columns, "winograd": _winograd, "fft": _fft}
_BACKWARD = {
    "direct": _direct_backward,
    "columns": _columns_backward,
    "winograd": _winograd_backward,
    "fft": _fft_backward,
}
