"""A mixture of K logistic regressions: the probability of label 1 as a network's output, its loss and its gradients.

A component j is drawn with probability ``pi[j]``, whatever the input. The label is then 1 with probability
sigmoid(W[j] @ x). Arrays hold real numbers. If all of them are float32, so are the results; else they are float64.
"""

from dataclasses import dataclass

import numpy as np

from dlnotes.activation import log_sigmoid, sigmoid
from dlnotes.softmax import log_sum_exp
from dlnotes.softmax import softmax as _softmax


@dataclass(frozen=True)
class Gradients:
    """Gradients of ``loss``; each has the shape of what it belongs to."""

    dpi: np.ndarray  # (K,): each weight moves by itself, without regard to the sum
    dW: np.ndarray  # (K, D)


def probability(x, pi, W):
    """Return p, (N,): p[i] = sum_j pi[j] sigmoid(W[j] @ x[i]), in [0, 1] (claim mixture-marginal).

    Args:
        x: (N, D), one example a row; finite, not empty.
        pi: (K,), the probabilities of the components: not negative, of sum 1 up to the root of its machine epsilon.
        W: (K, D), finite: row j holds the parameters of component j.

    Raises:
        ValueError: a shape, a dtype or a value is not as said.
    """
    x, pi, W, dtype = _check(x, pi, W)
    h = sigmoid(_logits(x, W))
    return np.minimum(h @ pi, 1).astype(dtype)  # a sum of weights may be rounded to more than 1


def parameter_count(D, K):
    """Return how many weights the network has, and how many are free (claim mixture-parameter-count).

    The weights of the output sum to 1: one of them follows from the others.

    Args:
        D: the number of features, a positive integer.
        K: the number of components, a positive integer.

    Raises:
        ValueError: D or K is not a positive integer.
    """
    for name, size in (("D", D), ("K", K)):
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"{name} is {size!r}; expected a positive integer")
    weights = int(K) * int(D) + int(K)
    return weights, weights - 1


def sample(x, pi, W, rng):
    """Return ``(components, labels)``, each (N,): the story told, once for each example (claim mixture-sampling).

    Args:
        x, pi, W: as in ``probability``.
        rng: a ``numpy.random.Generator``. It moves on.

    Raises:
        ValueError: as ``probability``; or rng is not a generator.
    """
    x, pi, W, _ = _check(x, pi, W)
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng is {rng!r}; expected a numpy.random.Generator")
    ends = np.cumsum(pi)
    components = np.searchsorted(ends / ends[-1], rng.random(len(x)), side="right")
    z = np.take_along_axis(_logits(x, W), components[:, None], 1)[:, 0]
    return components, (rng.random(len(x)) < sigmoid(z)).astype(int)


def loss(x, labels, pi, W):
    """Return the mean over the examples of -log p(label | x) (claim mixture-loss).

    Args:
        x, pi, W: as in ``probability``.
        labels: (N,), integers: 0 or 1.

    Raises:
        ValueError: as ``probability``; or labels are not as said.
    """
    x, labels, pi, W, dtype = _check_labelled(x, labels, pi, W)
    peak, _, joint = _log_joint(x, labels, pi, W)
    parts = 0 - np.minimum(peak[:, 0] + log_sum_exp(joint), 0)  # pi may be rounded to a sum above 1
    with np.errstate(over="ignore"):
        return dtype(np.minimum((parts / len(x)).sum(), parts.max()))  # a mean is at most the largest part


def responsibilities(x, labels, pi, W):
    """Return (N, K): the probability of each component, given input and label (claim mixture-responsibilities).

    Args:
        x, labels, pi, W: as in ``loss``.

    Raises:
        ValueError: as ``loss``.
    """
    x, labels, pi, W, dtype = _check_labelled(x, labels, pi, W)
    return _softmax(_log_joint(x, labels, pi, W)[2]).astype(dtype)


