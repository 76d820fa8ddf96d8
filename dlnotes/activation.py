"""Activation functions, entry by entry, and their derivatives.

``x`` is an array of any shape, or a number. Floating point keeps its precision; integers of up to 64 bits are read as
float64. No result overflows where the value does not. A value too small for its precision is rounded to 0, without a
warning.
"""

import numpy as np


@np.errstate(under="ignore")
def sigmoid(x):
    """Return 1 / (1 + e^{-x}). Claim activation-sigmoid.

    x: any shape, real.
    """
    x = _real(x)
    e = np.exp(-np.abs(x))  # at most 1: it cannot overflow
    return np.where(x >= 0, 1, e) / (1 + e)


@np.errstate(under="ignore")
def d_sigmoid(x):
    """Return sigma(x) (1 - sigma(x)). Claim activation-sigmoid-derivative. x: any shape, real."""
    return sigmoid(x) * sigmoid(-_real(x))  # 1 - sigma would cancel


@np.errstate(under="ignore")
def tanh(x):
    """Return (e^x - e^{-x}) / (e^x + e^{-x}). Claim activation-tanh. x: any shape, real."""
    return np.tanh(_real(x))


@np.errstate(under="ignore")
def d_tanh(x):
    """Return 1 - tanh(x)^2. Claim activation-tanh-derivative. x: any shape, real."""
    e = np.exp(-np.abs(_real(x)))
    return (2 * e / (1 + e * e)) ** 2  # 1 - tanh^2 would cancel


