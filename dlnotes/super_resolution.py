"""Super-resolution: the two directions between resolutions, what a pixelwise criterion gives, and the adversarial game.

``low`` and ``fake`` are what a generator takes and gives, ``high`` is the true image. ``z_true`` and ``z_fake`` are the
logits of a discriminator, whose probability is the sigmoid of its logit. Laws are vectors of probabilities. Integers
give float64; Fractions and symbols, in arrays of objects, stay exact where no logarithm is taken.
"""

from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Real

import numpy as np

from dlnotes.activation import log_sigmoid, sigmoid
from dlnotes.convolution import avg_pool2d, conv_transpose2d


def downsample(high):
    """Return low (N, C, H, W), the mean of each block of 2 x 2 pixels (claim super-resolution-downsample).

    Args:
        high: (N, C, 2H, 2W), real numbers.

    Raises:
        ValueError: high has another shape or dtype, or a height or a width that is odd.
    """
    high = _array("high", high, 4)
    if high.shape[2] % 2 or high.shape[3] % 2:
        raise ValueError(f"high has shape {high.shape}; expected an even height and an even width")
    return avg_pool2d(high, 2)


def pixel_loss(fake, high):
    """Return the sum over pixels of (fake - high)^2, as a mean over images (claim super-resolution-pixel-loss).

    Args:
        fake, high: (N, C, H, W), real numbers.

    Raises:
        ValueError: the shapes differ, or one is not as said.
    """
    fake, high = _pair_of(("fake", fake), ("high", high), 4)
    with np.errstate(over="ignore"):  # the square of 1e200 is infinite
        return ((fake - high) ** 2).sum() / _count(high, len(high))


def d_pixel_loss(fake, high):
    """Return dfake = 2 (fake - high) / N (claim super-resolution-pixel-loss-gradient). Args: as pixel_loss."""
    fake, high = _pair_of(("fake", fake), ("high", high), 4)
    return 2 * (fake - high) / _count(high, len(high))


