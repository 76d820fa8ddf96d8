"""Siamese networks: two branches that share their weights, and a loss on the distance between their outputs.

A branch is layer 5, with PReLU, and layer 6, with no activation. Its input is the output of layer 4, one image a row.
Numbers are finite, floating point, or objects that compute as numbers do, such as Fractions. Where a number, an array
or `Parameters` are not as a docstring says, a ValueError begins with the argument's name.
"""

from dataclasses import astuple, dataclass
from itertools import pairwise
from math import prod
from numbers import Real

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
        x, x_tilde: (N, D4): what layer 4 gives for the two images.
        params_tilde: `Parameters` of the second branch, of the same shapes, or None.
    """
    params = _parameters("params", params)
    second = params if params_tilde is None else _parameters("params_tilde", params_tilde, like=params)
    x = _array("x", x, None, params.W5.shape[1])
    x_tilde = _array("x_tilde", x_tilde, *x.shape)
    z, z_tilde = x @ params.W5.T + params.b5, x_tilde @ second.W5.T + second.b5
    h = prelu(z, params.slope) @ params.W6.T + params.b6
    h_tilde = prelu(z_tilde, second.slope) @ second.W6.T + second.b6
    return h, h_tilde, Saved(x, x_tilde, z, z_tilde, params, None if params_tilde is None else second)


def prelu(z, slope):
    """Return z where z > 0, and slope * z elsewhere (claim siamese-forward). z: (N, D); slope: (D,) or one number."""
    z, slope = _units(z, slope)
    return np.where(z > 0, z, slope * z)


def d_prelu(z, slope):
    """Return 1 where z > 0, and the slope elsewhere (claim siamese-negative-slope). Arguments: as ``prelu``.

    At 0 there is no derivative, unless the slope is 1; this gives the slope.
    """
    z, slope = _units(z, slope)
    return np.where(z > 0, 1 + 0 * slope, slope)


def distance(h, h_tilde):
    """Return half the squared distance of each pair, (N,) (claim siamese-loss). h, h_tilde: (N, D6)."""
    difference = _difference(h, h_tilde)
    with np.errstate(over="ignore", under="ignore"):  # a distance that is too large is infinite
        return (difference * difference).sum(1) / 2


def loss(h, h_tilde, labels):
    """Return the mean over pairs of label * max(1 - d, 0) + (1 - label) * d, a number (claim siamese-loss).

    Args:
        h, h_tilde: (N, D6).
        labels: (N,), integers: 0 for two images of one class, 1 for images of two classes.
    """
    d = distance(h, h_tilde)
    different = _labels(labels, len(d)) == 1
    with np.errstate(over="ignore"):
        return np.where(different, np.maximum(1 - d, 0), d).sum() / len(d)


def d_loss(h, h_tilde, labels):
    """Return ``(dh, dh_tilde)``, gradients of ``loss`` by the outputs, (N, D6): g (h - h_tilde) / N, and minus it.

    Claims siamese-output-gradient, siamese-margin-kink: at d = 1 a pair of two classes is left alone.
    Arguments: as ``loss``.
    """
    d = distance(h, h_tilde)[:, None]
    different = _labels(labels, len(d))[:, None] == 1
    pull = _difference(h, h_tilde) / len(d)
    dh = np.where(different, np.where(d < 1, -pull, 0), pull)  # g is -1, 0 or 1
    return dh, -dh


def backward(dh, dh_tilde, saved):
    """Return ``Gradients(dparams, dparams_tilde, dx, dx_tilde)``, given those by the outputs.

    Claims siamese-last-layer-gradient, siamese-prelu-layer-gradient, siamese-untied-gradients.

    Args:
        dh, dh_tilde: (N, D6).
        saved: what ``forward`` saved.
    """
    shape = len(saved.x), len(saved.params.b6)
    dh, dh_tilde = _array("dh", dh, *shape), _array("dh_tilde", dh_tilde, *shape)
    dparams, dx = _branch(dh, saved.x, saved.z, saved.params)
    second, dx_tilde = _branch(dh_tilde, saved.x_tilde, saved.z_tilde, saved.params_tilde or saved.params)
    if saved.params_tilde is None:
        return Gradients(_each(np.add, dparams, second), None, dx, dx_tilde)
    return Gradients(dparams, second, dx, dx_tilde)


def descend(params, dparams, step):
    """Return w - step * dw for each of the parameters, as `Parameters` (claim siamese-update).

    params, dparams: `Parameters` of the same shapes. step: a number, not negative.
    """
    params = _parameters("params", params)
    dparams = _parameters("dparams", dparams, like=params)
    step = _number("step", step, lambda value: value >= 0, "one finite number that is not negative")
    return _each(lambda w, dw: w - step * dw, params, dparams)


def parameter_count(channels, kernel_sizes, widths, *, size, strides=None, slopes=None):
    """Return the number of scalar parameters of a branch, an int (claim siamese-parameter-count).

    Args: positive integers.
        channels: (C_0, ..., C_4): of the image, then of each convolution.
        kernel_sizes: (k_1, ..., k_4), of square kernels.
        widths: (D_5, D_6): units of the PReLU layer and of the last layer.
        size: height and width of the image, in pixels. A mean over positions before layer 5 counts as size 1.
        strides: one a convolution, all padded to 'SAME'; None for 1.
        slopes: how many PReLU has; None for one a unit of layer 5.
    """
    channels = _counts("channels", channels)
    kernel_sizes = _counts("kernel_sizes", kernel_sizes, len(channels) - 1)
    (units, outputs), (size,) = _counts("widths", widths, 2), _counts("size", [size], 1)
    strides = _counts("strides", [1] * len(kernel_sizes) if strides is None else strides, len(kernel_sizes))
    (slopes,) = _counts("slopes", [units if slopes is None else slopes], 1)
    convolutions = sum((k * k * C + 1) * F for k, (C, F) in zip(kernel_sizes, pairwise(channels), strict=True))
    side = -(-size // prod(strides))  # rounded up
    return convolutions + (side * side * channels[-1] + 1) * units + slopes + (units + 1) * outputs


def dropout_distance(h, h_tilde, keep, *, W=None, shared=False, scaled=True):
    """Return the expected distance of each pair, (N,), with dropout on h and on h_tilde.

    Claims siamese-dropout-output, siamese-dropout-shared, siamese-dropout-hidden.

    Args:
        h, h_tilde: (N, D).
        keep: the probability that a unit is kept, above 0 and at most 1.
        W: (D_out, D), of a linear layer after the dropout; None if there is none.
        shared: whether both images of a pair get one mask.
        scaled: whether the kept units are divided by keep (inverted dropout).
    """
    difference, h, h_tilde = _difference(h, h_tilde), np.asarray(h), np.asarray(h_tilde)
    keep = _number("keep", keep, lambda value: 0 < value <= 1, "a probability above 0, at most 1")
    W = np.eye(h.shape[1], dtype=int) if W is None else _array("W", W, None, h.shape[1])
    output, squared_columns = difference @ W.T, (W * W).sum(0)
    noise = difference**2 if shared else h**2 + h_tilde**2
    expected = (output * output).sum(1) / 2 + (1 - keep) / (2 * keep) * (squared_columns * noise).sum(1)
    return expected if scaled else keep * keep * expected


def sparsity(h, target):
    """Return the divergence of each unit's mean activity from the target, summed over units (claim siamese-kl-value).

    h: (N, D6), whose means over the N images are between 0 and 1. target: a number between 0 and 1.
    """
    r, target = _rates(h, target)
    return (target * (np.log(target) - np.log(r)) + (1 - target) * (np.log1p(-target) - np.log1p(-r))).sum()


def d_sparsity(h, target):
    """Return the gradient of ``sparsity`` by h, (N, D6), the same for each image.

    Claims siamese-kl-derivative, siamese-sparsity-gradient. Arguments: as ``sparsity``. Symbols work too.
    """
    r, target = _rates(h, target)
    with np.errstate(over="ignore"):
        return np.tile((r - target) / r / (1 - r) / len(h), (len(h), 1))


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


def _rows(name, value):
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}; expected rows of one length") from error


def _array(name, value, *shape):
    """As an array of real numbers, all finite, of that shape; None stands for any length but 0."""
    value = _rows(name, value)
    fits = value.ndim == len(shape) and all(n in (None, m) for m, n in zip(value.shape, shape, strict=True))
    if not fits or value.size == 0:
        raise ValueError(f"{name} has shape {value.shape}; expected {shape}, not empty".replace("None", "any"))
    if value.dtype.kind in "iu":
        value = value.astype(float)
    strange = str | bool | complex | list | type(None)
    if value.dtype.kind not in "fO" or (value.dtype == object and any(isinstance(v, strange) for v in value.flat)):
        raise ValueError(f"{name} has dtype {value.dtype}; expected real numbers")
    try:
        with np.errstate(invalid="ignore"):
            finite = not np.any(value - value != 0)  # for an infinity, and for NaN
    except TypeError as error:
        raise ValueError(f"{name} holds what is no number: {error}; expected real numbers") from error
    if not finite:
        raise ValueError(f"{name} holds an infinity or NaN; expected finite numbers")
    return value


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
    z = _array("z", z, None, None)
    return z, _slope("slope", slope, z.shape[1])


def _slope(name, slope, D5):
    try:
        return _array(name, slope)
    except ValueError:
        return _array(name, slope, D5)


def _parameters(name, params, like=None):
    """Check that the shapes fit one another, and those of `like`."""
    if not isinstance(params, Parameters):
        raise ValueError(f"{name} is of type {type(params).__name__}; expected Parameters")
    W5 = _array(f"{name} W5", params.W5, None, None)
    W6 = _array(f"{name} W6", params.W6, None, len(W5))
    b5, b6 = _array(f"{name} b5", params.b5, len(W5)), _array(f"{name} b6", params.b6, len(W6))
    given = Parameters(W5, b5, _slope(f"{name} slope", params.slope, len(W5)), W6, b6)
    shapes, expected = ([a.shape for a in astuple(each)] for each in (given, like or given))
    if shapes != expected:
        raise ValueError(f"{name} has shapes {shapes}; expected those of params, {expected}")
    return given


def _difference(h, h_tilde):
    h = _array("h", h, None, None)
    with np.errstate(over="ignore"):
        return h - _array("h_tilde", h_tilde, *h.shape)


def _labels(labels, N):
    labels = _rows("labels", labels)
    if labels.shape != (N,) or labels.dtype.kind not in "iu" or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels is {labels}; expected {N} integers, 0 for the same class and 1 for different ones")
    return labels


def _counts(name, values, length=None):
    given = _rows(name, values)
    fits = given.ndim == 1 and given.dtype.kind in "iu" and (given > 0).all()
    if not fits or (len(given) < 2 if length is None else len(given) != length):
        raise ValueError(f"{name} is {values}; expected {length or 'two or more'} positive integers")
    return given.tolist()


def _rates(h, target):
    """The mean activity of each unit, and the target."""
    h = _array("h", h, None, None)
    r = h.sum(0) / len(h)
    if not all(0 < rate < 1 for rate in r if isinstance(rate, Real)):  # symbols are let through
        raise ValueError(f"h has the means {r}; expected means between 0 and 1, or there is no divergence")
    return r, _number("target", target, lambda value: 0 < value < 1, "a number between 0 and 1")
