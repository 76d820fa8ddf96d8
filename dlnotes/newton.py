"""Newton's method, and products of a Hessian and a vector: by differences, and exactly by the R operator.

H is the Hessian of a loss L at the parameters w (P,), and v (P,) a direction. A network is a sequence of pairs
(W, b), one a layer. All functions but those of the network take arrays of Fractions too, and
the differences take symbols.
"""

from fractions import Fraction

import numpy as np


def newton_step(gradient, hessian):
    """Return the displacement -H^{-1} gradient, to be added to w. Claim newton-minimiser.

    By elimination on positive pivots of the diagonal. H is positive definite if, and only
    if, there are P of them. So the elimination that solves also decides.

    Args:
        gradient: (P,), of the loss at w.
        hessian: (P, P), symmetric (to rounding), positive definite.

    Raises:
        ValueError: a shape or dtype is not as said; or hessian is not symmetric, or not
            positive definite: the message says whether the model has no minimiser or many.
    """
    gradient, H = _reals(gradient, "gradient", 1), _reals(hessian, "hessian", 2)
    if H.shape != gradient.shape * 2:
        raise ValueError(
            f"hessian has shape {H.shape}; expected {gradient.shape * 2}, as gradient has {gradient.shape}"
        )
    exact = object in (H.dtype, gradient.dtype)
    slack = 0 if exact else len(H) * max(np.finfo(a.dtype).eps for a in (H, gradient))
    if np.any(H != H.T if exact else abs(H / 2 - H.T / 2) > slack**0.5 * abs(H).max()):
        raise ValueError("hessian is not symmetric; expected a symmetric matrix")
    # scale[i] scale[j] is what rounding may leave of H[i, j]: so the units of the parameters do not matter.
    scale = 0 * np.diag(H) if exact else np.sqrt(abs(np.diag(H))) * slack**0.5
    rest, slope, rounds = H / 2 + H.T / 2, -gradient, []
    with np.errstate(over="ignore", invalid="ignore"):  # only where H is not positive definite
        while able := [i for i in range(len(H)) if rest[i, i] > scale[i] * scale[i]]:
            k = able[0] if exact else max(able, key=lambda i: rest[i, i] / H[i, i])
            row = rest[k] / rest[k, k]
            rounds.append((k, row, slope[k] / rest[k, k]))
            rest, slope = rest - np.outer(rest[:, k], row), slope - row * slope[k]
            rest[k], rest[:, k], slope[k] = 0, 0, 0
        negative = np.any(~(abs(rest) <= np.outer(scale, scale)))
    if negative:
        raise ValueError("hessian has a negative eigenvalue; expected positive ones: the model has no minimiser")
    if len(rounds) < len(H):  # no curvature is left: all depends on the slope that is
        curved = scale > 0
        left = 100 * slack * scale * max(abs(gradient[curved]) / scale[curved], default=0)
        none = any(abs(slope) > left)
        why = "the model has " + ("no minimiser" if none else "infinitely many minimisers")
        raise ValueError(f"hessian is singular; expected positive eigenvalues: {why}")
    step = 0 * slope
    for k, row, target in reversed(rounds):
        step[k] = target - row @ step
    return step


def hvp_forward_difference(gradient, w, v, r):
    """Return (gradient(w + r v) - gradient(w)) / r.

    Claims newton-forward-difference, newton-forward-error.

    Args:
        gradient: a function, from an array as w to one as w.
        w, v: (P,), the point and the direction.
        r: a positive number: the displacement is r v.

    Raises:
        ValueError: a shape or dtype is not as said, or r is not positive.
    """
    gradient, w, v = _difference(gradient, w, v, r)
    return (gradient(w + r * v) - gradient(w)) / r


def hvp_central_difference(gradient, w, v, r):
    """Return (gradient(w + r v) - gradient(w - r v)) / (2 r).

    Claims newton-central-difference, newton-central-error. Arguments and errors as for ``hvp_forward_difference``.
    """
    gradient, w, v = _difference(gradient, w, v, r)
    return (gradient(w + r * v) - gradient(w - r * v)) / (2 * r)


