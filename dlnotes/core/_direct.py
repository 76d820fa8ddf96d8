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
    many = images_at_once(len(x), Wo, 192)
    for n in range(0, len(x), many):
        part = y[n : n + many]
        image = window(x[n : n + many], plan.padding, (rows, plan.seen[1]))
        sn, sc, sh, sw = image.strides
        shape, strides = (G, d, rows // d, kW, c, len(part), Wo), (c * sc, sh, d * sh, e * sw, sc, sn, t * sw)
        copies = scratch("copies", shape, x.dtype)
        copies[...] = np.ndarray(shape, x.dtype, image, 0, strides)
        copies = copies.reshape(G, rows * kW * c, -1)
        result = scratch("result", (Ho, G, F // G, len(part) * Wo), x.dtype)
        for row, start in zip(result, starts, strict=True):
            np.matmul(weights, copies[:, start : start + kH * kW * c], out=row)
        if b is not None:
            result += b.reshape(G, -1, 1)
        part[...] = result.reshape(Ho, F, len(part), Wo).transpose(2, 1, 0, 3)
    return y


def backward(dy, x, w, plan):
    """dw is one GEMM (c kW, positions) @ (positions, f) for each row of the kernel."""
    G, (F, c, kH, kW) = plan.groups, w.shape
    dw, term = np.zeros((kH, G, c * kW, F // G), x.dtype), None
    dx = _input_gradient(forward, dy, w, plan) if plan.stride == (1, 1) else np.empty_like(x)
    many = images_at_once(len(x), plan.out[0] * plan.out[1], 768)
    for n in range(0, len(x), many):
        g = _positions(dy[n : n + many], G)
        for j, view in enumerate(_row_views(x[n : n + many], plan)):
            term = np.matmul(view, g.mT, out=term)
            dw[j] += term
        if plan.stride != (1, 1):
            dx[n : n + many] = _scatter(g, w, plan)
    return dx, np.ascontiguousarray(dw.reshape(kH, G, c, kW, -1).transpose(1, 4, 2, 0, 3).reshape(w.shape))


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
    G, (F, c, kH, kW) = plan.groups, w.shape
    turned = w.reshape(G, F // G, c, kH, kW)[..., ::-1, ::-1].swapaxes(1, 2).reshape(G * c, F // G, kH, kW)
    return forward(dy, turned, None, plan.turned)
