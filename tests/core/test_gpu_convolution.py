"""Convolutions on torch tensors against the chapter's, in float64. See gpu_paths for what runs where."""

import inspect

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

from dlnotes import convolution as chapter
from dlnotes.core.gpu import conv2d, conv2d_backward, convolution, tensors

# (N, C, H, W), (F, C/groups, kH, kW), options. One group: what both algorithms take.
ONE_GROUP = [
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((2, 3, 5, 6), (4, 3, 3, 3), {}),
    ((2, 3, 7, 6), (5, 3, 3, 2), {"padding": 1}),
    ((3, 2, 8, 9), (4, 2, 3, 3), {"stride": 2, "padding": (1, 2)}),
    ((2, 3, 9, 11), (2, 3, 2, 3), {"stride": (3, 2), "dilation": (2, 3), "padding": (2, 1)}),
    ((2, 2, 4, 7), (3, 2, 1, 2), {"stride": (3, 5)}),
    ((1, 2, 5, 5), (3, 2, 5, 5), {}),
    ((2, 1, 3, 4), (2, 1, 3, 2), {"padding": (5, 4)}),
    ((2, 70, 5, 9), (67, 70, 2, 1), {"padding": 1}),  # more channels, filters and weights than a block
    ((5, 2, 15, 13), (3, 2, 3, 3), {"padding": 1}),  # more pixels than a block
]
GROUPED = [
    ((2, 4, 5, 6), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    ((2, 3, 7, 6), (6, 1, 3, 2), {"groups": 3, "stride": 2, "dilation": (1, 2), "padding": (0, 1)}),
]
CASES = [(*path, *case) for path in EVERY_DTYPE for case in ONE_GROUP + (GROUPED if path[0] == "torch" else [])]


def draw(shape, kernel, options, dtype="float64", device="cpu"):
    """(x, w, b, dy)."""
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=shape), rng.normal(size=kernel), rng.normal(size=kernel[0])
    y = chapter.conv2d(x, w, **options)
    return [torch.from_numpy(a).to(device, getattr(torch, dtype)) for a in (x, w, b, rng.normal(size=y.shape))]


def ours(x, w, b, dy, options):
    gradients = conv2d_backward(dy, x, w, **options)
    return [conv2d(x, w, b, **options), conv2d(x, w, **options), gradients.dx, gradients.dw, gradients.db]


def exact(tensors, options):
    x, w, b, dy = (a.detach().cpu().double().numpy() for a in tensors)
    gradients = chapter.conv2d_backward(dy, x, w, **options)
    y = chapter.conv2d(x, w, **options)
    return [y + b[:, None, None], y, gradients.dx, gradients.dw, gradients.db]


@pytest.mark.parametrize(("algorithm", "device", "dtype", "shape", "kernel", "options"), CASES)
def test_agrees_with_the_chapter_by_path(algorithm, device, dtype, shape, kernel, options):
    tensors = draw(shape, kernel, options, dtype, device)
    before = [a.clone() for a in tensors]
    answers = ours(*tensors, options | {"algorithm": algorithm})
    assert all(a.dtype == tensors[0].dtype and a.device == tensors[0].device for a in answers)
    assert all(a.is_contiguous() for a in answers)
    assert off(answers, exact(tensors, options)) < TOLERANCE[dtype]
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))


if TRITON:

    @pytest.mark.parametrize(("allow_tf32", "tolerance"), [(True, 1e-2), ("x3", 1e-5)])
    @pytest.mark.parametrize(("algorithm", "device"), TRITON)
    def test_matrix_units_by_path(algorithm, device, allow_tf32, tolerance):
        """In the interpreter all products are of float32: what the units give is seen on a GPU only."""
        shape, kernel, options = ONE_GROUP[8]
        tensors = draw(shape, kernel, options, "float32", device)
        answers = ours(*tensors, options | {"algorithm": algorithm, "allow_tf32": allow_tf32})
        assert off(answers, exact(tensors, options)) < tolerance

    @pytest.mark.parametrize(("algorithm", "device"), TRITON)
    def test_many_blocks_a_program_by_path(algorithm, device, monkeypatch):
        """As on large inputs: each part of the weights' gradient is a sum over blocks of pixels."""
        from dlnotes.core.gpu import convolution_kernels

        monkeypatch.setattr(convolution_kernels, "PROGRAMS", 3)
        shape, kernel, options = ONE_GROUP[9]
        tensors = draw(shape, kernel, options, "float32", device)
        assert off(ours(*tensors, options | {"algorithm": algorithm}), exact(tensors, options)) < 1e-5


@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_other_strides_and_autograd_by_path(algorithm, device):
    tensors = draw(*ONE_GROUP[3], "float32", device)
    x, w, b, dy = (a.transpose(0, -1).contiguous().transpose(0, -1) for a in tensors)
    answers = ours(x.requires_grad_(), w.requires_grad_(), b, dy, ONE_GROUP[3][2] | {"algorithm": algorithm})
    assert not any(a.requires_grad for a in answers)
    assert off(answers, exact(tensors, ONE_GROUP[3][2])) < 1e-5


