"""The figures of the chapter on vanishing and exploding gradients."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import gradient_flow


def three_cases():
    """Norm of a gradient sent back through one matrix, 60 times, for three spectral radii."""
    rng = np.random.default_rng(1)
    Q = rng.normal(size=(5, 5))
    g = rng.normal(size=5)
    figure, ax = plt.subplots()
    for color, style, rate in (("C0", "-", 1.1), ("C1", "--", 1.0), ("C2", ":", 0.9)):
        eigenvalues = rate * np.array([1, 0.6, -0.5, 0.3, 0.1])
        A = gradient_flow.eigen_power(Q, eigenvalues, np.linalg.inv(Q), 1)
        norms = gradient_flow.backpropagated_norms(g, [A] * 60)
        ax.semilogy(norms / norms[0], style, color=color, label=rf"$\rho = {rate}$")
    ax.set_xlabel("steps back")
    ax.set_ylabel("norm over its start")
    ax.legend()
    return figure


def transient():
    """Norm of the powers of a matrix that is not normal, its spectral radius, and the bound."""
    A = np.array([[0.5, 8.0], [0.0, 0.25]])
    Q = np.array([[1.0, -32.0], [0.0, 1.0]])
    Q /= np.linalg.norm(Q, axis=0)  # of length 1: the bound is near its tightest
    t = np.arange(13)
    norms = [np.linalg.norm(gradient_flow.jacobian_product(np.array([A] * k).reshape(-1, 2, 2)), 2) for k in t]
    figure, ax = plt.subplots()
    ax.semilogy(t, gradient_flow.power_bound(Q, np.array([0.5, 0.25]), 12), "--", color="C1", label="bound")
    ax.semilogy(t, norms, "o-", color="C0", label=r"$\Vert A^t \Vert$")
    ax.semilogy(t, 0.5**t, ":", color="C2", label=r"$\rho^t$")
    ax.set_xlabel("$t$")
    ax.legend()
    return figure
