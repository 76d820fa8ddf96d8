"""Initialisation: the variance of a pre-activation, Glorot's two laws, and what depth makes of a variance.

``fan_in`` and ``fan_out`` are the numbers of inputs and of units of a layer: positive integers, or SymPy symbols in the
functions that do not draw. Variances are numbers, Fractions or symbols. Weights are (fan_out, fan_in).
"""

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real

import numpy as np

from dlnotes import activation

HALF = Fraction(1, 2)  # as a power it gives exact roots of symbols


def pre_activation_variance(fan_in, variance):
    """Return fan_in * variance, the variance of sum_j W_ij x_j. Claim initialization-pre-activation.

    variance: that of one weight; the inputs have mean 0 and variance 1. Units: those of W squared.
    """
    return _fan(fan_in, "fan_in") * _variance(variance)


def pre_activation_fourth_moment(fan_in, variance):
    """Return (3 D^2 + 6 D) variance^2, for Gaussian weights and inputs. Claim initialization-not-gaussian."""
    fan_in = _fan(fan_in, "fan_in")
    return (3 * fan_in**2 + 6 * fan_in) * _variance(variance) ** 2


def variance_given_weights(weights, covariance):
    """Return sum_jk w_j w_k Cov(x_j, x_k), for one unit. Claim initialization-correlated-inputs.

    weights: (D,), one row of W. covariance: (D, D), of the inputs.
    """
    weights, covariance = _real(weights, "weights", True), _real(covariance, "covariance", True)
    if weights.ndim != 1 or weights.size == 0:
        raise ValueError(f"weights has shape {weights.shape}; expected (D,), one row of W")
    if covariance.shape != weights.shape * 2:
        raise ValueError(f"covariance has shape {covariance.shape}; expected {weights.shape * 2}, as weights")
    return weights @ covariance @ weights


def mean_slope(std):
    """Return E[sigma'(z)] for z normal with mean 0 and deviation std. Claim initialization-sigmoid-output.

    std: a positive number, in units of z. The trapezoidal rule, whose error here is below rounding.
    """
    std = _positive(std, "std")
    step = 1 / max(std, 1.0) / 8  # in deviations
    u = step * np.arange(-400, 401)  # z goes to 50, or to 50 deviations: nothing is left beyond
    return float((activation.d_sigmoid(std * u) * np.exp(-(u**2) / 2)).sum() * step / math.sqrt(2 * math.pi))


def lecun_std(fan_in):
    """Return 1 / sqrt(fan_in): the deviation of the weights for which z has variance 1. Claim initialization-good-std.

    Source: LeCun, Bottou, Orr and Müller 1998, section 4.6.
    """
    return 1 / _fan(fan_in, "fan_in") ** HALF


def factors(fan_in, fan_out, variance):
    """Return (fan_in * variance, fan_out * variance): what a linear layer does to variances forward and backward.

    Claim initialization-factors.
    """
    variance = _variance(variance)
    return _fan(fan_in, "fan_in") * variance, _fan(fan_out, "fan_out") * variance


def glorot_variance(fan_in, fan_out):
    """Return 2 / (fan_in + fan_out). Claim initialization-glorot-variance.

    Source: Glorot and Bengio 2010, equation 12.
    """
    return 2 / (_fan(fan_in, "fan_in") + _fan(fan_out, "fan_out"))


def truncated_normal_std(limit):
    """Return the deviation of a standard normal law cut at -limit and limit. Claim initialization-truncated-std.

    limit: a positive number, in standard deviations.
    """
    limit = _positive(limit, "limit")
    if limit > 1:
        inside = math.sqrt(2 * math.pi) * math.erf(limit / math.sqrt(2))
        return math.sqrt(1 - limit * (2 * math.exp(-limit * limit / 2)) / inside)
    # The same, as a quotient of two sums of positive terms limit^2k / (2k + 1)!!: the difference above would cancel.
    term, above = 1.0, 0.0
    for k in range(1, 20):
        term *= limit * limit / (2 * k + 1)
        above += term
    # Without its first factor limit^2 the sum does not vanish for a tiny limit.
    return limit * math.sqrt(above / (limit * limit) / (1 + above)) if limit > 1e-100 else limit / math.sqrt(3)


def glorot_normal(fan_in, fan_out, rng):
    """Return weights (fan_out, fan_in): normal, cut at two deviations, of variance 2 / (fan_in + fan_out).

    Claim initialization-glorot-normal. rng: a numpy.random.Generator. The deviation before the cut is larger, by
    1 / truncated_normal_std(2), as in Keras.
    """
    std = glorot_variance(_count(fan_in, "fan_in"), _count(fan_out, "fan_out")) ** 0.5
    u = _generator(rng).normal(size=(fan_out, fan_in))
    while (outside := np.abs(u) > 2).any():
        u[outside] = rng.normal(size=outside.sum())
    return u * (std / truncated_normal_std(2))


def uniform_variance(bound):
    """Return bound^2 / 3, the variance of the law uniform within bound. Claim initialization-uniform-variance."""
    return _variance(bound, "bound") ** 2 / 3


def glorot_bound(fan_in, fan_out):
    """Return sqrt(6 / (fan_in + fan_out)). Claim initialization-glorot-bound.

    Source: Glorot and Bengio 2010, equation 16.
    """
    return (3 * glorot_variance(fan_in, fan_out)) ** HALF


def glorot_uniform(fan_in, fan_out, rng):
    """Return weights (fan_out, fan_in), uniform within glorot_bound. Claim initialization-glorot-uniform."""
    bound = glorot_bound(_count(fan_in, "fan_in"), _count(fan_out, "fan_out"))
    return _generator(rng).uniform(-bound, bound, (fan_out, fan_in))


