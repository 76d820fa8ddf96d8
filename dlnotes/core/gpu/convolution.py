"""Convolution layers on torch tensors: ``dlnotes.convolution.conv2d`` and its gradients.

Forward takes 2 N F Ho Wo (C / groups) kH kW operations, backward twice that. Forward reads x and writes y; backward
reads x and dy and writes dx: 3 N C H W + 2 N F Ho Wo numbers, beside the weights. The floor on a GPU is the larger of
operations / rate (of float32, or of TF32) and bytes / bandwidth. From some 10 channels on it is the first in float32.
"""

import math
from dataclasses import dataclass

import torch

from dlnotes.convolution import _Layer, _whole
from dlnotes.core.gpu.tensors import MOST, by_triton, floats

PRECISIONS = {False: "ieee", True: "tf32", "x3": "tf32x3"}


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dx: torch.Tensor  # (N, C, H, W)
    dw: torch.Tensor  # (F, C/groups, kH, kW)
    db: torch.Tensor  # (F,)


@torch.no_grad()
def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1, algorithm="torch", allow_tf32=False):
    """Return y (N, F, Ho, Wo), as ``dlnotes.convolution.conv2d``.

    Args:
        x: (N, C, H, W), float32 or float64.
        w: (F, C/groups, kH, kW), of the dtype of x.
        b: (F,), of that dtype, or None for 0.
        stride, padding, dilation: an integer, or one for the rows and one for the columns.
        groups: divides C and F. Filters of one group see the channels of that group.
        algorithm: "torch", one matrix product for each position of the kernel, all options; or "triton", one kernel
            that gathers its operand as it goes: one group only.
        allow_tf32: for "triton" only. False: products of float32. True: TF32 products, right to about 3 digits.
            "x3": three TF32 products for one, right to nearly all digits of float32. "torch" follows torch's setting.

    Raises:
        ValueError: a shape, a dtype, a device or an option is not as said.
    """
    x, w, b, layer = _check_layer(x, w, b, stride, padding, dilation, groups)
    if _by_triton(x, w, layer, groups, algorithm, allow_tf32):
        from dlnotes.core.gpu import convolution_kernels

        return convolution_kernels.forward(x, w, b, layer, PRECISIONS[allow_tf32])
    shifts = _Shifts(layer, x.shape, groups)
    image, y = shifts.cut(x), x.new_zeros(shifts.batch, len(w) // groups, layer.out[0] * shifts.width)
    part, kernel = y[:, :, : shifts.length], _kernel(w, groups, len(x))
    for phase, at, place in shifts:
        part.baddbmm_(kernel[place], image[phase, :, :, at])
    y = y.view(len(x), len(w), layer.out[0], shifts.width)[..., : layer.out[1]]
    return y.contiguous() if b is None else y + b[:, None, None]


@torch.no_grad()
def conv2d_backward(dy, x, w, *, stride=1, padding=0, dilation=1, groups=1, algorithm="torch", allow_tf32=False):
    """Return ``Gradients(dx, dw, db)`` of the loss through conv2d.

    Args and Raises: as ``conv2d``, and dy is (N, F, Ho, Wo), the loss's gradient by the output.
    """
    x, w, _, layer = _check_layer(x, w, None, stride, padding, dilation, groups)
    _, dy = floats(x=x, dy=dy)
    (N, F), (Ho, Wo) = (len(x), len(w)), layer.out
    if dy.shape != (N, F, Ho, Wo):
        raise ValueError(f"dy has shape {tuple(dy.shape)}; expected that of the output, {(N, F, Ho, Wo)}")
    if _by_triton(x, w, layer, groups, algorithm, allow_tf32):
        from dlnotes.core.gpu import convolution_kernels

        dx, dw = convolution_kernels.backward(dy, x, w, layer, PRECISIONS[allow_tf32])
        return Gradients(dx, dw, dy.sum((0, 2, 3)))
    shifts = _Shifts(layer, x.shape, groups)
    image, kernel = shifts.cut(x), _kernel(w, groups, N)
    g = torch.nn.functional.pad(dy, (0, shifts.width - Wo)).view(shifts.batch, F // groups, Ho * shifts.width)
    g = g[:, :, : shifts.length]
    dimage, dw = torch.zeros_like(image), torch.zeros_like(w)
    by_group = dw.view(groups, F // groups, *w.shape[1:])
    for phase, at, place in shifts:
        dimage[phase, :, :, at].baddbmm_(kernel[place].mT, g)
        products = torch.bmm(g, image[phase, :, :, at].mT)
        by_group[place] = products.view(N, groups, *products.shape[1:]).sum(0)
    return Gradients(shifts.join(dimage), dw, dy.sum((0, 2, 3)))


class _Shifts:
    """Views of a padded image such that each position of the kernel sees one run of every row of memory.

    The image is cut into its phases (rows and columns of one remainder by the stride), each flattened: where a kernel
    moves, a run moves. At the end of each row of pixels the run holds some that no output has; they are dropped.
    """

    def __init__(self, layer, shape, groups):
        self.layer, self.shape = layer, shape
        self.batch, self.channels = shape[0] * groups, shape[1] // groups
        self.height, self.width = (-(-n // s) for n, s in zip(layer.padded, layer.stride, strict=True))
        self.length = (layer.out[0] - 1) * self.width + layer.out[1]

    def __iter__(self):
        """Give, for each position of the kernel, the phase, the run, and the index of its weights."""
        (sh, sw), (dh, dw) = self.layer.stride, self.layer.dilation
        for i in range(self.layer.kernel[0]):
            for j in range(self.layer.kernel[1]):
                start = i * dh // sh * self.width + j * dw // sw
                yield i * dh % sh * sw + j * dw % sw, slice(start, start + self.length), (..., i, j)

    def cut(self, x):
        """Return (phases, N groups, C/groups, pixels of a phase): a view of x where there is nothing to pad or cut."""
        (ph, pw), (sh, sw), (H, W) = self.layer.padding, self.layer.stride, self.layer.size
        more = pw, self.width * sw - W - pw, ph, self.height * sh - H - ph
        x = torch.nn.functional.pad(x, more) if any(more) else x
        x = x.view(self.batch, self.channels, self.height, sh, self.width, sw).permute(3, 5, 0, 1, 2, 4)
        return x.reshape(sh * sw, self.batch, self.channels, self.height * self.width)

    def join(self, image):
        """Return the image (N, C, H, W) of which these are the phases, without its padding."""
        (ph, pw), (sh, sw), (H, W) = self.layer.padding, self.layer.stride, self.layer.size
        x = image.view(sh, sw, self.batch, self.channels, self.height, self.width).permute(2, 3, 4, 0, 5, 1)
        x = x.reshape(*self.shape[:2], self.height * sh, self.width * sw)
        return x[..., ph : ph + H, pw : pw + W].contiguous()


def _kernel(w, groups, N):
    """View w as (N groups, F/groups, C/groups, kH, kW), the same for each image."""
    w = w.view(groups, -1, *w.shape[1:]).permute(3, 4, 0, 1, 2).contiguous()  # so that one position is one matrix
    w = w[:, :, None].expand(-1, -1, N, -1, -1, -1)
    return w.reshape(*w.shape[:2], N * groups, *w.shape[4:]).permute(2, 3, 4, 0, 1)


def _by_triton(x, w, layer, groups, algorithm, allow_tf32):
    if allow_tf32 not in (True, False, "x3"):
        raise ValueError(f"allow_tf32 is {allow_tf32!r}; expected True, False or 'x3'")
    if algorithm == "triton":
        if groups != 1:
            raise ValueError(f"groups is {groups}; expected 1 for algorithm 'triton'")
        entries = len(x) * len(w) * math.prod(layer.out)
        if entries > MOST:
            raise ValueError(f"x has an output of {entries} entries; expected {MOST} at most for algorithm 'triton'")
    return by_triton(algorithm, x=x, w=w)


def _check_layer(x, w, b, stride, padding, dilation, groups):
    x, w, *rest = floats(x=x, w=w, **({} if b is None else {"b": b}))
    for name, a in (("x", x), ("w", w)):
        if a.ndim != 4 or 0 in a.shape[name == "x" :]:
            raise ValueError(f"{name} has shape {tuple(a.shape)}; expected 4 axes, none of them empty")
    _whole("groups", groups, 1)
    if x.shape[1] % groups or len(w) % groups:
        raise ValueError(f"groups is {groups}; expected a divisor of C = {x.shape[1]} and of F = {len(w)}")
    if w.shape[1] * groups != x.shape[1]:
        expected = f"(F, {x.shape[1] // groups}, kH, kW) for x of {tuple(x.shape)}"
        raise ValueError(f"w has shape {tuple(w.shape)}; expected {expected}")
    if rest and rest[0].shape != (len(w),):
        raise ValueError(f"b has shape {tuple(rest[0].shape)}; expected ({len(w)},), one entry a filter")
    return x, w, rest[0] if rest else None, _Layer(w.shape[2:], stride, padding, dilation).on("x", x.shape[2:])
