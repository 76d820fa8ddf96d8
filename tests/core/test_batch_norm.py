"""The fast layer against the chapter's, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlnotes import batch_norm as chapter
from dlnotes.core import batch_norm

DTYPES = (np.float32, np.float64)
SHAPES = st.one_of(
    st.tuples(st.integers(2, 40), st.integers(1, 9)),
    st.tuples(st.integers(2, 5), st.integers(1, 5), st.integers(1, 6), st.integers(1, 7)),
)


def draw(shape, dtype, seed=0, mean=0.0):
    """(x, gamma, beta, dy), asymmetric."""
    rng = np.random.default_rng(seed)
    x, dy, gamma, beta = (rng.normal(0.3, 1, s) for s in (shape, shape, shape[1:2], shape[1:2]))
    return [a.astype(dtype) for a in (x + mean, gamma, beta, dy)]


def both(x, gamma, beta, dy, eps=1e-5):
    """The answers of the core, and those of the chapter in float64: y, dx, dgamma, dbeta."""
    answers = []
    for module, dtype in ((batch_norm, x.dtype), (chapter, np.float64)):
        y, saved = module.forward(*(a.astype(dtype) for a in (x, gamma, beta)), eps=eps)
        gradients = module.backward(dy.astype(dtype), saved)
        answers.append((y, gradients.dx, gradients.dgamma, gradients.dbeta))
    return answers


def agree(ours, theirs, dtype, scale=1.0):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert a.dtype == dtype
        assert np.abs(a - b).max(initial=0) <= 200 * scale * np.finfo(dtype).eps * max(np.abs(b).max(initial=0), 1)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(SHAPES, st.sampled_from(DTYPES), st.integers(0, 99), st.sampled_from((1e-5, 0.5)))
def test_agrees_with_the_chapter(shape, dtype, seed, eps):
    x, gamma, beta, dy = draw(shape, dtype, seed)
    *_, inv_std = vars(chapter.forward(x.astype(float), gamma.astype(float), beta.astype(float), eps=eps)[1]).values()
    agree(*both(x, gamma, beta, dy, eps), dtype, scale=max(inv_std.max(), 1) ** 2 if inv_std.ndim else 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mean", [3.0, 30.0, -1000.0])
@pytest.mark.parametrize("shape", [(300, 7), (5, 3, 20, 11)])
def test_mean_far_from_zero(shape, mean, dtype):
    """The variance does not cancel: the answers are as good as the rounded input and the chapter allow."""
    ours, theirs = both(*draw(shape, dtype, mean=mean))
    agree(ours, theirs, dtype, scale=1 if dtype == np.float32 else abs(mean))


@pytest.mark.parametrize("shape", [(300, 7), (5, 3, 20, 11), (2, 9, 1, 1)])
def test_blocks_and_runs_of_any_size(shape, monkeypatch):
    arrays = draw(shape, np.float64)
    for block, run in ((8, 1), (64, 7), (2000, 100), (10**6, 10**6)):
        monkeypatch.setattr(batch_norm, "BLOCK", block)
        monkeypatch.setattr(batch_norm, "RUN", run)
        agree(*both(*arrays), np.float64)


@pytest.mark.parametrize("shape", [(20_000, 3), (9, 300), (3, 2, 80, 70)])
def test_long_rows_and_columns(shape):
    with np.errstate():
        np.setbufsize(4096)
        agree(*both(*draw(shape, np.float32)), np.float32, scale=0.1)
        assert np.getbufsize() == 4096


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_where_the_input_is_normalised(dtype):
    """Of ones and minus ones in equal number the mean is 0 and the variance 1: small integers stay exact."""
    rng = np.random.default_rng(0)
    x = rng.permuted(np.repeat([[-1.0], [1.0]], 8, axis=0).repeat(3, axis=1), axis=0).astype(dtype)
    gamma, beta = np.array([1, -2, 3], dtype), np.array([5, 0, -7], dtype)
    dy = rng.integers(-8, 9, x.shape).astype(dtype)
    y, saved = batch_norm.forward(x, gamma, beta, eps=0)
    gradients = batch_norm.backward(dy, saved)
    np.testing.assert_array_equal(y, gamma * x + beta)
    np.testing.assert_array_equal(gradients.dbeta, dy.sum(0))
    np.testing.assert_array_equal(gradients.dgamma, (dy * x).sum(0))
    np.testing.assert_array_equal(gradients.dx, gamma * (dy - (dy.sum(0) + x * (dy * x).sum(0)) / 16))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
@pytest.mark.parametrize("shape", [(50, 2), (3, 2, 5, 7)])
def test_constant_feature(shape, value):
    x, gamma, beta, dy = draw(shape, np.float32)
    x[:, 1] = value
    ours, theirs = both(x, gamma, beta, dy)
    agree(ours, theirs, np.float32, scale=1 / np.sqrt(1e-5))
    with pytest.raises(ValueError, match=r"^eps is 0 in the precision of x"):
        batch_norm.forward(x, gamma, beta, eps=0)


@pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 1e-30), (np.float64, 1e-170)])
def test_a_variance_below_the_precision_needs_eps(dtype, scale):
    x, gamma, beta, _ = draw((6, 3), dtype)
    with pytest.raises(ValueError, match=r"^eps is 0 in the precision of x"):
        batch_norm.forward(x * dtype(scale), gamma, beta, eps=0)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 5)])
def test_no_example(shape):
    x, gamma, beta, dy = draw(shape, np.float32)
    y, saved = batch_norm.forward(x, gamma, beta)
    gradients = batch_norm.backward(dy, saved)
    assert y.shape == gradients.dx.shape == shape
    assert not gradients.dgamma.any()
    assert not gradients.dbeta.any()
    assert gradients.dgamma.shape == gradients.dbeta.shape == (3,)


@pytest.mark.parametrize("mean", [0, 100])
@pytest.mark.parametrize("shape", [(30, 7), (5, 3, 4, 2)])
def test_layout_does_not_matter_and_nothing_is_modified(shape, mean):
    arrays = draw(shape, np.float64, mean=mean)
    expected = both(*arrays)[0]
    strided = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arrays]
    for given_arrays in (arrays, strided, [np.asfortranarray(a) for a in arrays]):
        for a in given_arrays:
            a.setflags(write=False)
        *inputs, dy = given_arrays
        y, saved = batch_norm.forward(*inputs)
        for _ in range(2):
            gradients = batch_norm.backward(dy, saved)
            for a, b in zip((y, gradients.dx, gradients.dgamma, gradients.dbeta), expected, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "a"),
    [
        ("x", np.zeros(6, np.float32)),
        ("x", np.zeros((6, 3, 2), np.float32)),
        ("x", np.zeros((6, 0), np.float32)),
        ("x", np.zeros((6, 3, 0, 2), np.float32)),
        ("x", np.zeros((6, 3), np.int64)),
        ("x", np.zeros((6, 3), np.float16)),
        ("gamma", np.ones(6, np.float32)),
        ("gamma", np.ones((3, 1), np.float32)),
        ("gamma", np.ones(3)),
        ("beta", np.ones(1, np.float32)),
        ("beta", np.ones(3, np.int64)),
        ("eps", -1e-5),
        ("eps", np.nan),
        ("eps", np.inf),
        ("eps", [1e-5, 1e-5]),
        ("eps", "small"),
    ],
)
def test_bad_input(name, a):
    good = {"x": np.ones((6, 3), np.float32), "gamma": np.ones(3, np.float32), "beta": np.ones(3, np.float32)}
    with pytest.raises(ValueError, match=f"^{name} "):
        batch_norm.forward(**{**good, name: a})


@pytest.mark.parametrize("dy", [np.zeros((3, 6), np.float32), np.zeros((6, 3)), np.zeros((6, 3), np.int64)])
def test_bad_gradient(dy):
    x, gamma, beta, _ = draw((6, 3), np.float32)
    _, saved = batch_norm.forward(x, gamma, beta)
    with pytest.raises(ValueError, match=r"^dy has "):
        batch_norm.backward(dy, saved)
