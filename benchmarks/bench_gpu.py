"""The core on a GPU beside what torch runs there; and the CPU against the GPU, over size.

Both sides of a race use float32 products, or both use TF32: then the dtype says so. Inputs take turns, so that together
they are larger than the cache. Transfers are in no race but their own. Without a GPU only the CPU's side of the curves
runs.
"""

import time
from itertools import count, pairwise

import numpy as np
import pytest

from dlnotes import batch_norm as batch_norm_chapter
from dlnotes import bptt
from dlnotes import convolution as convolution_chapter
from dlnotes import newton as newton_chapter

torch = pytest.importorskip("torch")

from dlnotes.core import batch_norm as cpu_batch_norm  # noqa: E402
from dlnotes.core import convolution as cpu_convolution  # noqa: E402
from dlnotes.core import rnn as cpu_rnn  # noqa: E402
from dlnotes.core.gpu import batch_norm, conv2d, conv2d_backward, mlp_hvp, newton, rnn  # noqa: E402

F = torch.nn.functional
on_a_gpu = pytest.mark.parametrize("device", ["cuda"], indirect=True)
EXACT, TF32 = 1e-5, 1e-2  # relative to the largest entry; TF32 keeps about three digits
NUMPY = "dlnotes.core, NumPy"


@pytest.fixture(autouse=True)
def products(request):
    """What torch's products and cuDNN's may use: float32, but where a benchmark's precision says TF32."""
    precision = getattr(request.node, "callspec", None) and request.node.callspec.params.get("precision")
    settings = torch.backends.cuda.matmul, torch.backends.cudnn
    before, tuned = [setting.allow_tf32 for setting in settings], torch.backends.cudnn.benchmark
    for setting in settings:
        setting.allow_tf32 = precision == "TF32"
    torch.backends.cudnn.benchmark = True  # cuDNN picks its fastest
    yield
    for setting, value in zip(settings, before, strict=True):
        setting.allow_tf32 = value
    torch.backends.cudnn.benchmark = tuned


class Turns:
    """Sets of tensors that take turns; the first of them is an example, for whoever records or checks."""

    def __init__(self, device, *arrays):
        self.first = [torch.from_numpy(a).to(device) for a in arrays]
        cache = torch.cuda.get_device_properties(0).L2_cache_size if device == "cuda" else 0
        sets = int(np.clip(2 * cache / sum(a.nbytes for a in arrays) + 1, 2, 64))
        self.sets = [self.first] + [[a.flip(0).contiguous() for a in self.first] for _ in range(sets - 1)]

    def __call__(self, call):
        """A call without arguments that gives `call` the next set each time."""
        turn = count()
        return lambda: call(*self.sets[next(turn) % len(self.sets)])


def off(answers, exact):
    """The largest deviation, relative to the largest entry of each exact answer."""
    ratios = []
    for a, b in zip(answers, exact, strict=True):
        a = a.detach().cpu().double().numpy() if isinstance(a, torch.Tensor) else a
        assert a.shape == b.shape
        ratios.append(np.abs(a - b).max() / np.abs(b).max())
    return float(np.max(ratios))  # NaN if one is


def checked(answers, exact, tolerance=EXACT):
    error = off(answers, exact)
    assert error < tolerance
    return error


# --- recurrence -------------------------------------------------------------------------------------------------------


def _recurrence(T, B, H):
    """(x, h0, W, U, dh) in float32, and what the chapter gives for them in float64: h, dW, dU, dx, dh0."""
    rng = np.random.default_rng(0)
    scaled = {(T, B, H): 1, (B, H): 1, (H, H): H**-0.5}
    x, dh, h0, W, U = (scaled[s] * rng.normal(size=s) for s in ((T, B, H), (T, B, H), (B, H), (H, H), (H, H)))
    arrays = [a.astype(np.float32) for a in (x, h0, W, U, dh)]
    *given, dh = (a.astype(float) for a in arrays)
    h, saved = bptt.forward(*given)
    return arrays, _flat(h, bptt.backward(dh, saved))


