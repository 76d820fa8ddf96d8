"""The figures of the chapter on siamese networks."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import siamese

INK = "#010203"
LAYERS = (("conv 3 × 3", "32 × 32 × 32"), ("conv, stride 2", "16 × 16 × 32"), ("conv 3 × 3", "16 × 16 × 64"))
LAYERS += (("conv, stride 2", "8 × 8 × 64"), ("dense, PReLU", "128"), ("dense, linear", "10"))


def network():
    """The network that the chapter assumes: two branches, shared weights, one distance."""
    figure, ax = plt.subplots(figsize=(6.2, 6.6))
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, 12.4), ylim=(13.2, 0))
    ax.axis("off")
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    for side, image, prime in ((0.3, "$x$", ""), (7.5, r"$\tilde x$", "'")):
        middle = side + 2.3
        ax.text(middle, 0.6, f"{image}   32 × 32 × 3", ha="center", va="center", fontsize=12)
        for k, (kind, shape) in enumerate(LAYERS):
            top = 1.5 + 1.6 * k
            ax.annotate("", (middle, top), (middle, top - 0.6), arrowprops=arrow)
            color = "C0" if k < 4 else "C1"
            ax.add_patch(plt.Rectangle((side, top), 4.6, 1, facecolor=color, alpha=0.18, linewidth=0))
            ax.add_patch(plt.Rectangle((side, top), 4.6, 1, facecolor="none", edgecolor=color, linewidth=1.3))
            ax.text(middle, top + 0.32, f"L{prime}{k + 1}: {kind}", ha="center", va="center", fontsize=10)
            ax.text(middle, top + 0.72, shape, ha="center", va="center", fontsize=10)
    for k in range(6):
        ax.plot([4.9, 7.5], [2 + 1.6 * k] * 2, color=INK, linewidth=1, linestyle=":")
    ax.text(6.2, 1.75, "same\nweights", ha="center", va="bottom", fontsize=10)
    ax.annotate("", (5.6, 12.0), (2.6, 10.5), arrowprops=arrow)
    ax.annotate("", (6.8, 12.0), (9.8, 10.5), arrowprops=arrow)
    ax.text(3.2, 11.6, "$h^{(6)}$", ha="center", fontsize=12)
    ax.text(9.2, 11.6, r"$\tilde h^{(6)}$", ha="center", fontsize=12)
    ax.text(
        6.2, 12.4, r"$d = \frac{1}{2}\,\Vert h^{(6)} - \tilde h^{(6)} \Vert^2$", ha="center", va="center", fontsize=13
    )
    return figure


def loss_terms():
    """Both terms of the loss over the norm of the difference, and their slope."""
    r = np.linspace(0, 2.4, 121)
    h, zero = r[:, None], 0 * r[:, None]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    for label, name in ((0, r"one class, $\ell = 0$"), (1, r"two classes, $\ell = 1$")):
        values = [siamese.loss(h[k : k + 1], zero[:1], [label]) for k in range(len(r))]
        dh, _ = siamese.d_loss(h, zero, np.full(len(r), label))
        left.plot(r, values, color=f"C{label}", label=name)
        slope = dh[:, 0] * len(r)
        if label:
            slope = np.where(np.abs(r - np.sqrt(2)) < 0.011, np.nan, slope)
        right.plot(r, slope, color=f"C{label}", label=name)
    for ax in (left, right):
        ax.axvline(np.sqrt(2), color=INK, linewidth=0.8, linestyle="--")
        ax.set_xlabel(r"$\Vert \Delta h^{(6)} \Vert$")
    left.set_title("loss")
    right.set_title("slope")
    left.legend()
    return figure


def free_outputs():
    """Nine free outputs of three classes on their way down the loss of all pairs."""
    rng = np.random.default_rng(2)
    h = rng.normal(size=(9, 2)) / 5
    i, j = np.triu_indices(9, 1)
    different = (i // 3 != j // 3).astype(int)
    path = [h]
    for _ in range(200):
        dh, dh_tilde = siamese.d_loss(h[i], h[j], different)
        total = np.zeros((9, 2))
        np.add.at(total, i, dh)
        np.add.at(total, j, dh_tilde)
        h = h - 1.5 * total
        path.append(h)
    path = np.array(path[:40] + path[40::8])
    figure, ax = plt.subplots(figsize=(4.6, 4.2))
    for k in range(9):
        color = f"C{k // 3}"
        ax.plot(*path[:, k].T, color=color, linewidth=0.8)
        ax.plot(*path[0, k], "o", color=color, markersize=4, fillstyle="none")
        ax.plot(*path[-1, k], "o", color=color, markersize=7)
    ends = [h[3 * k] for k in range(3)]
    for a, b in ((0, 1), (1, 2), (0, 2)):
        ax.plot(*np.transpose([ends[a], ends[b]]), ":", color=INK, linewidth=0.8)
    shortest = min(np.linalg.norm(ends[a] - ends[b]) for a, b in ((0, 1), (1, 2), (0, 2)))
    ax.set_aspect("equal")
    ax.set_title(rf"dotted: length at least $\sqrt{{2}}$ (shortest: {shortest:.3f})", fontsize=10)
    return figure
