"""The fast recurrence against the chapter's, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlnotes import bptt
from dlnotes.core import rnn

DTYPES = (np.float32, np.float64)
NAMES = ("dW", "dU", "dx", "dh0")


def draw(T, B, D, H, dtype, seed=0, scale=1.0):
    """(x, h0, W, U, dh), asymmetric."""
    rng = np.random.default_rng(seed)
    shapes = ((T, B, D), (B, H), (H, H), (H, D), (T, B, H))
    scales = (1, 1, scale, scale, 1)
    return [(s * rng.normal(0.1, 1, shape)).astype(dtype) for s, shape in zip(scales, shapes, strict=True)]


def both(x, h0, W, U, dh):
    """The answers of the core, and those of the chapter in float64: h, dW, dU, dx, dh0."""
    answers = []
    for module, dtype in ((rnn, x.dtype), (bptt, np.float64)):
        h, saved = module.forward(*(a.astype(dtype) for a in (x, h0, W, U)))
        gradients = module.backward(dh.astype(dtype), saved)
        answers.append((h, *(getattr(gradients, name) for name in NAMES)))
    return answers


def agree(ours, theirs, dtype, slack=100):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert a.dtype == dtype
        assert np.abs(a - b).max(initial=0) <= slack * np.finfo(dtype).eps * max(np.abs(b).max(initial=0), 0.1)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.integers(1, 7), st.integers(1, 5), st.integers(1, 6), st.integers(1, 9), st.sampled_from(DTYPES),
    st.integers(0, 99), st.sampled_from((0.1, 1.0)),
)  # fmt: skip
def test_agrees_with_the_chapter(T, B, D, H, dtype, seed, scale):
    agree(*both(*draw(T, B, D, H, dtype, seed, scale)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("B", [1, 3])
def test_agrees_over_many_steps(B, dtype):
    agree(*both(*draw(400, B, 13, 17, dtype, scale=0.3)), dtype, slack=1000)


@pytest.mark.parametrize("B", [1, 3])
def test_chunks_of_any_size(B, monkeypatch):
    arrays = draw(11, B, 3, 5, np.float64)
    for block in (1, 200, 500, 10**6):
        monkeypatch.setattr(rnn, "BLOCK", block)
        agree(*both(*arrays), np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_saturated_units(dtype):
    x, h0, W, U, dh = draw(5, 2, 3, 4, dtype)
    (h, *gradients), (h_there, *_) = both(1000 * x, h0, W, U, dh)
    assert np.abs(h - h_there).max() <= 4 * np.finfo(dtype).eps
    assert all(np.isfinite(a).all() for a in gradients)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_without_weights(dtype):
    """Then every state is one half, every slope one quarter, and small integers stay exact."""
    rng = np.random.default_rng(0)
    x, h0, dh = (rng.integers(-8, 9, shape).astype(dtype) for shape in ((5, 2, 3), (2, 4), (5, 2, 4)))
    h, saved = rnn.forward(x, h0, np.zeros((4, 4), dtype), np.zeros((4, 3), dtype))
    gradients = rnn.backward(dh, saved)
    before = np.concatenate([h0[None], h[:-1]])
    np.testing.assert_array_equal(h, np.full((5, 2, 4), 0.5))
    np.testing.assert_array_equal(gradients.dW, np.einsum("tbi,tbj->ij", dh / 4, before))
    np.testing.assert_array_equal(gradients.dU, np.einsum("tbi,tbj->ij", dh / 4, x))
    assert not gradients.dx.any()
    assert not gradients.dh0.any()


@pytest.mark.parametrize(("T", "B"), [(0, 2), (3, 0), (0, 0), (0, 1)])
@pytest.mark.parametrize("D", [0, 3])
def test_no_step_or_no_sequence(T, B, D):
    x, h0, W, U, dh = draw(T, B, D, 4, np.float32)
    h, saved = rnn.forward(x, h0, W, U)
    gradients = rnn.backward(dh, saved)
    assert h.shape == (T, B, 4)
    for name, like in zip(NAMES, (W, U, x, h0), strict=True):
        a = getattr(gradients, name)
        assert a.shape == like.shape
        assert not a.any()


@pytest.mark.parametrize("B", [1, 3])
def test_layout_does_not_matter_and_nothing_is_modified(B):
    arrays = draw(6, B, 3, 4, np.float64)
    expected = both(*arrays)[0]
    strided = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arrays]
    columns = [np.asfortranarray(a) for a in arrays]
    for given_arrays in (arrays, strided, columns):
        for a in given_arrays:
            a.setflags(write=False)
        *inputs, dh = given_arrays
        h, saved = rnn.forward(*inputs)
        for _ in range(2):  # what was saved is not modified either
            gradients = rnn.backward(dh, saved)
            for a, b in zip((h, *(getattr(gradients, name) for name in NAMES)), expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def changed(name, a):
    good = dict(zip(("x", "h0", "W", "U"), draw(5, 2, 3, 4, np.float32), strict=False))
    return {**good, name: a}


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("x", (5, 3), np.float32),
        ("x", (5, 2, 3), np.int64),
        ("x", (5, 2, 3), np.float16),
        ("x", (5, 2, 3), object),
        ("h0", (3, 4), np.float32),
        ("h0", (4,), np.float32),
        ("h0", (2, 4), np.float64),
        ("W", (4, 3), np.float32),
        ("W", (4,), np.float32),
        ("W", (4, 4), np.int32),
        ("U", (3, 4), np.float32),
        ("U", (4, 3), np.float64),
    ],
)
def test_bad_input(name, shape, dtype):
    with pytest.raises(ValueError, match=f"^{name} has "):
        rnn.forward(**changed(name, np.zeros(shape, dtype)))


@pytest.mark.parametrize("dh", [np.zeros((5, 4, 2), np.float32), np.zeros((5, 2, 4)), np.zeros((5, 2, 4), np.int64)])
def test_bad_gradient(dh):
    _, saved = rnn.forward(*draw(5, 2, 3, 4, np.float32)[:4])
    with pytest.raises(ValueError, match=r"^dh has "):
        rnn.backward(dh, saved)