@np.errstate(under="ignore")
def softplus(x):
    """Return log(1 + e^x). Claim activation-softplus.

    x: any shape, real.
    """
    x = _real(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def d_softplus(x):
    """Return sigma(x). Claim activation-softplus-derivative. x: any shape, real."""
    return sigmoid(x)


def log_sigmoid(x):
    """Return log sigma(x) = -softplus(-x). Claim activation-log-sigmoid. x: any shape, real."""
    return -softplus(-_real(x))


def d_log_sigmoid(x):
    """Return 1 - sigma(x) = sigma(-x). Claim activation-log-sigmoid-derivative. x: any shape, real."""
    return sigmoid(-_real(x))


def sign(x):
    """Return 1 above 0, -1 below, 0 at 0. Claim activation-sign. x: any shape, real, or Fractions."""
    return np.sign(_real(x, "fO"))


def heaviside(x):
    """Return 1 above 0, 0 below, 1/2 at 0. Claim activation-heaviside. x: any shape, real, or Fractions."""
    return (sign(x) + 1) / 2


def relu(x):
    """Return max(0, x). Claim activation-relu. x: any shape, real, or Fractions."""
    return np.maximum(_real(x, "fO"), 0)


def d_relu(x):
    """Return 1 above 0, 0 below, and 0 at 0, where there is no derivative.

    Claims activation-relu-derivative, activation-relu-at-zero.
    x: any shape, real, or Fractions.
    """
    return relu(sign(x))


@np.errstate(under="ignore")
def swish(x, beta):
    """Return x sigma(beta x). Claim activation-swish.

    Args:
        x: any shape, real and finite.
        beta: one finite number of any sign, in units of one over x;
            the page's alpha.

    Raises:
        ValueError: x or beta is not as said.
    """
    x, z = _sharpened(x, beta)
    # e^{-|z|} in two factors: x may be large where it underflows.
    half = np.exp(-np.abs(z) / 2)
    return np.where(z >= 0, x, x * half * half) / (1 + half * half)


@np.errstate(under="ignore")
def d_swish(x, beta):
    """Return the derivative by x, sigma(z) (1 + z (1 - sigma(z))) with z = beta x.

    Claim activation-swish-derivative. Arguments and errors: as ``swish``.
    """
    _, z = _sharpened(x, beta)
    return sigmoid(z) * (1 + z * sigmoid(-z))


@np.errstate(under="ignore")
def piecewise_linear(x, a, b, alpha, beta):
    """Return a relu(x - alpha) + b relu(beta - x).

    The slopes are a right of alpha, 0 between beta and alpha, -b left of
    beta. Claim activation-piecewise-slopes.

    Args:
        x: any shape, real and finite, or Fractions.
        a: the slope on the right, a finite number.
        b: minus the slope on the left, a finite number.
        alpha: where the right piece begins, in the units of x; finite.
        beta: where the left piece ends; finite, and beta <= alpha.

    Raises:
        ValueError: an argument is not as said; or the distance from x
            to alpha or beta overflows.
    """
    a, b, right, left = _pieces(x, a, b, alpha, beta)
    return a * relu(right) + b * relu(left)


def d_piecewise_linear(x, a, b, alpha, beta):
    """Return the slope at x; and 0 at alpha and at beta, as ``d_relu`` has it.

    Claim activation-piecewise-derivative. Arguments and errors: as ``piecewise_linear``.
    """
    a, b, right, left = _pieces(x, a, b, alpha, beta)
    return a * d_relu(right) - b * d_relu(left)


def _real(x, kinds="f"):
    """Return x as an array of floating point numbers, or of objects where `kinds` allows them."""
    x = np.asarray(x)
    if x.dtype.kind in "iu":
        x = x.astype(float)
    if x.dtype.kind not in kinds:
        raise ValueError(f"x has dtype {x.dtype}; expected real numbers")
    for entry in x.flat if x.dtype == object else ():
        if not _is_number(entry):
            raise ValueError(f"x holds {entry!r}; expected real numbers")
    return x


def _is_number(entry):
    """Whether an object computes as a real number does: a Fraction or a symbol; not None, a word or a truth value."""
    return hasattr(entry, "__neg__") and not isinstance(entry, (bool, np.bool_, complex, np.ndarray))


def _is_finite(entry):
    """Whether an object is not an infinity or NaN of floating point."""
    return not isinstance(entry, (float, np.floating)) or bool(np.isfinite(entry))


def _finite(x, kinds="f"):
    """The same; infinities and NaN are refused."""
    x = _real(x, kinds)
    if not (all(map(_is_finite, x.flat)) if x.dtype == object else np.isfinite(x).all()):
        raise ValueError("x holds an infinity or NaN; expected finite numbers")
    return x


@np.errstate(over="ignore", under="ignore")
def _number(value, name, x):
    """Return one finite number in the precision of x."""
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in ("fiuO" if x.dtype == object else "fiu"):
        raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype}; expected one real number")
    if x.dtype == object:
        if not (_is_number(array[()]) and _is_finite(array[()])):
            raise ValueError(f"{name} is {value!r}; expected one finite real number")
        return array[()]
    number = x.dtype.type(array[()])
    if not np.isfinite(number):
        raise ValueError(f"{name} is {value}; expected a number that is finite in the precision of x, {x.dtype}")
    return number


@np.errstate(over="ignore", under="ignore")
def _sharpened(x, beta):
    """Return x and beta x, the latter cut where the sigmoid is 0 or 1 in every precision."""
    x = _finite(x)
    return x, np.clip(_number(beta, "beta", x) * x, -20000, 20000)


@np.errstate(over="ignore", under="ignore")
def _pieces(x, a, b, alpha, beta):
    """Check the arguments; return a, b, and how far x lies right of alpha and left of beta."""
    x = _finite(x, "fO")
    a, b = _number(a, "a", x), _number(b, "b", x)
    alpha, beta = _number(alpha, "alpha", x), _number(beta, "beta", x)
    if alpha < beta:
        raise ValueError(f"alpha is {alpha}, less than beta, {beta}; expected beta <= alpha")
    right, left = x - alpha, beta - x
    if x.dtype != object and not (np.isfinite(right).all() and np.isfinite(left).all()):
        raise ValueError(
            "x is too far from alpha or beta; expected distances below the largest number of its precision"
        )
    return a, b, right, left