def bilinear(low):
    """Return y (N, C, 2H, 2W), low between its pixels, and its border repeated (claim super-resolution-bilinear).

    Args:
        low: (N, C, H, W), real numbers.
    """
    low = _array("low", low, 4)
    quarter = Fraction(1, 4) if low.dtype == object else 0.25
    along = np.array([1, 3, 3, 1]) * quarter
    w = np.array([np.outer(along, along)[None]] * low.shape[1])
    around = np.pad(low, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    return conv_transpose2d(around, w, stride=2, padding=3, groups=low.shape[1])


def pixel_shuffle(z):
    """Return y (N, C, 2H, 2W), y[c, 2i + j] = z[4c + 2 j_1 + j_2, i] (claim super-resolution-pixel-shuffle).

    Args:
        z: (N, 4C, H, W), real numbers.

    Raises:
        ValueError: z has another shape or dtype; its channels are not a multiple of 4.
    """
    z = _array("z", z, 4)
    N, channels, H, W = z.shape
    if channels % 4:
        raise ValueError(f"z has {channels} channels; expected a multiple of 4")
    blocks = z.reshape(N, channels // 4, 2, 2, H, W)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(N, channels // 4, 2 * H, 2 * W)


def pixel_unshuffle(dy):
    """Return dz (N, 4C, H, W), the way back of pixel_shuffle (claim super-resolution-pixel-shuffle-gradient).

    Args:
        dy: (N, C, 2H, 2W), real numbers; an odd size is refused.
    """
    dy = _array("dy", dy, 4)
    N, C, height, width = dy.shape
    if height % 2 or width % 2:
        raise ValueError(f"dy has shape {dy.shape}; expected an even height and an even width")
    blocks = dy.reshape(N, C, height // 2, 2, width // 2, 2)
    return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(N, 4 * C, height // 2, width // 2)


def overlap(n, k, stride):
    """Return how many stamps of a transposed convolution fall on each output, along one axis.

    Claim super-resolution-overlap. The result has (n - 1) stride + k integers: nothing is cut off.

    Args:
        n, k, stride: size of the input, size of the kernel, distance of two stamps; integers, at least 1.
    """
    for name, value in (("n", n), ("k", k), ("stride", stride)):
        _whole(name, value)
    counts = np.zeros((n - 1) * stride + k, np.int64)
    for i in range(n):
        counts[i * stride : i * stride + k] += 1
    return counts


def best_l2(values, p):
    """Return the number y of least expected (x - y)^2: the mean (claim super-resolution-l2).

    Args:
        values, p: (K,), what x may be, and the probability of each.

    Raises:
        ValueError: the shapes differ; p is negative somewhere, or its sum is not 1.
    """
    values, p = _law_of(values, p)
    return (p * values).sum()


def conditional_mean(low, high):
    """Return, for each example, the mean of high over the examples that have the same low.

    Claim super-resolution-conditional-mean. Two low are the same if all their entries are equal.

    Args:
        low: (N, ...), real numbers.
        high: (N, ...), real numbers.
    """
    low, high = _array("low", low), _array("high", high)
    if not low.ndim or not high.ndim or len(low) != len(high):
        raise ValueError(f"high has shape {high.shape}; expected one entry an example, as low of shape {low.shape}")
    groups: dict = {}
    group = np.array([groups.setdefault(tuple(row), len(groups)) for row in low.reshape(len(low), -1).tolist()])
    count = np.bincount(group)[group]
    if high.dtype == object:
        count = np.array([Fraction(int(n)) for n in count])
    share = high / count.reshape(-1, *(1,) * (high.ndim - 1))
    means = np.zeros((len(groups), *high.shape[1:]), share.dtype)
    np.add.at(means, group, share)
    return means[group]


def best_l1(values, p):
    """Return (lowest, highest) of the numbers y of least expected |x - y|: the medians (claim super-resolution-l1).

    Args and Raises: as best_l2; no symbols. Sums are exact in the numbers given, so a tie in Fractions is a tie.
    """
    values, p = _law_of(values, p, symbols=False)
    pairs = sorted((x, Fraction(mass)) for x, mass in zip(values.tolist(), p.tolist(), strict=True) if mass > 0)
    total, below, lowest = sum(mass for _, mass in pairs), Fraction(0), None
    for x, mass in pairs:
        below += mass
        if lowest is None and 2 * below >= total:
            lowest = x
        if 2 * below > total:
            return lowest, x
    return lowest, pairs[-1][0]


def response(kernel, omega):
    """Return sum_j kernel[j] cos(omega (j - (k - 1) / 2)), the factor on a wave (claim super-resolution-response).

    Args:
        kernel: (k,), real numbers, the same from both ends.
        omega: any shape, radians a pixel.
    """
    kernel, omega = _array("kernel", kernel, 1).astype(float), _array("omega", omega).astype(float)
    if not np.array_equal(kernel, kernel[::-1]):
        raise ValueError(f"kernel is {kernel}; expected the same numbers from both ends")
    places = np.arange(len(kernel)) - (len(kernel) - 1) / 2
    return np.cos(omega[..., None] * places) @ kernel


@dataclass(frozen=True)
class Gradients:
    """Gradients of the discriminator's loss; each has the shape of what it belongs to."""

    dz_true: np.ndarray
    dz_fake: np.ndarray


def discriminator_loss(z_true, z_fake):
    """Return -mean log D(true) - mean log(1 - D(fake)), minus the game's value.

    Claim super-resolution-discriminator-loss.

    Args:
        z_true, z_fake: logits of true and of generated images; any shapes, not empty.
    """
    z_true, z_fake = _array("z_true", z_true).astype(float), _array("z_fake", z_fake).astype(float)
    return -_mean(log_sigmoid(z_true)) - _mean(log_sigmoid(-z_fake))


def d_discriminator_loss(z_true, z_fake):
    """Return Gradients of discriminator_loss (claim super-resolution-discriminator-gradient). Args: the same."""
    z_true, z_fake = _array("z_true", z_true).astype(float), _array("z_fake", z_fake).astype(float)
    return Gradients(-sigmoid(-z_true) / z_true.size, sigmoid(z_fake) / z_fake.size)


def generator_loss(z_fake, *, saturating=False):
    """Return -mean log D(fake), or, saturating, mean log(1 - D(fake)) (claim super-resolution-generator-loss).

    Args:
        z_fake: logits of generated images; any shape, not empty.
        saturating: True for the criterion of the min-max itself.
    """
    z_fake, saturating = _array("z_fake", z_fake).astype(float), _truth("saturating", saturating)
    return _mean(log_sigmoid(-z_fake)) if saturating else -_mean(log_sigmoid(z_fake))


def d_generator_loss(z_fake, *, saturating=False):
    """Return dz_fake, of the shape of z_fake (claim super-resolution-slopes). Args: as generator_loss."""
    z_fake, saturating = _array("z_fake", z_fake).astype(float), _truth("saturating", saturating)
    return -sigmoid(z_fake if saturating else -z_fake) / z_fake.size


def value(p_data, p_generator, discriminator):
    """Return sum p_data log D + p_generator log(1 - D), minus infinity included (claim super-resolution-game).

    Args:
        p_data, p_generator: laws, of one shape.
        discriminator: D, of that shape, from 0 to 1.

    Raises:
        ValueError: a shape is another one, a law is not one, or D leaves 0 to 1.
    """
    p, q = _laws(p_data, p_generator)
    D = _array("discriminator", discriminator).astype(float)
    if D.shape != p.shape or not ((D >= 0) & (D <= 1)).all():
        raise ValueError(
            f"discriminator has shape {D.shape} and entries from {D.min()} to {D.max()}; "
            f"expected {p.shape}, from 0 to 1"
        )
    return (_x_log_y(p, D) + _x_log_y(q, 1 - D)).sum()


def best_discriminator(p_data, p_generator):
    """Return D = p_data / (p_data + p_generator), of their shape (claim super-resolution-best-discriminator).

    Args:
        p_data, p_generator: of one shape, not negative; symbols work too. Where both are 0, any D is best:
            1/2 is given.
    """
    p, q = _pair_of(("p_data", p_data), ("p_generator", p_generator))
    for name, law in (("p_data", p), ("p_generator", q)):
        _not_negative(name, law)
    half = Fraction(1, 2) if p.dtype == object or q.dtype == object else 0.5
    D = np.full(p.shape, half)
    seen = (p + q) != 0
    D[seen] = p[seen] / (p + q)[seen]
    return D


def jensen_shannon(p_data, p_generator):
    """Return the Jensen-Shannon divergence of two laws, from 0 to log 2 (claim super-resolution-value).

    Args:
        p_data, p_generator: laws, of one shape.
    """
    p, q = _laws(p_data, p_generator)
    safe = np.where(p + q > 0, p + q, 1)
    return max(0.5 * (_x_log_y(p, 2 * p / safe) + _x_log_y(q, 2 * q / safe)).sum(), 0.0)


def silhouette(volume):
    """Return (N, H, W), 1 where a cell along the depth is 1 (claim super-resolution-silhouettes).

    Args:
        volume: (N, depth, H, W), of 0 and 1.
    """
    volume = _binary("volume", volume, 4)
    return volume.any(axis=1).astype(np.int64)


def count_volumes(shape, depth):
    """Return how many volumes of 0 and 1 have the silhouette, an exact integer (claim super-resolution-silhouettes).

    Args:
        shape: (H, W), of 0 and 1: the silhouette.
        depth: an integer, at least 1.
    """
    shape = _binary("shape", shape, 2)
    _whole("depth", depth)
    return (2 ** int(depth) - 1) ** int(shape.sum())


def depth_sum(volume):
    """Return (N, H, W), the sum along the depth: what an X-ray sees (claim super-resolution-depth-sum).

    Args:
        volume: (N, depth, H, W), real numbers.
    """
    return _array("volume", volume, 4).sum(axis=1)


def _array(name, a, ndim=None, symbols=True, kinds="fiu"):
    try:
        a = np.asarray(a)
    except ValueError:
        raise ValueError(f"{name} is ragged; expected rows of one length") from None
    if a.size == 0 or ndim not in (None, a.ndim):
        raise ValueError(f"{name} has shape {a.shape}; expected {ndim or 'any number of'} axes, none of them empty")
    if a.dtype == object:
        for entry in a.flat:
            symbol = symbols and hasattr(entry, "free_symbols")
            if isinstance(entry, bool | np.bool_) or not (symbol or isinstance(entry, Real)):
                raise ValueError(f"{name} holds {entry!r}; expected real numbers")
    elif a.dtype.kind not in kinds:
        raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
    elif not np.isfinite(a).all():
        raise ValueError(f"{name} holds an infinity or NaN; expected finite numbers")
    return a.astype(float) if a.dtype.kind in "biu" else a


def _pair_of(first, second, ndim=None):
    (name, a), (other, b) = first, second
    a, b = _array(name, a, ndim), _array(other, b, ndim)
    if a.shape != b.shape:
        raise ValueError(f"{name} has shape {a.shape}; expected that of {other}, {b.shape}")
    return a, b


def _law_of(values, p, symbols=True):
    values, p = _array("values", values, 1, symbols), _array("p", p, 1, symbols)
    if p.shape != values.shape:
        raise ValueError(f"p has shape {p.shape}; expected that of values, {values.shape}")
    return values, _law("p", p)


def _laws(p, q):
    p, q = _pair_of(("p_data", p), ("p_generator", q))
    return _law("p_data", p.astype(float)), _law("p_generator", q.astype(float))


def _law(name, p):
    _not_negative(name, p)
    total = p.sum()
    if not getattr(total, "free_symbols", None) and abs(total - 1) > 1e-9:
        raise ValueError(f"{name} has sum {total}; expected 1")
    return p


def _not_negative(name, p):
    if any((entry < 0) == True for entry in p.flat):  # noqa: E712 - a symbol's sign may be unknown
        raise ValueError(f"{name} has a negative entry; expected probabilities, 0 or more")


def _binary(name, a, ndim):
    a = _array(name, a, ndim, kinds="fiub")
    if not ((a == 0) | (a == 1)).all():
        raise ValueError(f"{name} has other entries than 0 and 1; expected these two")
    return a


def _whole(name, value):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}; expected an integer, 1 or more")


def _truth(name, value):
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {value!r}; expected True or False")
    return value


def _count(a, n):
    """A count that divides Fractions into Fractions."""
    return Fraction(n) if a.dtype == object else n


def _mean(a):
    """The mean, divided before it is summed: no sum overflows."""
    return (a / a.size).sum()


def _x_log_y(x, y):
    """x log y, where 0 log 0 is 0."""
    with np.errstate(divide="ignore"):
        return np.where(x > 0, x * np.log(np.where(x > 0, y, 1)), 0.0)