def mlp_gradient(params, x, labels):
    """Return the gradient of the mean cross-entropy by each W and b.

    Claim newton-mlp-gradient.

    Args:
        params: pairs (W, b), one a layer, W (D_out, D_in), b (D_out,), floating
            point. Hidden units are softplus; the last layer gives the logits.
        x: (N, D), floating point.
        labels: (N,), integers from 0.

    Returns:
        a list of pairs, shaped as params.

    Raises:
        ValueError: a shape, a dtype or a label is not as said.
    """
    params, x, labels = _network(params, x, labels)
    z, h = [], [x]
    for W, b in params:
        z.append(h[-1] @ W.T + b)
        h.append(np.logaddexp(0, z[-1]))
    dz = (_softmax(z[-1]) - np.eye(len(b), dtype=x.dtype)[labels]) / len(x)
    gradient = []
    for i in reversed(range(len(params))):
        gradient.append((dz.T @ h[i], dz.sum(0)))
        if i:
            dz = dz @ params[i][0] * _sigmoid(z[i - 1])
    return gradient[::-1]


def mlp_hvp(params, x, labels, v):
    """Return H v, exact: each line of the gradient, and R of it. Claim newton-mlp-hvp.

    Args:
        params, x, labels: as for ``mlp_gradient``.
        v: the direction, pairs shaped as params.

    Returns:
        a list of pairs, shaped as params.

    Raises:
        ValueError: a shape, a dtype or a label is not as said.

    Source: Pearlmutter 1994, section 4, for squared error and sigmoid units.
    """
    params, x, labels = _network(params, x, labels)
    v = _direction(v, params)
    z, h, Rz, Rh = [], [x], [], [None]  # R{x} = 0
    for i, ((W, b), (RW, Rb)) in enumerate(zip(params, v, strict=True)):
        z.append(h[-1] @ W.T + b)
        Rz.append(h[-1] @ RW.T + Rb + (Rh[-1] @ W.T if i else 0))
        h.append(np.logaddexp(0, z[-1]))
        Rh.append(_sigmoid(z[-1]) * Rz[-1])
    p = _softmax(z[-1])
    dz = (p - np.eye(len(b), dtype=x.dtype)[labels]) / len(x)
    Rdz = p * (Rz[-1] - (p * Rz[-1]).sum(1, keepdims=True)) / len(x)
    product = []
    for i in reversed(range(len(params))):
        RdW = Rdz.T @ h[i] + (dz.T @ Rh[i] if i else 0)
        product.append((RdW, Rdz.sum(0)))
        if i:
            slope = _sigmoid(z[i - 1])
            dh, Rdh = dz @ params[i][0], Rdz @ params[i][0] + dz @ v[i][0]
            dz = dh * slope
            Rdz = Rdh * slope + dh * slope * _sigmoid(-z[i - 1]) * Rz[i - 1]
    return product[::-1]


def conjugate_gradient(hvp, b, *, tolerance=0, iterations=None):
    """Return the solution s of H s = b, from products with H only. Claim newton-conjugate-gradient.

    Args:
        hvp: a function, from a direction (P,) to H times it; H symmetric, positive definite.
        b: (P,).
        tolerance: stop when the norm of b - H s is at most this share of that of b. In
            floating point the machine epsilon at least.
        iterations: at most as many calls of hvp. By default P, and in floating point 10 P,
            as rounding delays the end. They may be too few: then the last s is returned. Look at b - H s.

    Raises:
        ValueError: hvp is no function or shows a direction v with v^T H v <= 0; b is not a vector;
            tolerance is negative.

    Source: Hestenes and Stiefel 1952.
    """
    if not callable(hvp):
        raise ValueError(f"hvp is {type(hvp).__name__}; expected a function")
    b = _reals(b, "b", 1)
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; expected 0 or more")
    exact = b.dtype == object
    size = 1 if exact or not b.any() else abs(b).max()  # its square may overflow
    residual = direction = b / size
    s, square = 0 * residual, residual @ residual
    stop = max(tolerance, 0 if exact else np.finfo(b.dtype).eps) ** 2 * square
    if iterations is None:
        iterations = len(b) if exact else 10 * len(b)
    for _ in range(iterations):
        if square <= stop:
            break
        curved = np.array(hvp(direction.copy()))
        if curved.shape != b.shape:
            raise ValueError(f"hvp gives shape {curved.shape}; expected {b.shape}, as b")
        curvature = direction @ curved
        if not curvature > 0:
            raise ValueError(f"hvp gives v^T H v = {curvature} for some v; expected more than 0")
        length = square / curvature
        s, residual = s + length * direction, residual - length * curved
        before, square = square, residual @ residual
        direction = residual + square / before * direction
    return s * size


