"""The figures of the chapter on gradient descent."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import gradient_descent


def paths():
    """Contours of a quadratic with kappa = 10, and twelve steps of three lengths from one start."""
    eigenvalues, w_star, w0 = np.array([1.0, 10.0]), np.zeros(2), np.array([9.0, 1.6])
    best, limit = gradient_descent.optimal_step(eigenvalues), gradient_descent.step_limit(eigenvalues)
    chosen = [
        (0.1, r"$\eta = 1/10 = 1/\lambda_{\max}$"),
        (best, r"$\eta = 2/11$, the best"),
        (limit, r"$\eta = 2/10$, the limit"),
    ]
    x, y = np.meshgrid(np.linspace(-4.5, 10, 90), np.linspace(-2.4, 2.4, 60))
    height = (eigenvalues[0] * x**2 + eigenvalues[1] * y**2) / 2

    figure, axes = plt.subplots(3, 1, sharex=True, sharey=True, figsize=(6.4, 7.2))
    for k, (ax, (step, title)) in enumerate(zip(axes, chosen, strict=True)):
        path = [gradient_descent.iterate(np.diag(eigenvalues), w_star, w0, step, t) for t in range(13)]
        ax.contour(x, y, height, levels=[1, 4, 9, 16, 25, 36, 49], colors="#010203", linewidths=0.5)
        ax.plot(*np.array(path).T, "o-", color=f"C{k}", markersize=4, linewidth=1.2)
        ax.plot(*w_star, "*", color="C3", markersize=10)
        ax.set_title(title)
        ax.set_ylabel("$w_2$")
        ax.set_aspect("equal")
    axes[2].set_xlabel("$w_1$")
    return figure


def rate_against_step():
    """The factor of each eigenvalue, and the largest, against the step; with momentum 0.9 too."""
    eigenvalues = np.array([1.0, 3.0, 20.0])
    steps = np.linspace(1e-4, 0.21, 601)
    figure, ax = plt.subplots()
    for value, style in zip(eigenvalues, (":", "-.", "--"), strict=True):
        ax.plot(
            steps, np.abs(1 - steps * value), style, color="#010203", linewidth=0.9, label=rf"$\lambda = {value:g}$"
        )
    plain = [gradient_descent.rate(eigenvalues, step) for step in steps]
    ax.plot(steps, plain, color="C0", linewidth=2.2, label=r"$\rho$, plain")
    momentum = [gradient_descent.rate(eigenvalues, step, 0.9) for step in steps]
    ax.plot(steps, momentum, color="C1", linewidth=2.2, label=r"$\rho$, momentum $0.9$")
    best = gradient_descent.optimal_step(eigenvalues)
    limit = gradient_descent.step_limit(eigenvalues)
    for step, text, offset in (
        (1 / 20, r"$1/\lambda_{\max}$", (-14, 8)),
        (best, "best", (6, -12)),
        (limit, "limit", (6, -4)),
    ):
        height = gradient_descent.rate(eigenvalues, step)
        ax.plot(step, height, "o", color="C0")
        ax.annotate(text, (step, height), offset, textcoords="offset points")
    ax.set_xlabel(r"step $\eta$")
    ax.set_ylabel("factor a step")
    ax.set_ylim(0, 1.25)
    ax.legend(loc="lower right")
    return figure


def rate_against_kappa():
    """How much a step gains, one minus the rate, against kappa: tuned plain descent, momentum 0.9, the heavy ball."""
    kappas = np.geomspace(1.5, 2e4, 160)
    spectra = [np.array([1.0, kappa]) for kappa in kappas]
    best = [gradient_descent.optimal_step(spectrum) for spectrum in spectra]
    plain = [gradient_descent.rate(spectrum, step) for spectrum, step in zip(spectra, best, strict=True)]
    fixed = [gradient_descent.rate(spectrum, 1.9 * step, 0.9) for spectrum, step in zip(spectra, best, strict=True)]
    polyak = [gradient_descent.heavy_ball(spectrum)[2] for spectrum in spectra]
    figure, ax = plt.subplots()
    for k, (rates, style, label) in enumerate(
        (
            (plain, "-", "plain, best step"),
            (fixed, "--", "momentum 0.9, best step"),
            (polyak, ":", "best step and momentum"),
        )
    ):
        ax.loglog(kappas, 1 - np.array(rates), style, color=f"C{k}", label=label, linewidth=2)
    ax.axvline(37.97, color="#010203", linewidth=0.7)
    ax.axvline(1442, color="#010203", linewidth=0.7)
    ax.set_xlabel(r"condition number $\kappa$")
    ax.set_ylabel(r"$1 - \rho$: higher is faster")
    ax.legend()
    return figure
