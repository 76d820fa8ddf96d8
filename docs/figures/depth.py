"""The figures of the chapter on depth."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import depth


def folds():
    """The tent map folded one to four times; dashed, the best that one hidden layer of as many units can do."""
    figure, axes = plt.subplots(1, 4, sharey=True, figsize=(8, 2.6))
    for t, ax in enumerate(axes, start=1):
        x = np.linspace(0, 1, 2**t + 1)
        ax.plot(x, depth.forward(depth.tent_network(t), x[:, None])[:, 0], color="C0", linewidth=1.2)
        if 2 * t < 2**t:
            ax.plot([0, 1], [0.5, 0.5], "--", color="C1", linewidth=1.2)
        ax.set_title(f"{2 * t} units, {2**t} pieces", fontsize=10)
        ax.set_xlabel("$x$")
        ax.set_xticks([0, 1])
    axes[0].set_ylabel("$y$")
    return figure


def rates():
    """Largest error of the interpolant against its number of units, for four functions."""
    widths = np.array([2, 4, 8, 16, 32, 64])
    functions = {
        r"$[\,x > 1/2\,]$: a jump": lambda x: np.where(2 * x > 1, 1.0, 0.0),
        r"$\sqrt{x}$: continuous": np.sqrt,
        r"$|x - 1/3|$: slope at most 1": lambda x: np.abs(x - 1 / 3),
        r"$x^2$: smooth": np.square,
    }
    figure, ax = plt.subplots()
    for k, (name, psi) in enumerate(functions.items()):
        errors = []
        for width in widths:
            knots = np.linspace(0, 1, width + 1)
            net = depth.interpolant(knots, psi(knots))
            x = np.concatenate([np.linspace(a, b, 61) for a, b in pairwise(knots)] + [[1 / 3, 0.5 + 1e-9]])
            errors.append(np.abs(psi(x) - depth.forward(net, x[:, None])[:, 0]).max())
        ax.loglog(widths, errors, "o-", color=f"C{k}", markersize=4, label=name)
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.minorticks_off()
    ax.set_xlabel(r"number of units $D_{\mathrm{h}}$")
    ax.set_ylabel("largest error on [0, 1]")
    ax.legend()
    return figure
