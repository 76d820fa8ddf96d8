"""The figures of the chapter on activation functions."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import activation


def functions():
    """Four functions and their derivatives."""
    x = np.linspace(-4, 4, 401)
    figure, axes = plt.subplots(1, 4, figsize=(8.6, 2.6), gridspec_kw={"wspace": 0.4})
    for ax, name in zip(axes, ("sigmoid", "tanh", "softplus", "relu"), strict=True):
        ax.axhline(0, color="#010203", linewidth=0.8)
        ax.plot(x, getattr(activation, name)(x), color="C0", label="function")
        slope = getattr(activation, "d_" + name)(x)
        ax.plot(x, np.where(x == 0, np.nan, slope) if name == "relu" else slope, "--", color="C1", label="derivative")
        ax.set_title(name)
        ax.set_xticks([-4, 0, 4])
        ax.set_xlabel("$x$")
    axes[3].legend(fontsize="small", loc="upper left", handlelength=1)
    return figure


def swish_to_relu():
    """Swish for three sharpnesses, and its distance from ReLU, multiplied by alpha, against alpha x."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    x = np.linspace(-3, 3, 601)
    for k, alpha in enumerate((0, 1, 4)):
        left.plot(x, activation.swish(x, alpha), color=f"C{k}", label=rf"$\alpha = {alpha}$")
    left.plot(x, activation.relu(x), "--", color="#010203", label="ReLU")
    left.set_xlabel("$x$")
    left.set_ylabel("swish")
    left.legend()

    z = np.linspace(-8, 8, 3201)
    gap = np.abs(activation.swish(z, 1) - activation.relu(z))
    top = np.abs(z[gap.argmax()])
    right.plot(z, gap, color="C3")
    right.axhline(gap.max(), linestyle=":", color="#010203")
    for at in (-top, top):
        right.axvline(at, linestyle=":", color="#010203")
    right.set_xticks([-8, -4, -top, top, 4, 8], ["-8", "-4", r"$-z^\star$", r"$z^\star$", "4", "8"])
    right.set_xlabel(r"$z = \alpha x$")
    right.set_title(r"$\alpha\,|\mathrm{swish}(x) - \mathrm{relu}(x)|$")
    return figure


def pieces():
    """The piecewise linear function, and the two ramps it is the sum of."""
    a_r, a_l, x_r, x_l = 1.5, 0.5, 1.0, -0.5
    x = np.array([-3, x_l, x_r, 3])
    figure, ax = plt.subplots(figsize=(6, 3.2))
    ax.plot(x, activation.piecewise_linear(x, a_r, a_l, x_r, x_l), color="C0", linewidth=3, label="sum")
    ax.plot(x, a_r * activation.relu(x - x_r), "--", color="C1", label="ramp on the right")
    ax.plot(x, a_l * activation.relu(x_l - x), "--", color="C2", label="ramp on the left")
    ax.plot([x_l, x_r], [0, 0], "o", color="C0")
    for at, height, text in ((-1.3, 0.85, "slope $-a_l$"), (0.25, 0.15, "slope 0"), (1.6, 2.0, "slope $a_r$")):
        ax.text(at, height, text, ha="center")
    ax.set_xticks([x_l, x_r], ["$x_l$", "$x_r$"])
    ax.set_xlabel("$x$")
    ax.legend(loc="upper left")
    return figure
