"""Multilayer perceptron: softplus hidden layers, a softmax at the end, and the gradients of the loss.

The parameters are a tuple (or list) of pairs ``(W, b)``, one a layer: W (D_out, D_in), b (D_out,). An example is a row:
a layer computes z = x @ W.T + b. The last z are the logits, (N, K), and no softplus follows them.
Labels are integers from 0.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dlnotes.activation import sigmoid


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass: three tuples, from the first layer to the last."""

    inputs: tuple  # one a layer, (N, D_in): x, then the outputs h of the hidden layers
    slopes: tuple  # one a hidden layer, (N, D_out): sigmoid(z), the slope of softplus
    weights: tuple  # one a layer, (D_out, D_in)


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dparams: tuple  # pairs (dW, db), one a layer
    dx: np.ndarray  # (N, D)


def forward(params, x):
    """Return ``(logits, saved)``: z = x @ W.T + b in each layer, and h = log(1 + exp(z)) between two layers.

    Claim mlp-forward.

    Args:
        params: pairs (W, b), one a layer; W (D_out, D_in), b (D_out,), floating point.
        x: (N, D), floating point, one example a row.

    Raises:
        ValueError: a shape or a dtype is not as said, or two layers do not fit.
    """
    x = np.asarray(x)
    fan_in = _check_params("params", params)
    if x.ndim != 2 or x.size == 0 or x.shape[1] != fan_in:
        raise ValueError(f"x has shape {x.shape}; expected (N, {fan_in}), not empty")
    _check_float("x", x)
    inputs, slopes, weights = [], [], []
    for layer, (W, b) in enumerate(params):
        if layer:
            slopes.append(sigmoid(x))
            x = np.logaddexp(0, x)
        inputs.append(x)
        weights.append(np.asarray(W))
        x = x @ weights[-1].T + np.asarray(b)
    return x, Saved(tuple(inputs), tuple(slopes), tuple(weights))


def probabilities(logits):
    """Return exp(z_i) / sum_j exp(z_j), (N, K): one distribution a row (claim mlp-probabilities).

    A ValueError says that logits is not a floating point array (N, K), or is empty.
    """
    scores = np.exp(_below_largest(logits))
    return scores / scores.sum(1, keepdims=True)


def cross_entropy(logits, labels):
    """Return the mean over rows of log(sum_j exp(z_j)) - z_label, a number (claims mlp-cross-entropy, mlp-risk).

    Args:
        logits: (N, K), floating point.
        labels: (N,), integers from 0 to K - 1.

    Raises:
        ValueError: a shape, a dtype or a label is not as said.
    """
    gaps = _below_largest(logits)
    at_label = gaps[_one_hot(labels, gaps)]
    others = np.exp(gaps)
    others[np.arange(len(gaps)), gaps.argmax(1)] = 0  # the largest gives the 1 of log(1 + ...)
    with np.errstate(over="ignore"):  # a loss that is too large is infinite
        return (np.log1p(others.sum(1)) - at_label).mean()


def d_cross_entropy(logits, labels):
    """Return the gradient of ``cross_entropy`` by the logits, (N, K): (p - one_hot) / N (claim mlp-logits-gradient).

    Args and Raises: see `cross_entropy`.
    """
    p = probabilities(logits)
    one_hot = _one_hot(labels, p)
    # At the label, p - 1 is minus the sum of the others: so computed, it keeps its digits when p is near 1.
    others = np.where(one_hot, 0, p).sum(1, keepdims=True)
    return np.where(one_hot, -others, p) / len(p)


def backward(dlogits, saved):
    """Return ``Gradients(dparams, dx)`` of the loss, by the chain rule from the last layer to the first.

    Claims mlp-backward, mlp-output-gradients, mlp-hidden-output-gradient, mlp-hidden-gradient, mlp-first-layer.

    Args:
        dlogits: (N, K), floating point: the loss's gradient by the logits. Symbols work too.
        saved: what ``forward`` saved.

    Raises:
        ValueError: dlogits has not the shape of the logits, or is not floating point.
    """
    dz = np.asarray(dlogits)
    expected = (len(saved.inputs[0]), len(saved.weights[-1]))
    if dz.shape != expected:
        raise ValueError(f"dlogits has shape {dz.shape}; expected that of the logits, {expected}")
    if dz.dtype.kind != "O":
        _check_float("dlogits", dz)
    dparams = []
    for layer in reversed(range(len(saved.weights))):
        dparams.insert(0, (dz.T @ saved.inputs[layer], dz.sum(0)))
        dx = dz @ saved.weights[layer]  # the gradient for what this layer was given
        if layer:
            dz = dx * saved.slopes[layer - 1]
    return Gradients(tuple(dparams), dx)


