"""Backpropagation through time, fast: the recurrence of ``dlnotes.bptt`` with three NumPy calls a step.

Only what depends on the step before stays in the loop over the steps. All the rest is done for many steps at once, by
one matrix product each: U x before the loop, and dW, dU, dx after it.
"""

from dataclasses import dataclass

import numpy as np

from dlnotes.bptt import Gradients

BLOCK = 1 << 20  # bytes of states that are worked on at once


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass. Inputs are kept as they are, not copied."""

    x: np.ndarray  # (T, B, D)
    states: np.ndarray  # (T + 1, B, H): h0, then h
    W: np.ndarray  # (H, H)
    U: np.ndarray  # (H, D)


def forward(x, h0, W, U):
    """Return ``(h, saved)``, h_t = sigmoid(W h_{t-1} + U x_t), as ``dlnotes.bptt.forward``.

    The pre-activation is right to some roundings of 1 plus the sum of the sizes of its row of W; so a state far below
    1e-7 in float32, or 1e-16 in float64, may come out as 0. The chapter's function has no such limit.

    Args:
        x: (T, B, D), float32 or float64: B sequences of T inputs.
        h0: (B, H), the state before the first step.
        W: (H, H), weights from state to state.
        U: (H, D), weights from input to state.

    Returns:
        h: (T, B, H), the state after each step, a view of what is saved.

    Raises:
        ValueError: a shape or a dtype is not as said. All have one dtype.
    """
    x, h0, W, U = (np.ascontiguousarray(a) for a in (x, h0, W, U))
    _check_input(x, h0, W, U)
    T, B, H = len(x), x.shape[1], len(W)
    # sigmoid(z) = (1 + tanh(z / 2)) / 2. With s = 2 h - 1 the recurrence is s_t = tanh(W s_{t-1} / 4 + c_t), where
    # c_t = U x_t / 2 + (row sums of W) / 4: the scales go into the weights, and a step needs no more than this.
    half, quarter = x.dtype.type(0.5), x.dtype.type(0.25)
    states = np.empty((T + 1, B, H), x.dtype)
    np.subtract(2 * h0, 1, states[0])
    before = _rows(states[:1])[0].copy()
    inputs, constant = np.multiply(U.T, half, order="C"), W.sum(1) * quarter
    weights = np.multiply(W.T, quarter, order="C")  # OpenBLAS takes twice as long with a transposed view
    z, add, tanh = np.empty_like(before), np.add, np.tanh
    for steps in _chunks(states[1:]):
        chunk = states[1:][steps]
        np.dot(_flat(x[steps]), inputs, _flat(chunk))
        chunk += constant
        for s in _rows(chunk):
            add(s, before.dot(weights, z), s)
            tanh(s, s)
            before = s
        before = before.copy()
        chunk *= half
        chunk += half
    states[0] = h0
    return states[1:], Saved(x, states, W, U)


def backward(dh, saved):
    """Return ``Gradients(dW, dU, dx, dh0)`` of the loss, as ``dlnotes.bptt.backward``.

    Args:
        dh: (T, B, H), of the dtype of h. Row t - 1 is the gradient of L_t alone by h_t.
        saved: what ``forward`` saved.

    Raises:
        ValueError: dh has not the shape and the dtype of h.
    """
    dh, states, W = np.ascontiguousarray(dh), saved.states, saved.W
    h = states[1:]
    if dh.shape != h.shape:
        raise ValueError(f"dh has shape {dh.shape}; expected that of h, {h.shape}")
    if dh.dtype != h.dtype:
        raise ValueError(f"dh has dtype {dh.dtype}; expected that of h, {h.dtype}")
    dz, dx = np.empty_like(h), np.empty_like(saved.x)
    from_later = np.zeros_like(states[0])  # what the steps after t ask of h_t
    later = _rows(from_later[None])[0]
    total, add, multiply = np.empty_like(later), np.add, np.multiply
    for steps in reversed(_chunks(h)):
        chunk = np.subtract(1, h[steps], dz[steps])
        chunk *= h[steps]  # sigma'(z), which the loop turns into dz in place
        for slope, own in zip(reversed(_rows(chunk)), reversed(_rows(dh[steps])), strict=True):
            multiply(slope, add(own, later, total), slope)
            slope.dot(W, later)
        np.dot(_flat(chunk), saved.U, _flat(dx[steps]))
    dz = _flat(dz).T
    dW, dU = dz @ _flat(states[:-1]), dz @ _flat(saved.x)
    return Gradients(dW, dU, dx, dh0=from_later)


def _chunks(h):
    """Slices of steps whose states fit in the cache: what precedes and follows their loop finds them there."""
    n = max(BLOCK // max(h[:1].nbytes, 1), 1)
    return [slice(t, t + n) for t in range(0, len(h), n)]


def _rows(a):
    """The (B, H) of each step, as views made once. For one sequence (H,): BLAS has a faster product for it."""
    return list(a[:, 0] if a.shape[1] == 1 else a)


def _flat(a):
    """View (steps, B, K) as (steps B, K)."""
    return a.reshape(a.shape[0] * a.shape[1], a.shape[2])


def _check_input(x, h0, W, U):
    for name, a, ndim, shape in (("x", x, 3, "(T, B, D)"), ("W", W, 2, "(H, H)")):
        if a.ndim != ndim:
            raise ValueError(f"{name} has shape {a.shape}; expected {shape}")
    (_, B, D), H = x.shape, len(W)
    for name, a, shape in (("W", W, (H, H)), ("U", U, (H, D)), ("h0", h0, (B, H))):
        if a.shape != shape:
            raise ValueError(f"{name} has shape {a.shape}; expected {shape}")
    if x.dtype not in (np.float32, np.float64):
        raise ValueError(f"x has dtype {x.dtype}; expected float32 or float64")
    for name, a in (("h0", h0), ("W", W), ("U", U)):
        if a.dtype != x.dtype:
            raise ValueError(f"{name} has dtype {a.dtype}; expected that of x, {x.dtype}")
