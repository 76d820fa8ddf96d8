"""Vanishing and exploding gradients: products of Jacobians, powers of a matrix, and the bounds on their norms.

A chain has T steps. ``J[t]`` (H, H) is the Jacobian of step t + 1, as arrays count from 0. All functions but
``spectral_radius`` and those that measure a norm take object arrays too, of fractions or symbols.
"""

import numpy as np


def unrolled_gradient(g, J, D):
    """Return dL/dW, the sum over t and tau <= t of g_t^T J_t ... J_{tau+1} D_tau.

    Claims gradient-flow-three-steps, gradient-flow-general. ``J[0]`` has no effect: it
    would lead to the initial state.

    Args:
        g: (T, H), the gradient of the loss of each step by the state of that step.
        J: (T, H, H), the Jacobian of each step.
        D: (T, H, ...), the immediate derivative of each state by the parameters.

    Raises:
        ValueError: a shape is not as said.

    Source: Pascanu, Mikolov and Bengio 2013, equations 3 to 5.
    """
    g, J, D = np.asarray(g), _chain(J), np.asarray(D)
    _check_sum(g, J, D)
    total = 0
    for t in range(len(g)):
        row = g[t]
        for tau in range(t, -1, -1):
            total = total + np.tensordot(row, D[tau], 1)
            row = row @ J[tau]
    return total


def jacobian_product(J):
    """Return J_T ... J_1, (H, H): the last step stands on the left. Claim gradient-flow-factors-mislead."""
    J = _chain(J)
    product = np.eye(J.shape[1], dtype=int)
    for step in J:
        product = step @ product
    return product


def backpropagated_norms(g, J):
    """Return the norms of g, J_T^T g, J_{T-1}^T J_T^T g, ...: (T + 1,).

    Claim gradient-flow-norms. g: (H,). J: (T, H, H).
    """
    g, J = np.asarray(g), _chain(J)
    J = J.astype(float) if J.dtype == object else J
    if g.shape != J.shape[2:]:
        raise ValueError(f"g has shape {g.shape}; expected ({J.shape[1]},), as J")
    norms = [np.linalg.norm(g)]
    for step in J[::-1]:
        g = step.T @ g
        norms.append(np.linalg.norm(g))
    return np.array(norms)


def eigen_power(Q, eigenvalues, Q_inv, t):
    """Return Q Lambda^t Q^{-1}. Claim gradient-flow-power.

    Args:
        Q: (H, H), eigenvectors as columns.
        eigenvalues: (H,), real or complex.
        Q_inv: (H, H), the inverse of Q, so that nothing is rounded here.
        t: an integer; negative only if no eigenvalue is 0.
    """
    Q, eigenvalues, Q_inv = map(np.asarray, (Q, eigenvalues, Q_inv))
    _check_eigen(Q, eigenvalues)
    _check_power(Q, eigenvalues, Q_inv, t)
    t = int(t)
    if eigenvalues.dtype.kind in "iu":
        eigenvalues = eigenvalues.astype(object)  # Python's integers do not wrap around
    if t < 0:
        return (Q / eigenvalues**-t) @ Q_inv
    return (Q * eigenvalues**t) @ Q_inv


def spectral_radius(A):
    """Return the largest modulus of an eigenvalue of A (H, H). Claim gradient-flow-three-cases."""
    _square(A, "A")
    return np.abs(np.linalg.eigvals(A)).max()


def power_bound(Q, eigenvalues, T):
    """Return ||Q|| ||Q^{-1}|| rho^t for t from 0 to T, which bounds ||A^t||.

    Claim gradient-flow-power-bound. Q: (H, H). eigenvalues: (H,).
    """
    _check_eigen(Q, eigenvalues)
    _count(T, "T")
    return np.linalg.cond(Q, 2) * float(np.abs(eigenvalues).max()) ** np.arange(int(T) + 1)