def _sigmoid(z):
    return np.exp(-np.logaddexp(0, -z))


def _softmax(z):
    with np.errstate(over="ignore"):  # a difference beyond the largest number: its exponential is 0
        powers = np.exp(z - z.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _reals(a, name, ndim):
    """The array, in floating point; an array of objects is kept, its integers as Fractions."""
    a = np.asarray(a)
    if a.ndim != ndim or a.size == 0:
        raise ValueError(f"{name} has shape {a.shape}; expected {'(P,)' if ndim == 1 else '(P, P)'}, not empty")
    if a.dtype == object:
        return np.array([Fraction(int(e)) if isinstance(e, int | np.integer) else e for e in a.flat]).reshape(a.shape)
    if a.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
    if not np.isfinite(a).all():
        raise ValueError(f"{name} has an entry that is not finite; expected finite numbers")
    return a if a.dtype.kind == "f" else a.astype(float)


def _difference(gradient, w, v, r):
    """Check what a difference is given; return the gradient with its shape checked, w and v."""
    if not callable(gradient):
        raise ValueError(f"gradient is {type(gradient).__name__}; expected a function")
    w, v = _reals(w, "w", 1), _reals(v, "v", 1)
    if v.shape != w.shape:
        raise ValueError(f"v has shape {v.shape}; expected {w.shape}, as w")
    if r is None or np.ndim(r) or np.asarray(r).dtype.kind not in "fiuO" or not r > 0 or r == np.inf:
        raise ValueError(f"r is {r}; expected one positive finite number")

    def checked(point):
        value = np.array(gradient(point.copy()))  # it may write to its argument, or reuse its result
        if value.shape != w.shape:
            raise ValueError(f"gradient gives shape {value.shape}; expected {w.shape}, as w")
        return value

    return checked, w, v


def _network(params, x, labels):
    """Check a network and its data; return them as arrays."""
    x, labels = np.asarray(x), np.asarray(labels)
    if x.ndim != 2 or x.size == 0 or x.dtype.kind != "f":
        raise ValueError(f"x has shape {x.shape} and dtype {x.dtype}; expected (N, D), floating point, not empty")
    params = _pairs(params, "params")
    if not params:
        raise ValueError("params has no layer; expected one pair (W, b) at least")
    D = x.shape[1]
    for i, (W, b) in enumerate(params, 1):
        if W.ndim != 2 or W.size == 0 or W.shape[1] != D or b.shape != W.shape[:1]:
            raise ValueError(f"params has shapes {W.shape} and {b.shape} in layer {i}; expected (D_out, {D}), (D_out,)")
        D = len(W)
    if labels.shape != x.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"labels has shape {labels.shape} and dtype {labels.dtype}; expected ({len(x)},), integers")
    if labels.min() < 0 or labels.max() >= D:
        raise ValueError(f"labels runs from {labels.min()} to {labels.max()}; expected 0 to {D - 1}")
    return params, x, labels


def _direction(v, params):
    """Check a direction against the network; return it as arrays."""
    v = _pairs(v, "v")
    given, expected = ([tuple(a.shape for a in pair) for pair in pairs] for pairs in (v, params))
    if given != expected:
        raise ValueError(f"v has shapes {given}; expected those of params, {expected}")
    return v


def _pairs(pairs, name):
    try:
        arrays = [(np.asarray(first), np.asarray(second)) for first, second in pairs]
    except (TypeError, ValueError):
        raise ValueError(f"{name} is not a sequence of pairs; expected (W, b), one a layer") from None
    for array in (a for pair in arrays for a in pair):
        if array.dtype.kind != "f":
            raise ValueError(f"{name} has dtype {array.dtype}; expected floating point")
    return arrays
