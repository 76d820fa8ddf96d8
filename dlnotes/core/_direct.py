"""Convolutions by GEMM on shifted copies of the image: exact up to the order of the sums, for any layer."""

import numpy as np

from dlnotes.core._layer import images_at_once, scratch, window


def columns(x, w, b, plan):
    """y is one GEMM (f, c kH kW) @ (c kH kW, positions): the fewest calls, for small layers."""
    N, (Ho, Wo) = len(x), plan.out
    y = np.matmul(w.reshape(plan.groups, len(w) // plan.groups, -1), _patches(x, plan))
    y = y.reshape(-1, Ho, N, Wo).swapaxes(1, 2) if N > 1 else y.reshape(-1, 1, Ho, Wo)
    if b is not None:
        y += b[:, None]
    return np.ascontiguousarray(y.swapaxes(0, 1))


def columns_backward(dy, x, w, plan):
    g = _positions(dy, plan.groups)
    dw = np.matmul(g, _patches(x, plan).mT).reshape(w.shape)
    return _input_gradient(columns, dy, w, plan) if plan.stride == (1, 1) else _scatter(g, w, plan), dw


def _patches(x, plan):
    """Return the pixels (G, c kH kW, positions) that each output sees, copied."""
    (s, t), (d, e), (Ho, Wo), (N, C) = plan.stride, plan.dilation, plan.out, x.shape[:2]
    image = window(x, plan.padding, plan.seen)
    sn, sc, sh, sw = image.strides
    shape, strides = (C, *plan.kernel, Ho, N, Wo), (sc, d * sh, e * sw, s * sh, sn, t * sw)
    return np.ndarray(shape, x.dtype, image, 0, strides).reshape(plan.groups, -1, Ho * N * Wo)


def forward(x, w, b, plan):
    return _apply(x, w, b, plan)[0]


def _apply(x, w, b, plan, gradient=None):
    """y is the sum of one GEMM (f, c kW) @ (c kW, positions) for each row of the kernel.

    With the loss's gradient by the output, return also that by w, as (kH, G, c kW, f): one GEMM a row again,
    (c kW, positions) @ (positions, f).
    """
    G, (F, c, kH, kW), (Ho, Wo) = plan.groups, w.shape, plan.out
    # OpenBLAS likes them transposed: 124 Gflop/s for 109 where there are 64 channels.
    weights = w.reshape(G, F // G, c, kH, kW).transpose(3, 0, 2, 4, 1).reshape(kH, G, c * kW, F // G).mT
    y = np.empty((len(x), F, Ho, Wo), x.dtype)
    dw = None if gradient is None else np.zeros((kH, G, c * kW, F // G), x.dtype)
    many = images_at_once(len(x), Ho * Wo, 768)
    for n in range(0, len(x), many):
        part = y[n : n + many]
        result = part if len(part) == 1 else scratch("result", part.shape, x.dtype)
        result = result.reshape(G, F // G, -1)
        term = scratch("term", result.shape, x.dtype)
        g = None if gradient is None else _positions(gradient[n : n + many], G)
        for j, view in enumerate(_row_views(x[n : n + many], plan)):
            np.matmul(weights[j], view, out=term if j else result)
            if j:
                result += term
            if g is not None:
                dw[j] += np.matmul(view, g.mT)
        if b is not None:
            result += b.reshape(G, -1, 1)
        if len(part) > 1:
            part[...] = result.reshape(F, Ho, len(part), Wo).transpose(2, 0, 1, 3)
    return y, dw


def backward(dy, x, w, plan):
    """Without stride dx is a layer again, from dy. In that layer x is the gradient: its dw is ours, turned over."""
    G, (F, c, kH, kW) = plan.groups, w.shape
    if plan.stride == (1, 1):
        dx, dw = _apply(dy, _turned(w, G), None, plan.turned, x)
        dw = dw.reshape(kH, G, F // G, kW, c)[::-1, :, :, ::-1].transpose(1, 2, 4, 0, 3)
        return dx, np.ascontiguousarray(dw).reshape(w.shape)
    dx, dw = np.empty_like(x), np.zeros((kH, G, c * kW, F // G), x.dtype)
    many = images_at_once(len(x), plan.out[0] * plan.out[1], 768)
    for n in range(0, len(x), many):
        g = _positions(dy[n : n + many], G)
        for j, view in enumerate(_row_views(x[n : n + many], plan)):
            dw[j] += np.matmul(view, g.mT)
        dx[n : n + many] = _scatter(g, w, plan)
    return dx, np.ascontiguousarray(dw.reshape(kH, G, c, kW, -1).transpose(1, 4, 2, 0, 3)).reshape(w.shape)


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
    image = window(x, plan.padding, (s * rows, plan.seen[1]))
    sn, sc, sh, sw = image.strides
    copies = scratch("copies", (C, kW, s, rows, N, Wo), x.dtype)
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
    return window(image.reshape(N, G * c, s * rows, -1), tuple(-p for p in plan.padding), plan.size)


def _input_gradient(forward, dy, w, plan):
    """Return dx of a layer without stride: it is a layer too, with the kernel turned over, from filters to channels."""
    return forward(dy, _turned(w, plan.groups), None, plan.turned)


def _turned(w, G):
    """Return w with the two axes of its images turned over and with filters and channels exchanged."""
    F, c, kH, kW = w.shape
    turned = w.reshape(G, F // G, c, kH, kW)[..., ::-1, ::-1].swapaxes(1, 2)
    return np.ascontiguousarray(turned).reshape(G * c, F // G, kH, kW)
