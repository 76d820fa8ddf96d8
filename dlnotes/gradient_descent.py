"""Gradient descent on a quadratic: the loss, the iterates, the steps, and momentum with weight decay.

The loss is L(w) = L(w*) + (w - w*)^T H (w - w*) / 2. Its Hessian ``H`` (P, P) is symmetric, and ``w_star`` (P,) is
where its gradient vanishes. A spectrum is ``eigenvalues`` (P,), in any order, none negative, not all 0. Eigenvalues 0
are left out: from rest, nothing moves along them. All arguments are checked: a ValueError names the one that is wrong.
"""

import numbers

import numpy as np


def loss(H, w_star, w, least=0):
    """Return L(w), a number. Claim gradient-descent-quadratic.

    H: (P, P), symmetric. w_star, w: (P,). least: L(w_star), a number. Symbols work too.
    """
    H, w_star, w = _quadratic(H, w_star, w, "w")
    distance = w - w_star
    return _number(least, "least") + distance @ (H @ distance) / 2


def gradient(H, w_star, w):
    """Return H (w - w_star), (P,). Claim gradient-descent-gradient. Arguments as for ``loss``."""
    H, w_star, w = _quadratic(H, w_star, w, "w")
    return H @ (w - w_star)


def cosine(H, w_star, w):
    """Return the cosine between minus the gradient and the way to w_star. Claim gradient-descent-cosine.

    Arguments as for ``loss``, but no symbols. The gradient at w must not be 0.
    """
    H, w_star, w = _quadratic(H, w_star, w, "w", symbols=False)
    distance = _unit(w - w_star, "w")
    cosine = distance @ _unit(H / np.abs(H).max() @ distance if H.any() else 0 * w, "w")
    return float(np.clip(cosine, -1, 1))  # rounding may leave it beyond


def worst_cosine(eigenvalues):
    """Return 2 sqrt(kappa) / (1 + kappa), the least cosine at any w. Claim gradient-descent-worst-angle.

    eigenvalues: (P,), all positive; with an eigenvalue 0 the cosines come as near to 0 as one likes.
    """
    positive = _positive(eigenvalues)
    if len(positive) < len(eigenvalues):
        raise ValueError("eigenvalues has a 0; expected positive numbers only")
    root = _root_of_ratio(positive)
    return 2 * root / (1 + root**2)


def iterate(H, w_star, w0, step, t):
    """Return w_t, (P,), after t steps, without running them. Claim gradient-descent-iterate.

    H: (P, P), symmetric, with eigenvalues of any sign. w_star, w0: (P,). step: a number.
    t: an integer, at least 0 and below 2^53. Entries beyond float64 are infinite.
    """
    H, w_star, w0 = _quadratic(H, w_star, w0, "w0", symbols=False)
    step = float(_number(step, "step", symbols=False))
    if isinstance(t, bool) or not isinstance(t, int | np.integer) or not 0 <= t < 2**53:
        raise ValueError(f"t is {t!r}; expected an integer, at least 0 and below 2^53")
    eigenvalues, Q = np.linalg.eigh(H)
    start = Q.T @ (w0 - w_star)
    moved = start != 0  # 0 stays 0, however large its factor
    start, Q = start[moved], Q[:, moved]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        factors = 1 - step * eigenvalues[moved]
        error = factors**t * start
        if np.isfinite(error).all():
            return w_star + Q @ error
        entries = np.where(Q == 0, 0, Q * error).sum(1)
        # Where several terms are infinite, the largest gives the sign.
        size = t * np.log2(np.abs(factors)) + np.log2(np.abs(start))
        signs = np.sign(factors) ** (t % 2) * np.sign(start)
        far = np.sign(Q @ (signs * np.exp2(size - size.max()))) * np.inf
        return w_star + np.where(np.isnan(entries), far, entries)


def optimal_step(eigenvalues):
    """Return 2 / (smallest + largest). Claim gradient-descent-optimal-step."""
    positive = _positive(eigenvalues)
    largest = positive.max()
    return 2 / (1 + positive.min() / largest) / largest


def step_limit(eigenvalues, momentum=0):
    """Return 2 (1 + momentum) / largest: below it, and above 0, every start converges; at it, not.

    Claims gradient-descent-maximal-step, gradient-descent-momentum-stability. momentum: from 0, below 1.
    """
    largest = _positive(eigenvalues).max()
    return 2 * (1 + _number(momentum, "momentum", 0, 1)) / largest


def rate(eigenvalues, step, momentum=0):
    """Return rho, the factor on the distance a step, in the long run: a spectral radius.

    Claims gradient-descent-rate, gradient-descent-momentum-rate. Without momentum it is
    a bound on every step too. step: a number. momentum: from 0, below 1.
    """
    positive, step = _positive(eigenvalues), _number(step, "step", symbols=False)
    momentum = _number(momentum, "momentum", 0, 1, symbols=False)
    with np.errstate(over="ignore"):
        trace = max(abs(1 + momentum - step * positive))  # the radius grows with it
    if momentum == 0:
        return trace
    root = np.sqrt(float(momentum))
    if not trace > 2 * root:
        return root
    return (trace + np.sqrt(trace - 2 * root) * np.sqrt(trace + 2 * root)) / 2


