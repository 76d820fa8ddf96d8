"""Convolutions by Winograd's F(4, 3): 36 products where the definition takes 144. 3 x 3, no stride, no dilation."""

from functools import cache

import numpy as np

from dlnotes.core._layer import images_at_once, scratch, window


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


def forward(x, w, b, plan):
    U = scratch("U", (36, plan.groups, len(w) // plan.groups, w.shape[1]), x.dtype)
    np.matmul(_transforms(x.dtype)[1], w.reshape(-1, 9).T, out=U.reshape(36, -1))
    return _apply(x, U, b, plan)[0]


def _apply(x, U, b, plan, gradient=None):
    """Apply transformed kernels (36, G, f, c): one product of matrices for each of the 36 places of a tile.

    With the loss's gradient by the output, return that by the kernels too, transformed.
    """
    N, F, (Ho, Wo), (Th, Tw), G = len(x), plan.groups * U.shape[2], plan.out, _tiles(plan), plan.groups
    y, dU = np.empty((N, F, Ho, Wo), x.dtype), None
    many = images_at_once(N, Th * Tw, 192)
    for n in range(0, N, many):
        part = y[n : n + many]
        T = len(part) * Th * Tw
        V = _image_tiles(x[n : n + many], plan)
        M = scratch("M", (36, F * T), x.dtype)
        if gradient is not None:
            given = _fours(window(gradient[n : n + many], (0, 0), (4 * Th, 4 * Tw)))
            for few in _channels(F, T):
                tiles = np.ascontiguousarray(given[:, few].transpose(1, 0, 2, 4, 3))
                tiles = tiles.view(x.dtype).reshape(-1, 16)
                np.matmul(_transforms(x.dtype)[2].T, tiles.T, out=M[:, few.start * T : few.stop * T])
            term = np.matmul(M.reshape(36, G, -1, T), V.mT, out=None if n else scratch("dU", U.shape, x.dtype))
            dU = term if n == 0 else np.add(dU, term, out=dU)
        np.matmul(U, V, out=M.reshape(36, G, -1, T))
        if b is not None:
            M.reshape(36, F, T)[7] += b[:, 0]  # place (1, 1), which A^T adds to each output once
        exact = (4 * Th, 4 * Tw) == (Ho, Wo)
        target = part if exact else scratch("target", (len(part), F, 4 * Th, 4 * Tw), x.dtype)
        for few in _channels(F, T):
            tiles = np.matmul(M[:, few.start * T : few.stop * T].T, _transforms(x.dtype)[2].T)
            fours = tiles.view(_four(x.dtype)).reshape(-1, len(part), Th, Tw, 4)
            _fours(target)[:, few] = fours.transpose(1, 0, 2, 4, 3)
        if not exact:
            part[...] = target[:, :, :Ho, :Wo]
    return y, dU


def backward(dy, x, w, plan):
    """dx is a layer again, from dy. In that layer dy is the image and x the gradient: its dw is ours, turned over."""
    G, (F, c), kernel = plan.groups, w.shape[:2], _transforms(x.dtype)[1]
    U = scratch("U", (36, G, F // G, c), x.dtype)
    np.matmul(kernel[:, ::-1], w.reshape(-1, 9).T, out=U.reshape(36, -1))  # turned, as in _input_gradient
    dx, dU = _apply(dy, U.mT, None, plan.turned, x)
    dw = np.matmul(dU.reshape(36, -1).T, kernel[:, ::-1]).reshape(G, c, F // G, 3, 3)
    return dx, np.ascontiguousarray(dw.swapaxes(1, 2)).reshape(w.shape)


def _channels(channels, tiles):
    """Give slices of the channels whose transforms stay in the cache together."""
    few = -(-channels // -(-channels * tiles // 4000))  # the slices are of one size, nearly
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
    T, V = N * Th * Tw, scratch("V", (36, C * N * Th * Tw), x.dtype)
    for few in _channels(C, T):
        image = window(x[:, few], plan.padding, (4 * Th + 2, 4 * Tw + 2))
        sn, sc, sh, sw = image.strides
        shape, strides = (6, 6, image.shape[1], N, Th, Tw), (sh, sw, sc, sn, 4 * sh, 4 * sw)
        tiles = scratch("tiles", shape, x.dtype)
        tiles[...] = np.ndarray(shape, x.dtype, image, 0, strides)
        np.matmul(_transforms(x.dtype)[0], tiles.reshape(36, -1), out=V[:, few.start * T : few.stop * T])
    return V.reshape(36, plan.groups, -1, T)
