"""The figures of the chapter on the multilayer perceptron."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import mlp


def two_losses():
    """Both losses of one sigmoid for label 1, and their gradients, against the logit."""
    z = np.linspace(-8, 8, 161)
    logits, labels = np.stack([0 * z, z], axis=1), np.ones(161, dtype=int)
    p = mlp.probabilities(logits)[:, 1]
    entropy = [mlp.cross_entropy(row[None], [1]) for row in logits]
    d_entropy = mlp.d_cross_entropy(logits, labels)[:, 1] * len(z)

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2))
    for ax, ours, theirs in zip(axes, (entropy, d_entropy), ((p - 1) ** 2, 2 * (p - 1) * p * (1 - p)), strict=True):
        ax.plot(z, ours, color="C0", label="cross-entropy")
        ax.plot(z, theirs, "--", color="C1", label="squared error")
        ax.axvline(-np.log(2), color="#010203", linewidth=0.8, linestyle=":")
        ax.set_xlabel("logit $z$; the label is 1")
    axes[0].set_title("loss")
    axes[1].set_title("gradient")
    axes[0].legend()
    return figure


def shapes():
    """The arrays of one example, forwards and backwards, with their shapes."""
    forwards = [("$x$", "$D$"), ("$z^{(1)}$", r"$D_{\mathrm{h}}$"), ("$h$", r"$D_{\mathrm{h}}$")]
    forwards += [("$z^{(2)}$", "$K$"), ("$L$", "1")]
    maps = [r"$W^{(1)}x + b^{(1)}$", "softplus", r"$W^{(2)}h + b^{(2)}$", r"$-\log p_\ell$"]
    back = [r"$(W^{(1)})^\top$", r"$\odot\,\sigma(z^{(1)})$", r"$(W^{(2)})^\top$", r"$g = p - e_\ell$"]
    figure, ax = plt.subplots(figsize=(7, 2.6))
    ax.set_axis_off()
    ax.set_xlim(-0.4, 8.4)
    ax.set_ylim(-1.1, 1.1)
    for k, (name, size) in enumerate(forwards):
        ax.text(2 * k, 0, name, ha="center", va="center", fontsize=18)
        ax.text(2 * k, -0.5, size, ha="center", va="center", fontsize=12)
    for k, (there, here) in enumerate(zip(maps, back, strict=True)):
        for y, start, end, color, text in ((0.25, 0.4, 1.6, "C0", there), (-0.25, 1.6, 0.4, "C1", here)):
            arrow = {"arrowstyle": "->", "color": color, "linewidth": 1.4}
            ax.annotate("", (2 * k + end, y), (2 * k + start, y), arrowprops=arrow)
            ax.text(2 * k + 1, 2.3 * y, text, ha="center", va="center", fontsize=12, color=color)
    ax.text(4, 1.0, "forwards", ha="center", color="C0")
    ax.text(4, -1.0, "backwards: what the gradient is multiplied by", ha="center", color="C1")
    return figure
