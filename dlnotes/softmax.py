"""Softmax: probabilities from logits, their logarithms and derivatives, and the cross-entropy.

Logits are float32 or float64, of any size. An entry may be -inf: its class is masked, and has probability 0. NaN and
+inf are refused. Results have the precision of the logits.
"""

import numpy as np


def softmax(x, axis=-1):
    """Return exp(x) / sum(exp(x)) along the axis (claim softmax-definition).

    Args:
        x: (..., K, ...), the logits; float32 or float64, not empty.
        axis: where the K classes lie.

    Raises:
        ValueError: a dtype, the axis or a value is not as said, or all K logits are -inf.

    Source: Blanchard, Higham and Higham 2021, the shifted form.
    """
    x, axis = _check_logits(x, "x", axis)
    exps, rest = _shifted_exp(x, axis, _peak(x, "x", axis))[1:]
    return exps / (1 + rest)


def log_sum_exp(x, axis=-1):
    """Return log(sum(exp(x))) along the axis, which it removes (claim softmax-log-sum-exp).

    Args:
        x: (..., K, ...), float32 or float64, not empty.
        axis: where the K terms lie. If all of them are -inf, so is the result.

    Raises:
        ValueError: a dtype, the axis or a value is not as said.

    Source: Blanchard, Higham and Higham 2021, the shifted form with log1p.
    """
    x, axis = _check_logits(x, "x", axis)
    peak = x.max(axis, keepdims=True)
    rest = _shifted_exp(x, axis, np.where(np.isneginf(peak), 0, peak))[2]
    return np.squeeze(peak + np.log1p(rest), axis)


def log_softmax(x, axis=-1):
    """Return log(softmax(x)) along the axis, with no log of a softmax (claims softmax-log-shifted, softmax-log1p).

    Args:
        x: (..., K, ...), the logits; float32 or float64, not empty.
        axis: where the K classes lie. A result below the range of the dtype is -inf.

    Raises:
        ValueError: a dtype, the axis or a value is not as said, or all K logits are -inf.

    Source: Blanchard, Higham and Higham 2021, the shifted form with log1p.
    """
    x, axis = _check_logits(x, "x", axis)
    shifted, _, rest = _shifted_exp(x, axis, _peak(x, "x", axis))
    return shifted - np.log1p(rest)


def jacobian(x):
    """Return the derivatives of softmax, J[..., i, j] = p_i ([i = j] - p_j) (claim softmax-jacobian).

    Args:
        x: (..., K), the logits; float32 or float64, not empty. J is (..., K, K).

    Raises:
        ValueError: as ``softmax``.
    """
    return _jacobian_at(softmax(x))


def cross_entropy(logits, labels):
    """Return the mean over the rows of -log(softmax(logits)) at their labels (claim softmax-cross-entropy).

    Args:
        logits: (N, K), float32 or float64, not empty.
        labels: (N,), integers from 0 to K - 1. Where the label is a masked class, the loss is inf.

    Raises:
        ValueError: a shape, a dtype or a value is not as said, or all logits of a row are -inf.
    """
    logits, labels = _check_pair(logits, labels)
    peak = _peak(logits, "logits", 1)
    rest = _shifted_exp(logits, 1, peak)[2]
    # Half of each loss fits in the dtype, even where a loss does not. A mean is at most the largest loss: without the
    # minimum, one near the end of the range would round to infinity.
    halves = peak / 2 - np.take_along_axis(logits, labels[:, None], 1) / 2 + np.log1p(rest) / 2
    with np.errstate(over="ignore"):
        return np.minimum((halves * (2 / len(labels))).sum(), 2 * halves.max())


def d_cross_entropy(logits, labels):
    """Return the gradient (N, K) of ``cross_entropy`` by the logits (claim softmax-cross-entropy-gradient).

    Args:
        logits: (N, K), float32 or float64, not empty.
        labels: (N,), integers from 0 to K - 1. Where the label is a masked class, the result is the limit.

    Raises:
        ValueError: as ``cross_entropy``.
    """
    logits, labels = _check_pair(logits, labels)
    _peak(logits, "logits", 1)
    return _minus_one_hot(softmax(logits), labels) / len(labels)


def _peak(x, name, axis):
    """The largest logit, which must not be -inf."""
    peak = x.max(axis, keepdims=True)
    if np.isneginf(peak).any():
        raise ValueError(f"{name} has only -inf along the axis; expected one finite logit at least")
    return peak


def _shifted_exp(x, axis, peak):
    """Return x - peak, its exponentials, and their sum without the term of the largest logit, which is 1."""
    with np.errstate(over="ignore"):  # a gap beyond the range of the dtype becomes -inf, and its exponential 0
        shifted = x - peak
    exps = np.exp(shifted)
    others = exps.copy()
    np.put_along_axis(others, x.argmax(axis, keepdims=True), 0, axis)
    return shifted, exps, others.sum(axis, keepdims=True)


def _jacobian_at(p):
    """The Jacobian from the probabilities. A diagonal entry is summed, as 1 - p_i would cancel; symbols work too."""
    J = -p[..., :, None] * p[..., None, :]
    i = np.arange(p.shape[-1])
    J[..., i, i] = 0
    J[..., i, i] = 0 - J.sum(-1)
    return J


def _minus_one_hot(p, labels):
    """p - e_label, row by row. At the label it is summed, as p - 1 would cancel; symbols work too."""
    rows, dx = np.arange(len(labels)), p.copy()
    dx[rows, labels] = 0
    dx[rows, labels] = 0 - dx.sum(1)
    return dx


def _check_logits(x, name, axis):
    """Check logits and axis; return the array, and the axis as it is counted from 0."""
    x = np.asarray(x)
    if x.dtype.type not in (np.float32, np.float64):
        raise ValueError(f"{name} has dtype {x.dtype}; expected float32 or float64")
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"{name} has shape {x.shape}; expected one axis at least, and no empty one")
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis is {axis!r}; expected an integer from {-x.ndim} to {x.ndim - 1}")
    if not (x < np.inf).all():  # NaN is below nothing
        raise ValueError(f"{name} has NaN or inf among its entries; expected finite numbers, or -inf")
    return x, int(axis) % x.ndim


def _check_pair(logits, labels):
    """Check what the two functions of the cross-entropy are given."""
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2:
        raise ValueError(f"logits has shape {logits.shape}; expected (N, K)")
    logits, _ = _check_logits(logits, "logits", 1)
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"labels has shape {labels.shape}; expected {logits.shape[:1]}, one a row of logits")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels has dtype {labels.dtype}; expected integers")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"labels has entries from {labels.min()} to {labels.max()}; expected 0 to {logits.shape[1] - 1}"
        )
    return logits, labels
