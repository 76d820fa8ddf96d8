"""The recurrence and backpropagation through time: the fast core beside PyTorch and JAX with autograd."""

import numpy as np
import pytest

from dlnotes import bptt
from dlnotes.core import rnn

try:
    import jax
except ModuleNotFoundError:
    jax = None

torch = pytest.importorskip("torch")

WORK = "RNN forward and backward"
SIZES = [(100, 1, 16), (1000, 1, 128), (100, 32, 128), (100, 128, 256)]  # T, B, H


def _arrays(T, B, H, dtype=np.float32):
    """(x, h0, W, U, dh), with as many inputs as units, and weights that keep the state from saturating."""
    rng = np.random.default_rng(0)
    scaled = {(T, B, H): 1, (B, H): 1, (H, H): H**-0.5}
    x, dh, h0, W, U = (scaled[s] * rng.normal(size=s) for s in ((T, B, H), (T, B, H), (B, H), (H, H), (H, H)))
    return [a.astype(dtype) for a in (x, h0, W, U, dh)]


def _ours(x, h0, W, U, dh, module=rnn):
    h, saved = module.forward(x, h0, W, U)
    gradients = module.backward(dh, saved)
    return h, gradients.dW, gradients.dU, gradients.dx, gradients.dh0


def _layer(x, h0, W, U, dh):
    """torch.nn.RNN: the states s = 2 h - 1 of the same network, as sigmoid(z) is (1 + tanh(z / 2)) / 2.

    Its second bias is 0, and has no gradient: that would be one more sum in each step, which nothing asks for.
    """
    H, D = U.shape
    layer = torch.nn.RNN(D, H)
    with torch.no_grad():
        for p, value in zip(layer.parameters(), (U / 2, W / 4, W.sum(1) / 4, 0 * W[0]), strict=True):
            p.copy_(torch.from_numpy(value))
    leaves = [torch.from_numpy(a).requires_grad_() for a in (x, 2 * h0[None] - 1)]
    *weights, second_bias = layer.parameters()
    second_bias.requires_grad_(False)
    leaves += weights
    ds = torch.from_numpy(dh / 2)

    def call():
        s, _ = layer(*leaves[:2])
        return s, torch.autograd.grad(s, leaves, ds)

    s, (dx, ds0, dU, dW, drow) = call()
    return call, ((1 + s) / 2, dW / 4 + drow[:, None] / 4, dU / 2, dx, 2 * ds0[0])


def _loop(x, h0, W, U, dh, steps=lambda x: (x[t] for t in range(len(x)))):
    """A textbook loop: the gradient of each x[t] is a whole array of zeros but for one step."""
    x, h0, W, U, dh = (torch.from_numpy(a) for a in (x, h0, W, U, dh))
    leaves = [a.requires_grad_() for a in (W, U, x, h0)]

    def call():
        before, states = h0, []
        for x_t in steps(x):
            before = torch.sigmoid(before @ W.T + x_t @ U.T)
            states.append(before)
        h = torch.stack(states)
        return h, *torch.autograd.grad(h, leaves, dh)

    return call, call()


def _careful_loop(*arrays):
    """The same, with x cut once."""
    return _loop(*arrays, steps=torch.unbind)


def _scan(x, h0, W, U, dh):
    """jax.jit of the gradient through lax.scan."""

    def states(W, U, x, h0):
        def step(before, x_t):
            after = jax.nn.sigmoid(before @ W.T + x_t @ U.T)
            return after, after

        return jax.lax.scan(step, h0, x)[1]

    @jax.jit
    def both(W, U, x, h0, dh):
        h, pullback = jax.vjp(states, W, U, x, h0)
        return h, *pullback(dh)

    arrays = [jax.numpy.asarray(a) for a in (W, U, x, h0, dh)]

    def call():
        return jax.block_until_ready(both(*arrays))

    return call, call()


def _off(answers, exact):
    answers = [np.asarray(a.detach() if hasattr(a, "detach") else a) for a in answers]
    assert [a.shape for a in answers] == [b.shape for b in exact]
    return float(np.max([np.abs(a - b).max() / np.abs(b).max() for a, b in zip(answers, exact, strict=True)]))  # or NaN


def _race(race, size, peers):
    """peers: name -> function of the arrays, or None if it is not installed."""
    T, B, H = size
    arrays = _arrays(*size)
    exact = _ours(*(a.astype(np.float64) for a in arrays), module=bptt)
    error, calls = _off(_ours(*arrays), exact), {}
    assert error < 1e-4
    for name, peer in peers.items():
        calls[name], answers = peer(*arrays) if peer else (None, exact)
        assert _off(answers, exact) < 1e-4
    flops = 6 * 2 * T * B * H * H  # two products forward, four backward
    text = " x ".join(map(str, size))
    race(lambda: _ours(*arrays), calls, work=WORK, size=text, flops=flops, error=error)


@pytest.mark.parametrize("size", SIZES)
def bench_layer(race, size):
    _race(race, size, {"torch.nn.RNN, autograd": _layer})


def bench_textbook_loop(race):
    peers = {"torch loop over x[t], autograd": _loop, "torch loop over unbind(x), autograd": _careful_loop}
    _race(race, (1000, 32, 128), peers)


@pytest.mark.parametrize("size", [(1000, 32, 128), (1000, 1, 128)])
def bench_scan(race, size):
    _race(race, size, {"jax.jit(lax.scan), grad": jax and _scan})


@pytest.mark.parametrize("T", [500, 1000, 2000, 4000])
def bench_growth(race, T):
    """Beside half as many steps: the ratio is 2 to the power of the exponent."""
    whole, half = _arrays(T, 8, 32), _arrays(T // 2, 8, 32)
    exact = _ours(*(a.astype(np.float64) for a in whole), module=bptt)
    error = _off(_ours(*whole), exact)
    assert error < 1e-4
    peers = {"itself, half as many steps": lambda: _ours(*half)}
    race(lambda: _ours(*whole), peers, work="RNN, growth with T", size=f"{T} x 8 x 32", error=error)