def standard_bound(fan_in):
    """Return 1 / sqrt(fan_in), the bound of the uniform law that was usual. Claim initialization-two-variances.

    Source: Glorot and Bengio 2010, equation 1.
    """
    return 1 / _fan(fan_in, "fan_in") ** HALF


def standard_uniform(fan_in, fan_out, rng):
    """Return weights (fan_out, fan_in), uniform within standard_bound. Claim initialization-standard-uniform."""
    bound = standard_bound(_count(fan_in, "fan_in"))
    return _generator(rng).uniform(-bound, bound, (_count(fan_out, "fan_out"), fan_in))


@dataclass(frozen=True)
class Saved:
    """What backward needs. h[m] is (N, D_m), h[0] the input; z[m - 1] is (N, D_m); weights[m - 1] is (D_m, D_{m-1})."""

    h: tuple
    z: tuple
    weights: tuple
    linear: bool


@dataclass(frozen=True)
class Gradients:
    """The loss's gradients: dh as h, dz as z, dW as weights. dh[0] is the gradient by the input."""

    dh: tuple
    dz: tuple
    dW: tuple


def forward(x, weights, *, linear=False):
    """Return h^(M), (N, D_M), and Saved: h^(m) = tanh(h^(m-1) W^(m)T), without biases. Claim initialization-network.

    Args:
        x: (N, D_0), the input h^(0); N at least 1.
        weights: M arrays, (D_m, D_{m-1}).
        linear: leave the tanh out. Fractions and symbols pass then.

    Raises:
        ValueError: a shape is not as said, or a dtype.
    """
    x, weights = _real(x, "x", linear), tuple(_real(W, "weights", linear) for W in weights)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"x has shape {x.shape}; expected (N, D)")
    h, z = [x.copy()], []
    for W in weights:
        if W.ndim != 2 or W.size == 0 or W.shape[1] != h[-1].shape[1]:
            raise ValueError(f"weights has an array of shape {W.shape}; expected (D_out, {h[-1].shape[1]})")
        z.append(h[-1] @ W.T)
        h.append(z[-1] if linear else np.tanh(z[-1]))
    return h[-1].copy(), Saved(tuple(h), tuple(z), tuple(W.copy() for W in weights), linear)


def backward(dh, saved):
    """Return the Gradients, given dh, (N, D_M), that by h^(M). Claim initialization-network-gradients."""
    dh = _real(dh, "dh", saved.linear)
    if dh.shape != saved.h[-1].shape:
        raise ValueError(f"dh has shape {dh.shape}; expected {saved.h[-1].shape}, as the output")
    dhs, dzs, dWs = [dh.copy()], [], []
    for h, z, W in zip(saved.h[-2::-1], saved.z[::-1], saved.weights[::-1], strict=True):
        dzs.append(dhs[-1] if saved.linear else dhs[-1] * activation.d_tanh(z))
        dWs.append(dzs[-1].T @ h)
        dhs.append(dzs[-1] @ W)
    return Gradients(tuple(dhs[::-1]), tuple(dzs[::-1]), tuple(dWs[::-1]))


@dataclass(frozen=True)
class Variances:
    """Mean squares, relative to the ends: h and dh are (M + 1,), dW is (M,)."""

    h: np.ndarray
    dh: np.ndarray
    dW: np.ndarray


def linear_variances(sizes, variances):
    """Return the Variances of a linear network with independent weights of mean 0. Claim initialization-linear-depth.

    h[m] is relative to the input, dh[m] to the gradient at the output, dW[m - 1] to their product.

    Args:
        sizes: D_0 to D_M, positive integers.
        variances: of the weights of layers 1 to M.

    Raises:
        ValueError: a size or a variance is not as said, or their numbers do not fit.
    """
    sizes = [_fan(size, "sizes") for size in sizes]
    variances = [_variance(variance, "variances") for variance in variances]
    if len(sizes) != len(variances) + 1 or not variances:
        raise ValueError(f"variances has {len(variances)} entries; expected one a layer, {len(sizes) - 1} (at least 1)")
    h, dh = [1], [1]
    for size, variance in zip(sizes[:-1], variances, strict=True):
        h.append(h[-1] * (size * variance))
    for size, variance in zip(sizes[:0:-1], variances[::-1], strict=True):
        dh.append(dh[-1] * (size * variance))
    dh = dh[::-1]
    return Variances(*map(np.array, (h, dh, [a * b for a, b in zip(h[:-1], dh[1:], strict=True)])))


def _fan(fan, name):
    return fan if hasattr(fan, "free_symbols") else _count(fan, name)


def _count(fan, name):
    if isinstance(fan, bool) or not isinstance(fan, int | np.integer) or fan < 1:
        raise ValueError(f"{name} is {fan!r}; expected an integer, at least 1")
    return int(fan)  # NumPy's small integers would wrap around


def _variance(variance, name="variance"):
    if hasattr(variance, "free_symbols"):
        return variance
    if isinstance(variance, bool) or not isinstance(variance, Real) or not 0 <= variance < math.inf:
        raise ValueError(f"{name} is {variance!r}; expected a finite number, 0 or more")
    return variance.item() if isinstance(variance, np.generic) else variance  # as in _count


def _positive(value, name):
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value <= sys.float_info.max:
        raise ValueError(f"{name} is {value!r}; expected a finite positive number")
    return float(value)


def _generator(rng):
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng is a {type(rng).__name__}; expected a numpy.random.Generator")
    return rng


def _real(array, name, exact):
    array = np.asarray(array)
    if array.dtype.kind not in ("fiuO" if exact else "fiu"):
        raise ValueError(f"{name} has dtype {array.dtype}; expected real numbers")
    return array.astype(object if exact else float) if array.dtype.kind in "iu" else array
