"""The fast cross-entropy and gradient against the chapter's, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlnotes import core
from dlnotes import softmax as chapter
from dlnotes.core import softmax

DTYPES = (np.float32, np.float64)


def draw(N, K, dtype, seed=0, scale=1.0, masked=0.0):
    """(logits, labels); some logits are -inf, never all of a row."""
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(0.1, 1, (N, K))).astype(dtype)
    logits[rng.random((N, K)) < masked] = -np.inf
    logits[:, K // 2] = np.where(np.isneginf(logits[:, K // 2]), dtype(scale), logits[:, K // 2])
    return logits, rng.integers(0, K, N)


def agree(logits, labels, slack=50):
    """Loss and gradient have the digits of their dtype; in the gradient, the label's entry too."""
    eps = slack * np.finfo(logits.dtype).eps
    loss, gradient = core.cross_entropy(logits, labels)
    assert loss.dtype == gradient.dtype == logits.dtype
    assert loss.shape == ()
    assert gradient.shape == logits.shape
    wide = logits.astype(float)
    np.testing.assert_allclose(loss, chapter.cross_entropy(wide, labels), rtol=eps, atol=1e-30)
    expected = chapter.d_cross_entropy(wide, labels)
    np.testing.assert_allclose(gradient, expected, rtol=eps * max(1, np.abs(wide[wide > -np.inf]).max()), atol=1e-30)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.integers(1, 6), st.integers(1, 9), st.sampled_from(DTYPES), st.integers(0, 99),
    st.sampled_from((0.1, 1.0, 30.0, 1e4)), st.sampled_from((0.0, 0.4)),
)  # fmt: skip
def test_agrees_with_the_chapter(N, K, dtype, seed, scale, masked):
    agree(*draw(N, K, dtype, seed, scale, masked))


@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_and_runs_of_any_size(dtype, monkeypatch):
    logits, labels = draw(7, 23, dtype)
    for block, run in ((1, 1), (200, 5), (400, 22), (10**6, 23)):
        monkeypatch.setattr(softmax, "BLOCK", block)
        monkeypatch.setattr(softmax, "RUN", run)
        agree(logits, labels)


def test_many_classes():
    with np.errstate():
        np.setbufsize(4096)
        for K in (500, 100_003):
            agree(*draw(3, K, np.float32))
        assert np.getbufsize() == 4096


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_for_equal_logits(dtype):
    """With 8 equal logits and 4 rows the gradient holds 1/32 and -7/32, and the loss is log 8."""
    labels = np.array([0, 3, 7, 3])
    loss, gradient = softmax.cross_entropy(np.full((4, 8), 5, dtype), labels)
    np.testing.assert_array_equal(gradient, (1 / 8 - np.eye(8)[labels]) / 4)
    assert loss == pytest.approx(np.log(8), rel=4 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
def test_small_loss_keeps_its_digits(dtype):
    loss, gradient = softmax.cross_entropy(np.array([[0, 30, 0.0]], dtype), np.array([1]))
    assert loss == pytest.approx(2 * np.exp(-30), rel=1e-5)
    assert gradient[0, 1] == pytest.approx(-2 * np.exp(-30), rel=1e-5)


def test_large_logits_do_not_overflow():
    big = np.array([[3e38, -3e38, 0], [-3e38, -3e38, -3e38]], np.float32)
    loss, gradient = softmax.cross_entropy(big, np.array([0, 2]))
    assert loss == pytest.approx(np.log(3) / 2)
    np.testing.assert_allclose(gradient, np.array([[0, 0, 0], [1, 1, -2]]) / 6, rtol=1e-6)


def test_masked_label():
    loss, gradient = softmax.cross_entropy(np.array([[-np.inf, 0, 0.0], [0, 0, 0]]), np.array([0, 1]))
    assert loss == np.inf
    np.testing.assert_allclose(gradient, np.array([[-6, 3, 3], [2, -4, 2]]) / 12)


def test_no_row():
    loss, gradient = softmax.cross_entropy(np.zeros((0, 3), np.float32), np.zeros(0, int))
    assert loss == 0
    assert gradient.shape == (0, 3)


@pytest.mark.parametrize("kind", ["u1", "u8", "i1", "i4", ">i8"])
def test_layout_does_not_matter_and_nothing_is_modified(kind):
    logits, labels = draw(6, 5, np.float64)
    loss, gradient = softmax.cross_entropy(logits, labels)
    for given_logits in (logits, np.repeat(logits, 2, axis=-1)[:, ::2], np.asfortranarray(logits)):
        given_labels = labels.astype(kind)
        for a in (given_logits, given_labels):
            a.setflags(write=False)
        ours = softmax.cross_entropy(given_logits, given_labels)
        assert ours[0] == loss
        np.testing.assert_array_equal(ours[1], gradient)


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("name", "logits", "labels"),
    [
        ("logits", np.zeros(3), [0, 1, 2]),
        ("logits", np.zeros((2, 0)), [0, 0]),
        ("logits", np.zeros((2, 3), int), [0, 1]),
        ("logits", np.zeros((2, 3), np.float16), [0, 1]),
        ("logits", np.zeros((2, 3), object), [0, 1]),
        ("logits", np.zeros((2, 3), np.dtype(np.float32).newbyteorder()), [0, 1]),
        ("logits", [[0, NAN, 1], [0.0, 0, 0]], [0, 1]),
        ("logits", [[0, INF, 1], [0.0, 0, 0]], [0, 1]),
        ("logits", [[0, INF, 1], [0.0, 0, 0]], [1, 1]),
        ("logits", [[INF, INF, 1], [0.0, 0, 0]], [0, 1]),
        ("logits", [[-INF, -INF, -INF], [0.0, 0, 0]], [0, 1]),
        ("logits", [[-INF], [0.0]], [0, 0]),
        ("logits", [[NAN, -INF, 1], [0.0, 0, 0]], [1, 1]),
        ("labels", np.zeros((2, 3)), [0]),
        ("labels", np.zeros((2, 3)), [[0], [1]]),
        ("labels", np.zeros((2, 3)), [0, 3]),
        ("labels", np.zeros((2, 3)), [-1, 0]),
        ("labels", np.zeros((2, 3)), np.array([0, 2**63], np.uint64)),
        ("labels", np.zeros((2, 3)), [0.0, 1.0]),
        ("labels", np.zeros((2, 3)), [True, False]),
    ],
)
def test_bad_input(name, logits, labels):
    with pytest.raises(ValueError, match=f"^{name} has "):
        softmax.cross_entropy(np.asarray(logits), np.asarray(labels))
