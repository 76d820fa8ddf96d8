"""Super-resolution: the two directions between resolutions, what a pixelwise criterion gives, and the adversarial game.

``low`` and ``fake`` are what a generator takes and gives, ``high`` is the true image. ``z_true`` and ``z_fake`` are the
logits of a discriminator, whose probability is the sigmoid of its logit. Laws are vectors of probabilities. Integers
give float64; Fractions and symbols, in arrays of objects, stay exact where no logarithm is taken. What is not as a
docstring says raises a ValueError that begins with the name of the argument.
"""

from fractions import Fraction
from numbers import Integral, Real

import numpy as np

from dlnotes.activation import log_sigmoid, sigmoid
from dlnotes.convolution import avg_pool2d, conv_transpose2d


def downsample(high):
    """Return low (N, C, H, W), the mean of each block of 2 x 2 pixels (claim super-resolution-downsample).

    high: (N, C, 2H, 2W), real numbers.
    """
    return avg_pool2d(_even("high", high), 2)


def pixel_loss(fake, high):
    """Return the sum over pixels of (fake - high)^2, as a mean over images (claim super-resolution-pixel-loss).

    fake, high: (N, C, H, W), real numbers.
    """
    high, fake = _pair(4, high=high, fake=fake)
    with np.errstate(over="ignore"):  # the square of 1e200 is infinite
        return ((fake - high) ** 2 / len(high)).sum()  # no sum overflows where the mean does not


def d_pixel_loss(fake, high):
    """Return dfake = 2 (fake - high) / N (claim super-resolution-pixel-loss-gradient). Args: as pixel_loss."""
    high, fake = _pair(4, high=high, fake=fake)
    return 2 * (fake - high) / len(high)


