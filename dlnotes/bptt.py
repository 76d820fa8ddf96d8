"""Backpropagation through time: a recurrent network with sigmoid units, and the gradients of a loss through it.

The network reads ``T`` inputs, one a step, and keeps a state. Formulas count steps from 1 and arrays from 0: step t is
row ``t - 1`` of ``x``, ``h`` and ``dh``, and the state before the first step is ``h0``.
"""

from dataclasses import dataclass

import numpy as np

from dlnotes.activation import sigmoid


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass: all inputs and states, as they are, not copies."""

    x: np.ndarray  # (T, B, D)
    h0: np.ndarray  # (B, H)
    h: np.ndarray  # (T, B, H)
    W: np.ndarray  # (H, H)
    U: np.ndarray  # (H, D)


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dW: np.ndarray  # (H, H), summed over steps and sequences
    dU: np.ndarray  # (H, D), summed over steps and sequences
    dx: np.ndarray  # (T, B, D)
    dh0: np.ndarray  # (B, H)


def forward(x, h0, W, U):
    """Return ``(h, saved)``, h_t = sigmoid(W h_{t-1} + U x_t).

    Claim bptt-forward.

    Args:
        x: (T, B, D), floating point: B sequences of T inputs.
        h0: (B, H), the state before the first step.
        W: (H, H), weights from state to state.
        U: (H, D), weights from input to state.

    Returns:
        h: (T, B, H), the state after each step.

    Raises:
        ValueError: a shape or a dtype is not as said.

    Source: Werbos 1990, with a sigmoid and without bias.
    """
    x, h0, W, U = map(np.asarray, (x, h0, W, U))
    _check_input(x, h0, W, U)
    z_of_x = x @ U.T
    h = np.empty(z_of_x.shape, np.result_type(x, h0, W, U))
    before = h0
    for t in range(len(x)):
        h[t] = sigmoid(before @ W.T + z_of_x[t])
        before = h[t]
    return h, Saved(x, h0, h, W, U)


def backward(dh, saved):
    """Return ``Gradients(dW, dU, dx, dh0)`` of the loss, in one walk from the last step.

    Claims bptt-weight-gradient, bptt-input-weight-gradient, bptt-input-gradient,
    bptt-initial-state-gradient.

    Args:
        dh: (T, B, H). Row t - 1 is the gradient of L_t alone by h_t. What later losses
            ask of h_t is added here.
        saved: what ``forward`` saved.

    Raises:
        ValueError: dh has not the shape of h, or is not real.

    Source: the chapter's derivation; Werbos 1990.
    """
    dh, h0, h = np.asarray(dh), saved.h0, saved.h
    if dh.shape != h.shape:
        raise ValueError(f"dh has shape {dh.shape}; expected that of h, {h.shape}")
    if dh.dtype.kind not in "fiuO":  # objects: symbols and fractions
        raise ValueError(f"dh has dtype {dh.dtype}; expected numbers, real and not booleans")
    slope = h * (1 - h)  # sigma'(z)
    dz = np.empty(h.shape, np.result_type(dh, h))
    from_later = np.zeros_like(h0)  # what the steps after t ask of h_t
    for t in reversed(range(len(h))):
        dz[t] = slope[t] * (dh[t] + from_later)
        from_later = dz[t] @ saved.W
    h_before = np.concatenate([h0[None], h[:-1]])
    dW, dU = _outer(dz, h_before), _outer(dz, saved.x)
    return Gradients(dW, dU, dx=dz @ saved.U, dh0=from_later)


def _outer(dz, a):
    """The sum over steps and sequences of the outer products dz a^T."""
    return dz.reshape(-1, dz.shape[-1]).T @ a.reshape(-1, a.shape[-1])


def _check_input(x, h0, W, U):
    for name, a, ndim, shape in (("x", x, 3, "(T, B, D)"), ("W", W, 2, "(H, H)")):
        if a.ndim != ndim or a.size == 0:
            raise ValueError(f"{name} has shape {a.shape}; expected {shape}, not empty")
    (_, B, D), H = x.shape, len(W)
    for name, a, shape in (("W", W, (H, H)), ("U", U, (H, D)), ("h0", h0, (B, H))):
        if a.shape != shape:
            raise ValueError(f"{name} has shape {a.shape}; expected {shape}")
    for name, a in (("x", x), ("h0", h0), ("W", W), ("U", U)):
        if a.dtype.kind != "f":
            raise ValueError(f"{name} has dtype {a.dtype}; expected a floating point dtype")