def _flat(h, gradients):
    return [h, gradients.dW, gradients.dU, gradients.dx, gradients.dh0]


def _steps(x, h0, W, U, dh, module=rnn, **algorithm):
    h, saved = module.forward(x, h0, W, U, **algorithm)
    return _flat(h, module.backward(dh, saved, **algorithm))


def _loop(x, h0, W, U, dh):
    """A loop over the steps, with autograd."""
    W, U, x, h0 = leaves = [a.detach().requires_grad_() for a in (W, U, x, h0)]
    before, states = h0, []
    for x_t in x.unbind():
        before = torch.sigmoid(before @ W.T + x_t @ U.T)
        states.append(before)
    h = torch.stack(states)
    return h, *torch.autograd.grad(h, leaves, dh)


def _cudnn(W, U):
    """nn.RNN has tanh only: the states s = 2 h - 1 of the same network, as sigmoid(z) is (1 + tanh(z / 2)) / 2.

    Its call is given (x, h0, ..., dh) as they are; what turns one network into the other is outside of the timed call.
    """
    layer = torch.nn.RNN(U.shape[1], len(W), device=W.device)
    with torch.no_grad():
        for p, value in zip(layer.parameters(), (U / 2, W / 4, W.sum(1) / 4, 0 * W[0]), strict=True):
            p.copy_(value)
    weights = list(layer.parameters())

    def call(x, h0, _W, _U, dh):
        x, s0 = x.detach().requires_grad_(), h0[None].detach().requires_grad_()
        s, _ = layer(x, s0)
        return s, torch.autograd.grad(s, (x, s0, *weights), dh)

    def same(x, h0, W, U, dh):
        s, (dx, ds0, dU, dW, drow, _) = call(x, 2 * h0 - 1, W, U, dh / 2)
        return (1 + s) / 2, dW / 4 + drow[:, None] / 4, dU / 2, dx, 2 * ds0[0]

    return call, same, torch.no_grad()(lambda x, h0, *_: layer(x, h0[None]))


def _graphed(x, h0, W, U, dh):
    """Copies its inputs to the graph's buffers each time: the copies are timed."""
    replay = rnn.graphed(x, h0, W, U)
    return lambda *given: _flat(*replay(*given))


@on_a_gpu
@pytest.mark.parametrize("H", [128, 1024])
@pytest.mark.parametrize("name", ["Triton", "torch, CUDA graph", "torch"])
def bench_recurrence(race, device, name, H):
    T, B = 100, 32
    arrays, exact = _recurrence(T, B, H)
    turns = Turns(device, *arrays)
    calls = {
        "Triton": lambda *given: _steps(*given, algorithm="triton"),
        "torch": _steps,
        "torch, CUDA graph": _graphed(*turns.first),
    }
    error = checked(calls[name](*turns.first), exact)
    layer, same, _ = _cudnn(*turns.first[2:4])
    checked(same(*turns.first), exact, 1e-4)
    checked(_loop(*turns.first), exact, 1e-4)
    race(
        turns(calls[name]),
        {"torch loop, autograd": turns(_loop), "cuDNN nn.RNN (tanh), autograd": turns(layer)},
        work="RNN forward and backward",
        size=f"{T} x {B} x {H}",
        name=name,
        flops=6 * 2 * T * B * H * H,
        bytes=4 * (4 * T * B * H + 4 * H * H),
        error=error,
        on=device,
    )


@on_a_gpu
@pytest.mark.parametrize("H", [128, 1024])
def bench_steps(race, device, H):
    """The forward loop alone; one of its peers is a clock."""
    T, B = 100, 32
    arrays, exact = _recurrence(T, B, H)
    turns = Turns(device, *arrays)

    def forward(x, h0, W, U, dh):
        return rnn.forward(x, h0, W, U, algorithm="triton")[0]

    def clock():
        end = time.perf_counter() + 5e-6 * T
        while time.perf_counter() < end:
            pass

    error = checked([forward(*turns.first)], exact[:1])
    cudnn = turns(_cudnn(*turns.first[2:4])[2])
    race(
        turns(forward),
        {"cuDNN nn.RNN (tanh)": cudnn, "a clock, 5 µs a step": clock},
        work="RNN forward",
        size=f"{T} x {B} x {H}",
        name="Triton",
        flops=2 * 2 * T * B * H * H,
        bytes=4 * (2 * T * B * H + 2 * H * H),
        error=error,
        on=device,
    )


