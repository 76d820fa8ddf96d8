"""Convolution layers: sizes, values, matrices, transposes, gradients, and pooling.

Written to be read: a layer is one loop over the positions of its kernel. At each of them the output sees one
view of the padded image, of the output's own size. Integers are added up as int64; Fractions and symbols, in arrays
of objects, stay exact. Ho and Wo are the height and the width of the output. Source: Dumoulin and Visin 2016.
"""

from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral

import numpy as np


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dx: np.ndarray  # (N, C, H, W)
    dw: np.ndarray  # (F, C/groups, kH, kW)
    db: np.ndarray  # (F,)


def output_size(n, k, *, stride=1, padding=0, dilation=1):
    """Return floor((n + 2 padding - dilation (k - 1) - 1) / stride) + 1, along one axis (claim convolution-size).

    Args:
        n: size of the input, in pixels, at least 1.
        k: size of the kernel, at least 1.
        stride, dilation: at least 1. padding: zeros at each end, at least 0.

    Raises:
        ValueError: an argument is not such an integer, or the kernel is larger than the padded input.
    """
    for name, value, least in (("n", n, 1), ("k", k, 1), ("stride", stride, 1), ("dilation", dilation, 1)):
        _whole(name, value, least)
    _whole("padding", padding, 0)
    if n + 2 * padding < dilation * (k - 1) + 1:
        raise ValueError(f"n is {n}; expected {dilation * (k - 1) + 1 - 2 * padding} or more, to hold the kernel")
    return (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1


def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Return y (N, F, Ho, Wo), y[f, i] = b[f] + sum of w[f, c, j] x[c, stride i + dilation j - padding].

    Claim convolution-layer. The kernel is not turned over. Outside of the image x is 0.

    Args:
        x: (N, C, H, W), numbers.
        w: (F, C/groups, kH, kW).
        b: (F,), or None for 0.
        stride, padding, dilation: an integer, or one for the rows and one for the columns.
        groups: divides C and F. Filters of one group see the channels of that group.

    Raises:
        ValueError: a shape, a dtype or an option is not as said.
    """
    x, w, b, layer = _check_layer(x, w, b, stride, padding, dilation, groups)
    image, kernel = _grouped(_pad(x, layer.padding, 0), groups, 1), _grouped(w, groups, 0)
    y = np.zeros((len(x), groups, len(w) // groups, *layer.out), np.result_type(image, kernel))
    for place, view in layer.views():
        y += np.einsum("ngchw,gfc->ngfhw", image[view], kernel[place])
    y = y.reshape(len(x), len(w), *layer.out)
    return y if b is None else y + b[:, None, None]


def max_pool2d(x, kernel_size, *, stride=None, padding=0):
    """Return y (N, C, Ho, Wo), the largest value of each window (claim convolution-max-pool).

    Args, and Raises as conv2d:
        x: (N, C, H, W), real numbers.
        kernel_size, stride, padding: an integer, or one for the rows and one for the columns. A stride of None is the
            kernel's size: no overlap. Padding is minus infinity, and at most half the kernel.
    """
    x, layer = _check_pool(x, kernel_size, stride, padding, "fiuO")
    lowest = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
    image, y = _pad(x, layer.padding, lowest), None
    for _, view in layer.views():
        y = image[view].copy() if y is None else np.maximum(y, image[view])
    return y


def avg_pool2d(x, kernel_size, *, stride=None, padding=0):
    """Return y (N, C, Ho, Wo), the mean of each window, zeros of the padding counted (claim convolution-avg-pool).

    Args and Raises: as max_pool2d, with zeros as padding. Integers give float64; objects stay exact.
    """
    x, layer = _check_pool(x, kernel_size, stride, padding, "fiucO")
    area = layer.kernel[0] * layer.kernel[1]
    x = x * Fraction(1, area) if x.dtype == object else x / area  # the sum first would overflow sooner
    image = _pad(x, layer.padding, 0)
    return sum(image[view] for _, view in layer.views())


def convolve(a, k, mode):
    """Return sum_j k[j] a[i - j], the kernel turned over (claims convolution-flip, convolution-modes).

    Args, and Raises as conv2d:
        a, k: (n,) and (k,), numbers, not empty. They may be exchanged. Let n be the larger size.
        mode: "full": every overlap, size n + k - 1. "valid": whole overlaps, size n - k + 1.
            "same": n values of full, from (k - 1) // 2 on, as NumPy does.
    """
    a, k = _numbers("a", a, 1), _numbers("k", k, 1)
    if not isinstance(mode, str) or mode not in ("full", "valid", "same"):
        raise ValueError(f"mode is {mode!r}; expected 'full', 'valid' or 'same'")
    n, k_size = max(len(a), len(k)), min(len(a), len(k))
    full = np.zeros(n + k_size - 1, np.result_type(a, k))
    for j, weight in enumerate(k):
        full[j : j + len(a)] += weight * a
    first, size = {"full": (0, len(full)), "valid": (k_size - 1, n - k_size + 1), "same": ((k_size - 1) // 2, n)}[mode]
    return full[first : first + size]


def conv_matrix(w, input_shape, *, stride=1, padding=0, dilation=1):
    """Return A (F Ho Wo, C H W) with vec(conv2d(x, w)) = A vec(x), row after row (claim convolution-matrix).

    Args, and Raises as conv2d:
        w: (F, C, kH, kW), or (kH, kW) for one channel and one filter.
        input_shape: (C, H, W) of one image, or (H, W).
        stride, padding, dilation: an integer, or one for the rows and one for the columns.
    """
    w = _numbers("w", np.asarray(w)[None, None] if np.ndim(w) == 2 else w, 4)
    layer = _Layer(w.shape[2:], stride, padding, dilation).on("input_shape", _image_shape(input_shape, w.shape[1]))
    A = np.zeros((len(w), *layer.out, w.shape[1], *layer.size), w.dtype)
    for f, c, *j in np.ndindex(w.shape):
        for i in np.ndindex(layer.out):
            axes = zip(layer.stride, i, layer.dilation, j, layer.padding, strict=True)
            row, column = (s * at + d * place - p for s, at, d, place, p in axes)
            if 0 <= row < layer.size[0] and 0 <= column < layer.size[1]:
                A[f, *i, c, row, column] = w[f, c, *j]
    return A.reshape(len(w) * layer.out[0] * layer.out[1], -1)


def conv_transpose2d(x, w, b=None, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Return y (N, F, Ho, Wo): each x[c, i] adds x[c, i] w[c, f, j] to y[f, stride i + dilation j - padding].

    Claim convolution-transposed. Ho = (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1.

    Args and Raises: as conv2d, but w is (C, F/groups, kH, kW), and padding is cut off. The options are those of the
    convolution that this is the transpose of. output_padding adds rows and columns at the end, fewer than the
    stride or than the dilation.
    """
    x, w = _numbers("x", x, 4), _numbers("w", w, 4)
    _whole("groups", groups, 1)
    if len(w) != x.shape[1] or len(w) % groups:
        raise ValueError(f"w has shape {w.shape}; expected (C, F/groups, kH, kW), C = {x.shape[1]}, groups = {groups}")
    F = w.shape[1] * groups
    b = _bias(b, F)
    layer = _Layer(w.shape[2:], stride, padding, dilation)
    more = _pair("output_padding", output_padding, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, layer.stride, layer.dilation, strict=True)):
        raise ValueError(f"output_padding is {output_padding}; expected less than the stride or than the dilation")
    size = layer.transposed_size(x.shape[2:], more)
    layer = layer.on("x", size, out=x.shape[2:])
    image, kernel = _grouped(x, groups, 1), _grouped(w, groups, 0)
    canvas = np.zeros((len(x), groups, w.shape[1], *layer.padded), np.result_type(image, kernel))
    for place, view in layer.views():
        canvas[view] += np.einsum("ngchw,gcf->ngfhw", image, kernel[place])
    y = layer.cut(canvas).reshape(len(x), F, *size)
    return y if b is None else y + b[:, None, None]


