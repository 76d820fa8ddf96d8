"""Cross-entropy and its gradient together, fast: those of ``dlnotes.softmax``, with one exponential an entry."""

import math

import numpy as np

from dlnotes.core import _memory

BLOCK = 1 << 19  # bytes of logits that are worked on at once: with their gradient they stay in the second cache
RUN = 1 << 14  # terms that are added up in the precision of the logits; such sums are added up in float64
ONES = {np.dtype(dtype): np.ones(RUN, dtype) for dtype in (np.float32, np.float64)}  # read, never written


@np.errstate(all="ignore")  # what overflows is meant, or found in the loss
def cross_entropy(logits, labels):
    """Return ``(loss, gradient)``: the mean over the rows of -log(softmax(logits)) at the labels, and its gradient.

    Args:
        logits: (N, K), float32 or float64. An entry may be -inf: its class is masked, and has probability 0.
        labels: (N,), integers from 0 to K - 1. Where the label is a masked class, the loss is inf.

    Returns:
        loss: a number of the dtype of the logits; 0 if there is no row.
        gradient: (N, K), of the loss by the logits.

    Raises:
        ValueError: a shape, a dtype or a value is not as said; or an entry is NaN or inf, or a row has only -inf.

    Source: Blanchard, Higham and Higham 2021, the shifted form.
    """
    logits, labels = np.ascontiguousarray(logits), np.asarray(labels)
    first, at_label = _check_pair(logits, labels)
    N, K = logits.shape
    rows = max(BLOCK // (logits.itemsize * K), 1)
    ones = ONES[logits.dtype][: min(K, RUN)]
    _memory.read_not_copied(K)
    if rows >= N:
        gradient = np.empty_like(logits)
        loss = _block(logits, first, at_label, gradient, gradient, ones, N or 1)
    else:
        # The exponentials are written in one place, which stays in the cache; the gradient is written once.
        gradient, exps, loss = _memory.empty_like(logits), _memory.empty_like(logits[:rows]), 0.0
        for i in range(0, N, rows):
            x, out, here = logits[i : i + rows], gradient[i : i + rows], at_label[i : i + rows] - i * K
            loss += _block(x, first[: len(x)], here, exps[: len(x)], out, ones, N)
    if math.isnan(loss):  # an inf, too, makes inf - inf
        _check_values(logits)
    return logits.dtype.type(loss), gradient


def _block(x, first, at_label, exps, gradient, ones, N):
    """Return the sum of the losses of some rows, over N; write their exponentials and their gradient.

    first and at_label are where each row begins and has its label, in the flattened rows.
    """
    peak = x.take(first + x.argmax(1))  # the maximum itself takes longer: NumPy reduces short rows slowly
    np.subtract(x, peak[:, None], exps)
    np.exp(exps, exps)
    # The label's exponential is kept apart from the others': so neither its loss nor its gradient cancels.
    own = exps.take(at_label)
    exps.put(at_label, 0)
    others = _row_sums(exps, ones)
    total = others + own
    np.divide(1 / N, total, total)
    np.multiply(exps, total[:, None], gradient)
    gradient.put(at_label, -others * total)
    # Nothing cancels here: the label is the peak and own is 1, or others is at least 1.
    others += own - 1
    losses = np.log1p(others, others)
    peak -= x.take(at_label)
    losses += peak
    return float(np.add.reduce(losses)) / N


def _row_sums(a, ones):
    """The sums of the rows, by BLAS: as many terms as there are ones are added up in the precision of a."""
    if a.shape[1] <= len(ones):
        return a.dot(ones)
    total = np.zeros(len(a))
    for i in range(0, a.shape[1], len(ones)):
        run = a[:, i : i + len(ones)]
        total += run @ ones[: run.shape[1]]  # dot would copy the run
    return total.astype(a.dtype)


def _check_pair(logits, labels):
    """Check the arguments; return where each row begins, and has its label, in the flattened logits."""
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ValueError(f"logits has shape {logits.shape}; expected (N, K), K at least 1")
    if logits.dtype not in ONES:
        raise ValueError(f"logits has dtype {logits.dtype}; expected float32 or float64")
    N, K = logits.shape
    if labels.shape != (N,):
        raise ValueError(f"labels has shape {labels.shape}; expected {(N,)}, one a row of logits")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels has dtype {labels.dtype}; expected integers")
    if N and not 0 <= np.minimum.reduce(labels) <= np.maximum.reduce(labels) < K:
        raise ValueError(f"labels has entries from {labels.min()} to {labels.max()}; expected 0 to {K - 1}")
    first = np.arange(0, N * K, K)
    return first, first + labels.astype(np.intp, copy=False)


def _check_values(logits):
    """Tell why a loss may be inf or NaN, unless only by a masked label."""
    if not (logits < np.inf).all():  # NaN is below nothing
        raise ValueError("logits has NaN or inf among its entries; expected finite numbers, or -inf")
    if np.isneginf(logits.max(1)).any():
        raise ValueError("logits has a row with only -inf; expected one finite logit at least")