def bilinear(low):
    """Return y (N, C, 2H, 2W), low between its pixels, and its border repeated (claim super-resolution-bilinear).

    low: (N, C, H, W), real numbers.
    """
    low = _array("low", low, 4)
    along = np.array([1, 3, 3, 1]) * _exact(low, Fraction(1, 4))
    w = np.array([np.outer(along, along)[None]] * low.shape[1])
    around = np.pad(low, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    return conv_transpose2d(around, w, stride=2, padding=3, groups=low.shape[1])


def pixel_shuffle(z):
    """Return y (N, C, 2H, 2W), y[c, 2i + j] = z[4c + 2 j_1 + j_2, i] (claim super-resolution-pixel-shuffle).

    z: (N, 4C, H, W), real numbers.
    """
    z = _array("z", z, 4)
    N, channels, H, W = z.shape
    if channels % 4:
        raise ValueError(f"z has {channels} channels; expected a multiple of 4")
    blocks = z.reshape(N, channels // 4, 2, 2, H, W)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(N, channels // 4, 2 * H, 2 * W)


def pixel_unshuffle(dy):
    """Return dz (N, 4C, H, W), the way back of pixel_shuffle (claim super-resolution-pixel-shuffle-gradient).

    dy: (N, C, 2H, 2W), real numbers.
    """
    dy = _even("dy", dy)
    N, C, height, width = dy.shape
    blocks = dy.reshape(N, C, height // 2, 2, width // 2, 2)
    return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(N, 4 * C, height // 2, width // 2)


def overlap(n, k, stride):
    """Return how many stamps of a transposed convolution fall on each output (claim super-resolution-overlap).

    Along one axis, nothing cut off: the result has (n - 1) stride + k integers.

    n, k, stride: size of the input, size of the kernel, distance of two stamps; integers, at least 1.
    """
    for name, value in (("n", n), ("k", k), ("stride", stride)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} is {value!r}; expected an integer, 1 or more")
    n, k, stride = int(n), int(k), int(stride)  # NumPy's small integers wrap around
    starts = np.arange(n) * stride
    return np.bincount((starts[:, None] + np.arange(k)).ravel())


def best_l2(values, p):
    """Return the number y of least expected (x - y)^2: the mean (claim super-resolution-l2).

    values, p: (K,), what x may be, and the probability of each.
    """
    values, p = _pair(1, values=values, p=p)
    return (_law("p", p) * values).sum()


def conditional_mean(low, high):
    """Return, for each example, the mean of high over the examples that have the same low.

    Claim super-resolution-conditional-mean. Two low are the same if all their entries are equal.

    low, high: (N, ...) each, real numbers.
    """
    low, high = _array("low", low), _array("high", high)
    if not low.ndim or not high.ndim or len(low) != len(high):
        raise ValueError(f"high has shape {high.shape}; expected one entry an example, as low of shape {low.shape}")
    groups: dict = {}
    group = np.array([groups.setdefault(tuple(row), len(groups)) for row in low.reshape(len(low), -1).tolist()])
    count = np.bincount(group)[group]
    share = high / count.reshape(-1, *(1,) * (high.ndim - 1))
    means = np.zeros((len(groups), *high.shape[1:]), share.dtype)
    np.add.at(means, group, share)
    return means[group]


def best_l1(values, p):
    """Return (lowest, highest) of the numbers y of least expected |x - y|: the medians (claim super-resolution-l1).

    Args: as best_l2; no symbols. Sums are exact in the numbers given, so a tie in Fractions is a tie.
    """
    values, p = _pair(1, symbols=False, values=values, p=p)
    pairs = sorted(zip(values.tolist(), map(Fraction, _law("p", p).tolist()), strict=True))
    below = np.cumsum([mass for _, mass in pairs])
    lowest, highest = (2 * below < below[-1]).sum(), (2 * below <= below[-1]).sum()
    return pairs[lowest][0], pairs[highest][0]


def discriminator_loss(z_true, z_fake):
    """Return -mean log D(true) - mean log(1 - D(fake)) (claim super-resolution-discriminator-loss).

    z_true, z_fake: logits of true and of generated images; any shapes, not empty.
    """
    z_true, z_fake = _floats("z_true", z_true), _floats("z_fake", z_fake)
    return -_mean(log_sigmoid(z_true)) - _mean(log_sigmoid(-z_fake))


def d_discriminator_loss(z_true, z_fake):
    """Return (dz_true, dz_fake) (claim super-resolution-discriminator-gradient). Args: as discriminator_loss."""
    z_true, z_fake = _floats("z_true", z_true), _floats("z_fake", z_fake)
    return -sigmoid(-z_true) / z_true.size, sigmoid(z_fake) / z_fake.size


def generator_loss(z_fake, *, saturating=False):
    """Return -mean log D(fake), or, saturating, mean log(1 - D(fake)) (claim super-resolution-generator-loss).

    z_fake: logits of generated images; any shape, not empty.
    saturating: True for the criterion of the min-max itself.
    """
    sign = _sign(saturating)
    return -sign * _mean(log_sigmoid(sign * _floats("z_fake", z_fake)))


def d_generator_loss(z_fake, *, saturating=False):
    """Return dz_fake, of the shape of z_fake (claim super-resolution-slopes). Args: as generator_loss."""
    z_fake = _floats("z_fake", z_fake)
    return -sigmoid(-_sign(saturating) * z_fake) / z_fake.size


def value(p_data, p_generator, discriminator):
    """Return sum p_data log D + p_generator log(1 - D), minus infinity included (claim super-resolution-game).

    p_data, p_generator: laws, of one shape.
    discriminator: D, of that shape, from 0 to 1.
    """
    p, q = _laws(p_data, p_generator)
    D = _floats("discriminator", discriminator)
    if D.shape != p.shape or not ((D >= 0) & (D <= 1)).all():
        raise ValueError(f"discriminator is {D}; expected shape {p.shape} and entries from 0 to 1")
    return (_x_log_y(p, D) + _x_log_y(q, 1 - D)).sum()


def best_discriminator(p_data, p_generator):
    """Return D = p_data / (p_data + p_generator), of their shape (claim super-resolution-best-discriminator).

    p_data, p_generator: laws, of one shape; symbols work too. Where both are 0, any D is best: 1/2 is given.
    """
    p, q = _laws(p_data, p_generator, symbols=True)
    total = p + q
    D = np.full_like(total, _exact(total, Fraction(1, 2)))
    D[total != 0] = p[total != 0] / total[total != 0]
    return D


def jensen_shannon(p_data, p_generator):
    """Return the Jensen-Shannon divergence of two laws, from 0 to log 2 (claim super-resolution-value).

    p_data, p_generator: laws, of one shape.
    """
    p, q = _laws(p_data, p_generator)
    safe = np.where(p + q > 0, p + q, 1)
    return max(0.5 * (_x_log_y(p, 2 * p / safe) + _x_log_y(q, 2 * q / safe)).sum(), 0.0)


def _array(name, a, ndim=None, symbols=True):
    try:
        a = np.asarray(a)
    except ValueError:
        raise ValueError(f"{name} is ragged; expected rows of one length") from None
    if a.size == 0 or ndim not in (None, a.ndim):
        raise ValueError(f"{name} has shape {a.shape}; expected {ndim or 'any number of'} axes, none of them empty")
    if a.dtype.kind not in "fiuO":
        raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
    if not (all(_is_real(x, symbols) for x in a.flat) if a.dtype == object else np.isfinite(a).all()):
        raise ValueError(f"{name} holds an infinity, NaN or what is no number; expected finite real numbers")
    return a.astype(float) if a.dtype.kind in "iu" else a


def _is_real(entry, symbols):
    if hasattr(entry, "free_symbols"):
        return symbols and entry.is_extended_real is not False and entry.is_finite is not False
    return isinstance(entry, Real) and not isinstance(entry, bool) and abs(entry) < np.inf


def _floats(name, a):
    return _array(name, a, symbols=False).astype(float)


def _even(name, a):
    a = _array(name, a, 4)
    if a.shape[2] % 2 or a.shape[3] % 2:
        raise ValueError(f"{name} has shape {a.shape}; expected an even height and an even width")
    return a


def _pair(ndim=None, symbols=True, **arrays):
    """Two arrays of one shape; if they are not, the second is named."""
    (other, b), (name, a) = ((key, _array(key, array, ndim, symbols)) for key, array in arrays.items())
    if a.shape != b.shape:
        raise ValueError(f"{name} has shape {a.shape}; expected that of {other}, {b.shape}")
    return b, a


def _laws(p, q, symbols=False):
    q, p = _pair(None, symbols, p_generator=q, p_data=p)
    p, q = _law("p_data", p), _law("p_generator", q)
    return (p, q) if symbols else (p.astype(float), q.astype(float))


def _law(name, p):
    if any((entry < 0) == True for entry in p.flat):  # noqa: E712 - a symbol's sign may be unknown
        raise ValueError(f"{name} has a negative entry; expected probabilities, 0 or more")
    if not getattr(p.sum(), "free_symbols", None) and abs(p.sum() - 1) > 1e-9:
        raise ValueError(f"{name} has sum {p.sum()}; expected 1")
    return p


def _sign(saturating):
    if not isinstance(saturating, bool | np.bool_):
        raise ValueError(f"saturating is {saturating!r}; expected True or False")
    return -1 if saturating else 1


def _exact(a, number):
    """A Fraction, for an array of objects; a float for others."""
    return number if a.dtype == object else float(number)


def _mean(a):
    return (a / a.size).sum()  # divided before it is summed: no sum overflows


def _x_log_y(x, y):
    """x log y, where 0 log 0 is 0."""
    with np.errstate(divide="ignore"):
        return np.where(x > 0, x * np.log(np.where(x > 0, y, 1)), 0.0)