def d_loss(x, labels, pi, W):
    """Return ``Gradients(dpi, dW)`` of ``loss`` (claims mixture-weights-gradient, mixture-parameters-gradient).

    Where a weight is 0, or nearly, its gradient may be beyond the range of the dtype: then it is -inf.

    Args:
        x, labels, pi, W: as in ``loss``.

    Raises:
        ValueError: as ``loss``.
    """
    x, labels, pi, W, dtype = _check_labelled(x, labels, pi, W)
    sign, z = (2 * labels - 1)[:, None], _logits(x, W)
    _, of_label, joint = _log_joint(x, labels, pi, W)
    wrong = sign * sigmoid(-sign * z)  # label - sigmoid(z), without a subtraction that cancels
    dz = -_softmax(joint) * wrong / len(x)
    with np.errstate(over="ignore"):
        dpi = -np.exp(of_label - log_sum_exp(joint)[:, None] - np.log(len(x))).sum(0)
        return Gradients(dpi.astype(dtype), (dz.T @ x).astype(dtype))


def _logits(x, W):
    """Return x @ W.T in float64. A sum beyond its range becomes the largest number, with its sign, and never NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        z = x @ W.T
        i, j = np.nonzero(~np.isfinite(z))  # a product overflowed: multiply smaller numbers, then scale up
        z[i, j] = np.ldexp((np.ldexp(x[i], -600) * np.ldexp(W[j], -600)).sum(1), 1200)
    largest = np.finfo(float).max
    return np.clip(z, -largest, largest)


def _log_joint(x, labels, pi, W):
    """Return logs: of the largest probability a component gives the label (N, 1); of all over it; with pi (N, K)."""
    of_label = log_sigmoid((2 * labels - 1)[:, None] * _logits(x, W))
    peak = of_label[:, pi > 0].max(1, keepdims=True)  # taken away first, lest log pi be lost beside it
    with np.errstate(divide="ignore"):  # a weight of 0 has the logarithm -inf
        return peak, of_label - peak, np.log(pi) + (of_label - peak)


def _real(value, name):
    """Return the value as an array of real numbers, all finite."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is ragged; expected rows of one length") from error
    if array.dtype.kind not in "iu" and array.dtype.type not in (np.float32, np.float64):
        raise ValueError(f"{name} has dtype {array.dtype}; expected float32, float64 or integers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or an infinity among its entries; expected finite numbers")
    return array


def _check(x, pi, W):
    """Check a mixture and its input; return them in float64, and the dtype of the result."""
    x, pi, W = _real(x, "x"), _real(pi, "pi"), _real(W, "W")
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"x has shape {x.shape}; expected (N, D), not empty")
    if pi.ndim != 1 or pi.size == 0:
        raise ValueError(f"pi has shape {pi.shape}; expected (K,), not empty")
    if W.shape != (len(pi), x.shape[1]):
        raise ValueError(f"W has shape {W.shape}; expected {(len(pi), x.shape[1])}, a row for each of pi")
    single = all(array.dtype == np.float32 for array in (x, pi, W))
    rounding = np.sqrt(np.finfo(np.float32 if pi.dtype == np.float32 else float).eps)
    x, pi, W = (array.astype(float) for array in (x, pi, W))
    with np.errstate(over="ignore"):
        total = pi.sum()
    if pi.min() < 0 or not abs(total - 1) <= rounding:
        raise ValueError(f"pi has the least entry {pi.min()} and the sum {total}; expected none below 0, and 1")
    return x, pi, W, np.float32 if single else np.float64


def _check_labelled(x, labels, pi, W):
    """Check the same with labels."""
    x, pi, W, dtype = _check(x, pi, W)
    labels = _real(labels, "labels")
    if labels.shape != (len(x),):
        raise ValueError(f"labels has shape {labels.shape}; expected ({len(x)},), one a row of x")
    if labels.dtype.kind not in "iu" or not ((labels == 0) | (labels == 1)).all():
        raise ValueError(f"labels has dtype {labels.dtype} and {labels}; expected integers, 0 or 1")
    return x, labels.astype(int), pi, W, dtype
