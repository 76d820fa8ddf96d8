"""The figures of the chapter on batch normalisation."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import batch_norm


def projection():
    """Upstream gradient, the two parts the layer removes, and what is left, for one batch."""
    rng = np.random.default_rng(3)
    x = np.sort(rng.normal(size=(9, 1)), axis=0)
    dy = 0.9 + 0.8 * x + rng.normal(size=x.shape) * 0.5
    _, saved = batch_norm.forward(x, np.ones(1), np.zeros(1), eps=1e-5)
    mean, along = dy.mean(), saved.x_hat * (dy * saved.x_hat).mean()
    left = batch_norm.backward(dy, saved).dx / saved.inv_std

    figure, axes = plt.subplots(1, 4, sharey=True, figsize=(8, 2.9))
    parts = [("$g$", dy), ("mean of $g$", mean + 0 * dy), (r"part along $\hat x$", along), ("what is left", left)]
    for k, (ax, (title, values)) in enumerate(zip(axes, parts, strict=True)):
        ax.axhline(0, color="#010203", linewidth=0.8)
        ax.vlines(saved.x_hat, 0, values, color=f"C{k}")
        ax.plot(saved.x_hat, values, "o", color=f"C{k}", markersize=5)
        ax.set_title(title)
        ax.set_xlabel(r"$\hat x_i$")
    for ax, sign in zip(axes[1:], ("−", "−", "="), strict=True):
        ax.text(-0.1, 1.06, sign, transform=ax.transAxes, ha="center", fontsize=14)
    return figure


def missing_square():
    """Variance of the normalised values against the variance of the input: as meant, and as printed; without eps."""
    variances = np.geomspace(1e-3, 1e3, 121)
    x = np.random.default_rng(0).normal(size=(64, 1))
    x = (x - x.mean()) / x.std() * np.sqrt(variances)
    _, saved = batch_norm.forward(x, np.ones(121), np.zeros(121), eps=0)
    as_printed = (x - x.mean(0)) / x.var(0)

    figure, ax = plt.subplots()
    ax.loglog(variances, saved.x_hat.var(0), color="C0", label=r"as meant: divided by $\sqrt{v}$")
    ax.loglog(variances, as_printed.var(0), "--", color="C1", label="as printed: divided by $v$")
    ax.set_xlabel("variance $v$ of the input")
    ax.set_ylabel("variance of the output")
    ax.legend()
    return figure