@pytest.mark.parametrize("H", [16, 32, 64, 128, 256, 512, 1024])
def bench_recurrence_over_size(race, device, H):
    T, B = 100, 32
    arrays, exact = _recurrence(T, B, H)
    if device == "cuda":
        name, turns = "Triton", Turns(device, *arrays)
        ours = turns(lambda *given: _steps(*given, algorithm="triton"))
        answers = _steps(*turns.first, algorithm="triton")
    else:
        name, ours = NUMPY, lambda: _steps(*arrays, module=cpu_rnn)
        answers = ours()
    error = checked(answers, exact)
    flops, size = 6 * 2 * T * B * H * H, f"{T} x {B} x {H}"
    race(ours, {}, work="RNN, CPU against GPU", size=size, name=name, flops=flops, error=error, on=device)


# --- convolution ------------------------------------------------------------------------------------------------------

LAYER = {"padding": 1}


def _images(N, C=64, n=56):
    """(x, w, dy) in float32 of a 3 x 3 layer that keeps the size."""
    rng = np.random.default_rng(0)
    x, w, dy = (rng.normal(size=s, scale=k) for s, k in (((N, C, n, n), 1), ((C, C, 3, 3), 1 / 24), ((N, C, n, n), 1)))
    return [a.astype(np.float32) for a in (x, w, dy)]


def _layer(x, w, dy, **options):
    gradients = conv2d_backward(dy, x, w, **LAYER, **options)
    return [conv2d(x, w, **LAYER, **options), gradients.dx, gradients.dw]


def _layer_of_torch(x, w, dy):
    x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
    y = F.conv2d(x, w, **LAYER)
    return y, *torch.autograd.grad(y, (x, w), dy)


def _first_images(arrays, call, tolerance):
    """The error of the layer on two images, where the chapter's float64 on the CPU is not slow."""
    x, w, dy = arrays
    few = [np.ascontiguousarray(x[:2]), w, np.ascontiguousarray(dy[:2])]
    wide = [a.astype(float) for a in few]
    gradients = convolution_chapter.conv2d_backward(wide[2], *wide[:2], **LAYER)
    exact = [convolution_chapter.conv2d(*wide[:2], **LAYER), gradients.dx, gradients.dw]
    return checked(call(*few), exact, tolerance)


@on_a_gpu
@pytest.mark.parametrize("precision", ["float32", "TF32"])
@pytest.mark.parametrize("name", ["Triton", "Triton, three TF32 products", "torch"])
def bench_convolution(race, device, name, precision):
    """At 256 images all is compared with torch's operations in float64 on the GPU, themselves held to the chapter's."""
    if (name, precision) == ("Triton, three TF32 products", "TF32"):
        pytest.skip("it is float32 that it stands for")
    allow = {"Triton, three TF32 products": "x3"}.get(name, precision == "TF32")
    options = {"algorithm": "torch"} if name == "torch" else {"algorithm": "triton", "allow_tf32": allow}
    N, tolerance = 256, TF32 if precision == "TF32" else EXACT
    arrays = _images(N)

    def there(few):
        return [torch.from_numpy(a).to(device) for a in few]

    error = _first_images(arrays, lambda *few: _layer(*there(few), **options), tolerance)
    _first_images(arrays, lambda *few: _layer(*(a.double() for a in there(few))), 1e-12)
    turns = Turns(device, *arrays)
    wide = [a.double() for a in turns.first]
    exact = [a.cpu().numpy() for a in _layer(*wide)]
    del wide
    error = max(error, checked(_layer(*turns.first, **options), exact, tolerance))
    checked(_layer_of_torch(*turns.first), exact, TF32 if precision == "TF32" else 1e-4)
    race(
        turns(lambda *given: _layer(*given, **options)),
        {"cuDNN, autograd": turns(_layer_of_torch)},
        work="convolution 3 x 3, forward and backward",
        size=f"{N} x 64 x 56 x 56",
        dtype=precision,
        name=name,
        flops=3 * 2 * N * 56 * 56 * 64 * 64 * 9,
        bytes=5 * arrays[0].nbytes,
        error=error,
        on=device,
    )


