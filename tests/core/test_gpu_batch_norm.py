"""Batch normalisation on torch tensors against the chapter's, in float64. See gpu_paths for what runs where."""

import numpy as np
import pytest
from gpu_paths import (
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

from dlnotes import batch_norm as chapter
from dlnotes.core.gpu import batch_norm

# one example, one block, more features than a block, more values than a block; images of few, odd and many pixels
SHAPES = [
    (1, 3), (7, 3), (70, 3), (5, 37), (150, 33),
    (2, 3, 1, 1), (3, 2, 2, 3), (5, 3, 5, 7), (3, 2, 6, 8), (2, 3, 33, 37), (40, 2, 9, 16),
]  # fmt: skip


def draw(shape, dtype="float64", device="cpu", seed=0, shift=0.3):
    """(x, gamma, beta, dy); each feature has its own mean and scale."""
    rng = np.random.default_rng(seed)
    column = (shape[1],) + (1,) * (len(shape) - 2)
    x = rng.normal(size=shape) * rng.uniform(0.5, 2, column) + shift * rng.normal(size=column)
    arrays = x, rng.normal(size=shape[1]), rng.normal(size=shape[1]), rng.normal(size=shape)
    return [torch.from_numpy(a).to(device, getattr(torch, dtype)) for a in arrays]


def ours(x, gamma, beta, dy, algorithm, eps=1e-3):
    y, saved = batch_norm.forward(x, gamma, beta, eps=eps, algorithm=algorithm)
    gradients = batch_norm.backward(dy, saved, algorithm=algorithm)
    return [y, gradients.dx, gradients.dgamma, gradients.dbeta]


def exact(tensors, eps=1e-3):
    x, gamma, beta, dy = (a.detach().cpu().double().numpy() for a in tensors)
    y, saved = chapter.forward(x, gamma, beta, eps=eps)
    gradients = chapter.backward(dy, saved)
    return [y, gradients.dx, gradients.dgamma, gradients.dbeta]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("algorithm", "device", "dtype"), EVERY_DTYPE)
def test_agrees_with_the_chapter_by_path(algorithm, device, dtype, shape):
    tensors = draw(shape, dtype, device)
    before = [a.clone() for a in tensors]
    answers = ours(*tensors, algorithm)
    assert all(a.dtype == tensors[0].dtype and a.device == tensors[0].device for a in answers)
    scale = [a if np.abs(a).max() > 1e-9 else a * 0 for a in exact(tensors)]  # one example has no gradient
    assert off(answers, scale) < TOLERANCE[dtype]
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))


@pytest.mark.parametrize("shape", [(300, 5), (6, 3, 20, 24)])
@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_mean_far_from_0_by_path(algorithm, device, shape):
    """The mean of the squares less the square of the mean would lose all digits here; a plain sum of means, one."""
    tensors = draw(shape, "float32", device, shift=1000)
    assert off(ours(*tensors, algorithm), exact(tensors)) < 4e-5


@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_other_strides_and_autograd_by_path(algorithm, device):
    x, gamma, beta, dy = draw((5, 3, 4, 8), "float32", device)
    turned = x.to(memory_format=torch.channels_last).requires_grad_()
    answers = ours(turned, gamma, beta, dy.to(memory_format=torch.channels_last), algorithm)
    assert not any(a.requires_grad for a in answers)
    assert off(answers, exact([x, gamma, beta, dy])) < 1e-5


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 5)])
@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_no_example_by_path(algorithm, device, shape):
    x, gamma, beta, dy = draw((1, *shape[1:]), "float32", device)
    y, dx, dgamma, dbeta = ours(x[:0], gamma, beta, dy[:0], algorithm)
    assert y.shape == dx.shape == shape
    assert not dgamma.any()
    assert not dbeta.any()


@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_no_eps_by_path(algorithm, device):
    tensors = draw((5, 3), "float32", device)
    assert off(ours(*tensors, algorithm, eps=0), exact(tensors, eps=0)) < 1e-5
    tensors[0][:, 1] = 0.1
    with pytest.raises(ValueError, match=r"^eps is 0"):
        ours(*tensors, algorithm, eps=0)
    with pytest.raises(ValueError, match=r"^eps is 0"):
        ours(*tensors, algorithm, eps=1e-60)
    tensors = draw((5, 3), "float32", device)
    tensors[0][:, 1] *= 1e-30  # not constant, but its squares are 0
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"^eps is 0"):  # the interpreter warns, as NumPy
        ours(*tensors, algorithm, eps=0)


