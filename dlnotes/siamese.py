"""Siamese networks: two branches that share their weights, and a loss on the distance between their outputs.

A branch is layer 5, with PReLU, and layer 6, with no activation. Its input is the output of layer 4, one image a row.
Numbers are floating point, or objects that compute as numbers do, such as Fractions.
"""

from dataclasses import astuple, dataclass
from itertools import pairwise
from math import prod

import numpy as np


@dataclass(frozen=True)
class Parameters:
    """The parameters of a branch, or the gradients of the loss by them."""

    W5: np.ndarray  # (D5, D4)
    b5: np.ndarray  # (D5,)
    slope: np.ndarray  # (D5,), or () for one slope that all units share
    W6: np.ndarray  # (D6, D5)
    b6: np.ndarray  # (D6,)


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass."""

    x: np.ndarray  # (N, D4)
    x_tilde: np.ndarray  # (N, D4)
    z: np.ndarray  # (N, D5): layer 5 before PReLU
    z_tilde: np.ndarray  # (N, D5)
    params: Parameters
    params_tilde: Parameters | None  # None: the branches share their weights


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dparams: Parameters  # shared weights: the sum of what the two branches send back
    dparams_tilde: Parameters | None  # None: the branches share their weights
    dx: np.ndarray  # (N, D4)
    dx_tilde: np.ndarray  # (N, D4)


def forward(params, x, x_tilde, *, params_tilde=None):
    """Return ``(h, h_tilde, saved)``: the outputs of layer 6 for the two images of each pair, (N, D6).

    Claim siamese-forward.

    Args:
        params: `Parameters` of the first branch, and of the second if params_tilde is None.
        x, x_tilde: (N, D4), finite: what layer 4 gives for the two images.
        params_tilde: `Parameters` of the second branch, of the same shapes, or None.

    Raises:
        ValueError: a shape or a dtype is not as said, or a number is not finite.
    """
    params = _parameters("params", params)
    second = params if params_tilde is None else _parameters("params_tilde", params_tilde, like=params)
    x, x_tilde = _matrix("x", x), _matrix("x_tilde", x_tilde)
    if x.shape[1] != params.W5.shape[1]:
        raise ValueError(f"x has shape {x.shape}; expected (N, {params.W5.shape[1]})")
    if x_tilde.shape != x.shape:
        raise ValueError(f"x_tilde has shape {x_tilde.shape}; expected that of x, {x.shape}")
    z, z_tilde = x @ params.W5.T + params.b5, x_tilde @ second.W5.T + second.b5
    h = prelu(z, params.slope) @ params.W6.T + params.b6
    h_tilde = prelu(z_tilde, second.slope) @ second.W6.T + second.b6
    return h, h_tilde, Saved(x, x_tilde, z, z_tilde, params, None if params_tilde is None else second)


def prelu(z, slope):
    """Return z where z > 0, and slope * z elsewhere (claim siamese-forward).

    z: (N, D), finite. slope: (D,), or one number. Anything else raises a ValueError.
    """
    z, slope = _units(z, slope)
    return np.where(z > 0, z, slope * z)


def d_prelu(z, slope):
    """Return 1 where z > 0, and the slope elsewhere; at 0 there is no derivative, and this gives the slope.

    Claim siamese-negative-slope. Arguments and errors: as ``prelu``.
    """
    z, slope = _units(z, slope)
    return np.where(z > 0, 1 + 0 * slope, slope)


def distance(h, h_tilde):
    """Return half the squared distance of each pair, (N,) (claim siamese-loss). h, h_tilde: (N, D6), finite."""
    difference = _difference(h, h_tilde)
    with np.errstate(over="ignore", under="ignore"):  # a distance that is too large is infinite
        return (difference * difference).sum(1) / 2


def loss(h, h_tilde, labels):
    """Return the mean over pairs of label * max(1 - d, 0) + (1 - label) * d, a number (claim siamese-loss).

    Args:
        h, h_tilde: (N, D6), finite.
        labels: (N,), 0 for two images of one class, 1 for images of two classes.

    Raises:
        ValueError: a shape, a dtype or a label is not as said.
    """
    d = distance(h, h_tilde)
    different = _labels(labels, len(d)) == 1
    with np.errstate(over="ignore"):
        return np.where(different, np.maximum(1 - d, 0), d).sum() / len(d)


def d_loss(h, h_tilde, labels):
    """Return ``(dh, dh_tilde)``, gradients of ``loss`` by the outputs, (N, D6): g (h - h_tilde) / N, and minus it.

    Claims siamese-output-gradient, siamese-margin-kink: at d = 1 a pair of two classes is left alone.
    Arguments and errors: as ``loss``.
    """
    d = distance(h, h_tilde)
    labels = _labels(labels, len(d))
    g = (1 - labels) - labels * (d < 1)
    dh = g[:, None] * _difference(h, h_tilde) / len(d)
    return dh, -dh


def backward(dh, dh_tilde, saved):
    """Return ``Gradients(dparams, dparams_tilde, dx, dx_tilde)``, given those by the outputs.

    Claims siamese-last-layer-gradient, siamese-prelu-layer-gradient, siamese-untied-gradients.

    Args:
        dh, dh_tilde: (N, D6), finite.
        saved: what ``forward`` saved.

    Raises:
        ValueError: a shape or a dtype is not as said.
    """
    expected = (len(saved.x), len(saved.params.b6))
    dh, dh_tilde = _matrix("dh", dh), _matrix("dh_tilde", dh_tilde)
    for name, given in (("dh", dh), ("dh_tilde", dh_tilde)):
        if given.shape != expected:
            raise ValueError(f"{name} has shape {given.shape}; expected that of the outputs, {expected}")
    dparams, dx = _branch(dh, saved.x, saved.z, saved.params)
    second, dx_tilde = _branch(dh_tilde, saved.x_tilde, saved.z_tilde, saved.params_tilde or saved.params)
    if saved.params_tilde is None:
        return Gradients(_each(np.add, dparams, second), None, dx, dx_tilde)
    return Gradients(dparams, second, dx, dx_tilde)


def descend(params, dparams, step):
    """Return w - step * dw for each of the parameters, as `Parameters` (claim siamese-update).

    params, dparams: `Parameters` of the same shapes. step: a number, not negative. Anything else raises a ValueError.
    """
    params = _parameters("params", params)
    dparams = _parameters("dparams", dparams, like=params)
    step = _number("step", step, lambda value: value >= 0, "one finite number that is not negative")
    return _each(lambda w, dw: w - step * dw, params, dparams)


def parameter_count(channels, kernel_sizes, widths, *, size, strides=None, slopes=None, pooled=False, tied=True):
    """Return the number of scalar parameters, an int (claim siamese-parameter-count).

    Args:
        channels: (C_0, ..., C_4): of the image, then of each convolution.
        kernel_sizes: (k_1, ..., k_4), of square kernels.
        widths: (D_5, D_6): units of the PReLU layer and of the last layer.
        size: height and width of the image, in pixels.
        strides: one a convolution, all padded to 'SAME'; None for 1.
        slopes: how many PReLU has; None for one a unit of layer 5.
        pooled: whether a mean over positions stands between layers 4 and 5.
        tied: whether the branches share all parameters.

    Raises:
        ValueError: an argument is not as said; sizes are positive integers.
    """
    channels = _counts("channels", channels)
    kernel_sizes = _counts("kernel_sizes", kernel_sizes, len(channels) - 1)
    widths, (size,) = _counts("widths", widths, 2), _counts("size", [size], 1)
    strides = _counts("strides", [1] * len(kernel_sizes) if strides is None else strides, len(kernel_sizes))
    (slopes,) = _counts("slopes", [widths[0] if slopes is None else slopes], 1)
    for name, flag in (("pooled", pooled), ("tied", tied)):
        if not isinstance(flag, bool | np.bool_):
            raise ValueError(f"{name} is {flag!r}; expected true or false")
    convolutions = sum((k * k * C + 1) * F for k, (C, F) in zip(kernel_sizes, pairwise(channels), strict=True))
    side = 1 if pooled else -(-size // prod(strides))  # rounded up
    inputs, (units, outputs) = side * side * channels[-1], widths
    total = convolutions + (inputs + 1) * units + slopes + (units + 1) * outputs
    return total if tied else 2 * total


def dropout_distance(h, h_tilde, keep, *, W=None, shared=False, scaled=True):
    """Return the expected distance of each pair, (N,), with dropout on h and on h_tilde.

    Claims siamese-dropout-output, siamese-dropout-shared, siamese-dropout-hidden.

    Args:
        h, h_tilde: (N, D), finite.
        keep: the probability that a unit is kept, above 0 and at most 1.
        W: (D_out, D), of a linear layer after the dropout; None if there is none.
        shared: whether both images of a pair get one mask.
        scaled: whether the kept units are divided by keep (inverted dropout).

    Raises:
        ValueError: an argument is not as said.
    """
    difference = _difference(h, h_tilde)
    h, h_tilde = _matrix("h", h), _matrix("h_tilde", h_tilde)
    keep = _number("keep", keep, lambda value: 0 < value <= 1, "a probability above 0, at most 1")
    if W is None:
        output, squared_columns = difference, 1
    else:
        W = _matrix("W", W)
        if W.shape[1] != h.shape[1]:
            raise ValueError(f"W has shape {W.shape}; expected (D_out, {h.shape[1]})")
        output, squared_columns = difference @ W.T, (W * W).sum(0)
    noise = difference**2 if shared else h**2 + h_tilde**2
    expected = (output * output).sum(1) / 2 + (1 - keep) / (2 * keep) * (squared_columns * noise).sum(1)
    return expected if scaled else keep * keep * expected


def divergence(activity, target):
    """Return the Kullback-Leibler divergence of each unit, as activity (claim siamese-kl-value).

    Args:
        activity: any shape, between 0 and 1, both excluded.
        target: a number between 0 and 1, both excluded.

    Raises:
        ValueError: an argument is not as said; at and beyond 0 and 1 there is no divergence.
    """
    r, target = _rates(activity, target)
    return target * (np.log(target) - np.log(r)) + (1 - target) * (np.log1p(-target) - np.log1p(-r))


def d_divergence(activity, target):
    """Return its derivative by the activity, (r - target) / (r (1 - r)) (claim siamese-kl-derivative).

    Arguments and errors: as ``divergence``. Symbols work too.
    """
    r, target = _rates(activity, target)
    with np.errstate(over="ignore"):
        return (r - target) / r / (1 - r)


def sparsity(h, target):
    """Return the sum over units of the divergence of their mean activity, a number (claim siamese-kl-value).

    h: (N, D6), whose means over the N examples are between 0 and 1. Errors: as ``d_sparsity``.
    """
    return divergence(_activity(h), target).sum()


def d_sparsity(h, target):
    """Return the gradient of ``sparsity`` by h, (N, D6): the same for each example (claim siamese-sparsity-gradient).

    Args:
        h: (N, D6), finite: the outputs that are to be sparse.
        target: the mean activity aimed at, between 0 and 1.

    Raises:
        ValueError: an argument is not as said, or a unit's mean over the examples is not between 0 and 1.
    """
    r = _activity(h)
    return np.tile(d_divergence(r, target) / len(h), (len(h), 1))


def _branch(dh, x, z, params):
    """What one branch sends back: gradients by its parameters, and by its input."""
    dh5 = dh @ params.W6
    dz = dh5 * d_prelu(z, params.slope)
    below = dh5 * np.where(z > 0, 0 * z, z)  # the derivative of PReLU by its slope is min(z, 0)
    dslope = below.sum(0) if params.slope.ndim else below.sum()
    return Parameters(dz.T @ x, dz.sum(0), np.asarray(dslope), dh.T @ prelu(z, params.slope), dh.sum(0)), dz @ params.W5


def _each(f, *several):
    """Apply f to the parameters of one name."""
    return Parameters(*(np.asarray(f(*arrays)) for arrays in zip(*map(astuple, several), strict=True)))


def _array(name, value, ndim):
    """As an array of floating point numbers, or of objects, all finite."""
    try:
        value = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}; expected rows of one length") from error
    if value.dtype.kind in "iu":
        value = value.astype(float)
    if value.ndim not in ndim or value.size == 0:
        raise ValueError(f"{name} has shape {value.shape}; expected {' or '.join(map(str, ndim))} axes, not empty")
    strange = str | bool | complex | list | type(None)
    if value.dtype.kind not in "fO" or (value.dtype == object and any(isinstance(v, strange) for v in value.flat)):
        raise ValueError(f"{name} has dtype {value.dtype}; expected real numbers")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{name} holds an infinity or NaN; expected finite numbers")
    return value


def _matrix(name, value):
    return _array(name, value, (2,))


def _number(name, value, holds, expected):
    try:
        array = np.asarray(value)
        fits = array.ndim == 0 and array.dtype.kind in "fiuO" and holds(array[()]) and array < np.inf
    except (TypeError, ValueError):  # not a number, or a ragged list
        fits = False
    if not fits:
        raise ValueError(f"{name} is {value}; expected {expected}")
    return array[()]


def _units(z, slope):
    z, slope = _matrix("z", z), _array("slope", slope, (0, 1))
    if slope.ndim and len(slope) != z.shape[1]:
        raise ValueError(f"slope has shape {slope.shape}; expected () or ({z.shape[1]},)")
    return z, slope


def _parameters(name, params, like=None):
    """Check that the shapes fit one another, or those of `like`."""
    if not isinstance(params, Parameters):
        raise ValueError(f"{name} is of type {type(params).__name__}; expected Parameters")
    given = Parameters(
        *(_array(name, a, (0, 1, 2)) for a in (params.W5, params.b5, params.slope, params.W6, params.b6))
    )
    shapes = [a.shape for a in astuple(given)]
    if like is not None:
        fits, expected = (
            shapes == [a.shape for a in astuple(like)],
            f"those of params, {[*map(np.shape, astuple(like))]}",
        )
    else:
        D5, D6 = given.b5.size, given.b6.size
        fits = given.W5.ndim == 2 and given.W5.shape[0] == D5 and given.slope.shape in ((), (D5,))
        fits = fits and shapes[1] == (D5,) and shapes[3:] == [(D6, D5), (D6,)]
        expected = "W5 (D5, D4), b5 (D5,), slope () or (D5,), W6 (D6, D5), b6 (D6,)"
    if not fits:
        raise ValueError(f"{name} has shapes {shapes}; expected {expected}")
    return given


def _difference(h, h_tilde):
    h, h_tilde = _matrix("h", h), _matrix("h_tilde", h_tilde)
    if h_tilde.shape != h.shape:
        raise ValueError(f"h_tilde has shape {h_tilde.shape}; expected that of h, {h.shape}")
    with np.errstate(over="ignore"):
        return h - h_tilde


def _labels(labels, N):
    try:
        labels = np.asarray(labels)
    except ValueError as error:
        raise ValueError(f"labels is not an array: {error}; expected ({N},)") from error
    if labels.shape != (N,):
        raise ValueError(f"labels has shape {labels.shape}; expected ({N},), one a pair")
    if labels.dtype.kind not in "iu" or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels is {labels}; expected integers, 0 for the same class and 1 for different ones")
    return labels.astype(int)  # unsigned labels would wrap around


def _counts(name, values, length=None):
    try:
        given = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is {values}; expected positive integers") from error
    if given.ndim != 1 or given.dtype.kind not in "iu" or len(given) < 2 - (length == 1) or (given < 1).any():
        raise ValueError(f"{name} is {values}; expected positive integers")
    if length is not None and len(given) != length:
        raise ValueError(f"{name} has {len(given)} entries; expected {length}")
    return given.tolist()


def _rates(activity, target):
    r = _array("activity", activity, tuple(range(9)))
    target = _number("target", target, lambda value: 0 < value < 1, "a number between 0 and 1")
    if r.dtype != object and not ((r > 0) & (r < 1)).all():
        raise ValueError(f"activity is {r}; expected numbers between 0 and 1, or there is no divergence")
    return r, target


def _activity(h):
    h = _matrix("h", h)
    r = h.sum(0) / len(h)
    if not ((r > 0) & (r < 1)).all():
        raise ValueError(f"h has the means {r}; expected means between 0 and 1, or there is no divergence")
    return r