def sigmoid_bound(W, T):
    """Return (||W|| / 4)^t for t from 0 to T, which bounds t steps of a sigmoid RNN.

    Claim gradient-flow-sigmoid-bound. W: (H, H).

    Source: Pascanu, Mikolov and Bengio 2013, section 2.1.
    """
    _square(W, "W")
    _count(T, "T")
    return (np.linalg.norm(W, 2) / 4) ** np.arange(int(T) + 1)


def scalar_rnn(w, T):
    """Return (dh_T/dh_0, dh_T/dw) of the scalar sigmoid RNN that stays at 1/2.

    They are (w/4)^T and 1/8 sum_{t<T} (w/4)^t. Claim gradient-flow-scalar-rnn.
    w: a number, a Fraction or a symbol. T: an integer, at least 0.
    """
    _count(T, "T")
    step = w / 4
    return step**T, sum(step**t for t in range(T)) / 8


def clip(g, limit):
    """Return g, scaled down to norm ``limit`` where it is longer.

    Claim gradient-flow-clipping. g: an array of any shape, whose norm is finite in its
    dtype. limit: a positive number.

    Source: Pascanu, Mikolov and Bengio 2013, algorithm 1.
    """
    g = np.asarray(g)
    if not limit > 0:
        raise ValueError(f"limit is {limit}; expected a positive number")
    if g.dtype == object:  # exact as long as it is short enough: no root is taken then
        square = sum(entry * entry for entry in g.ravel())
        return g.copy() if square <= limit * limit else g * (limit / square**0.5)
    if g.dtype.kind not in "fiu":
        raise ValueError(f"g has dtype {g.dtype}; expected real numbers")
    g = g.copy() if g.dtype.kind == "f" else g.astype(float)
    norm = np.hypot.reduce(g.ravel())  # a sum of squares would overflow where clipping matters most
    return g if norm <= limit else g * (limit / norm)


def _chain(J):
    J = np.asarray(J)
    if J.ndim != 3 or J.shape[1] != J.shape[2] or J.shape[1] == 0:
        raise ValueError(f"J has shape {J.shape}; expected (T, H, H)")
    return J.astype(object) if J.dtype.kind in "iu" else J  # Python's integers do not wrap around


def _check_sum(g, J, D):
    T, H = J.shape[:2]
    if T == 0:
        raise ValueError("J has no step; expected (T, H, H) with T at least 1")
    if g.shape != (T, H):
        raise ValueError(f"g has shape {g.shape}; expected ({T}, {H}), as J has {T} steps of {H} units")
    if D.shape[:2] != (T, H):
        raise ValueError(f"D has shape {D.shape}; expected ({T}, {H}, ...), as J has {T} steps of {H} units")


def _check_eigen(Q, eigenvalues):
    _square(Q, "Q")
    if np.shape(eigenvalues) != np.shape(Q)[:1]:
        raise ValueError(f"eigenvalues has shape {np.shape(eigenvalues)}; expected ({len(Q)},), one a column of Q")


def _check_power(Q, eigenvalues, Q_inv, t):
    if Q_inv.shape != Q.shape:
        raise ValueError(f"Q_inv has shape {Q_inv.shape}; expected {Q.shape}, as Q")
    _count(t, "t", least=None)
    if t < 0 and not all(eigenvalues != 0):
        raise ValueError(f"t is {t}; expected 0 or more, as an eigenvalue is 0")


def _square(A, name):
    if np.ndim(A) != 2 or np.shape(A)[0] != np.shape(A)[1] or np.size(A) == 0:
        raise ValueError(f"{name} has shape {np.shape(A)}; expected (H, H)")


def _count(t, name, least=0):
    if isinstance(t, bool) or not isinstance(t, int | np.integer):
        raise ValueError(f"{name} is {t!r}; expected an integer")
    if least is not None and t < least:
        raise ValueError(f"{name} is {t}; expected {least} or more")