def heavy_ball(eigenvalues):
    """Return (step, momentum, rate): the best pair. Claim gradient-descent-heavy-ball.

    They are 4 / (sqrt(smallest) + sqrt(largest))^2, rate^2, and
    (sqrt(kappa) - 1) / (sqrt(kappa) + 1).

    Source: Polyak 1964.
    """
    positive = _positive(eigenvalues).astype(float)
    largest, root = positive.max(), _root_of_ratio(positive)
    best = (largest - positive.min()) / largest / (1 + root) ** 2
    return 4 / (1 + root) ** 2 / largest, best**2, best


def sgd_momentum(w, velocity, gradient, *, step, momentum=0.9, penalty=0.0005):
    """Return (w, velocity) after one step. Claim gradient-descent-alexnet-rule.

    w: of any shape; symbols work too. velocity: as w, the last displacement, 0 at the start.
    gradient: as w, of the loss without the penalty, at w. step, momentum, penalty: numbers.

    Source: Krizhevsky, Sutskever and Hinton 2012, section 5.
    """
    w, velocity, gradient = _reals(w, "w"), _reals(velocity, "velocity"), _reals(gradient, "gradient")
    for name, a in (("velocity", velocity), ("gradient", gradient)):
        if a.shape != w.shape:
            raise ValueError(f"{name} has shape {a.shape}; expected {w.shape}, as w")
    step, momentum, penalty = _number(step, "step"), _number(momentum, "momentum"), _number(penalty, "penalty")
    velocity = momentum * velocity - step * (penalty * w) - step * gradient
    return w + velocity, velocity


def _quadratic(H, w_star, w, name, symbols=True):
    H, w_star, w = _reals(H, "H", symbols), _reals(w_star, "w_star", symbols), _reals(w, name, symbols)
    if H.ndim != 2 or H.shape[0] != H.shape[1] or H.size == 0:
        raise ValueError(f"H has shape {H.shape}; expected (P, P), not empty")
    for vector, a in (("w_star", w_star), (name, w)):
        if a.shape != H.shape[:1]:
            raise ValueError(f"{vector} has shape {a.shape}; expected {H.shape[:1]}, as H is {H.shape}")
    skew = (H != H.T) if H.dtype == object else np.abs(H / 2 - H.T / 2) > 1e-12 * np.abs(H).max()
    if skew.any():
        raise ValueError("H is not symmetric; expected a Hessian, H[i, j] = H[j, i]")
    return H, w_star, w


def _positive(eigenvalues):
    """The eigenvalues that are not 0, checked."""
    a = _reals(eigenvalues, "eigenvalues")
    if a.dtype == object and not all(isinstance(x, numbers.Real) for x in a.flat):
        raise ValueError("eigenvalues has a symbol; expected numbers")
    if a.ndim != 1 or a.size == 0:
        raise ValueError(f"eigenvalues has shape {a.shape}; expected (P,), not empty")
    if (a < 0).any():
        raise ValueError(f"eigenvalues has {a.min()}; expected none below 0, or there is no minimum")
    if not (a > 0).any():
        raise ValueError("eigenvalues is all 0; expected a positive one, or every point is a minimum")
    return a[a > 0]


def _root_of_ratio(positive):
    """1 / sqrt(kappa)."""
    return np.sqrt(float(positive.min())) / np.sqrt(float(positive.max()))


def _unit(a, name):
    largest = np.abs(a).max()
    if not largest > 0:
        raise ValueError(f"{name} is where the gradient is 0; expected another point, as 0 has no direction")
    return a / largest / np.linalg.norm(a / largest)


def _reals(a, name, symbols=True):
    try:
        a = np.asarray(a)
    except ValueError as error:
        raise ValueError(f"{name} is not one array; expected rows of one length") from error
    if a.dtype.kind not in ("fiuO" if symbols else "fiu"):
        raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
    if a.dtype == object:
        for x in a.flat:
            if not hasattr(x, "free_symbols"):
                _number(x, name)
        return a
    if not np.isfinite(a).all():
        raise ValueError(f"{name} has an entry that is not finite; expected finite numbers")
    return a.astype(float)  # integers would wrap around


def _number(value, name, least=-np.inf, below=np.inf, symbols=True):
    """One finite number in range; a symbol passes, if symbols may."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if symbols and getattr(value, "free_symbols", None):
        return value
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and least <= value < below and abs(value) < np.inf):
        expected = "one finite number" if least < 0 else f"one number from {least}, below {below}"
        raise ValueError(f"{name} is {value!r}; expected {expected}")
    return value