def conv_transpose_matrix(w, input_shape, *, stride=1, padding=0, dilation=1):
    """Return A (F Ho Wo, C H W) with vec(conv_transpose2d(x, w)) = A vec(x) (claim convolution-transposed-matrix).

    It is the transpose of the matrix of a convolution from the output's shape to the input's.

    Args and Raises: as conv_matrix, but w is (C, F, kH, kW), and input_shape is that of the transposed convolution.
    """
    w = _numbers("w", np.asarray(w)[None, None] if np.ndim(w) == 2 else w, 4)
    layer = _Layer(w.shape[2:], stride, padding, dilation)
    size = layer.transposed_size(_image_shape(input_shape, len(w)), (0, 0))
    return conv_matrix(w, (w.shape[1], *size), stride=stride, padding=padding, dilation=dilation).T


def conv2d_backward(dy, x, w, *, stride=1, padding=0, dilation=1, groups=1):
    """Return ``Gradients(dx, dw, db)`` of the loss through conv2d.

    Claims convolution-input-gradient, convolution-weight-gradient, convolution-bias-gradient.

    Args and Raises: as conv2d, and dy is (N, F, Ho, Wo), the loss's gradient by the output.
    """
    x, w, _, layer = _check_layer(x, w, None, stride, padding, dilation, groups)
    dy = _numbers("dy", dy, 4)
    if dy.shape != (len(x), len(w), *layer.out):
        raise ValueError(f"dy has shape {dy.shape}; expected that of the output, {(len(x), len(w), *layer.out)}")
    image, kernel = _grouped(_pad(x, layer.padding, 0), groups, 1), _grouped(w, groups, 0)
    g = _grouped(dy, groups, 1)
    dimage = np.zeros(image.shape, np.result_type(g, kernel))
    dkernel = np.zeros(kernel.shape, np.result_type(g, image))
    for place, view in layer.views():  # the line of conv2d, by each of its two factors
        dimage[view] += np.einsum("ngfhw,gfc->ngchw", g, kernel[place])
        dkernel[place] = np.einsum("ngfhw,ngchw->gfc", g, image[view])
    return Gradients(layer.cut(dimage).reshape(x.shape), dkernel.reshape(w.shape), dy.sum((0, 2, 3)))


