"""Cross-entropy and its gradient: the fast core beside PyTorch with autograd."""

import numpy as np
import pytest

from dlnotes import core
from dlnotes import softmax as chapter

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("size", [(256, 50000), (32, 10)])
def bench_cross_entropy(race, size):
    N, K = size
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=size).astype(np.float32), rng.integers(0, K, N)
    leaf, targets = torch.from_numpy(logits).requires_grad_(), torch.from_numpy(labels)

    def autograd():
        loss = torch.nn.functional.cross_entropy(leaf, targets)
        return loss.detach(), torch.autograd.grad(loss, leaf)[0]

    wide = logits.astype(np.float64)
    exact = chapter.cross_entropy(wide, labels), chapter.d_cross_entropy(wide, labels)
    del wide

    def off(answers):
        assert [a.shape for a in answers] == [b.shape for b in exact]
        ratios = [np.abs(np.asarray(a) - b).max() / np.abs(b).max() for a, b in zip(answers, exact, strict=True)]
        return float(np.max(ratios))  # NaN if one is

    error = off(core.cross_entropy(logits, labels))
    assert error < 1e-5
    assert off(autograd()) < 1e-4
    race(
        lambda: core.cross_entropy(logits, labels),
        {"F.cross_entropy, autograd": autograd},
        work="cross-entropy and gradient",
        size=f"{N} x {K}",
        bytes=2 * logits.nbytes,
        error=error,
    )
