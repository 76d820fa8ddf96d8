"""The fast gradient and product with the Hessian against the chapter's, in float64."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlnotes import core
from dlnotes import newton as chapter
from dlnotes.core import newton

DTYPES = (np.float32, np.float64)


def draw(N, sizes, dtype, seed=0, scale=1.0):
    """(params, x, labels, v), asymmetric."""
    rng = np.random.default_rng(seed)

    def array(*shape):
        return rng.normal(0.1, scale, shape).astype(dtype)

    params, v = ([(array(o, i), array(o)) for i, o in pairwise(sizes)] for _ in range(2))
    return params, array(N, sizes[0]), rng.integers(0, sizes[-1], N), v


def cast(pairs, dtype):
    return [(W.astype(dtype), b.astype(dtype)) for W, b in pairs]


def agree(ours, theirs, dtype, slack=400):
    assert len(ours) == len(theirs)
    scale = max(np.abs(a).max() for pair in theirs for a in pair)
    for a, b in zip(sum(ours, ()), sum(theirs, ()), strict=True):
        assert a.shape == b.shape
        assert a.dtype == dtype
        assert np.abs(a - b).max() <= slack * np.finfo(dtype).eps * scale


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.integers(1, 7), st.lists(st.integers(1, 8), min_size=2, max_size=5), st.sampled_from(DTYPES), st.integers(0, 99)
)  # fmt: skip
def test_agrees_with_the_chapter(N, sizes, dtype, seed):
    params, x, labels, v = draw(N, sizes, dtype, seed)
    there = cast(params, float), x.astype(float), labels
    if sizes[-1] == 1:  # the loss is 0 whatever the parameters
        answers = *newton.mlp_gradient(params, x, labels), *newton.mlp_hvp(params, x, labels, v)
        assert not any(a.any() for pair in answers for a in pair)
    else:
        agree(newton.mlp_gradient(params, x, labels), chapter.mlp_gradient(*there), dtype)
        agree(core.mlp_hvp(params, x, labels, v), chapter.mlp_hvp(*there, cast(v, float)), dtype, slack=4000)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_saturated_units(scale, dtype):
    params, x, labels, v = draw(6, (3, 5, 4, 2), dtype)
    x = (scale * x).astype(dtype)
    answer = newton.mlp_hvp(params, x, labels, v)
    agree(answer, chapter.mlp_hvp(cast(params, float), x.astype(float), labels, cast(v, float)), dtype, 4000 * scale)


@pytest.mark.parametrize(("z", "shift"), [(-40, (0.3, 0)), (40, (-39.7, 80))])
def test_small_curvature_keeps_its_digits(z, shift):
    """Far from the bend of a softplus unit sigma' is tiny, and neither 0 nor cancelled."""
    there = [(np.ones((1, 1)), np.array([z])), (np.array([[1], [-2]]), np.array(shift))], np.zeros((1, 1)), [0]
    v = [(np.zeros((1, 1)), np.ones(1)), (np.zeros((2, 1)), np.zeros(2))]
    expected = chapter.mlp_hvp(cast(there[0], float), *there[1:], v)
    here = cast(there[0], np.float32), np.float32(there[1]), there[2], cast(v, np.float32)
    for ours, theirs in zip(newton.mlp_hvp(*here)[0], expected[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_no_example():
    params, x, labels, v = draw(0, (3, 5, 2), np.float32)
    for answer in (newton.mlp_gradient(params, x, labels), newton.mlp_hvp(params, x, labels, v)):
        for a, b in zip(sum(answer, ()), sum(params, ()), strict=True):
            assert a.shape == b.shape
            assert not a.any()


def test_layout_does_not_matter_and_nothing_is_modified():
    params, x, labels, v = draw(6, (3, 5, 4, 2), np.float64)
    expected = newton.mlp_hvp(params, x, labels, v), newton.mlp_gradient(params, x, labels)

    def frozen(a):
        a.setflags(write=False)
        return a

    def strided(a):
        return np.repeat(a, 2, axis=-1)[..., ::2]

    for layout in (np.array, strided, np.asfortranarray):
        params, v = ([tuple(frozen(layout(a)) for a in pair) for pair in pairs] for pairs in (params, v))
        x, labels = frozen(layout(x)), frozen(layout(labels))
        answers = newton.mlp_hvp(params, x, labels, v), newton.mlp_gradient(params, x, labels)
        for ours, theirs in zip(answers, expected, strict=True):
            agree(ours, theirs, np.float64)


BAD = [
    ("params", lambda p: []),
    ("params", lambda p: 3),
    ("params", lambda p: [(p[0][0], p[0][1].astype(float)), p[1]]),
    ("params", lambda p: [p[1], p[0]]),
    ("params", lambda p: [(p[0][0], p[0][1][:-1]), p[1]]),
    ("params", lambda p: [(p[0][0][:0], p[0][1][:0]), p[1]]),
    ("x", lambda x: x[0]),
    ("x", lambda x: x.astype(int)),
    ("x", lambda x: x.astype(np.float16)),
    ("params", lambda x: x.astype(float)),
    ("params", lambda x: x[:, :2]),
    ("labels", lambda labels: labels[:-1]),
    ("labels", lambda labels: labels + 2),
    ("labels", lambda labels: labels - 2),
    ("labels", lambda labels: labels.astype(float)),
    ("v", lambda v: v[:1]),
    ("v", lambda v: [(v[0][0].T, v[0][1]), v[1]]),
    ("v", lambda v: [(v[0][0].astype(float), v[0][1]), v[1]]),
    ("v", lambda v: [1, 2]),
]
PLACE = {"params": 0, "x": 1, "labels": 2, "v": 3}


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input(case):
    name, spoil = BAD[case]
    arguments = list(draw(6, (3, 5, 2), np.float32))
    at = 1 if 6 <= case <= 10 else PLACE[name]  # a good x may be bad for params
    arguments[at] = spoil(arguments[at])
    with pytest.raises(ValueError, match=f"^{name} "):
        newton.mlp_hvp(*arguments)
    if at != 3:
        with pytest.raises(ValueError, match=f"^{name} "):
            newton.mlp_gradient(*arguments[:3])