@pytest.mark.parametrize(("algorithm", "device"), PATHS)
def test_no_image_by_path(algorithm, device):
    x, w, b, dy = draw(*ONE_GROUP[3], "float32", device)
    options = ONE_GROUP[3][2] | {"algorithm": algorithm}
    y, _, dx, dw, db = ours(x[:0], w, b, dy[:0], options)
    assert (y.shape, dx.shape) == (dy[:0].shape, x[:0].shape)
    assert not dw.any()
    assert not db.any()


BAD = {
    "x has shape (3, 5, 6)": {"x": torch.zeros(3, 5, 6, dtype=torch.float64)},
    "x has shape (2, 0, 5, 6)": {"x": torch.zeros(2, 0, 5, 6, dtype=torch.float64)},
    "x has images of (2, 6)": {"x": torch.zeros(2, 3, 2, 6, dtype=torch.float64)},
    "x is of type list": {"x": [0.0]},
    "w has shape (4, 2, 3, 3)": {"w": torch.zeros(4, 2, 3, 3, dtype=torch.float64)},
    "w has dtype torch.float32": {"w": torch.zeros(4, 3, 3, 3)},
    "b has shape (3,)": {"b": torch.zeros(3, dtype=torch.float64)},
    "b has dtype torch.float32": {"b": torch.zeros(4)},
    "stride is 0": {"stride": 0},
    "padding is -1": {"padding": -1},
    "dilation is 'a'": {"dilation": "a"},
    "groups is 2": {"groups": 2},
    "algorithm is 'winograd'": {"algorithm": "winograd"},
    "allow_tf32 is 'yes'": {"allow_tf32": "yes"},
    "x has dtype torch.float64": {"algorithm": "triton"},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    x, w, b, _ = draw((2, 3, 5, 6), (4, 3, 3, 3), {})
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(").replace(")", r"\)")):
        conv2d(**{"x": x, "w": w, "b": b} | BAD[message])


def test_kernels_have_one_group():
    x, w, _, _ = draw(*GROUPED[0], "float32")
    with pytest.raises(ValueError, match=r"^groups is 2; expected 1 for algorithm 'triton'"):
        conv2d(x, w, **GROUPED[0][2], algorithm="triton")


def test_kernels_count_in_32_bits(monkeypatch):
    x, w, _, _ = draw((2, 3, 5, 6), (40, 3, 3, 3), {}, "float32")
    for module, most, message in (
        (convolution, 959, "x has an output of 960 entries"),
        (tensors, 1079, "w has 1080 entries"),
        (tensors, 179, "x has 180 entries"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, "MOST", most)
            patch.setattr(tensors, "_interpreted", lambda: True)
            with pytest.raises(ValueError, match=f"^{message}"):
                conv2d(x, w, algorithm="triton")


def test_float32_stays_float32_unless_asked():
    for function in (conv2d, conv2d_backward):
        assert inspect.signature(function).parameters["allow_tf32"].default is False
    assert convolution.PRECISIONS == {False: "ieee", True: "tf32", "x3": "tf32x3"}


def test_bad_gradient():
    x, w, _, dy = draw((2, 3, 5, 6), (4, 3, 3, 3), {})
    with pytest.raises(ValueError, match=r"^dy has shape"):
        conv2d_backward(dy[:1], x, w)
    with pytest.raises(ValueError, match=r"^dy has dtype"):
        conv2d_backward(dy.float(), x, w)


if not INTERPRETED:

    def test_again_in_the_interpreter():
        run_in_the_interpreter(__file__)

    @pytest.mark.parametrize(
        ("precision", "ones"),
        [("ieee", ""), ("tf32", ""), ("tf32x3", ""), ("ieee", "N I O C F kH kW sH sW pH pW dH dW")],
    )
    def test_kernels_compile_for_a_gpu(precision, ones):
        """And where a size is 1: Triton then takes it for a constant."""
        pytest.importorskip("triton")
        from dlnotes.core.gpu import convolution_kernels as kernels

        blocks = {"PRECISION": precision, "CHANNELS": 32, "PIXELS": 32, "DEPTH": 32}
        for transposed in (False, True):
            flags = {"TRANSPOSED": transposed, "BIAS": not transposed}
            flags |= {name: 1 for name in ones.split() if name in kernels.image.arg_names}
            code = compile_for_a_gpu(kernels.image, "source w b out", kernels.OPTIONS, **flags, **blocks)
            assert ("tf32" in code) == (precision != "ieee")
        blocks |= {name: 1 for name in ones.split() if name in kernels.weights.arg_names}
        code = compile_for_a_gpu(kernels.weights, "dy x parts", kernels.OPTIONS, **blocks)
        assert ("tf32" in code) == (precision != "ieee")