if TRITON:

    @pytest.mark.parametrize("shape", [(300, 35), (40, 3, 9, 16)])
    @pytest.mark.parametrize(("algorithm", "device"), TRITON)
    def test_many_blocks_a_program_by_path(algorithm, device, shape, monkeypatch):
        """As on large inputs: a program merges the statistics of its blocks, here with means that differ."""
        from dlnotes.core.gpu import batch_norm_kernels

        monkeypatch.setattr(batch_norm_kernels, "PROGRAMS", 4)
        x, *rest = draw(shape, "float32", device)
        x += torch.linspace(-3, 5, len(x), device=device).view(-1, *(1,) * (len(shape) - 1))
        assert off(ours(x, *rest, algorithm), exact([x, *rest])) < 1e-5


def test_no_load_crosses_the_end_of_an_image():
    """What the interpreter cannot see: a load of several values must find them side by side."""
    pytest.importorskip("triton")
    from dlnotes.core.gpu import batch_norm_kernels

    for S in range(1, 70):
        (_, area, _, each), _, options = batch_norm_kernels._plan(torch.empty(3, 2, 1, S))
        assert area == S
        assert S % options["VECTOR"] == each % options["LENGTH"] == options["LENGTH"] % options["VECTOR"] == 0


BAD = {
    "x has shape (5,)": {"x": torch.zeros(5, dtype=torch.float64)},
    "x has shape (5, 0)": {"x": torch.zeros(5, 0, dtype=torch.float64)},
    "x has dtype torch.float16": {"x": torch.zeros(5, 3, dtype=torch.float16)},
    "gamma has shape (5,)": {"gamma": torch.zeros(5, dtype=torch.float64)},
    "beta has dtype torch.float32": {"beta": torch.zeros(3)},
    "eps is -1": {"eps": -1},
    "eps is inf": {"eps": float("inf")},
    "eps is nan": {"eps": float("nan")},
    "eps is True": {"eps": True},
    "algorithm is None": {"algorithm": None},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    good = dict(zip(("x", "gamma", "beta"), draw((5, 3)), strict=False))
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(").replace(")", r"\)")):
        batch_norm.forward(**good | BAD[message])


def test_bad_gradient():
    *given, dy = draw((5, 3))
    _, saved = batch_norm.forward(*given)
    with pytest.raises(ValueError, match=r"^dy has shape"):
        batch_norm.backward(dy[:2], saved)
    with pytest.raises(ValueError, match=r"^dy has dtype"):
        batch_norm.backward(dy.float(), saved)


if not INTERPRETED:

    def test_again_in_the_interpreter():
        run_in_the_interpreter(__file__)

    @pytest.mark.parametrize(("tile", "ones"), [((4, 1, 1024), ()), ((1, 32, 64), ()), ((1, 1, 64), "CSV")])
    def test_kernels_compile_for_a_gpu(tile, ones):
        """And where a size is 1: Triton then takes it for a constant."""
        pytest.importorskip("triton")
        from dlnotes.core.gpu import batch_norm_kernels as kernels

        blocks = dict(zip(("VECTOR", "FEATURES", "LENGTH"), tile, strict=True))
        outputs = "x gamma beta means squares y mean_out inv_std_out"
        gradients = "dy x mean inv_std gamma dgammas dbetas dx dgamma_out dbeta_out"
        for kernel, pointers, constants in (
            (kernels.statistics, "x means squares", {}),
            (kernels.normalise, outputs, {"PARTS": 16}),
            (kernels.sums, "dy x mean inv_std dgammas dbetas", {}),
            (kernels.input_gradient, gradients, {"PARTS": 16}),
        ):
            assert compile_for_a_gpu(kernel, pointers, kernels.OPTIONS, **blocks, **constants, **dict.fromkeys(ones, 1))
