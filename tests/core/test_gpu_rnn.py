"""The recurrence on torch tensors against the chapter's, in float64. See gpu_paths for what runs where."""

import multiprocessing

import numpy as np
import pytest
from gpu_paths import (
    DEVICES,
    EVERY_DTYPE,
    INTERPRETED,
    PATHS,
    TOLERANCE,
    TRITON,
    compile_for_a_gpu,
    off,
    run_in_the_interpreter,
    torch,
)

from dlnotes import bptt
from dlnotes.core.gpu import rnn

# (T, B, D, H): one unit, H below and at the block, H of one program at most, and W shared by programs
SIZES = [(4, 3, 2, 1), (5, 3, 4, 7), (3, 2, 5, 16), (1, 4, 3, 33), (3, 2, 9, 128), (4, 5, 3, 130), (2, 1, 4, 257)]
NAMES = ("dW", "dU", "dx", "dh0")


def draw(T, B, D, H, dtype="float64", device="cpu", seed=0):
    """(x, h0, W, U, dh), asymmetric, with states that are not saturated."""
    rng = np.random.default_rng(seed)
    shapes = ((T, B, D), (B, H), (H, H), (H, D), (T, B, H))
    scales = (1, 1, 2 * H**-0.5, D**-0.5, 1)
    arrays = [s * rng.normal(0.1, 1, shape) for s, shape in zip(scales, shapes, strict=True)]
    return [torch.from_numpy(a).to(device, getattr(torch, dtype)) for a in arrays]


def exact(tensors):
    x, h0, W, U, dh = (a.cpu().double().numpy() for a in tensors)
    h, saved = bptt.forward(x, h0, W, U)
    return flat(h, bptt.backward(dh, saved))


def flat(h, gradients):
    return [h, *(getattr(gradients, name) for name in NAMES)]


def ours(x, h0, W, U, dh, algorithm):
    h, saved = rnn.forward(x, h0, W, U, algorithm=algorithm)
    return flat(h, rnn.backward(dh, saved, algorithm=algorithm))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("algorithm", "device", "dtype"), EVERY_DTYPE)
def test_agrees_with_the_chapter_by_path(algorithm, device, dtype, size):
    tensors = draw(*size, dtype, device)
    before = [a.clone() for a in tensors]
    answers = ours(*tensors, algorithm)
    assert all(a.dtype == tensors[0].dtype and a.device == tensors[0].device for a in answers)
    assert off(answers, exact(tensors)) < TOLERANCE[dtype]
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))


@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_saturated_units_by_path(algorithm, device):
    tensors = draw(3, 2, 4, 5, "float32", device)
    tensors[0] *= 1000
    assert off(ours(*tensors, algorithm), exact(tensors)) < 1e-5


@pytest.mark.parametrize("size", [(0, 2, 3, 4), (3, 0, 3, 4), (0, 2, 3, 130)])
@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_no_step_or_no_sequence_by_path(algorithm, device, size):
    x, h0, W, U, dh = draw(*size, "float32", device)
    h, dW, dU, dx, dh0 = ours(x, h0, W, U, dh, algorithm)
    assert (h.shape, dx.shape) == (dh.shape, x.shape)
    assert not dW.any()
    assert not dU.any()
    assert not dh0.any()


@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_other_strides_and_autograd_by_path(algorithm, device):
    x, h0, W, U, dh = draw(4, 3, 2, 5, "float32", device)
    turned = [
        x.transpose(0, 1).contiguous().transpose(0, 1).requires_grad_(),
        h0,
        W.T.contiguous().T,
        U.clone().requires_grad_(),
        dh,
    ]
    answers = ours(*turned, algorithm)
    assert not any(a.requires_grad for a in answers)
    saved = rnn.forward(*turned[:4], algorithm=algorithm)[1]
    assert not saved.x.requires_grad
    assert not saved.U.requires_grad
    assert off(answers, exact([x.detach(), h0, W, U, dh])) < 1e-5


@pytest.mark.parametrize("algorithm_device", [("torch", device) for device in DEVICES] + TRITON)
def test_graphed_serves_other_values_by_path(algorithm_device):
    """On the CPU without a graph, on the same buffers."""
    algorithm, device = algorithm_device
    first, second = (draw(3, 2, 4, 5, "float32", device, seed) for seed in (1, 2))
    call = rnn.graphed(*first[:4], algorithm=algorithm)
    for tensors in (first, second):
        assert off(flat(*call(*tensors)), exact(tensors)) < 1e-5
    with pytest.raises(ValueError, match=r"^dh is"):
        call(*second[:4], second[4][:2])
    with pytest.raises(ValueError, match=r"^inputs are 4"):
        call(*second[:4])
    with pytest.raises(ValueError, match=r"^dh is of type list"):
        call(*second[:4], [0.0])


BAD = {
    "x is of type ndarray": {"x": np.zeros((3, 2, 4))},
    "x has dtype torch.int64": {"x": torch.zeros(3, 2, 4, dtype=torch.int64)},
    "x has shape (3, 2)": {"x": torch.zeros(3, 2, dtype=torch.float64)},
    "W has shape (5, 4)": {"W": torch.zeros(5, 4, dtype=torch.float64)},
    "W has dtype torch.float32": {"W": torch.zeros(5, 5)},
    "U has shape (4, 5)": {"U": torch.zeros(4, 5, dtype=torch.float64)},
    "h0 has shape (5,)": {"h0": torch.zeros(5, dtype=torch.float64)},
    "algorithm is 'cudnn'": {"algorithm": "cudnn"},
    "x has dtype torch.float64": {"algorithm": "triton"},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    good = dict(zip(("x", "h0", "W", "U"), draw(3, 2, 4, 5), strict=False))
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(").replace(")", r"\)")):
        rnn.forward(**good | BAD[message])


