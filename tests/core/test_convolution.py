"""The fast convolution, beside the chapter's in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlnotes import convolution
from dlnotes.core import conv2d, conv2d_backward

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


@pytest.mark.parametrize("algorithm", ["direct", "fft", None])
@given(case=layers())
@settings(max_examples=120, deadline=None, derandomize=True)
def test_any_layer_is_the_chapters(algorithm, case):
    check(case, algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(case=layers(winograd=True))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_a_three_by_three_layer_is_the_chapters(algorithm, case):
    check(case, algorithm)
