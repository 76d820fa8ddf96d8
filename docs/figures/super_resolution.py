"""The figures of the chapter on super-resolution."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import super_resolution
from dlnotes.activation import sigmoid

INK = "#010203"


def _grid(ax, image, title, note=""):
    """Small images as squares of grey, each with its value."""
    ax.set(xlim=(0, image.shape[1]), ylim=(image.shape[0], 0), aspect="equal", xticks=[], yticks=[])
    for (row, column), value in np.ndenumerate(image):
        ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=str(float(value)), edgecolor="C0", linewidth=0.6))
        tone = "white" if value < 0.5 else "black"
        ax.text(column + 0.5, row + 0.5, f"{value:g}", ha="center", va="center", fontsize=9, color=tone)
    ax.set_title(title, fontsize=10)
    ax.set_xlabel(note, fontsize=10)


def blocks():
    """The four blocks that have one small image, and what three criteria make of it."""
    true = np.eye(4).reshape(4, 1, 2, 2)
    low = super_resolution.downsample(true)
    mean = super_resolution.conditional_mean(low, true)[0, 0]
    median = np.full((2, 2), super_resolution.best_l1([0, 1], [0.75, 0.25])[0])
    figure, axes = plt.subplots(2, 4, figsize=(7.4, 4.4), layout="constrained")
    for k, ax in enumerate(axes[0]):
        _grid(ax, true[k, 0], "possible")
    for ax, image, title in zip(
        axes[1],
        (low[0, 0], mean, median, true[2, 0]),
        ("small image", "squared error", "absolute error", "one draw"),
        strict=True,
    ):
        _grid(ax, image, title)
    return figure


def checkerboard():
    """How many stamps fall on each output, for a kernel that the stride does not divide, and for one that it does."""
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.6), layout="constrained")
    for ax, k in zip(axes, (3, 4), strict=True):
        along = super_resolution.overlap(4, k, 2)
        counts = np.outer(along, along)
        n = len(along)
        ax.set(xlim=(0, n), ylim=(n, 0), aspect="equal", xticks=[], yticks=[], title=f"kernel {k} x {k}, stride 2")
        for (row, column), count in np.ndenumerate(counts):
            ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor="C0", alpha=0.2 * int(count), linewidth=0))
            ax.text(column + 0.5, row + 0.5, int(count), ha="center", va="center", fontsize=9)
    return figure


def response():
    """What linear upsampling does to a wave."""
    omega = np.linspace(0, np.pi, 61)
    figure, ax = plt.subplots()
    curves = (
        ("bilinear, (1/2, 1, 1/2)", 1 + np.cos(omega)),
        ("bilinear, (1/4, 3/4, 3/4, 1/4)", 2 * np.cos(omega / 2) ** 3),
        ("nearest, (1, 1)", 2 * np.cos(omega / 2)),
    )
    for k, (name, factor) in enumerate(curves):
        ax.plot(omega, factor, color=f"C{k}", label=name, linestyle=("-", "--", ":")[k])
    ax.axvline(np.pi / 2, color=INK, linewidth=0.8)
    ax.set_xticks([0, np.pi / 2, np.pi], ["0", r"$\pi/2$", r"$\pi$"])
    ax.set_xlabel(r"frequency $\omega$, radians a large pixel")
    ax.set_ylabel("factor on the wave")
    ax.legend()
    return figure


def scheme():
    """The two models, and who sees what."""
    figure, ax = plt.subplots(figsize=(7.4, 2.9))
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, 15), ylim=(-3.4, 2.4), aspect="equal")
    ax.axis("off")
    boxes = {
        "$x_{\\mathrm{LR}}$": (0.2, -0.5, 1.6, None), "$\\mathcal{G}$": (3.2, -0.5, 1.4, "C0"),
        "$\\mathcal{G}(x_{\\mathrm{LR}})$": (6.0, -0.5, 2.6, None), "$x_{\\mathrm{HR}}$": (6.5, -2.9, 1.6, None),
        "$\\mathcal{D}$": (10.4, -1.7, 1.4, "C1"), "true?": (13.2, -1.7, 1.6, None),
    }  # fmt: skip
    for text, (x, y, width, color) in boxes.items():
        if color:
            ax.add_patch(plt.Rectangle((x, y), width, 1.1, facecolor=color, alpha=0.3, linewidth=0))
        ax.add_patch(plt.Rectangle((x, y), width, 1.1, facecolor="none", edgecolor=INK, linewidth=1))
        ax.text(x + width / 2, y + 0.55, text, ha="center", va="center", fontsize=13)
    plain = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    for start, end in (
        ((1.8, 0.05), (3.2, 0.05)), ((4.6, 0.05), (6.0, 0.05)), ((8.6, 0.05), (10.4, -0.85)),
        ((8.1, -2.35), (10.4, -1.4)), ((11.8, -1.15), (13.2, -1.15)),
    ):  # fmt: skip
        ax.annotate("", end, start, arrowprops=plain)
    ax.plot([1.0, 1.0, 11.1], [0.6, 1.7, 1.7], color="C2", linestyle="--", linewidth=1.2)
    ax.annotate("", (11.1, -0.6), (11.1, 1.7), arrowprops={**plain, "color": "C2", "linestyle": "--"})
    ax.text(
        6.0, 1.8, "the pair, if the discriminator is conditioned", ha="center", va="bottom", fontsize=10, color="C2"
    )
    return figure


def slopes():
    """The slopes of the two criteria of the generator, against the discriminator's logit."""
    z = np.linspace(-6, 6, 61)
    figure, ax = plt.subplots()
    for k, (name, saturating) in enumerate((("$\\log(1 - D)$", True), ("$-\\log D$", False))):
        slope = super_resolution.d_generator_loss(z, saturating=saturating) * z.size
        ax.plot(z, slope, color=f"C{k}", linestyle=("-", "--")[k], label=name)
    ax.axvline(0, color=INK, linewidth=0.6)
    ax.set_xlabel(f"logit of a generated image; at −6, $D$ is {sigmoid(-6.0):.4f}")
    ax.set_ylabel("slope of the criterion")
    ax.legend()
    return figure


def tradeoff():
    """Twice the divergence plus the weighted error: for one sharp image, and for the mean."""
    true = [0.5, 0.5, 0.0]
    sharp, mean = (super_resolution.jensen_shannon(true, law) for law in ([0, 1.0, 0], [0, 0, 1.0]))
    zeta = np.linspace(0, 6, 31)
    figure, ax = plt.subplots()
    ax.plot(zeta, 2 * sharp + zeta / 2, color="C0", label="one of the two images, sharp")
    ax.plot(zeta, 2 * mean + zeta / 4, color="C1", linestyle="--", label="their mean, blurred")
    threshold = 8 * (mean - sharp)
    ax.axvline(threshold, color=INK, linewidth=0.8)
    ax.text(threshold + 0.08, 0.6, f"{threshold:.3f}")
    ax.set_xlabel(r"weight $\zeta$ of the squared error")
    ax.set_ylabel("criterion of the generator")
    ax.legend()
    return figure
