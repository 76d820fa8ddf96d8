"""Backpropagation through time on torch tensors: the recurrence of ``dlnotes.bptt``, sigmoid units.

Forward takes 2 T B H (H + D) operations, backward twice that: 6 T B H (H + D) in all. At least x and dh are read and h
and dx written, 2 T B (H + D) numbers, beside the weights. The floor on a GPU is the largest of operations / rate,
bytes / bandwidth, and 2 T s: no step begins before the last one ended, and s is what one product (B, H) (H, H) takes at
least, and where several multiprocessors share it, their meeting. For T = 100, B = 32, H = 128 it is the last.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch

from dlnotes.core.gpu.graph import Graphed
from dlnotes.core.gpu.tensors import by_triton, floats


@dataclass(frozen=True)
class Saved:
    """What ``backward`` needs of the forward pass."""

    x: torch.Tensor  # (T, B, D)
    states: torch.Tensor  # (T + 1, B, H): h0, then h
    W: torch.Tensor  # (H, H)
    U: torch.Tensor  # (H, D)


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss; each has the shape of what it belongs to."""

    dW: torch.Tensor  # (H, H), summed over steps and sequences
    dU: torch.Tensor  # (H, D), summed over steps and sequences
    dx: torch.Tensor  # (T, B, D)
    dh0: torch.Tensor  # (B, H)


@torch.no_grad()
def forward(x, h0, W, U, *, algorithm="torch"):
    """Return ``(h, saved)``, h_t = sigmoid(W h_{t-1} + U x_t), as ``dlnotes.bptt.forward``.

    Args:
        x: (T, B, D), float32 or float64: B sequences of T inputs.
        h0: (B, H), the state before the first step.
        W: (H, H), weights from state to state.
        U: (H, D), weights from input to state.
        algorithm: "torch", two operations a step; or "triton", one kernel for all steps, which keeps W on the chip
            and multiplies in float32 always. Products outside of the loop are torch's.

    Returns:
        h: (T, B, H), the state after each step, a view of what is saved.

    Raises:
        ValueError: a shape, a dtype, a device or the algorithm is not as said; or H is too large for "triton": its
            kernel keeps W on the multiprocessors, 16 units each for H up to 2048.
    """
    x, h0, W, U = floats(x=x, h0=h0, W=W, U=U)
    _check_shapes(x, h0, W, U)
    (T, B, D), H = x.shape, len(W)
    states = x.new_empty(T + 1, B, H)
    states[0] = h0
    torch.mm(x.reshape(T * B, D), U.T, out=states[1:].view(T * B, H))  # all inputs at once; the loop adds the rest
    if by_triton(algorithm, x=x, states=states):
        from dlnotes.core.gpu import rnn_kernels

        rnn_kernels.forward(states, W)
    else:
        _forward(states, W)
    return states[1:], Saved(x, states, W, U)


@torch.no_grad()
def backward(dh, saved, *, algorithm="torch"):
    """Return ``Gradients(dW, dU, dx, dh0)`` of the loss, as ``dlnotes.bptt.backward``.

    Args:
        dh: (T, B, H), of the dtype of h. Row t - 1 is the gradient of L_t alone by h_t.
        saved: what ``forward`` saved.
        algorithm: as for ``forward``. The weights' gradients are one matrix product each, after the loop.

    Raises:
        ValueError: dh has not the shape, the dtype and the device of h; or as ``forward``.
    """
    x, states, W, U = saved.x, saved.states, saved.W, saved.U
    _, dh = floats(h=states, dh=dh)
    (T, B, D), H = x.shape, len(W)
    if dh.shape != (T, B, H):
        raise ValueError(f"dh has shape {tuple(dh.shape)}; expected that of h, {(T, B, H)}")
    if by_triton(algorithm, x=x, states=states):
        from dlnotes.core.gpu import rnn_kernels

        dz = rnn_kernels.backward(dh, states, W)
    else:
        dz = _backward(dh, states, W)
    rows = dz[1:].view(T * B, H)
    dW = rows.T @ states[:-1].view(T * B, H)
    dU = rows.T @ x.view(T * B, D)
    return Gradients(dW, dU, dx=(rows @ U).view(T, B, D), dh0=dz[0])


def graphed(x, h0, W, U, *, algorithm="torch"):
    """Return a function of (x, h0, W, U, dh), as these but of any values, that gives ``(h, Gradients)``.

    It replays a CUDA graph of ``forward`` and ``backward``. On the CPU it runs them without a graph. See ``Graphed``:
    what it returns is overwritten by its next call.

    Args, Raises: as for ``forward``.
    """
    x, h0, W, U = floats(x=x, h0=h0, W=W, U=U)
    _check_shapes(x, h0, W, U)
    by_triton(algorithm, x=x)

    def both(x, h0, W, U, dh):
        h, saved = forward(x, h0, W, U, algorithm=algorithm)
        return h, backward(dh, saved, algorithm=algorithm)

    return Graphed(both, x=x, h0=h0, W=W, U=U, dh=x.new_zeros(*x.shape[:2], len(W)))


def _forward(states, W):
    """Turn U x_t, in states[t], into h_t, in place."""
    W_T, steps = W.T, states.unbind()
    for before, z in pairwise(steps):
        z.addmm_(before, W_T).sigmoid_()


def _backward(dh, states, W):
    """Return (T + 1, B, H): dh0, then dz_t, the loss's gradients by W h_{t-1} + U x_t."""
    dz = torch.empty_like(states)
    if not len(dh):
        return dz.zero_()
    torch.addcmul(states, states, states, value=-1, out=dz)  # sigma'(z), which the loop turns into dz
    steps, own = dz.unbind(), dh.unbind()
    steps[-1].mul_(own[-1])
    total = torch.empty_like(steps[0])
    for t in range(len(dh) - 1, 0, -1):
        torch.addmm(own[t - 1], steps[t + 1], W, out=total)
        steps[t].mul_(total)
    torch.mm(steps[1], W, out=steps[0])
    return dz


def _check_shapes(x, h0, W, U):
    for name, a, ndim, shape in (("x", x, 3, "(T, B, D)"), ("W", W, 2, "(H, H)")):
        if a.ndim != ndim:
            raise ValueError(f"{name} has shape {tuple(a.shape)}; expected {shape}")
    (_, B, D), H = x.shape, len(W)
    for name, a, shape in (("W", W, (H, H)), ("U", U, (H, D)), ("h0", h0, (B, H))):
        if a.shape != shape:
            raise ValueError(f"{name} has shape {tuple(a.shape)}; expected {shape}")