@pytest.mark.parametrize("N", [1, 4, 16, 64])
def bench_convolution_over_size(race, device, N):
    arrays = _images(N)
    if device == "cuda":

        def call(*given):
            return _layer(*given, algorithm="triton")

        name, turns = "Triton", Turns(device, *arrays)
        ours = turns(call)
        error = _first_images(arrays, lambda *few: call(*(torch.from_numpy(a).to(device) for a in few)), EXACT)
    else:

        def call(x, w, dy):
            gradients = cpu_convolution.conv2d_backward(dy, x, w, **LAYER)
            return [cpu_convolution.conv2d(x, w, **LAYER), gradients.dx, gradients.dw]

        name, ours, error = NUMPY, lambda: call(*arrays), _first_images(arrays, call, EXACT)
    flops, size = 3 * 2 * N * 56 * 56 * 64 * 64 * 9, f"{N} x 64 x 56 x 56"
    race(ours, {}, work="convolution, CPU against GPU", size=size, name=name, flops=flops, error=error, on=device)


# --- batch norm -------------------------------------------------------------------------------------------------------


def _batch(N):
    """(x, dy, gamma, beta) in float32, and what the chapter gives for them in float64: y, dx, dgamma, dbeta."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype(np.float32) for s in ((N, 64, 56, 56), (N, 64, 56, 56), 64, 64)]
    return arrays, _normalised(*(a.astype(float) for a in arrays), module=batch_norm_chapter)


def _normalised(x, dy, gamma, beta, module=batch_norm, **algorithm):
    y, saved = module.forward(x, gamma, beta, **algorithm)
    gradients = module.backward(dy, saved, **algorithm)
    return [y, gradients.dx, gradients.dgamma, gradients.dbeta]


def _normalised_by_torch(x, dy, gamma, beta):
    leaves = [a.detach().requires_grad_() for a in (x, gamma, beta)]
    y = F.batch_norm(leaves[0], None, None, *leaves[1:], training=True)
    return y, *torch.autograd.grad(y, leaves, dy)


@on_a_gpu
@pytest.mark.parametrize("name", ["Triton", "torch"])
def bench_batch_norm(race, device, name):
    arrays, exact = _batch(32)
    turns, algorithm = Turns(device, *arrays), name.lower()
    error = checked(_normalised(*turns.first, algorithm=algorithm), exact)
    checked(_normalised_by_torch(*turns.first), exact, 1e-4)
    y, dx = (torch.empty_like(turns.first[0]) for _ in range(2))

    def copies(x, dy, *_):
        """As many bytes as the kernels ask for: x twice and y, then x and dy twice and dx, are four copies."""
        for out, a in ((y, x), (dx, x), (y, dy), (dx, dy)):
            out.copy_(a)

    race(
        turns(lambda *given: _normalised(*given, algorithm=algorithm)),
        {"F.batch_norm, autograd": turns(_normalised_by_torch), "copies of as many bytes": turns(copies)},
        work="batch norm forward and backward",
        size="32 x 64 x 56 x 56",
        name=name,
        bytes=5 * arrays[0].nbytes,
        error=error,
        on=device,
    )


@pytest.mark.parametrize("N", [1, 4, 16, 64])
def bench_batch_norm_over_size(race, device, N):
    arrays, exact = _batch(N)
    if device == "cuda":
        name, turns = "Triton", Turns(device, *arrays)
        ours = turns(lambda *given: _normalised(*given, algorithm="triton"))
        answers = _normalised(*turns.first, algorithm="triton")
    else:
        name, ours = NUMPY, lambda: _normalised(*arrays, module=cpu_batch_norm)
        answers = ours()
    error, size = checked(answers, exact), f"{N} x 64 x 56 x 56"
    work, moved = "batch norm, CPU against GPU", 5 * arrays[0].nbytes
    race(ours, {}, work=work, size=size, name=name, bytes=moved, error=error, on=device)


# --- Hessian and direction --------------------------------------------------------------------------------------------


@on_a_gpu
@pytest.mark.parametrize("name", ["torch, CUDA graph", "torch"])
def bench_hvp(race, device, name):
    sizes, N, rng = (32, 512, 512, 10), 128, np.random.default_rng(0)

    def network():
        return [
            ((rng.normal(size=(o, i)) / i**0.5).astype(np.float32), rng.normal(size=o).astype(np.float32))
            for i, o in pairwise(sizes)
        ]

    params, v = network(), network()
    x, labels = rng.normal(size=(N, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], N)
    wide = [[tuple(a.astype(float) for a in pair) for pair in pairs] for pairs in (params, v)]
    exact = [a for pair in newton_chapter.mlp_hvp(wide[0], x.astype(float), labels, wide[1]) for a in pair]
    params, v = ([tuple(torch.from_numpy(a).to(device) for a in pair) for pair in pairs] for pairs in (params, v))
    leaves = [a.clone().requires_grad_() for pair in params for a in pair]
    direction = [a for pair in v for a in pair]
    turns = Turns(device, x, labels)

    def double_backward(x, labels):
        h = x
        for i in range(0, len(leaves), 2):
            h = F.linear(F.softplus(h) if i else h, leaves[i], leaves[i + 1])
        gradient = torch.autograd.grad(F.cross_entropy(h, labels), leaves, create_graph=True)
        return torch.autograd.grad(gradient, leaves, grad_outputs=direction)

    call = mlp_hvp if name == "torch" else newton.graphed(params, *turns.first, v)

    def ours(x, labels):
        return [a for pair in call(params, x, labels, v) for a in pair]

    error = checked(ours(*turns.first), exact)
    checked(double_backward(*turns.first), exact, 1e-4)
    weights = [i * o for i, o in pairwise(sizes)]
    race(
        turns(ours),
        {"torch, double backward": turns(double_backward)},
        work="Hessian-vector product",
        size="-".join(map(str, sizes)) + f", batch {N}",
        name=name,
        flops=2 * N * (3 * weights[0] + 8 * sum(weights[1:])),
        bytes=4 * 3 * sum(a.numel() for a in direction),
        error=error,
        on=device,
    )


# --- what the machine can do at most, and transfers -------------------------------------------------------------------


@on_a_gpu
@pytest.mark.parametrize("precision", ["float32", "TF32"])
def bench_matrix_product(race, device, precision):
    n = 8192
    a, b = torch.randn(2, n, n, device=device)
    out = torch.empty_like(a)
    size, flops = f"{n} x {n} x {n}", 2 * n**3
    race(
        lambda: torch.mm(a, b, out=out),
        {},
        work="matrix product",
        size=size,
        dtype=precision,
        name="torch",
        flops=flops,
        on=device,
    )


@on_a_gpu
def bench_copy(race, device):
    """Far beyond the cache. Each byte is read once and written once."""
    a = torch.randn(2**30, device=device)
    out = torch.empty_like(a)
    race(lambda: out.copy_(a), {}, work="copy", size="4096 MiB", name="torch", bytes=2 * a.nbytes, on=device)


@on_a_gpu
@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("mib", [1, 64])
def bench_transfer(race, device, mib, pinned):
    """To the GPU and back; pinned memory is what the GPU can read by itself."""
    here = torch.randn(mib * 2**18)
    here = here.pin_memory() if pinned else here
    there = here.to(device)

    def both():
        there.copy_(here, non_blocking=True)
        here.copy_(there, non_blocking=True)

    size = f"{mib} MiB, {'pinned' if pinned else 'ordinary'} memory"
    race(both, {}, work="transfer to the GPU and back", size=size, name="torch", bytes=2 * here.nbytes, on=device)
