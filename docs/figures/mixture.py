"""The figures of the chapter on mixtures of logistic regressions."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle

from dlnotes import activation, mixture


def network():
    """The layers for two features and three components."""
    figure, ax = plt.subplots(figsize=(7, 3.4))
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_xlim(-0.8, 8.4)
    ax.set_ylim(-2.3, 2.4)
    inputs, hidden, output = [(0, 0.7), (0, -0.7)], [(3.6, 1.4), (3.6, 0), (3.6, -1.4)], (7.2, 0)
    for j, unit in enumerate(hidden):
        for start, end, color in ((inputs[0], unit, "C0"), (inputs[1], unit, "C0"), (unit, output, "C1")):
            gap = 0.36 * (np.subtract(end, start) / np.hypot(*np.subtract(end, start)))
            arrow = {"arrowstyle": "->", "color": color, "linewidth": 1.2}
            ax.annotate("", np.subtract(end, gap), np.add(start, gap), arrowprops=arrow)
        ax.text(5.4, 0.8 - 0.62 * j, rf"$\pi_{j + 1}$", color="C1", ha="center", va="bottom", fontsize=13)
    names = [r"$x_1$", r"$x_2$", r"$\sigma$", r"$\sigma$", r"$\sigma$", r"$\Sigma$"]
    for (x, y), name in zip([*inputs, *hidden, output], names, strict=True):
        ax.add_patch(Circle((x, y), 0.34, fill=False, edgecolor="#010203", linewidth=1.3))
        ax.text(x, y, name, ha="center", va="center", fontsize=13)
    ax.text(1.8, 1.35, "$W$", color="C0", ha="center", fontsize=13)
    ax.text(7.75, 0, "$p$", ha="left", va="center", fontsize=13)
    for x, text in ((0, "input"), (3.6, "hidden layer"), (7.2, "output, linear")):
        ax.text(x, -2.2, text, ha="center", fontsize=11)
    return figure


def along_a_ray():
    """The probability and its log-odds along a ray, for two mixtures, beside their average logistic regression."""
    alpha = np.linspace(-8, 8, 161)[:, None]
    pi, cases = np.array([0.3, 0.7]), [("logits 3 and 0.5", [[3.0], [0.5]]), ("logits 3 and -1", [[3.0], [-1.0]])]
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.3))
    for k, (name, W) in enumerate(cases):
        W = np.array(W)
        p, mean = mixture.probability(alpha, pi, W), (alpha * (pi @ W))[:, 0]
        axes[0].plot(alpha, p, color=f"C{k}", label=name)
        axes[0].plot(alpha, activation.sigmoid(mean), "--", color=f"C{k}", linewidth=1)
        axes[1].plot(alpha, np.log(p / (1 - p)), color=f"C{k}")
        axes[1].plot(alpha, mean, "--", color=f"C{k}", linewidth=1)
    axes[0].set_ylabel("$p$")
    axes[1].set_ylabel("log-odds")
    axes[1].set_ylim(-5, 5)
    for ax in axes:
        ax.set_xlabel(r"factor $\alpha$ on the input")
    axes[0].legend(fontsize=9)
    return figure