def parameter_count(sizes):
    """Return the number of weights and biases, an int, of a network of these sizes (claim mlp-parameter-count).

    sizes: (D, D_h, ..., K), of the input, of each hidden layer, of the output. Anything but two positive integers or
    more raises a ValueError.
    """
    given = np.asarray(sizes)
    if given.ndim != 1 or len(given) < 2 or given.dtype.kind not in "iu" or (given < 1).any():
        raise ValueError(f"sizes is {sizes}; expected two positive integers or more")
    return sum(D_out * D_in + D_out for D_in, D_out in pairwise(given.tolist()))


def descend(params, dparams, step, *, penalty=0.0):
    """Return (1 - 2 step penalty) w - step dw, as pairs (W, b): a step down on loss + penalty * ||w||^2.

    Claims mlp-gradient-descent, mlp-weight-decay.

    Args:
        params: pairs (W, b), one a layer.
        dparams: pairs (dW, db) of the same shapes: gradients of the loss, without the penalty.
        step: a finite number that is not negative; penalty likewise.

    Raises:
        ValueError: a shape, a dtype, step or penalty is not as said.
    """
    _check_params("params", params)
    _check_params("dparams", dparams)
    shapes, given = ([tuple(map(np.shape, pair)) for pair in pairs] for pairs in (params, dparams))
    if given != shapes:
        raise ValueError(f"dparams has shapes {given}; expected those of params, {shapes}")
    for name, value in (("step", step), ("penalty", penalty)):
        if np.ndim(value) or np.asarray(value).dtype.kind not in "fiu" or not 0 <= value < np.inf:
            raise ValueError(f"{name} is {value}; expected one finite number that is not negative")
    step, keep = float(step), 1 - 2 * float(step) * float(penalty)
    return tuple(
        (keep * np.asarray(W) - step * np.asarray(dW), keep * np.asarray(b) - step * np.asarray(db))
        for (W, b), (dW, db) in zip(params, dparams, strict=True)
    )


def _below_largest(logits):
    """Each logit less the largest of its row: exp of it cannot overflow."""
    logits = np.asarray(logits)
    if logits.ndim != 2 or logits.size == 0:
        raise ValueError(f"logits has shape {logits.shape}; expected (N, K), not empty")
    _check_float("logits", logits)
    with np.errstate(over="ignore"):
        return logits - logits.max(1, keepdims=True)


def _one_hot(labels, like):
    """The labels as rows of truth values, (N, K): true at the label."""
    labels, (N, K) = np.asarray(labels), like.shape
    if labels.shape != (N,):
        raise ValueError(f"labels has shape {labels.shape}; expected ({N},), one a row of logits")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= K:
        raise ValueError(f"labels is {labels}; expected integers from 0 to {K - 1}")
    return labels[:, None] == np.arange(K)


def _check_float(name, a):
    if a.dtype.kind != "f":
        raise ValueError(f"{name} has dtype {a.dtype}; expected a floating point dtype")


def _check_params(name, params):
    """Check that these are pairs (W, b), each layer taking what the one before it gives; return D."""
    lists = isinstance(params, tuple | list) and all(isinstance(pair, tuple | list) for pair in params)
    if not lists or {len(pair) for pair in params} != {2}:
        raise ValueError(f"{name} is not a tuple or list of pairs; expected (W, b), one pair a layer")
    D = fan_in = None
    for layer, (W, b) in enumerate(params, 1):
        W, b = np.asarray(W), np.asarray(b)
        if W.ndim != 2 or W.size == 0 or W.shape[1] != (fan_in or W.shape[1]) or b.shape != W.shape[:1]:
            given, width = f"W of shape {W.shape} and b of shape {b.shape}", fan_in or "D_in"
            raise ValueError(f"{name} has {given} in layer {layer}; expected (D_out, {width}) and (D_out,)")
        _check_float(name, W)
        _check_float(name, b)
        D, fan_in = D or W.shape[1], len(W)
    return D
