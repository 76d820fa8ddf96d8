"""The figures of the chapter on Newton's method."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import newton


def small_network():
    """A network 3-5-4, six examples, a direction; its gradient as a function of one vector."""
    rng = np.random.default_rng(1)
    shapes = [(5, 3), (5,), (4, 5), (4,)]
    w, v = (rng.normal(size=44) for _ in "wv")
    x, labels = rng.normal(size=(6, 3)), np.array([0, 3, 1, 2, 3, 0])

    def pairs(vector):
        cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
        arrays = [part.reshape(shape) for part, shape in zip(np.split(vector, cuts), shapes, strict=True)]
        return [(arrays[0], arrays[1]), (arrays[2], arrays[3])]

    def flat(parts):
        return np.concatenate([a.ravel() for pair in parts for a in pair])

    def gradient(vector):
        return flat(newton.mlp_gradient(pairs(vector), x, labels))

    return gradient, w, v, flat(newton.mlp_hvp(pairs(w), x, labels, pairs(v)))


def error_curves():
    """Error of both differences against r, relative to H v, which the R operator gives."""
    gradient, w, v, exact = small_network()
    lengths = np.geomspace(1e-14, 1, 113)
    figure, ax = plt.subplots()
    for difference, style, label in (
        (newton.hvp_forward_difference, "C0-", "forward difference"),
        (newton.hvp_central_difference, "C1--", "central difference"),
    ):
        errors = [np.linalg.norm(difference(gradient, w, v, r) - exact) for r in lengths]
        ax.loglog(lengths, np.array(errors) / np.linalg.norm(exact), style, label=label)
    ax.axvline(2.0**-26.5, color="#010203", linewidth=0.8, linestyle=":")
    ax.text(2.0**-26.5 * 1.3, 2e-1, r"$\sqrt{u}$")
    ax.axvline(2.0 ** (-53 / 3), color="#010203", linewidth=0.8, linestyle=":")
    ax.text(2.0 ** (-53 / 3) * 1.3, 2e-1, r"$u^{1/3}$")
    ax.set_xlabel("length $r$")
    ax.set_ylabel(r"error, relative to $H\vec v$")
    ax.legend(loc="lower left")
    return figure


def newton_and_descent():
    """Iterates on (w_1^2 + 10 w_2^2) / 2 from (1, 1), and distances to the minimum on exp(w) - 2 w."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    H = np.diag([1.0, 10.0])
    first, second = np.meshgrid(np.linspace(-0.25, 1.15, 141), np.linspace(-0.6, 1.1, 141))
    left.contour(first, second, (first**2 + 10 * second**2) / 2, levels=8, colors="#010203", linewidths=0.4)
    descent = [np.ones(2)]
    for _ in range(12):
        slope = H @ descent[-1]
        descent.append(descent[-1] - slope * (slope @ slope) / (slope @ H @ slope))
    jump = np.array([np.ones(2), np.ones(2) + newton.newton_step(H @ np.ones(2), H)])
    left.plot(*np.array(descent).T, "C0o-", markersize=3, label="gradient descent, best step")
    left.plot(*jump.T, "C1s--", markersize=5, label="Newton")
    left.set_xlabel("$w_1$")
    left.set_ylabel("$w_2$")

    descent, jump = [1.0], [1.0]
    for _ in range(14):
        descent.append(descent[-1] - 0.3 * (np.exp(descent[-1]) - 2))
    for _ in range(4):
        jump.append(jump[-1] + newton.newton_step([np.exp(jump[-1]) - 2], [[np.exp(jump[-1])]])[0])
    right.semilogy(np.abs(np.array(descent) - np.log(2)), "C0o-", markersize=3, label=r"gradient descent, $\eta = 0.3$")
    right.semilogy(np.abs(np.array(jump) - np.log(2)), "C1s--", markersize=5, label="Newton")
    right.set_xlabel("iteration $t$")
    right.set_ylabel(r"distance to $w^\star$")
    for ax in (left, right):
        ax.legend(fontsize="small", loc="lower right" if ax is left else "upper right")
    return figure