class _Layer:
    """Sizes of one layer along the two axes of an image, and the views that its kernel sees."""

    def __init__(self, kernel, stride, padding, dilation):
        self.kernel = tuple(kernel)
        self.stride, self.dilation = _pair("stride", stride, 1), _pair("dilation", dilation, 1)
        self.padding = _pair("padding", padding, 0)

    def on(self, name, size, out=None):
        """Set the sizes of the input and of the output; name is the argument at fault where the input is too small."""
        self.size = tuple(size)
        self.padded = tuple(n + 2 * p for n, p in zip(self.size, self.padding, strict=True))
        extent = tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        if any(n < e for n, e in zip(self.padded, extent, strict=True)):
            raise ValueError(
                f"{name} has images of {self.padded}, padded; expected the kernel's extent {extent} or more"
            )
        axes = zip(self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        self.out = out or tuple(output_size(n, k, stride=s, padding=p, dilation=d) for n, k, s, p, d in axes)
        return self

    def views(self):
        """Give, for each position j of the kernel, its index and that of the pixels stride i + dilation j."""
        for j in np.ndindex(self.kernel):
            axes = zip(j, self.out, self.stride, self.dilation, strict=True)
            yield (..., *j), (..., *(slice(d * m, d * m + (o - 1) * s + 1, s) for m, o, s, d in axes))

    def transposed_size(self, size, more):
        """Return the size of what the transposed convolution makes of an input of this size."""
        axes = zip(size, self.kernel, self.stride, self.padding, self.dilation, more, strict=True)
        full = tuple((n - 1) * s - 2 * p + d * (k - 1) + m + 1 for n, k, s, p, d, m in axes)
        if min(full) < 1:
            raise ValueError(f"padding is {self.padding}; expected less, as the output would be {full[0]} x {full[1]}")
        return full

    def cut(self, image):
        """View a padded image without its padding."""
        return image[..., *(slice(p, p + n) for p, n in zip(self.padding, self.size, strict=True))]


def _grouped(a, groups, axis):
    """View the channels of an axis as (groups, channels of a group)."""
    return a.reshape(*a.shape[:axis], groups, -1, *a.shape[axis + 1 :])


def _pad(x, padding, value):
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)), constant_values=value) if any(padding) else x


def _whole(name, value, least):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} is {value!r}; expected an integer, {least} or more")


def _pair(name, value, least):
    pair = (value, value) if isinstance(value, Integral) else value
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"{name} is {value!r}; expected an integer or a pair of them")
    for entry in pair:
        _whole(name, entry, least)
    return tuple(map(int, pair))


def _numbers(name, a, ndim, kinds="fiucO"):
    a = np.asarray(a)
    if a.ndim != ndim or a.size == 0:
        raise ValueError(f"{name} has shape {a.shape}; expected {ndim} axes, none of them empty")
    if a.dtype.kind not in kinds:
        raise ValueError(f"{name} has dtype {a.dtype}; expected numbers{'' if 'c' in kinds else ' that are real'}")
    if a.dtype == np.uint64 and a.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} has an entry {a.max()}; expected integers that fit int64")
    return a.astype(np.int64) if a.dtype.kind in "iu" else a  # a byte would wrap around


def _bias(b, F):
    b = None if b is None else _numbers("b", b, 1)
    if b is not None and b.shape != (F,):
        raise ValueError(f"b has shape {b.shape}; expected ({F},), one entry a filter")
    return b


def _image_shape(shape, C):
    shape = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] != C):
        raise ValueError(f"input_shape is {shape}; expected ({C}, H, W) or (H, W), as w has {C} channels of input")
    for entry in shape:
        _whole("input_shape", entry, 1)
    return shape[-2:]


def _check_layer(x, w, b, stride, padding, dilation, groups):
    x, w = _numbers("x", x, 4), _numbers("w", w, 4)
    _whole("groups", groups, 1)
    if x.shape[1] % groups or len(w) % groups:
        raise ValueError(f"groups is {groups}; expected a divisor of C = {x.shape[1]} and of F = {len(w)}")
    if w.shape[1] * groups != x.shape[1]:
        raise ValueError(f"w has shape {w.shape}; expected (F, {x.shape[1] // groups}, kH, kW) for x of {x.shape}")
    return x, w, _bias(b, len(w)), _Layer(w.shape[2:], stride, padding, dilation).on("x", x.shape[2:])


def _check_pool(x, kernel_size, stride, padding, kinds):
    x, kernel = _numbers("x", x, 4, kinds), _pair("kernel_size", kernel_size, 1)
    layer = _Layer(kernel, kernel if stride is None else stride, padding, 1)
    if any(2 * p > k for p, k in zip(layer.padding, kernel, strict=True)):
        raise ValueError(f"padding is {padding}; expected at most half of the kernel, {kernel[0]} x {kernel[1]}")
    return x, layer.on("x", x.shape[2:])
