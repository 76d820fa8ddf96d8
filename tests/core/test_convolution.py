"""The fast convolution, beside the chapter's in float64."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlnotes import convolution
from dlnotes.core import _direct, _winograd, conv2d, conv2d_backward
from dlnotes.core import convolution as core

ALGORITHMS = ["direct", "winograd", "fft", None]
# Largest error relative to the largest entry. fft and winograd spread it over all of the entries.
TOLERANCE = {np.float32: 2e-5, np.float64: 3e-14}


@st.composite
def layers(draw, winograd=False):
    """Arrays of whole numbers and the options of a layer; the sizes are free, so that no two need be equal."""
    size = st.integers(1, 4)
    pair = st.tuples(size, size)
    kernel, stride, dilation = (3, 3), (1, 1), (1, 1)
    if not winograd:
        kernel, stride, dilation = draw(pair), draw(pair), draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    H, W = (draw(st.integers(max(1, e - 2 * p), e + 9)) for e, p in zip(extent, padding, strict=True))
    groups, c, f, N = draw(size), draw(size), draw(size), draw(st.integers(0, 5))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, w, b = (
        rng.integers(-4, 5, shape).astype(dtype)
        for shape in ((N, groups * c, H, W), (groups * f, c, *kernel), (groups * f,))
    )
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    out = [convolution.output_size(n, k, stride=s, padding=p, dilation=d) for n, k, s, p, d in
           zip((H, W), kernel, stride, padding, dilation, strict=True)]  # fmt: skip
    dy = rng.integers(-4, 5, (N, groups * f, *out)).astype(dtype)
    return x, w, b, dy, options


def compare(ours, exact, dtype, direct):
    """Whole numbers: direct gives them exactly, the others within rounding."""
    assert ours.shape == exact.shape
    assert ours.dtype == dtype
    assert ours.flags.c_contiguous
    if direct:
        np.testing.assert_array_equal(ours, exact)
    else:
        np.testing.assert_allclose(ours, exact, rtol=0, atol=TOLERANCE[dtype] * max(1, np.abs(exact).max(initial=0)))


def check(case, algorithm):
    x, w, b, dy, options = case
    dtype = x.dtype.type
    before = [a.copy() for a in (x, w, b, dy)]
    y = conv2d(x, w, b, **options, algorithm=algorithm)
    without = conv2d(x, w, **options, algorithm=algorithm)
    gradients = conv2d_backward(dy, x, w, **options, algorithm=algorithm)
    for a, kept in zip((x, w, b, dy), before, strict=True):
        np.testing.assert_array_equal(a, kept)
    if len(x):
        wide = [a.astype(np.int64) for a in (x, w, b, dy)]
        exact = convolution.conv2d(*wide[:3], **options)
        expected = convolution.conv2d_backward(wide[3], *wide[:2], **options)
    else:  # the chapter's layer takes no empty batch: its output is empty, its gradients are zero
        exact, expected = dy, convolution.Gradients(x, np.zeros(w.shape), np.zeros(len(w)))
    direct = algorithm == "direct"
    compare(y, exact, dtype, direct)
    compare(without, exact - b.astype(np.int64)[:, None, None], dtype, direct)
    for name in ("dx", "dw", "db"):
        compare(getattr(gradients, name), getattr(expected, name), dtype, direct or name == "db")


@pytest.fixture(params=["small", "large"])
def scale(request, monkeypatch):
    """Let the small layers of the tests take the code of the large ones too, two images and a few channels at once."""
    core._plan.cache_clear()
    if request.param == "large":
        monkeypatch.setattr(core, "_SMALL", 0)
        for module in (_direct, _winograd):
            monkeypatch.setattr(module, "images_at_once", lambda N, positions, enough: min(N, 2))
        monkeypatch.setattr(_winograd, "_channels", lambda C, tiles: [slice(c, min(c + 3, C)) for c in range(0, C, 3)])
    yield
    core._plan.cache_clear()


SOME = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.usefixtures("scale")
@pytest.mark.parametrize("algorithm", ["direct", "fft", None])
@given(case=layers())
@SOME
def test_any_layer_is_the_chapters(algorithm, case):
    check(case, algorithm)


@pytest.mark.usefixtures("scale")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(case=layers(winograd=True))
@SOME
def test_a_three_by_three_layer_is_the_chapters(algorithm, case):
    check(case, algorithm)


def test_a_layer_of_many_channels_and_blocks():
    """Several blocks of channels and of images, the last one shorter."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=s) for s in ((5, 66, 22, 19), (70, 33, 3, 3), (70,)))
    dy = rng.normal(size=(5, 70, 22, 19))
    options = {"padding": 1, "groups": 2}
    exact = convolution.conv2d(x, w, b, **options)
    expected = convolution.conv2d_backward(dy, x, w, **options)
    for algorithm in ALGORITHMS:
        for dtype in (np.float32, np.float64):
            arrays = [a.astype(dtype) for a in (x, w, b, dy)]
            y = conv2d(*arrays[:3], **options, algorithm=algorithm)
            gradients = conv2d_backward(arrays[3], *arrays[:2], **options, algorithm=algorithm)
            pairs = [(y, exact)] + [(getattr(gradients, d), getattr(expected, d)) for d in ("dx", "dw", "db")]
            for ours, theirs in pairs:
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[dtype] * np.abs(theirs).max())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_arrays_that_are_not_contiguous(algorithm):
    rng = np.random.default_rng(1)
    x, w, dy = (rng.normal(size=s) for s in ((3, 4, 10, 9), (5, 4, 3, 3), (3, 5, 8, 7)))
    b = rng.normal(size=10)[::2]
    plain = conv2d_backward(dy, x, w, algorithm=algorithm)
    turned = [np.asfortranarray(a)[:, :, ::-1][:, :, ::-1] for a in (dy, x, w)]
    strided = conv2d_backward(*turned, algorithm=algorithm)
    for name in ("dx", "dw", "db"):
        np.testing.assert_allclose(getattr(strided, name), getattr(plain, name), rtol=1e-13, atol=1e-13)
    y = conv2d(turned[1], turned[2], b, algorithm=algorithm)
    np.testing.assert_allclose(y, conv2d(x, w, b.copy(), algorithm=algorithm), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_answers_share_no_memory(algorithm):
    """What is kept between calls is never what was returned."""
    rng = np.random.default_rng(2)
    cases = [[rng.normal(size=s) for s in ((2, 40, 16, 16), (40, 40, 3, 3), (40,))] for _ in range(2)]
    first = conv2d(*cases[0], padding=1, algorithm=algorithm)
    gradients = conv2d_backward(first, *cases[0][:2], padding=1, algorithm=algorithm)
    kept = [a.copy() for a in (first, gradients.dx, gradients.dw, gradients.db)]
    second = conv2d(*cases[1], padding=1, algorithm=algorithm)
    conv2d_backward(second, *cases[1][:2], padding=1, algorithm=algorithm)
    for a, copy in zip((first, gradients.dx, gradients.dw, gradients.db), kept, strict=True):
        np.testing.assert_array_equal(a, copy)


def test_threads_do_not_disturb_each_other():
    rng = np.random.default_rng(3)
    cases = [[rng.normal(size=s) for s in ((2, 40, 20, 20), (40, 40, 3, 3))] for _ in range(4)]
    alone = [conv2d(*case, padding=1) for case in cases]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = pool.map(lambda case: conv2d(*case, padding=1), cases)
            for one, other in zip(together, alone, strict=True):
                np.testing.assert_array_equal(one, other)


def test_the_choice_by_size():
    def chosen(x, w, **options):
        options = {"s": 1, "p": 0, "d": 1} | options
        return core._check(np.zeros(x), np.zeros(w), *options.values(), 1, None)[2].algorithm

    assert chosen((8, 64, 56, 56), (64, 64, 3, 3)) == "winograd"
    assert chosen((8, 64, 56, 56), (64, 64, 3, 3), s=2) == "direct"
    assert chosen((8, 64, 56, 56), (64, 64, 3, 3), d=2) == "direct"
    assert chosen((8, 64, 56, 56), (64, 64, 5, 5)) == "direct"
    assert chosen((8, 3, 56, 56), (64, 3, 3, 3)) == "direct"
    assert chosen((1, 8, 128, 128), (8, 8, 31, 31)) == "fft"
    assert chosen((1, 3, 28, 28), (8, 3, 3, 3)) == "columns"


X, W, B, DY = np.ones((2, 4, 5, 7)), np.ones((6, 4, 3, 3)), np.ones(6), np.ones((2, 6, 3, 5))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x", {"x": np.ones((4, 5, 7))}),
        ("x", {"x": np.ones((2, 4, 5, 7), int)}),
        ("x", {"x": np.ones((2, 4, 5, 7), np.float16)}),
        ("x", {"x": np.ones((2, 4, 5, 7), complex)}),
        ("x", {"x": np.ones((2, 4, 5, 7), ">f4")}),
        ("x", {"x": np.ones((2, 4, 2, 7))}),  # smaller than the kernel
        ("x", {"x": np.ones((2, 4, 5, 0))}),
        ("x", {"dilation": 3}),
        ("w", {"w": np.ones((6, 4, 3, 3), np.float32)}),
        ("w", {"w": np.ones((6, 3, 3, 3))}),
        ("w", {"w": np.ones((6, 4, 0, 3))}),
        ("w", {"w": np.ones((0, 4, 3, 3))}),
        ("w", {"w": np.ones((6, 4, 3))}),
        ("w", {"groups": 2}),
        ("groups", {"groups": 3}),
        ("groups", {"groups": 0}),
        ("groups", {"groups": 1.0}),
        ("groups", {"groups": True}),
        ("groups", {"groups": [1]}),
        ("stride", {"stride": 0}),
        ("stride", {"stride": (1, 2, 3)}),
        ("stride", {"stride": True}),
        ("stride", {"stride": (1, True)}),
        ("stride", {"stride": 1.0}),
        ("padding", {"padding": -1}),
        ("padding", {"padding": "same"}),
        ("dilation", {"dilation": (0, 1)}),
        ("algorithm", {"algorithm": "fast"}),
        ("algorithm", {"algorithm": "columns"}),
        ("algorithm", {"algorithm": ["fft"]}),
        ("algorithm", {"algorithm": "winograd", "stride": 2}),
        ("algorithm", {"algorithm": "winograd", "w": np.ones((6, 4, 3, 2))}),
        ("b", {"b": np.ones(5)}),
        ("b", {"b": np.ones((6, 1))}),
        ("b", {"b": np.ones(6, np.float32)}),
        ("dy", {"dy": np.ones((2, 6, 3, 4))}),
        ("dy", {"dy": np.ones((1, 6, 3, 5))}),
        ("dy", {"dy": np.ones((2, 6, 3, 5), np.float32)}),
    ],
)
def test_bad_input_is_named(name, change):
    conv2d(X, W, B)  # what was seen before changes nothing
    arguments = {"x": X, "w": W} | change
    if name != "dy":
        with pytest.raises(ValueError, match=rf"\A{name} (is|has) .*expected"):
            conv2d(**{"b": B} | {k: v for k, v in arguments.items() if k != "dy"})
    if name != "b":
        with pytest.raises(ValueError, match=rf"\A{name} (is|has) .*expected"):
            conv2d_backward(**{"dy": DY} | arguments)


def test_pairs_may_be_lists_and_integers_numpys():
    same = conv2d(X, W, stride=(2, 1), padding=(1, 0))
    np.testing.assert_array_equal(conv2d(X, W, stride=[2, 1], padding=[np.int64(1), 0]), same)
    np.testing.assert_array_equal(conv2d(X, W, padding=np.int64(2)), conv2d(X, W, padding=2))


def test_an_infinite_pixel_reaches_only_its_outputs():
    """Direct adds up what each output sees, nothing else."""
    x = np.ones((1, 1, 9, 9))
    x[0, 0, 0, 0] = np.inf
    y = conv2d(x, np.ones((1, 1, 3, 3)), algorithm="direct")
    assert np.isinf(y[0, 0, 0, 0])
    assert np.isfinite(np.delete(y.ravel(), 0)).all()
