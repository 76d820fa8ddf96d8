"""Deep and shallow networks: what one hidden layer can do, and what several layers save.

A network is a list (or tuple) of pairs ``(W, b)``, one a layer: W (D_out, D_in), b (D_out,). An example is a row: a
layer computes x @ W.T + b. Between two layers stands an activation, and none after the last. Fractions and symbols, in
arrays of objects, stay exact.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np

from dlnotes.activation import relu


def forward(params, x, act=relu):
    """Return y (N, D_out): z = x @ W.T + b in each layer, and act(z) between two layers (claim depth-forward).

    params: pairs (W, b). x: (N, D), real, finite. act: a function of an array. Others raise a ValueError.
    """
    params = _network(params)
    fan_in = params[0][0].shape[1]
    x = _reals("x", x)
    if x.ndim != 2 or x.size == 0 or x.shape[1] != fan_in:
        raise ValueError(f"x has shape {x.shape}; expected (N, {fan_in}), not empty")
    if not callable(act):
        raise ValueError(f"act is {act!r}; expected a function")
    for layer, (W, b) in enumerate(params):
        x = (act(x) if layer else x) @ W.T + b
    return x


def squared_distances(x, centres):
    """Return (N, M), the squared distance of each x to each centre (claim depth-kernel-ignores-pixel-order).

    x: (N, D), real and finite, one example a row; centres: (M, D), the same; others raise a ValueError.
    """
    x, centres = _reals("x", x), _reals("centres", centres)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"x has shape {x.shape}; expected (N, D), not empty")
    if centres.ndim != 2 or centres.size == 0 or centres.shape[1] != x.shape[1]:
        raise ValueError(f"centres has shape {centres.shape}; expected (M, {x.shape[1]}), not empty")
    with np.errstate(over="ignore", under="ignore"):
        return ((x[:, None] - centres) ** 2).sum(-1)


def gram(x, centres):
    """Return (N, M), exp(-distance^2), for the same arguments (claim depth-kernel-machine-solves-xor)."""
    with np.errstate(under="ignore"):
        return np.exp(-squared_distances(x, centres).astype(float))


def collapse(params):
    """Return (A, b), the one layer that a network without activations is (claim depth-linear-stack).

    A is (D_out, D_in) and b (D_out,). params: pairs (W, b), one a layer; others raise a ValueError.
    """
    (A, b), *rest = _network(params)
    for W, shift in rest:
        A, b = W @ A, W @ b + shift
    return A.copy(), b.copy()


def xor_network():
    """Return the network relu(x_1 + x_2) - 2 relu(x_1 + x_2 - 1), as pairs (W, b) (claim depth-xor-network)."""
    return [(np.ones((2, 2)), np.array([0.0, -1.0])), (np.array([[1.0, -2.0]]), np.zeros(1))]


def interpolant(knots, values):
    """Return a ReLU network of one hidden layer that joins the points (knot, value) by straight lines, as pairs (W, b).

    One unit a piece. The network is constant left of the knots, and goes on straight on the right (claim
    depth-interpolant). knots: (D_h + 1,), increasing, two at least; values: (D_h + 1,); both real and finite. Others,
    and slopes too large for a float, raise a ValueError.
    """
    knots, values = _reals("knots", knots), _reals("values", values)
    if knots.ndim != 1 or knots.size < 2 or not (knots[1:] > knots[:-1]).all():
        raise ValueError(f"knots is {knots}; expected two increasing numbers or more")
    if values.shape != knots.shape:
        raise ValueError(f"values has shape {values.shape}; expected that of knots, {knots.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        gaps = np.diff(knots)
        slopes = np.diff(values) / gaps
        changes = np.concatenate((slopes[:1], np.diff(slopes)))
    if gaps.dtype != object and not np.isfinite(gaps).all():
        raise ValueError("knots are too far apart; expected distances that are finite")
    if changes.dtype != object and not np.isfinite(changes).all():
        raise ValueError("values rises too steeply between two knots; expected slopes that are finite")
    return [(np.ones((slopes.size, 1), dtype=knots.dtype), -knots[:-1]), (changes[None], values[:1].copy())]


def tent_network(t):
    """Return a ReLU network of t hidden layers of 2 units: the tent map applied t times, as pairs (W, b).

    Claims depth-tent-network, depth-tent-pieces. t: a positive integer; anything else raises a ValueError.
    Source: Telgarsky 2016.
    """
    if isinstance(t, bool | np.bool_) or not isinstance(t, int | np.integer) or t < 1:
        raise ValueError(f"t is {t!r}; expected a positive integer")
    kinks, tent = np.array([0.0, -0.5]), np.array([[2.0, -4.0]])
    hidden = [(np.ones((2, 1)) @ tent, kinks) for _ in range(t - 1)]
    return [(np.ones((2, 1)), kinks), *hidden, (tent, np.zeros(1))]


def breakpoints(params, lower=None, upper=None):
    """Return the list of the x strictly between lower and upper where the slope of a ReLU network changes, exactly.

    Between two of them the network is a straight line: there is one piece more than there are breakpoints. Fractions,
    in increasing order (claim depth-shallow-pieces). params: pairs (W, b), one a layer; one input and one output.
    lower, upper: finite real numbers, lower < upper; None: no bound on that side. Others raise a ValueError.
    """
    params = _network(params)
    if params[0][0].shape[1] != 1 or params[-1][0].shape[0] != 1:
        raise ValueError("params is another network; expected one input and one output")
    params = [(_fractions("params", W), _fractions("params", b)) for W, b in params]
    lower = None if lower is None else _end("lower", lower)
    upper = None if upper is None else _end("upper", upper)
    if lower is not None and upper is not None and lower >= upper:
        raise ValueError(f"lower is {lower}; expected less than upper, {upper}")
    # A piece: where it begins and ends, and each unit there as (slope, value at 0).
    pieces = [(lower, upper, np.array([[Fraction(1), Fraction(0)]]))]
    for layer, (W, b) in enumerate(params):
        if layer:
            pieces = [part for piece in pieces for part in _cut(*piece)]
        pieces = [(begin, end, W @ lines + np.outer(b, [0, 1])) for begin, end, lines in pieces]
    return [right[0] for left, right in pairwise(pieces) if (left[2] != right[2]).any()]


def one_hidden_layer(params, lower, upper):
    """Return a ReLU network of one hidden layer that equals a deep one on [lower, upper], exactly, as pairs (W, b).

    It has one unit a piece: one more than `breakpoints` gives (claim depth-same-functions-on-a-line). Arguments as
    there, but both ends are numbers.
    """
    lower, upper = _end("lower", lower), _end("upper", upper)
    knots = np.array([lower, *breakpoints(params, lower, upper), upper])
    exact = [(_fractions("params", W), _fractions("params", b)) for W, b in params]
    return interpolant(knots, forward(exact, knots[:, None])[:, 0])


def _cut(begin, end, lines):
    """Cut a piece where a unit is 0, and set each unit to 0 where it is negative."""
    zeros = {-value / slope for slope, value in lines if slope}
    inside = sorted(x for x in zeros if (begin is None or begin < x) and (end is None or x < end))
    for left, right in pairwise([begin, *inside, end]):
        if left is None:
            at = Fraction(0) if right is None else right - 1
        else:
            at = left + 1 if right is None else (left + right) / 2
        yield left, right, np.array([line if line[0] * at + line[1] > 0 else 0 * line for line in lines])


def _reals(name, a):
    """Return an array of finite real numbers; integers as float64."""
    try:
        a = np.asarray(a)
    except ValueError:
        raise ValueError(f"{name} is ragged; expected an array of real numbers") from None
    a = a.astype(float) if a.dtype.kind in "iu" else a
    if a.dtype.kind not in "fO":
        raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
    no = bool | np.bool_ | complex | np.complexfloating | np.ndarray
    for e in a.flat if a.dtype == object else a[~np.isfinite(a)]:
        if isinstance(e, no) or not hasattr(e, "__neg__") or e != e or e in (np.inf, -np.inf):
            raise ValueError(f"{name} holds {e!r}; expected finite real numbers")
    return a


def _fractions(name, a):
    """Return finite real numbers as Fractions, in an array of the same shape."""
    a = _reals(name, a)
    try:
        entries = [Fraction(entry.item() if isinstance(entry, np.floating) else entry) for entry in a.flat]
    except TypeError:
        raise ValueError(f"{name} holds a symbol or a long double; expected other numbers") from None
    return np.array(entries, dtype=object).reshape(a.shape)


def _end(name, a):
    """Return one finite real number as a Fraction."""
    a = _fractions(name, a)
    if a.ndim:
        raise ValueError(f"{name} has shape {a.shape}; expected one number")
    return a[()]


def _network(params):
    """Return params as pairs of arrays; check that each layer fits the one before."""
    lists = isinstance(params, list | tuple) and all(isinstance(layer, list | tuple) for layer in params)
    if not lists or {len(layer) for layer in params} != {2}:
        raise ValueError(f"params is {params!r}; expected pairs (W, b), one a layer")
    layers, fan_in = [[_reals("params", a) for a in layer] for layer in params], None
    for W, b in layers:
        if W.ndim != 2 or W.size == 0 or W.shape[1] != (fan_in or W.shape[1]) or b.shape != W.shape[:1]:
            given, wanted = f"W of shape {W.shape}, b of shape {b.shape}", f"(D_out, {fan_in or 'D_in'}), (D_out,)"
            raise ValueError(f"params holds {given}; expected {wanted}")
        fan_in = len(W)
    return layers