def test_bad_gradient():
    *given, dh = draw(3, 2, 4, 5)
    _, saved = rnn.forward(*given)
    with pytest.raises(ValueError, match=r"^dh has shape"):
        rnn.backward(dh[:2], saved)
    with pytest.raises(ValueError, match=r"^dh has dtype"):
        rnn.backward(dh.float(), saved)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter takes tensors on the CPU")
def test_triton_refuses_the_cpu():
    pytest.importorskip("triton")
    *given, _ = draw(3, 2, 4, 5, "float32")
    with pytest.raises(ValueError, match=r"^x is on cpu"):
        rnn.forward(*given, algorithm="triton")


if TRITON:

    @pytest.mark.parametrize(("algorithm", "device"), TRITON)
    def test_refuses_what_no_device_holds_by_path(algorithm, device):
        sizes = {"x": (1, 1, 1), "h0": (1, 5000), "W": (5000, 5000), "U": (5000, 1)}
        given = {name: torch.zeros(size, device=device) for name, size in sizes.items()}
        with pytest.raises(ValueError, match=r"^W has shape \(5000, 5000\); expected fewer units"):
            rnn.forward(**given, algorithm=algorithm)


if INTERPRETED:

    @pytest.mark.parametrize("size", [(6, 5, 3, 130), (4, 3, 2, 257)])
    def test_programs_meet_by_path(size):
        """All programs of the one launch at once, each in a process, over memory that they share."""
        from dlnotes.core.gpu import rnn_kernels

        x, h0, W, U, dh = draw(*size, "float32")
        states = torch.cat([h0[None], x @ U.T]).share_memory_()
        (T, B, H), wanted = dh.shape, exact([x, h0, W, U, dh])
        grid, rows, options = rnn_kernels._plan(W, B)
        assert grid[0] > 1
        options |= {"MEET": True}
        for kernel, before, after in (
            (rnn_kernels.forward_shared, (W.T.contiguous(),), (T, rows, B, H)),
            (rnn_kernels.backward_shared, (dh, states, W), (T - 1, T, rows, B, H)),
        ):
            counters = torch.zeros(grid[1], dtype=torch.int32).share_memory_()
            if len(before) == 1:
                out = states
            else:
                out = torch.full_like(states, torch.nan).share_memory_()
                out[T] = states[T] * (1 - states[T]) * dh[-1]
            at_once(kernel, grid, (out, *before, counters, *after), options)
            assert counters.tolist() == [T * grid[0]] * grid[1]
            if len(before) == 1:
                assert off([states[1:]], wanted[:1]) < 1e-5
            else:
                rows = out[1:].reshape(T * B, H)
                assert off([rows.T @ states[:-1].reshape(T * B, H), out[0]], [wanted[1], wanted[4]]) < 1e-5


def at_once(kernel, grid, arguments, options):
    context = multiprocessing.get_context("fork")
    programs = [(i, j) for i in range(grid[0]) for j in range(grid[1])]
    running = [context.Process(target=one_program, args=(kernel, grid, p, arguments, options)) for p in programs]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    codes = [process.exitcode for process in running]
    for process in running:
        process.kill()
    assert codes == [0] * len(codes)


def one_program(kernel, grid, program, arguments, options):
    """Run one program of a grid: to the interpreter it is the only one, to itself it is one of many."""
    from triton.runtime import interpreter

    builder = interpreter.interpreter_builder
    set_dim, set_idx = builder.set_grid_dim, builder.set_grid_idx
    builder.set_grid_dim = lambda *_: set_dim(*grid, 1)
    builder.set_grid_idx = lambda *_: set_idx(*program, 0)
    kernel[1,](*arguments, **options)


if not INTERPRETED:

    def test_again_in_the_interpreter():
        run_in_the_interpreter(__file__)

    @pytest.mark.parametrize("ones", [(), ("T", "B", "H", "first", "steps", "rows")])
    def test_kernels_compile_for_a_gpu(ones):
        """And where a size is 1: Triton then takes it for a constant."""
        pytest.importorskip("triton")
        from dlnotes.core.gpu import rnn_kernels

        few, many = {"num_warps": 8, "enable_fp_fusion": True}, {"num_warps": 16, "enable_fp_fusion": True}
        whole, shared = {"BLOCK": 128}, {"BLOCK": 256 if ones else 1024, "UNITS": 32, "MEET": True}
        for kernel, pointers, options, constants in (
            (rnn_kernels.forward_whole, "states W_T", few, whole),
            (rnn_kernels.backward_whole, "dz dh states W", few, whole),
            (rnn_kernels.forward_shared, "states W_T counters:i32", many, shared),
            (rnn_kernels.backward_shared, "dz dh states W counters:i32", many, shared),
        ):
            unit = [name for name in ones if name in kernel.arg_names and (name != "H" or constants is whole)]
            code = compile_for_a_gpu(kernel, pointers, options, **constants, **dict.fromkeys(unit, 1))
            assert "fma.rn.f32" in code
            assert "tf32" not in code
            assert ("ld.global.cg" in code) == ("counters" in pointers)
            assert ("gpu.release" in code) == ("gpu.acquire" in code) == ("counters" in pointers)
