"""Siamese networks: the claims of the chapter, in its order.

Letters, as on the page: h4 is the input of layer 5, one image of the pair; a tilde is the other image; Delta h is the
difference of the two branches; g = dL/dd is 1 for a pair of one class, -1 for a near pair of two classes, 0 for a
far one.
"""

from dataclasses import astuple, dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import product
from typing import Any

import numpy as np

from dlnotes import activation, convolution, siamese, softmax
from dlnotes.check import (
    agree,
    at_most,
    claim,
    complex_step,
    differ,
    every,
    need,
    note,
    proved,
    refuses,
    same,
    slip,
    steps,
)
from dlnotes.siamese import Parameters

FIELDS = ("W5", "b5", "slope", "W6", "b6")

# --- cases: a batch of pairs ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images with labels, and the parameters of both branches (tilde None: the same)."""

    x: np.ndarray
    x_tilde: np.ndarray
    labels: np.ndarray
    params: Parameters
    params_tilde: Parameters | None = None

    # The definition, spelled out. `on` holds the mask: for numbers it is found from z.

    def branch(self, params, x):
        z = x @ params.W5.T + params.b5
        on = np.real(z) > 0 if z.dtype.kind == "c" else z > 0
        return np.where(on, z, params.slope * z) @ params.W6.T + params.b6

    def loss(self, params, params_tilde, x=None, x_tilde=None):
        h = self.branch(params, self.x if x is None else x)
        h_tilde = self.branch(params_tilde, self.x_tilde if x_tilde is None else x_tilde)
        d = sum((h - h_tilde).T ** 2) / 2
        near = (np.real(d) if d.dtype.kind == "c" else d) < 1
        return sum(
            (1 - d_i if near_i else 0 * d_i) if label else d_i
            for d_i, near_i, label in zip(d, near, self.labels, strict=True)
        ) / len(d)

    @property
    def second(self):
        return self.params_tilde or self.params

    def with_(self, name, value, branches="both"):
        """The loss as a function of one parameter, in one branch or in both."""
        moved = replace(self.params, **{name: value})
        moved_tilde = replace(self.second, **{name: value})
        if branches == "first":
            return self.loss(moved, self.second)
        return self.loss(self.params, moved_tilde) if branches == "second" else self.loss(moved, moved_tilde)

    # The values of the forward pass.

    @cached_property
    def forward(self):
        return siamese.forward(self.params, self.x, self.x_tilde, params_tilde=self.params_tilde)

    @property
    def h(self):
        return self.forward[:2]

    @property
    def saved(self):
        return self.forward[2]

    @property
    def z(self):
        return self.saved.z, self.saved.z_tilde

    @cached_property
    def h5(self):
        return tuple(np.where(z > 0, z, self.params.slope * z) for z in self.z)

    @cached_property
    def slopes(self):
        """The derivative of PReLU on the two sides."""
        return tuple(np.where(z > 0, 1 + 0 * z, self.params.slope + 0 * z) for z in self.z)

    @cached_property
    def d(self):
        difference = self.h[0] - self.h[1]
        return (difference * difference).sum(1) / 2

    @cached_property
    def g(self):
        """The gradient by d of each pair's own loss."""
        return np.array([1 if label == 0 else -1 if d < 1 else 0 for d, label in zip(self.d, self.labels, strict=True)])

    @cached_property
    def e(self):
        """g (h6 - h6~) / N, one row a pair."""
        return self.g[:, None] * (self.h[0] - self.h[1]) / len(self.g)

    @cached_property
    def gradients(self):
        return siamese.backward(*siamese.d_loss(*self.h, self.labels), self.saved)


def derivative(case, name, branches="both"):
    """The derivative of the loss by one parameter: by a complex step, or exactly in Fractions."""
    at = getattr(case.second if branches == "second" else case.params, name)
    if at.dtype != object:
        return complex_step(lambda value: case.with_(name, value, branches), at)
    note("rational arithmetic")
    return exact_derivative(case, name, branches)


def _exact_derivative(case, name, branches):
    """The loss is of degree 2 in one parameter, on the piece where the point lies: a central difference is exact."""
    at = getattr(case.second if branches == "second" else case.params, name)
    gradient, step = np.empty(at.shape, dtype=object), Fraction(1, 10**9)
    for index in np.ndindex(at.shape):
        ends = []
        for sign in (1, -1):
            moved = at.copy()
            moved[index] += sign * step
            ends.append(case.with_(name, moved, branches))
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient


exact_derivative = cache(_exact_derivative)


def draw(rng, N, slopes=1, untied=False, number=lambda a: np.round(a * 64) / 64):
    """N pairs, 5 inputs, 3 PReLU units, 2 outputs. Every regime occurs, and the masks of the two sides differ."""

    def parameters():
        slope = rng.uniform(0.1, 0.4, slopes) if slopes > 1 else rng.uniform(0.1, 0.4)
        return Parameters(
            *(number(np.asarray(a)) for a in (rng.normal(size=(3, 5)), rng.normal(size=3), slope)),
            *(number(np.asarray(a)) for a in (rng.normal(size=(2, 3)), rng.normal(size=2))),
        )

    params, params_tilde = parameters(), parameters() if untied else None
    x, x_tilde = number(rng.normal(size=(N, 5))), number(rng.normal(size=(N, 5)))
    first = Pairs(x, x_tilde, np.zeros(N, int), params, params_tilde)
    order = np.argsort(first.d)
    middle = N // 2
    scale = (first.d[order[middle - 1]] * first.d[order[middle]]) ** -0.25
    shrink = [
        replace(p, W6=number(scale * p.W6), b6=number(scale * p.b6)) if p else None for p in (params, params_tilde)
    ]
    labels = np.empty(N, int)
    labels[order] = np.arange(N) % 2 if middle % 2 else (np.arange(N) + 1) % 2
    case = replace(first, labels=labels, params=shrink[0], params_tilde=shrink[1])
    regimes = {(int(label), bool(d < 1)) for label, d in zip(labels, case.d, strict=True)}
    masks_differ = (np.sign(case.z[0]) != np.sign(case.z[1])).any(0).all()
    return case if len(regimes) == 4 and masks_differ else draw(rng, N, slopes, untied, number)


def pairs(rng):
    """Seven pairs, one slope for all units."""
    return draw(rng, 7)


def untied_pairs(rng):
    """Seven pairs, a set of weights for each branch."""
    return draw(rng, 7, untied=True)


def unit_slopes(rng):
    """Seven pairs, one slope a unit."""
    return draw(rng, 7, slopes=3)


def fractions(case):
    def exact(a):
        return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(a)

    params = [None if p is None else Parameters(*map(exact, astuple(p))) for p in (case.params, case.params_tilde)]
    return Pairs(exact(case.x), exact(case.x_tilde), case.labels, *params)


def _exact_pairs():
    """The same in Fractions, two cases of five pairs."""
    return [fractions(draw(np.random.default_rng(seed), 5)) for seed in (10, 11)]


exact_pairs = cache(_exact_pairs)


def _exact_untied_pairs():
    """The same in Fractions, with a set of weights for each branch."""
    return [fractions(draw(np.random.default_rng(seed), 5, untied=True)) for seed in (12,)]


exact_untied_pairs = cache(_exact_untied_pairs)


def _exact_unit_slopes():
    """The same in Fractions, with one slope a unit."""
    return [fractions(draw(np.random.default_rng(14), 5, slopes=3))]


exact_unit_slopes = cache(_exact_unit_slopes)


def all_far(case):
    """Only pairs of two classes beyond the margin: relabel, and move all outputs apart."""
    scale = 2 * int(1 + 1 / min(case.d) ** 0.5)
    params = [p and replace(p, W6=scale * p.W6, b6=scale * p.b6) for p in (case.params, case.params_tilde)]
    return Pairs(case.x, case.x_tilde, 1 + 0 * case.labels, *params)


def none_far(case):
    """No pair of two classes beyond the margin: what was one is relabelled."""
    return replace(case, labels=np.where(case.d < 1, case.labels, 0))


def size(reference):
    """The scale of a comparison: the largest entry, or 1 where all is 0."""
    return float(np.abs(reference).max()) or 1.0


def close(value, reference, **options):
    """Measured, with 0 compared on the scale of 1."""
    agree(value, reference, scale=size(reference), **options)


def torch_pair(case):
    """The same network in PyTorch, leaves with gradients: (loss, first parameters, second parameters)."""
    torch = need("torch")
    first = [torch.tensor(a, requires_grad=True) for a in astuple(case.params)]
    second = [torch.tensor(a, requires_grad=True) for a in astuple(case.second)] if case.params_tilde else first

    def branch(p, x):
        z = torch.nn.functional.linear(torch.tensor(x), p[0], p[1])
        return torch.nn.functional.linear(torch.nn.functional.prelu(z, p[2].reshape(-1)), p[3], p[4])

    d = 0.5 * (branch(first, case.x) - branch(second, case.x_tilde)).pow(2).sum(1)
    label = torch.tensor(case.labels)
    return (label * torch.relu(1 - d) + (1 - label) * d).mean(), first, second


def by_autograd(case, name):
    value, first, _ = torch_pair(case)
    value.backward()
    return first[FIELDS.index(name)].grad.numpy()


# --- the network and its loss -----------------------------------------------------------------------------------------


def outputs(case):
    # $$ z^{(5)} = W^{(5)} h^{(4)} + b^{(5)},
    #    \qquad h^{(5)}_j = \begin{cases} z^{(5)}_j & \text{if } z^{(5)}_j > 0 \\ a\,z^{(5)}_j & \text{if not}
    #    \end{cases},
    #    \qquad h^{(6)} = W^{(6)} h^{(5)} + b^{(6)} $$
    h, h_tilde, saved = siamese.forward(case.params, case.x, case.x_tilde, params_tilde=case.params_tilde)
    return h, h_tilde, siamese.prelu(saved.z, saved.params.slope)


def one_by_one(params, x):
    """The two layers of one branch, one unit and one example at a time."""
    h5, h6 = [], []
    for row in x:
        units = []
        for j, weights in enumerate(params.W5):
            z = sum(w * entry for w, entry in zip(weights, row, strict=True)) + params.b5[j]
            units.append(z if z > 0 else np.broadcast_to(params.slope, (3,))[j] * z)
        h5.append(units)
        h6.append(
            [
                sum(w * u for w, u in zip(row6, units, strict=True)) + b
                for row6, b in zip(params.W6, params.b6, strict=True)
            ]
        )
    return np.array(h6), np.array(h5)


@claim("siamese-forward", cases=untied_pairs)
def forward_by_definition(case, outputs=outputs):
    """The definition, one unit and one image at a time; each branch has its own weights."""
    h, h_tilde, h5 = outputs(case)
    agree(h, one_by_one(case.params, case.x)[0])
    agree(h5, one_by_one(case.params, case.x)[1])
    agree(h_tilde, one_by_one(case.params_tilde, case.x_tilde)[0])


@claim("siamese-forward", cases=exact_unit_slopes)
def forward_in_fractions(case, outputs=outputs):
    """The same in rational arithmetic, with one slope a unit and shared weights."""
    h, h_tilde, h5 = outputs(case)
    same(h, one_by_one(case.params, case.x)[0])
    same(h5, one_by_one(case.params, case.x)[1])
    same(h_tilde, one_by_one(case.params, case.x_tilde)[0])


@slip("siamese-forward")
def relu_in_layer_5(case):
    """Cut what is below 0: that is ReLU, the slope is forgotten."""
    cut = replace(case, params=replace(case.params, slope=0 * case.params.slope))
    return cut.h[0], case.h[1], cut.h5[0]


@slip("siamese-forward")
def activation_on_the_last_layer(case):
    """Put a ReLU on layer 6 too."""
    return *(h * (h > 0) for h in case.h), case.h5[0]


def loss_value(case):
    # $$ d = \tfrac12\,\lVert h^{(6)} - \tilde h^{(6)} \rVert^2, \qquad L = \ell\,\max(1 - d,\,0) + (1 - \ell)\,d $$
    h, h_tilde = case.h
    return siamese.distance(h, h_tilde), siamese.loss(h, h_tilde, case.labels)


@claim("siamese-loss", cases=pairs)
def loss_by_definition(case, loss_value=loss_value):
    """The definition, one pair at a time; the loss of a batch is the mean over its pairs."""
    d, value = loss_value(case)
    expected = [sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) / 2 for pair in zip(*case.h, strict=True)]
    agree(d, np.array(expected))
    terms = [max(1 - e, 0) if label else e for e, label in zip(expected, case.labels, strict=True)]
    agree(value, sum(terms) / len(terms))


@claim("siamese-loss", cases=exact_pairs)
def loss_in_fractions(case, loss_value=loss_value):
    """The same in rational arithmetic."""
    d, value = loss_value(case)
    same(
        d,
        np.array(
            [sum((a - b) * (a - b) for a, b in zip(*pair, strict=True)) / 2 for pair in zip(*case.h, strict=True)]
        ),
    )
    same(value, case.loss(case.params, case.params))


def mean_loss(case, d):
    return sum(max(1 - e, 0) if label else e for e, label in zip(d, case.labels, strict=True)) / len(d)


@slip("siamese-loss")
def half_forgotten(case):
    """Leave the factor one half out of the distance."""
    return 2 * case.d, mean_loss(case, 2 * case.d)


@slip("siamese-loss")
def labels_swapped(case):
    """Take 1 for the label of a pair of one class."""
    return case.d, mean_loss(replace(case, labels=1 - case.labels), case.d)


@slip("siamese-loss", blind=none_far)
def no_maximum(case):
    """Write 1 - d for the maximum of it and 0."""
    return case.d, sum(1 - e if label else e for e, label in zip(case.d, case.labels, strict=True)) / len(case.d)


@slip("siamese-loss")
def product_as_printed(case):
    """Read the sheet to the letter: the product of the two outputs."""
    d = (case.h[0] * case.h[1] * case.h[0] * case.h[1]).sum(1) / 2
    return d, mean_loss(case, d)


# --- the lost minus ---------------------------------------------------------------------------------------------------


def printed_distance(case):
    # $$ \check d(h, h) = \tfrac12 \sum_i h_i^4, \qquad \frac{\partial \check d}{\partial h} = h \odot \tilde h \odot
    #    \tilde h $$
    h, h_tilde = case.h
    return (h * h * h * h).sum(1) / 2, h * h_tilde * h_tilde


@claim("siamese-lost-minus", cases=pairs)
def printed_distance_measured(case, printed_distance=printed_distance):
    """The product as printed, of an output with itself; its gradient by a complex step; the right ones differ."""
    h, h_tilde = case.h
    at_itself, gradient = printed_distance(case)
    agree(at_itself, np.array([0.5 * np.linalg.norm(row * row) ** 2 for row in h]))
    agree(gradient, complex_step(lambda value: ((value * h_tilde) ** 2).sum() / 2, h))
    differ(at_itself, siamese.distance(h, h), scale=at_itself.max())
    differ(gradient, h - h_tilde)


@slip("siamese-lost-minus")
def zero_at_itself(case):
    """Believe that the printed distance of two equal outputs is 0."""
    return 0 * case.d, case.h[0] * case.h[1] ** 2


@slip("siamese-lost-minus")
def derivative_of_the_difference(case):
    """Give the gradient of the right distance for that of the printed one."""
    return (case.h[0] ** 4).sum(1) / 2, case.h[0] - case.h[1]


# --- the gradient at the outputs --------------------------------------------------------------------------------------


def output_gradient(case):
    # $$ \frac{\partial L}{\partial h^{(6)}} = g\,\Delta h^{(6)}, \qquad \frac{\partial L}{\partial \tilde h^{(6)}} =
    #    -g\,\Delta h^{(6)} $$
    return siamese.d_loss(*case.h, case.labels)


def one_pair_each(case, gradient):
    """Each pair's own gradient: the batch's times the number of pairs."""
    return tuple(len(case.labels) * side for side in gradient)


@claim("siamese-output-gradient", cases=pairs)
def outputs_by_complex_step(case, output_gradient=output_gradient):
    """The derivative of the mean loss along each entry of the two outputs, by a complex step."""
    h, h_tilde = case.h

    def value(a, b):
        d = ((a - b) ** 2).sum(1) / 2
        return sum((1 - e if e.real < 1 else 0) if label else e for e, label in zip(d, case.labels, strict=True)) / 7

    dh, dh_tilde = output_gradient(case)
    close(dh, complex_step(lambda a: value(a, h_tilde), h))
    close(dh_tilde, complex_step(lambda b: value(h, b), h_tilde))


@claim("siamese-output-gradient", cases=exact_pairs)
def outputs_in_fractions(case, output_gradient=output_gradient):
    """Exactly, each pair by its own regime: g is 1, -1 or 0."""
    dh, dh_tilde = one_pair_each(case, output_gradient(case))
    same(dh, np.array([g * (a - b) for g, a, b in zip(case.g, *case.h, strict=True)]))
    same(dh_tilde, np.array([g * (b - a) for g, a, b in zip(case.g, *case.h, strict=True)]))


@slip("siamese-output-gradient", blind=none_far)
def push_beyond_the_margin(case):
    """Forget the maximum: push pairs of two classes for ever."""
    dh = (1 - 2 * case.labels)[:, None] * (case.h[0] - case.h[1]) / len(case.labels)
    return dh, -dh


@slip("siamese-output-gradient", blind=all_far)
def same_sign_for_both(case):
    """Give both outputs the same gradient."""
    return case.e, case.e


@slip("siamese-output-gradient", blind=all_far)
def factor_two(case):
    """Differentiate the square, and forget the one half."""
    return 2 * case.e, -2 * case.e


@slip("siamese-output-gradient")
def distance_not_squared(case):
    """Divide by the norm, as if the loss held the norm and not its square."""
    unit = case.e / np.array([[float(d) ** 0.5 * 2**0.5] for d in case.d])
    if case.h[0].dtype == object:
        unit = np.vectorize(Fraction, otypes=[object])(unit.astype(float))
    return unit, -unit


# --- layer 6 ----------------------------------------------------------------------------------------------------------


def dW6(case):
    # $$ \frac{\partial L}{\partial W^{(6)}} = g\,\Delta h^{(6)}\,(\Delta h^{(5)})^\top $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams.W6


@claim("siamese-last-layer-gradient", cases=pairs)
def last_layer_by_complex_step(case, dW6=dW6):
    """The derivative of the loss along each weight, which stands in both branches, by a complex step."""
    close(dW6(case), derivative(case, "W6"))


@claim("siamese-last-layer-gradient", cases=exact_pairs)
def last_layer_in_fractions(case, dW6=dW6):
    """The loss is of degree 2 in one weight: a central difference in rational numbers is its derivative."""
    same(dW6(case), derivative(case, "W6"))


@claim("siamese-last-layer-gradient", cases=pairs)
def last_layer_by_autograd(case, dW6=dW6):
    """PyTorch's autograd, on the loss of the batch."""
    close(dW6(case), by_autograd(case, "W6"))


@slip("siamese-last-layer-gradient", blind=all_far)
def one_branch_only(case):
    """Forget that the weights stand in the second branch too."""
    return case.e.T @ case.h5[0]


@slip("siamese-last-layer-gradient", blind=all_far)
def inputs_added(case):
    """Add the two inputs of the layer: the minus of the second branch is lost."""
    return case.e.T @ (case.h5[0] + case.h5[1])


@slip("siamese-last-layer-gradient", blind=all_far)
def half_forgotten_in_the_weights(case):
    """Have a factor 2 left, from the square."""
    return 2 * case.e.T @ (case.h5[0] - case.h5[1])


@slip("siamese-last-layer-gradient", blind=none_far)
def indicator_forgotten(case):
    """Push pairs of two classes beyond the margin too."""
    e = (1 - 2 * case.labels)[:, None] * (case.h[0] - case.h[1]) / len(case.labels)
    return e.T @ (case.h5[0] - case.h5[1])


@slip("siamese-last-layer-gradient")
def label_swapped_in_the_weights(case):
    """Swap the roles of the label and of one minus the label."""
    other = replace(case, labels=1 - case.labels)
    return other.e.T @ (case.h5[0] - case.h5[1])


@slip("siamese-last-layer-gradient", blind=all_far)
def output_for_the_difference(case):
    """Take the first branch's output and input alone: g h6 h5^T."""
    return (case.g[:, None] * case.h[0] / len(case.g)).T @ case.h5[0]


@slip("siamese-last-layer-gradient", blind=all_far)
def sum_over_the_batch(case):
    """Add the pairs of a batch, whose loss is a mean."""
    return len(case.g) * case.e.T @ (case.h5[0] - case.h5[1])


@slip("siamese-last-layer-gradient")
def outer_product_turned(case):
    """Multiply in the other order, so that the gradient has the shape of the transpose."""
    return (case.h5[0] - case.h5[1]).T @ case.e


def _one_exact_pair():
    """Single pairs that the loss moves, in Fractions."""
    several = [
        replace(case, x=case.x[i : i + 1], x_tilde=case.x_tilde[i : i + 1], labels=case.labels[i : i + 1])
        for case in exact_pairs()
        for i in range(5)
    ]
    return [one for one in several if one.g[0]]


one_exact_pair = cache(_one_exact_pair)


@steps("siamese-last-layer-gradient-steps", cases=one_exact_pair, ends_in=dW6)
def both_branches_hold_the_weights(case):
    """One pair: the weights act through both outputs."""
    # \frac{\partial L}{\partial W^{(6)}}
    yield derivative(case, "W6")
    dh, dh_tilde = siamese.d_loss(*case.h, case.labels)
    # = \frac{\partial L}{\partial h^{(6)}}\,(h^{(5)})^\top + \frac{\partial L}{\partial \tilde h^{(6)}}\,(\tilde
    #    h^{(5)})^\top
    yield dh.T @ case.h5[0] + dh_tilde.T @ case.h5[1]
    e = case.g * (case.h[0] - case.h[1])
    # = g\,\Delta h^{(6)}\,(h^{(5)})^\top - g\,\Delta h^{(6)}\,(\tilde h^{(5)})^\top
    yield e.T @ case.h5[0] - e.T @ case.h5[1]
    # = g\,\Delta h^{(6)}\,(\Delta h^{(5)})^\top
    yield e.T @ (case.h5[0] - case.h5[1])


def db6(case):
    # $$ \frac{\partial L}{\partial b^{(6)}} = 0 $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams.b6


@claim("siamese-last-bias-gradient", cases=exact_pairs)
def last_bias_in_fractions(case, db6=db6):
    """Exactly 0; so is the derivative of the loss along each bias."""
    same(db6(case), derivative(case, "b6"))
    same(db6(case), [0, 0])


@claim("siamese-last-bias-gradient", cases=pairs)
def last_bias_by_autograd(case, db6=db6):
    """PyTorch's autograd gives 0 up to rounding; the scale is that of one branch's part."""
    agree(db6(case), by_autograd(case, "b6"), scale=1)


@slip("siamese-last-bias-gradient", blind=all_far)
def bias_of_one_branch(case):
    """Sum the gradient of the first output only."""
    return case.e.sum(0)


@slip("siamese-last-bias-gradient", blind=all_far)
def bias_of_both_added(case):
    """Add the two branches with one sign."""
    return 2 * case.e.sum(0)


STEP = Fraction(1, 8)


def after_a_step(case):
    # $$ W^{(6)} \leftarrow W^{(6)} - \eta\,g\,\Delta h^{(6)}\,(\Delta h^{(5)})^\top,
    #    \qquad d \leftarrow \bigl( 1 - \eta\,g\,\lVert \Delta h^{(5)} \rVert^2 \bigr)^2\,d $$
    new = siamese.descend(case.params, case.gradients.dparams, STEP)
    moved = replace(case, params=replace(case.params, W6=new.W6))
    return new.W6, siamese.distance(*moved.h)


@claim("siamese-update", cases=one_exact_pair)
def update_in_fractions(case, after_a_step=after_a_step):
    """One pair and a step on layer 6 alone, in rational numbers: the new weights, and the new distance."""
    W6, d = after_a_step(case)
    same(W6, case.params.W6 - STEP * derivative(case, "W6"))
    change = case.h5[0] - case.h5[1]
    same(d, (1 - STEP * case.g * (change * change).sum(1)) ** 2 * case.d)


@claim("siamese-update")
def update_by_z3():
    """For all q, the step times the squared norm: when d shrinks (g = 1), and that it grows (g = -1)."""
    import z3

    d, q = z3.Reals("d q")
    proved(z3.Implies(d > 0, ((1 - q) * (1 - q) * d < d) == z3.And(q > 0, q < 2)))
    proved(z3.Implies(z3.And(d > 0, q > 0), (1 + q) * (1 + q) * d > d))


@slip("siamese-update")
def step_added(case):
    """Add the gradient: the sheet's rule with the wrong sign in place of the lost one."""
    W6 = case.params.W6 + STEP * case.gradients.dparams.W6
    return W6, replace(case, params=replace(case.params, W6=W6)).d


@slip("siamese-update")
def step_multiplied(case):
    """Read the sheet's rule to the letter: the weight times the step times the gradient."""
    W6 = case.params.W6 * STEP * case.gradients.dparams.W6
    return W6, replace(case, params=replace(case.params, W6=W6)).d


# --- untied branches, and the sum -------------------------------------------------------------------------------------


def untied_gradients(case):
    # $$ \frac{\partial L}{\partial W^{(6)}} = g\,\Delta h^{(6)}\,(h^{(5)})^\top,
    #    \qquad \frac{\partial L}{\partial \tilde W^{(6)}} = -g\,\Delta h^{(6)}\,(\tilde h^{(5)})^\top $$
    gradients = siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved)
    return gradients.dparams, gradients.dparams_tilde


@claim("siamese-untied-gradients", cases=exact_untied_pairs)
def untied_in_fractions(case, untied_gradients=untied_gradients):
    """Each parameter of each branch: exact derivatives in rational numbers. The other branch is held."""
    first, second = untied_gradients(case)
    for name in FIELDS:
        same(getattr(first, name), derivative(case, name, "first"))
        same(getattr(second, name), derivative(case, name, "second"))


@claim("siamese-untied-gradients", cases=untied_pairs)
def untied_by_autograd(case, untied_gradients=untied_gradients):
    """PyTorch's autograd, with a set of leaves for each branch."""
    value, first, second = torch_pair(case)
    value.backward()
    for ours, leaves in zip(untied_gradients(case), (first, second), strict=True):
        for name, leaf in zip(FIELDS, leaves, strict=True):
            close(getattr(ours, name), leaf.grad.numpy())


@slip("siamese-untied-gradients", blind=all_far)
def tied_formula_for_both(case):
    """Give each branch the formula for shared weights."""
    first, second = case.gradients.dparams, case.gradients.dparams_tilde
    change = case.h5[0] - siamese.prelu(case.z[1], case.params_tilde.slope)
    return replace(first, W6=case.e.T @ change), replace(second, W6=case.e.T @ change)


@slip("siamese-untied-gradients", blind=all_far)
def sign_of_the_second_branch(case):
    """Forget that the second output is subtracted."""
    first, second = case.gradients.dparams, case.gradients.dparams_tilde
    return first, Parameters(*(-np.asarray(a) for a in astuple(second)))


def twin_pairs():
    """Shared weights, in Fractions; each case also as two branches of equal weights."""
    return exact_pairs()[:1]


def tied_gradients(case):
    # $$ \left. \frac{\partial L}{\partial W} \right|_{\text{shared}}
    #    = \frac{\partial L}{\partial W} + \frac{\partial L}{\partial \tilde W} \qquad (W = \tilde W) $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams


def as_two(case):
    return replace(case, params_tilde=case.params)


@claim("siamese-tied-is-the-sum", cases=twin_pairs)
def sum_in_fractions(case, tied_gradients=tied_gradients):
    """All five parameters: the derivative by what both branches hold is that of the first plus that of the second."""
    for name in FIELDS:
        parts = derivative(case, name, "first") + derivative(case, name, "second")
        same(getattr(tied_gradients(case), name), parts)
        same(parts, derivative(case, name))


@claim("siamese-tied-is-the-sum", cases=pairs)
def sum_by_autograd(case, tied_gradients=tied_gradients):
    """PyTorch's autograd with one set of leaves."""
    for name in FIELDS:
        agree(getattr(tied_gradients(case), name), by_autograd(case, name), scale=1)


@slip("siamese-tied-is-the-sum", blind=all_far)
def mean_of_the_branches(case):
    """Take the mean of the two branches' gradients."""
    half = Fraction(1, 2) if case.x.dtype == object else 0.5
    return Parameters(*(half * a for a in astuple(case.gradients.dparams)))


@slip("siamese-tied-is-the-sum", blind=all_far)
def gradient_of_one_branch(case):
    """Take the gradient of the first branch alone."""
    return as_two(case).gradients.dparams


# --- the three regimes, and the kink ----------------------------------------------------------------------------------


def far_gradients(case):
    # $$ \ell = 1 \ \text{ and } \ d > 1 \implies \frac{\partial L}{\partial W} = 0 \ \text{ for every parameter } W $$
    gradients = siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved)
    return gradients.dparams, gradients.dx, gradients.dx_tilde


def exact_far_pairs():
    """Pairs of two classes beyond the margin, in Fractions."""
    return [all_far(case) for case in exact_pairs()]


@claim("siamese-far-pair", cases=exact_far_pairs)
def far_pairs_in_fractions(case, far_gradients=far_gradients):
    """Distances above 1: every gradient is exactly 0, by the inputs too."""
    every(case.d, lambda d: d > 1)
    dparams, dx, dx_tilde = far_gradients(case)
    for part in (*astuple(dparams), dx, dx_tilde):
        same(part, np.zeros(np.shape(part), dtype=int))


@slip("siamese-far-pair")
def pushed_for_ever(case):
    """Go on pushing beyond the margin."""
    e = (case.h[1] - case.h[0]) / len(case.labels)
    gradients = siamese.backward(e, -e, case.saved)
    return gradients.dparams, gradients.dx, gradients.dx_tilde


def at_the_margin():
    # $$ g = 0 \quad \text{in this code, where } d = 1 \text{ and } \ell = 1 $$
    one = np.array([[Fraction(1), Fraction(1)]])
    return siamese.d_loss(one, 0 * one, [1])[0]


@claim("siamese-margin-kink")
def kink_left_and_right(at_the_margin=at_the_margin):
    """The slopes by d, from both sides, by exact quotients of the loss: -1 and 0. The code takes the right one."""
    slopes = []
    for moved in (Fraction(999, 1000), Fraction(1001, 1000)):
        h, h_tilde = np.array([[moved, moved]]), np.array([[Fraction(0), Fraction(0)]])
        slopes.append(Fraction(siamese.loss(h, h_tilde, [1])) / (siamese.distance(h, h_tilde)[0] - 1))
    same(slopes, [-1, 0])
    same(at_the_margin(), [[0, 0]])


@claim("siamese-margin-kink")
def kink_in_torch():
    """PyTorch: three ways to write the same maximum give the slopes 0, -1 and -1/2 at d = 1."""
    torch = need("torch")
    slopes = []
    for f in (torch.relu, lambda v: v.clamp(min=0), lambda v: torch.maximum(v, torch.zeros_like(v))):
        d = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        f(1 - d).backward()
        slopes.append(d.grad.item())
    agree(np.array(slopes), np.array([0, -1, -0.5]))


@slip("siamese-margin-kink")
def left_slope():
    """Take the slope from the left, as d <= 1 in the indicator does."""
    return np.array([[-1, -1]])


@dataclass(frozen=True, eq=False)
class Close:
    """Two outputs, a short way apart."""

    h: np.ndarray
    h_tilde: np.ndarray

    @property
    def length(self):
        return np.linalg.norm(self.h - self.h_tilde)


def close_outputs(rng):
    """Four entries, at most a tenth apart."""
    h = rng.normal(size=4)
    return Close(h, h + rng.uniform(0.02, 0.05, 4))


def pushes(case):
    # $$ \Bigl\lVert \frac{\partial L}{\partial h^{(6)}} \Bigr\rVert = \lVert \Delta h^{(6)} \rVert,
    #    \qquad \text{Hadsell: } \ \sqrt2 - \lVert \Delta h^{(6)} \rVert $$
    ours, _ = siamese.d_loss(case.h[None], case.h_tilde[None], [1])
    return np.linalg.norm(ours), np.sqrt(2) - case.length


@claim("siamese-equal-outputs", cases=close_outputs)
def pushes_by_complex_step(case, pushes=pushes):
    """Complex-step gradients of this loss, and of half the squared gap to the margin; ours is 0 at equal outputs."""
    ours, hadsell = pushes(case)

    def gap(h):
        return 0.5 * (np.sqrt(2) - np.sqrt(((h - case.h_tilde) ** 2).sum())) ** 2

    agree(ours, np.linalg.norm(complex_step(lambda h: 1 - ((h - case.h_tilde) ** 2).sum() / 2, case.h)))
    agree(hadsell, np.linalg.norm(complex_step(gap, case.h)))
    at_itself, _ = siamese.d_loss(case.h[None], case.h[None], [1])
    agree(at_itself, np.zeros((1, 4)), scale=1)


@slip("siamese-equal-outputs")
def pushed_most_when_closest(case):
    """Believe that this loss, too, pushes hardest where two outputs are equal."""
    return np.sqrt(2) - case.length, np.sqrt(2) - case.length


# --- layer 5 ----------------------------------------------------------------------------------------------------------


def dz5(case):
    # $$ \frac{\partial L}{\partial z^{(5)}} = g\,\bigl( (W^{(6)})^\top \Delta h^{(6)} \bigr) \odot
    #    \operatorname{prelu}'(z^{(5)}),
    #    \qquad \frac{\partial L}{\partial \tilde z^{(5)}} = -g\,\bigl( (W^{(6)})^\top \Delta h^{(6)} \bigr) \odot
    #    \operatorname{prelu}'(\tilde z^{(5)}) $$
    dh, dh_tilde = siamese.d_loss(*case.h, case.labels)
    slopes = [siamese.d_prelu(z, case.params.slope) for z in case.z]
    return (dh @ case.params.W6) * slopes[0], (dh_tilde @ case.params.W6) * slopes[1]


def loss_from_z(case, z, z_tilde):
    """The loss, from what PReLU is given, on the piece where the point lies."""
    h = [value * slope for value, slope in zip((z, z_tilde), case.slopes, strict=True)]
    difference = (h[0] - h[1]) @ case.params.W6.T
    d = (difference * difference).sum(1) / 2
    return sum(g * d_i for g, d_i in zip(case.g, d, strict=True)) / len(d)


def by_z(case):
    """The derivatives of the loss by z5 in the two branches: by a complex step, or exactly in Fractions."""
    z, z_tilde = case.z
    if z.dtype == object:
        return exact_by_z(case)
    return complex_step(lambda v: loss_from_z(case, v, z_tilde), z), complex_step(
        lambda v: loss_from_z(case, z, v), z_tilde
    )


def _exact_by_z(case):
    z, z_tilde = case.z
    gradients = np.empty((2, *z.shape), dtype=object)
    for place in np.ndindex(gradients.shape):
        ends = []
        for move in (1, -1):
            both = np.array([z, z_tilde])
            both[place] += move
            ends.append(loss_from_z(case, *both))
        gradients[place] = (ends[0] - ends[1]) / 2  # of degree 2: exact
    return gradients[0], gradients[1]


exact_by_z = cache(_exact_by_z)


@claim("siamese-prelu-back", cases=pairs)
def back_by_complex_step(case, dz5=dz5):
    """The derivative of the loss along each pre-activation of layer 5, in both branches, by a complex step."""
    for ours, reference in zip(dz5(case), by_z(case), strict=True):
        close(ours, reference)


@claim("siamese-prelu-back", cases=exact_pairs)
def back_in_fractions(case, dz5=dz5):
    """The same exactly, by a central difference in rational numbers."""
    for ours, reference in zip(dz5(case), by_z(case), strict=True):
        same(ours, reference)


@slip("siamese-prelu-back", blind=all_far)
def prelu_as_the_identity(case):
    """Leave the slope of PReLU out."""
    return tuple(through(case, [1 + 0 * z for z in case.z]))


@slip("siamese-prelu-back", blind=all_far)
def first_mask_twice(case):
    """Use the first branch's mask in both."""
    return tuple(through(case, [case.slopes[0], case.slopes[0]]))


def dW5(case):
    # $$ \frac{\partial L}{\partial W^{(5)}}
    #    = \frac{\partial L}{\partial z^{(5)}}\,(h^{(4)})^\top + \frac{\partial L}{\partial \tilde z^{(5)}}\,(\tilde
    #    h^{(4)})^\top $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams.W5


@claim("siamese-prelu-layer-gradient", cases=pairs)
def prelu_layer_by_complex_step(case, dW5=dW5):
    """The derivative of the loss along each weight of layer 5, by a complex step; the masks of the branches differ."""
    close(dW5(case), derivative(case, "W5"))


@claim("siamese-prelu-layer-gradient", cases=exact_pairs)
def prelu_layer_in_fractions(case, dW5=dW5):
    """The same exactly, by a central difference in rational numbers."""
    same(dW5(case), derivative(case, "W5"))


@claim("siamese-prelu-layer-gradient", cases=pairs)
def prelu_layer_by_autograd(case, dW5=dW5):
    """PyTorch's autograd."""
    close(dW5(case), by_autograd(case, "W5"))


def through(case, slopes=None, signs=(1, -1), W6=None):
    """The gradients by z5 and by the other z5; each argument can be spoiled."""
    W6 = case.params.W6 if W6 is None else W6
    return [sign * (case.e @ W6) * slope for sign, slope in zip(signs, slopes or case.slopes, strict=True)]


def gathered(case, dz):
    return dz[0].T @ case.x + dz[1].T @ case.x_tilde


@slip("siamese-prelu-layer-gradient", blind=all_far)
def slope_of_prelu_forgotten(case):
    """Go back through PReLU as if it were the identity."""
    return gathered(case, through(case, [1 + 0 * z for z in case.z]))


@slip("siamese-prelu-layer-gradient", blind=all_far)
def slope_of_relu(case):
    """Take the derivative of ReLU: 0 below 0."""
    return gathered(case, through(case, [(z > 0) * 1 for z in case.z]))


def equal_inputs(case):
    """Both images the same: one mask serves both branches, and all distances are 0."""
    return replace(case, x_tilde=case.x)


@slip("siamese-prelu-layer-gradient", blind=equal_inputs)
def one_mask_for_both(case):
    """Use the first branch's mask in the second one."""
    return gathered(case, through(case, [case.slopes[0], case.slopes[0]]))


@slip("siamese-prelu-layer-gradient", blind=all_far)
def first_branch_only(case):
    """Leave the second branch out."""
    return through(case)[0].T @ case.x


@slip("siamese-prelu-layer-gradient", blind=all_far)
def weights_reshaped(case):
    """Reshape W6 so that the product fits, where it must be transposed."""
    return gathered(case, through(case, W6=case.params.W6.reshape(3, 2).T))


@slip("siamese-prelu-layer-gradient", blind=all_far)
def weights_omitted(case):
    """Leave W6 out: every unit of layer 5 gets the sum of the output gradients."""
    return gathered(case, through(case, W6=1 + 0 * case.params.W6))


@slip("siamese-prelu-layer-gradient")
def output_for_the_input(case):
    """Multiply by what layer 5 gives, where it is what it takes that counts."""
    dz = through(case)
    return dz[0].T @ case.h5[0] + dz[1].T @ case.h5[1]


@slip("siamese-prelu-layer-gradient", blind=all_far)
def plus_between_the_branches(case):
    """Add the branches: the minus of the difference is lost."""
    return gathered(case, through(case, signs=(1, 1)))


@steps("siamese-prelu-layer-steps", cases=one_exact_pair, ends_in=dW5)
def through_layer_5(case):
    """One pair: back through layer 6, through PReLU, to the weights."""
    # \frac{\partial L}{\partial W^{(5)}}
    yield derivative(case, "W5")
    dz = by_z(case)
    # = \frac{\partial L}{\partial z^{(5)}}\,(h^{(4)})^\top + \frac{\partial L}{\partial \tilde z^{(5)}}\,(\tilde
    #    h^{(4)})^\top
    yield dz[0].T @ case.x + dz[1].T @ case.x_tilde
    back = (case.g * (case.h[0] - case.h[1])) @ case.params.W6
    # = g \bigl( (W^{(6)})^\top \Delta h^{(6)} \odot \operatorname{prelu}'(z^{(5)}) \bigr) (h^{(4)})^\top - g \bigl(
    #    (W^{(6)})^\top \Delta h^{(6)} \odot \operatorname{prelu}'(\tilde z^{(5)}) \bigr) (\tilde h^{(4)})^\top
    yield (back * case.slopes[0]).T @ case.x - (back * case.slopes[1]).T @ case.x_tilde


def db5(case):
    # $$ \frac{\partial L}{\partial b^{(5)}} = \frac{\partial L}{\partial z^{(5)}} + \frac{\partial L}{\partial \tilde
    #    z^{(5)}} $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams.b5


@claim("siamese-prelu-bias-gradient", cases=exact_pairs)
def prelu_bias_in_fractions(case, db5=db5):
    """The derivative along each bias, exactly; it is not 0 here."""
    same(db5(case), derivative(case, "b5"))
    every([derivative(case, "b5")], lambda gradient: any(entry != 0 for entry in gradient))


@claim("siamese-prelu-bias-gradient", cases=pairs)
def prelu_bias_by_complex_step(case, db5=db5):
    """The same by a complex step."""
    agree(db5(case), derivative(case, "b5"))


@slip("siamese-prelu-bias-gradient")
def zero_as_for_layer_6(case):
    """Believe that the two branches cancel here too."""
    return 0 * case.params.b5


@slip("siamese-prelu-bias-gradient")
def bias_of_the_first_branch(case):
    """Leave the second branch out."""
    return through(case)[0].sum(0)


def dslope(case):
    # $$ \frac{\partial L}{\partial a} = g \sum_j \bigl( (W^{(6)})^\top \Delta h^{(6)} \bigr)_j
    #    \bigl( \min(z^{(5)}_j, 0) - \min(\tilde z^{(5)}_j, 0) \bigr) $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams.slope


@claim("siamese-slope-gradient", cases=exact_pairs)
def slope_in_fractions(case, dslope=dslope):
    """One slope for all units: its derivative, exactly."""
    same(dslope(case), derivative(case, "slope"))


@claim("siamese-slope-gradient", cases=pairs)
def slope_by_autograd(case, dslope=dslope):
    """PyTorch's autograd."""
    agree(dslope(case), by_autograd(case, "slope"))


def below(case):
    """The parts of the slope's gradient: one row a pair, one column a unit, for the two branches."""
    return [(case.e @ case.params.W6) * np.where(z > 0, 0 * z, z) for z in case.z]


@slip("siamese-slope-gradient")
def slope_of_one_branch(case):
    """Leave the second branch out."""
    return np.asarray(below(case)[0].sum())


@slip("siamese-slope-gradient")
def whole_input(case):
    """Take z where only its negative part belongs."""
    return np.asarray(((case.e @ case.params.W6) * (case.z[0] - case.z[1])).sum())


@slip("siamese-slope-gradient")
def positive_part(case):
    """Take the positive part: the slope acts below 0."""
    parts = [(case.e @ case.params.W6) * np.where(z > 0, z, 0 * z) for z in case.z]
    return np.asarray((parts[0] - parts[1]).sum())


def dslopes(case):
    # $$ \frac{\partial L}{\partial a_j} = g\,\bigl( (W^{(6)})^\top \Delta h^{(6)} \bigr)_j
    #    \bigl( \min(z^{(5)}_j, 0) - \min(\tilde z^{(5)}_j, 0) \bigr) $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams.slope


@claim("siamese-slopes-gradient", cases=exact_unit_slopes)
def slopes_in_fractions(case, dslopes=dslopes):
    """One slope a unit: the derivatives, exactly; the gradient for the weights follows the slope of its own unit."""
    same(dslopes(case), derivative(case, "slope"))
    same(case.gradients.dparams.W5, derivative(case, "W5"))


@claim("siamese-slopes-gradient", cases=unit_slopes)
def slopes_by_autograd(case, dslopes=dslopes):
    """PyTorch's autograd."""
    agree(dslopes(case), by_autograd(case, "slope"))


@slip("siamese-slopes-gradient")
def summed_over_units(case):
    """Give every unit the sum, as if they shared one slope."""
    return 0 * case.params.slope + (below(case)[0] - below(case)[1]).sum()


@slip("siamese-slopes-gradient")
def units_of_one_branch(case):
    """Leave the second branch out."""
    return below(case)[0].sum(0)


def negative_slope(rng):
    """Pairs whose PReLU has a slope below 0."""
    case = pairs(rng)
    return replace(case, params=replace(case.params, slope=-case.params.slope))


def exact_negative_slope():
    """The same in Fractions."""
    return [replace(case, params=replace(case.params, slope=-case.params.slope)) for case in exact_pairs()]


def prelu_slope(case):
    # $$ \operatorname{prelu}'(z) = \begin{cases} 1 & \text{if } z > 0 \\ a & \text{if } z < 0 \end{cases} $$
    return siamese.d_prelu(case.z[0], case.params.slope)


@claim("siamese-negative-slope", cases=negative_slope)
def slope_by_complex_step(case, prelu_slope=prelu_slope):
    """The derivative of max(z, 0) + a min(z, 0), entry by entry, by a complex step; a is below 0 here."""

    def value(z):
        return np.where(z.real > 0, z, case.params.slope * z).sum()

    agree(prelu_slope(case), complex_step(value, case.z[0]))


@claim("siamese-negative-slope", cases=exact_negative_slope)
def slope_by_quotients(case, prelu_slope=prelu_slope):
    """Quotients of the package's own PReLU in rational numbers, on one side of 0; at 0 the code takes the slope."""
    z, r = case.z[0], Fraction(1, 10**6)
    same(prelu_slope(case), (siamese.prelu(z + r, case.params.slope) - siamese.prelu(z, case.params.slope)) / r)
    same(siamese.d_prelu(0 * z[:1, :1], case.params.slope), np.full((1, 1), case.params.slope))


def positive_slope(case):
    """A slope above 0: there z and PReLU of z have one sign."""
    return replace(case, params=replace(case.params, slope=abs(case.params.slope)))


@slip("siamese-negative-slope", blind=positive_slope)
def mask_from_the_output(case):
    """Ask whether the output is positive, where it is the input that counts."""
    return siamese.d_prelu(case.h5[0], case.params.slope)


def dx(case):
    # $$ \frac{\partial L}{\partial h^{(4)}} = (W^{(5)})^\top \frac{\partial L}{\partial z^{(5)}},
    #    \qquad \frac{\partial L}{\partial \tilde h^{(4)}} = (W^{(5)})^\top \frac{\partial L}{\partial \tilde z^{(5)}}
    #    $$
    gradients = siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved)
    return gradients.dx, gradients.dx_tilde


@claim("siamese-input-gradient", cases=pairs)
def inputs_by_complex_step(case, dx=dx):
    """The derivative of the loss along each entry of both images' features, by a complex step."""
    first, second = dx(case)
    agree(first, complex_step(lambda v: case.loss(case.params, case.params, x=v), case.x))
    agree(second, complex_step(lambda v: case.loss(case.params, case.params, x_tilde=v), case.x_tilde))


@slip("siamese-input-gradient")
def gradients_exchanged(case):
    """Send each image the gradient of the other."""
    gradients = case.gradients
    return gradients.dx_tilde, gradients.dx


@slip("siamese-input-gradient")
def opposite_inputs(case):
    """Give the second image minus the gradient of the first, as at the outputs."""
    return case.gradients.dx, -case.gradients.dx


# --- how many parameters ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """Four convolutions and two dense layers; sizes in pixels and units."""

    size: int = 32
    channels: tuple = (3, 32, 32, 64, 64)
    kernels: tuple = (3, 3, 3, 3)
    strides: tuple = (1, 2, 1, 2)
    widths: tuple = (128, 10)
    pooled: bool = False

    def count(self, **options):
        named = {"size": 1 if self.pooled else self.size, "strides": self.strides}
        return siamese.parameter_count(self.channels, self.kernels, self.widths, **(named | options))

    @property
    def side(self):
        """What four 'SAME' paddings leave of the size, layer by layer."""
        size = self.size
        for stride in self.strides:
            size = -(-size // stride)
        return size

    @property
    def shapes(self):
        """Of each parameter array of one branch."""
        found = []
        for k, C, F in zip(self.kernels, self.channels, self.channels[1:], strict=False):
            found += [(F, C, k, k), (F,)]
        inputs = self.channels[-1] * (1 if self.pooled else self.side**2)
        units, outputs = self.widths
        return [*found, (units, inputs), (units,), (units,), (outputs, units), (outputs,)]


def networks():
    """The network of the figure, the same with means over positions, and two others of odd sizes."""
    yield Network()
    yield Network(pooled=True)
    yield Network(13, (1, 4, 5, 6, 7), (5, 3, 1, 2), (2, 3, 1, 1), (8, 9))
    yield Network(50, (2, 3, 5, 4, 6), (1, 3, 5, 3), (3, 1, 2, 2), (11, 4))


def count(network):
    # $$ P = \sum_{i=1}^{4} (k_i^2\,F_{i-1} + 1)\,F_i + (n_{\mathrm h}\,n_{\mathrm w}\,F_4 + 1)\,D_5 + D_5 + (D_5 +
    #    1)\,D_6 $$
    return siamese.parameter_count(
        network.channels,
        network.kernels,
        network.widths,
        size=1 if network.pooled else network.size,
        strides=network.strides,
    )


@claim("siamese-parameter-count", cases=networks)
def entries_of_arrays(network, count=count):
    """Count the entries of the arrays of one branch, each once."""
    same(count(network), sum(int(np.prod(shape)) for shape in network.shapes))


@claim("siamese-parameter-count", cases=networks)
def torch_counts(network, count=count):
    """Build the branch in PyTorch, and add up its parameters. Its PReLU has one slope unless told otherwise."""
    nn = need("torch").nn
    inputs = network.shapes[-5][1]
    layers = [
        nn.Conv2d(C, F, k) for k, C, F in zip(network.kernels, network.channels, network.channels[1:], strict=False)
    ]
    units, outputs = network.widths
    layers += [nn.Linear(inputs, units), nn.PReLU(units), nn.Linear(units, outputs)]
    same(count(network), sum(p.numel() for p in nn.Sequential(*layers).parameters()))
    same(sum(p.numel() for p in nn.PReLU().parameters()), 1)


@slip("siamese-parameter-count")
def both_branches_counted(network):
    """Count both branches, whose parameters are the same ones."""
    return 2 * network.count()


@slip("siamese-parameter-count")
def slopes_forgotten(network):
    """Leave the slopes of PReLU out."""
    return network.count() - network.widths[0]


@slip("siamese-parameter-count")
def biases_forgotten(network):
    """Leave the biases out."""
    return network.count() - sum(network.channels[1:]) - sum(network.widths)


@slip("siamese-parameter-count")
def one_slope_for_the_layer(network):
    """Count one slope for the whole layer: right only if the answer says so."""
    return network.count(slopes=1)


@slip("siamese-parameter-count")
def convolutions_times_positions(network):
    """Count a filter once for each position of the image."""
    sides, total = [network.size], network.count()
    for stride in network.strides:
        sides.append(-(-sides[-1] // stride))
    for k, C, F, side in zip(network.kernels, network.channels, network.channels[1:], sides[1:], strict=False):
        total += (side**2 - 1) * (k * k * C + 1) * F
    return total


def proposed():
    # $$ P = 896 + 9\,248 + 18\,496 + 36\,928 + 524\,416 + 128 + 1\,290 = 591\,402 $$
    return siamese.parameter_count((3, 32, 32, 64, 64), (3, 3, 3, 3), (128, 10), size=32, strides=(1, 2, 1, 2))


@claim("siamese-proposed-network")
def layer_by_layer(proposed=proposed):
    """The entries of each layer's arrays; their sum is the count."""
    sizes = [int(np.prod(shape)) for shape in Network().shapes]
    rows = [sum(sizes[k : k + 2]) for k in (0, 2, 4, 6, 8)] + [sizes[10], sum(sizes[11:])]
    same(rows, [896, 9248, 18496, 36928, 524416, 128, 1290])
    same(proposed(), sum(rows))


@slip("siamese-proposed-network")
def twice_the_branch():
    """Count both branches: 1 182 804."""
    return 2 * Network().count()


@slip("siamese-proposed-network")
def no_slopes():
    """Forget the slopes of PReLU: 591 274."""
    return 591274


@slip("siamese-proposed-network")
def no_biases():
    """Forget the biases: 591 072."""
    return 591072


@slip("siamese-proposed-network")
def single_slope():
    """Count one slope for the layer: 591 275."""
    return Network().count(slopes=1)


def other_networks():
    # $$ P_{\text{no stride}} = 8\,455\,722, \qquad P_{\text{pooled}} = 75\,306 $$
    return Network(strides=(1, 1, 1, 1)).count(), siamese.parameter_count(
        (3, 32, 32, 64, 64), (3, 3, 3, 3), (128, 10), size=1
    )


@claim("siamese-other-networks")
def layer_5_decides(other_networks=other_networks):
    """The convolutions keep their 65 568 parameters; layer 5 sees 65 536 numbers, or 64."""
    rest = 896 + 9248 + 18496 + 36928 + 128 + 1290
    same(other_networks(), [rest + (32 * 32 * 64 + 1) * 128, rest + (64 + 1) * 128])


@slip("siamese-other-networks")
def stride_costs_nothing():
    """Believe that strides, which have no parameters, cannot change the count."""
    return Network().count(), Network().count()


def strided():
    """Image sizes up to 24, and four strides up to 3, two and two alike."""
    return [(size, *strides, *strides) for size in range(1, 25) for strides in product((1, 2, 3), repeat=2)]


def same_padding():
    # $$ n_{\mathrm h} = n_{\mathrm w} = \Bigl\lceil \frac{n}{\text{product of the strides}} \Bigr\rceil $$
    counts = [siamese.parameter_count((1,) * 5, (1,) * 4, (1, 1), size=n, strides=s) for n, *s in strided()]
    return np.array(counts) - 12


@claim("siamese-same-size")
def sizes_layer_by_layer(same_padding=same_padding):
    """All sizes to 24 and strides to 3: the sizes, rounded up layer by layer, give the number of inputs of layer 5."""
    expected = []
    for size, *strides in strided():
        for stride in strides:
            size = (size + stride - 1) // stride
        expected.append(size * size)
    every(zip(same_padding(), expected, strict=True), lambda pair: pair[0] == pair[1])


@claim("siamese-same-size")
def shapes_by_convolutions():
    """The proposed network on an image of 32 x 32 x 3, through the book's own convolutions: 8 x 8 x 64."""
    x = np.ones((1, 3, 32, 32))
    network = Network()
    sides = []
    for C, F, stride in zip(network.channels, network.channels[1:], network.strides, strict=False):
        x = convolution.conv2d(x, np.full((F, C, 3, 3), 1e-3), stride=stride, padding=1)
        sides.append(x.shape[1:])
    same(np.array(sides), [(32, 32, 32), (32, 16, 16), (64, 16, 16), (64, 8, 8)])
    same(x.size, 4096)


@slip("siamese-same-size")
def rounded_down():
    """Round the quotient down."""
    return np.array([(n // int(np.prod(s))) ** 2 for n, *s in strided()])


# --- in the long run --------------------------------------------------------------------------------------------------

ETA = 1 / 16


def trained(case):
    # $$ \tilde W_0 = W_0 \ \text{ and both receive } \ \frac{\partial L}{\partial W} + \frac{\partial L}{\partial
    #    \tilde W}
    #    \implies \tilde W_t = W_t \ \text{ for all } t $$
    for _ in range(3):
        case = replace(case, params=siamese.descend(case.params, case.gradients.dparams, ETA))
    return case.params


def train_copies(case, rule):
    """Two copies of the weights, three steps; `rule` turns the two branches' gradients into what each copy receives."""
    for _ in range(3):
        sent = [Parameters(*(derivative(case, name, branch) for name in FIELDS)) for branch in ("first", "second")]
        copies = [
            Parameters(*(a - ETA * da for a, da in zip(astuple(copy), received, strict=True)))
            for copy, received in zip((case.params, case.second), rule(*map(astuple, sent)), strict=True)
        ]
        case = replace(case, params=copies[0], params_tilde=copies[1])
    return case.params, case.params_tilde


def one_batch(rng):
    """Four pairs."""
    return draw(rng, 4)


@claim("siamese-twins-stay-equal", cases=one_batch)
def two_copies(case, trained=trained):
    """Keep two copies, give each the sum of the two complex-step gradients: both stay equal to the shared weights."""

    def summed(first, second):
        total = [a + b for a, b in zip(first, second, strict=True)]
        return total, total

    for copy in train_copies(case, summed):
        for ours, theirs in zip(astuple(trained(case)), astuple(copy), strict=True):
            agree(ours, theirs, scale=1)


@slip("siamese-twins-stay-equal")
def each_its_own_gradient(case):
    """Let each copy follow its own branch, as its own images differ: the copies part."""
    return train_copies(case, lambda first, second: (first, second))[0]


@slip("siamese-twins-stay-equal")
def half_the_sum(case):
    """Give both copies the mean of the two gradients."""

    def halved(first, second):
        mean = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
        return mean, mean

    return train_copies(case, halved)[0]


def doubled(case):
    """Each pair of the batch, and the same pair with its images exchanged; two branches of equal weights."""
    both = np.concatenate([case.x, case.x_tilde]), np.concatenate([case.x_tilde, case.x])
    return Pairs(*both, np.concatenate([case.labels, case.labels]), case.params, case.params)


def _exact_doubled():
    return [doubled(case) for case in exact_pairs()[:1]]


exact_doubled = cache(_exact_doubled)


def symmetric_gradients(case):
    # $$ \frac{\partial L}{\partial W} = \frac{\partial L}{\partial \tilde W} $$
    gradients = siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved)
    return gradients.dparams, gradients.dparams_tilde


@claim("siamese-symmetric-batch", cases=exact_doubled)
def equal_gradients(case, symmetric_gradients=symmetric_gradients):
    """All five parameters, exactly: both branches' gradients are the same derivative."""
    first, second = symmetric_gradients(case)
    for name in FIELDS:
        same(getattr(first, name), derivative(case, name, "first"))
        same(getattr(second, name), derivative(case, name, "first"))


@slip("siamese-symmetric-batch")
def opposite_gradients(case):
    """Believe that the branches are pushed in opposite directions, as the outputs of a pair are."""
    first, second = symmetric_gradients(case)
    return first, Parameters(*(-np.asarray(a) for a in astuple(second)))


def asymmetric(case):
    # $$ \frac{\partial L}{\partial W^{(6)}} - \frac{\partial L}{\partial \tilde W^{(6)}}
    #    = g\,\Delta h^{(6)}\,\bigl( h^{(5)} + \tilde h^{(5)} \bigr)^\top $$
    gradients = siamese.backward(*siamese.d_loss(*case.h, case.labels), as_two(case).saved)
    return gradients.dparams.W6 - gradients.dparams_tilde.W6


@claim("siamese-one-pair-parts-them", cases=one_exact_pair)
def gradients_differ(case, asymmetric=asymmetric):
    """One pair, two branches of equal weights: the difference of the exact derivatives, and the formula."""
    same(asymmetric(case), derivative(as_two(case), "W6", "first") - derivative(as_two(case), "W6", "second"))
    e = case.g * (case.h[0] - case.h[1])
    same(asymmetric(case), e.T @ (case.h5[0] + case.h5[1]))


@slip("siamese-one-pair-parts-them", blind=all_far)
def equal_at_every_step(case):
    """Believe that equal branches receive equal gradients from any batch."""
    return 0 * case.params.W6


def permuted_outputs(case):
    # $$ (W^{(5)},\ b^{(5)},\ W^{(6)}) \ \to \ (A W^{(5)},\ A b^{(5)},\ W^{(6)} A^{-1}) \quad \text{leaves } h^{(6)}
    #    \text{ as it was} $$
    return siamese.forward(other_weights(case.params, TURN), case.x, case.x_tilde)[0]


TURN = np.array([[0, 2, 0], [0, 0, 3], [5, 0, 0]])  # a permutation, with positive factors
TURN_BACK = np.array([[0, 0, Fraction(1, 5)], [Fraction(1, 2), 0, 0], [0, Fraction(1, 3), 0]])


def other_weights(params, A, back=TURN_BACK):
    return replace(params, W5=A @ params.W5, b5=A @ params.b5, W6=params.W6 @ back)


@claim("siamese-permuted-twins", cases=exact_pairs)
def same_function(case, permuted_outputs=permuted_outputs):
    """Exactly the same outputs, from other weights."""
    same(TURN @ TURN_BACK, np.eye(3, dtype=int))
    same(permuted_outputs(case), case.branch(case.params, case.x))
    every([other_weights(case.params, TURN)], lambda other: bool((other.W5 != case.params.W5).any()))


@slip("siamese-permuted-twins")
def next_layer_left_as_it_was(case):
    """Change layer 5 and leave layer 6."""
    return case.branch(other_weights(case.params, TURN, np.eye(3, dtype=int)), case.x)


@slip("siamese-permuted-twins")
def negative_factor(case):
    """Allow a factor below 0, which PReLU does not let through."""
    return case.branch(other_weights(case.params, -TURN, -TURN_BACK), case.x)


def three_classes(rng):
    """Nine images of three classes, all pairs, and 24 PReLU units."""
    centres = rng.normal(size=(3, 4)) * 2
    x = np.repeat(centres, 3, axis=0) + 0.1 * rng.normal(size=(9, 4))
    i, j = np.triu_indices(9, 1)
    weights = Parameters(
        rng.normal(size=(24, 4)) / 2, np.zeros(24), np.array(0.25), rng.normal(size=(2, 24)) / 10, np.zeros(2)
    )
    return Pairs(x[i], x[j], (i // 3 != j // 3).astype(int), weights)


@claim("siamese-training-ends", cases=three_classes)
def trained_to_the_end(case):
    """Four hundred steps of gradient descent with the chapter's own formulas."""
    # $$ L < 10^{-3}, \qquad \lVert \nabla L \rVert < 10^{-2} $$
    note("gradient descent")
    params = case.params
    for _ in range(400):
        h, h_tilde, saved = siamese.forward(params, case.x, case.x_tilde)
        dparams = siamese.backward(*siamese.d_loss(h, h_tilde, case.labels), saved).dparams
        params = siamese.descend(params, dparams, 0.3)
    at_most(siamese.loss(h, h_tilde, case.labels), 1e-3)
    at_most(np.sqrt(sum((a**2).sum() for a in astuple(dparams))), 1e-2)


@claim("siamese-training-ends")
def just_within_the_margin():
    """A pair of two classes at d = 1 - 1e-9: its loss is 1e-9, and its output gradient has almost the norm root 2."""
    h = np.array([[np.sqrt(2 - 2e-9), 0.0]])
    at_most(siamese.loss(h, 0 * h, [1]), 1.1e-9)
    agree(np.linalg.norm(siamese.d_loss(h, 0 * h, [1])[0]), np.sqrt(2), tolerance=1e-8)


# --- the terms of the loss --------------------------------------------------------------------------------------------

GRID = [
    (label, Fraction(k, 10)) for label in (0, 1) for k in range(25)
]  # label, and r: the outputs (r, r) and 0 have d = r^2


def no_loss():
    # $$ L \ge 0, \qquad L = 0 \iff (\ell = 0 \text{ and } d = 0) \ \text{ or } \ (\ell = 1 \text{ and } d \ge 1) $$
    at = [siamese.loss([[r, r]], [[0 * r, 0 * r]], [label]) for label, r in GRID]
    return np.array([value == 0 for value in at])


@claim("siamese-loss-zero")
def zero_by_enumeration(no_loss=no_loss):
    """Labels and distances on a grid, in rational numbers; the margin is at a norm of the root of 2."""
    pairs_of = zip(GRID, no_loss(), strict=True)
    every(pairs_of, lambda entry: bool(entry[1]) == (2 * entry[0][1] ** 2 >= 2 if entry[0][0] else entry[0][1] == 0))


@claim("siamese-loss-zero")
def zero_by_z3():
    """For all real distances that are not negative, and both labels."""
    import z3

    d, label = z3.Real("d"), z3.Int("label")
    value = z3.ToReal(label) * z3.If(1 - d > 0, 1 - d, 0) + (1 - z3.ToReal(label)) * d
    valid = z3.And(d >= 0, z3.Or(label == 0, label == 1))
    zero = z3.Or(z3.And(label == 0, d == 0), z3.And(label == 1, d >= 1))
    proved(z3.Implies(valid, z3.And(value >= 0, (value == 0) == zero)))


@slip("siamese-loss-zero")
def margin_on_the_norm():
    """Put the margin at a norm of 1: that is a distance d of one half."""
    return np.array([2 * r**2 >= 1 if label else r == 0 for label, r in GRID])


@slip("siamese-loss-zero")
def roles_swapped():
    """Take the label 1 for two images of one class."""
    return np.array([r == 0 if label else r**2 >= 1 for label, r in GRID])


@dataclass(frozen=True, eq=False)
class Free:
    """Outputs that move by themselves, with no network: h (9, 2), three classes of three."""

    h: np.ndarray
    classes: np.ndarray

    def gradient(self, h, i, j, labels):
        """Of the sum over the pairs (i, j), by each output."""
        dh, dh_tilde = siamese.d_loss(h[i], h[j], labels)
        total = 0 * h
        np.add.at(total, i, dh * len(i))
        np.add.at(total, j, dh_tilde * len(i))
        return total

    def pairs_of(self, everything=True):
        i, j = np.triu_indices(len(self.h), 1)
        different = (self.classes[i] != self.classes[j]).astype(int)
        chosen = slice(None) if everything else different == 0
        return i[chosen], j[chosen], different[chosen]


def free_outputs(rng):
    """Near the origin, in no order."""
    return Free(rng.normal(size=(9, 2)) / 5, np.repeat(np.arange(3), 3))


@claim("siamese-free-embeddings", cases=free_outputs)
def outputs_set_free(case):
    """Move the outputs themselves down the loss of all pairs."""
    # $$ \lVert \Delta h^{(6)} \rVert \to 0 \ \text{ within a class}, \qquad \lVert \Delta h^{(6)} \rVert \ge \sqrt2 -
    #    10^{-3} \ \text{ across} $$
    note("gradient descent")
    h = case.h
    i, j, different = case.pairs_of()
    for _ in range(400):
        h = h - 0.05 * case.gradient(h, i, j, different)
    apart = np.linalg.norm(h[i] - h[j], axis=1)
    at_most(apart[different == 0], np.full(9, 1e-3))
    at_most(np.full(27, np.sqrt(2) - 1e-3), apart[different == 1])


def exact_outputs():
    """Seven outputs of two classes, in Fractions."""
    rng = np.random.default_rng(3)
    h = np.vectorize(Fraction, otypes=[object])(rng.integers(-9, 9, (7, 2)), 10)
    yield Free(h, np.array([0, 0, 0, 1, 1, 1, 1]))


def without_maximum(case):
    # $$ \Delta h_t = (1 + 2 \eta)^t\,\Delta h_0 \qquad (\text{without the maximum}) $$
    h, h_tilde = case.h[:3], case.h[3:6]
    for _ in range(4):
        dh, dh_tilde = siamese.d_loss(h, h_tilde, [0, 0, 0])  # minus this is the gradient of 1 - d
        h, h_tilde = h + 3 * STEP * dh, h_tilde + 3 * STEP * dh_tilde
    return h - h_tilde


@claim("siamese-no-maximum", cases=exact_outputs)
def driven_apart(case, without_maximum=without_maximum):
    """Four steps on the term 1 - d of three pairs, exactly. With the maximum no step leaves a far pair changed."""
    same(without_maximum(case), (1 + 2 * STEP) ** 4 * (case.h[:3] - case.h[3:6]))
    dh, _ = siamese.d_loss(10 * case.h[:3], 10 * case.h[3:6], [1, 1, 1])
    same(dh, np.zeros((3, 2), dtype=int))


@slip("siamese-no-maximum")
def maximum_only_for_negative_distances(case):
    """Believe that the maximum only keeps a distance from being negative: then its loss would end here too."""
    h, h_tilde = case.h[:3], case.h[3:6]
    for _ in range(4):
        dh, dh_tilde = siamese.d_loss(h, h_tilde, [1, 1, 1])
        h, h_tilde = h - 3 * STEP * dh, h_tilde - 3 * STEP * dh_tilde
    return h - h_tilde


@slip("siamese-no-maximum")
def one_output_moves(case):
    """Move one of the two outputs only."""
    return (1 + STEP) ** 4 * (case.h[:3] - case.h[3:6])


def attracted(case):
    # $$ h_i - \bar h \ \leftarrow \ (1 - \eta N) (h_i - \bar h), \qquad \bar h \ \leftarrow \ \bar h $$
    return case.h - STEP * case.gradient(case.h, *case.pairs_of(everything=False))


@claim("siamese-attraction-alone", cases=exact_outputs)
def each_class_to_its_mean(case, attracted=attracted):
    """One step on the pairs of one class alone, for classes of 3 and 4. Outputs that are all equal have loss 0."""
    for kind, N in ((0, 3), (1, 4)):
        before, after = case.h[case.classes == kind], attracted(case)[case.classes == kind]
        mean = before.sum(0) / N
        same(after.sum(0) / N, mean)
        same(after - mean, (1 - STEP * N) * (before - mean))
    constant = np.full((5, 2), Fraction(1, 3))
    same(Fraction(siamese.loss(constant, constant, [0] * 5)), 0)


@slip("siamese-attraction-alone")
def all_to_one_point(case):
    """Believe that all classes are drawn to one point: true only if the term is put on all pairs."""
    i, j, different = case.pairs_of()
    return case.h - STEP * case.gradient(case.h, i, j, 0 * different)


@slip("siamese-attraction-alone")
def drawn_to_the_origin(case):
    """Believe that the outputs shrink."""
    return case.h * (1 - STEP * np.array([[3]] * 3 + [[4]] * 4))


@dataclass(frozen=True, eq=False)
class Moved:
    """Pairs, a rotation Q and a shift v."""

    case: Pairs
    Q: np.ndarray
    shift: np.ndarray


def moved_pairs(rng):
    """A random angle, a random shift."""
    angle = rng.uniform(0.5, 1.5)
    Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Moved(pairs(rng), Q, rng.normal(size=2))


def moved_loss(moved):
    # $$ L(Q h + \delta,\ Q \tilde h + \delta) = L(h, \tilde h) \qquad (Q^\top Q = I) $$
    h, h_tilde = (side @ moved.Q.T + moved.shift for side in moved.case.h)
    return siamese.loss(h, h_tilde, moved.case.labels)


@claim("siamese-distances-only", cases=moved_pairs)
def loss_before_the_move(moved, moved_loss=moved_loss):
    """The loss of the outputs where they were, by its definition."""
    agree(moved_loss(moved), moved.case.loss(moved.case.params, moved.case.params))


@slip("siamese-distances-only")
def outputs_read_as_classes(moved):
    """Read the outputs as the scores of classes, and take the cross-entropy."""
    h = moved.case.h[0] @ moved.Q.T + moved.shift
    return softmax.cross_entropy(h, moved.case.labels)


# --- dropout ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Dropped:
    """Two pairs of outputs of layer 5, (2, 3), the layer after it, and the probability to keep a unit. In Fractions."""

    h: np.ndarray
    h_tilde: np.ndarray
    W: np.ndarray
    b: np.ndarray
    keep: Fraction

    @property
    def h6(self):
        return self.h @ self.W.T + self.b, self.h_tilde @ self.W.T + self.b

    @property
    def noise(self):
        """(1 - p) / (2 p)."""
        return (1 - self.keep) / (2 * self.keep)

    @property
    def d(self):
        return half_square(self.h - self.h_tilde)

    @property
    def d6(self):
        return half_square(self.h6[0] - self.h6[1])


def half_square(a):
    return (a * a).sum(1) / 2


def squares(*several):
    return sum((a * a).sum(1) for a in several)


def _droppings():
    rng = np.random.default_rng(8)
    found = []
    for keep in (Fraction(1, 2), Fraction(4, 5)):
        several = [rng.integers(1, 9, shape) * rng.choice([-1, 1], shape) for shape in ((2, 3), (2, 3), (2, 3), (2,))]
        found.append(Dropped(*(np.vectorize(Fraction, otypes=[object])(a, 4) for a in several), keep))
    return found


droppings = cache(_droppings)


def masks(D, keep):
    """Every mask of D units, with its probability."""
    for mask in product((0, 1), repeat=D):
        yield np.array(mask), keep ** sum(mask) * (1 - keep) ** (D - sum(mask))


def _average(case, layer, shared, scaled, value):
    """The exact mean over all masks of `value(d)`; dropout on layer 5, on layer 6, or on both ("5 6")."""
    one, total = (1 / case.keep if scaled else 1), 0
    units5, units6 = (3 if "5" in layer else 0), (2 if "6" in layer else 0)
    for mask, p in masks((units5 + units6) * (1 if shared else 2), case.keep):
        both = (mask, mask) if shared else (mask[: units5 + units6], mask[units5 + units6 :])
        outputs = []
        for h, own in zip((case.h, case.h_tilde), both, strict=True):
            h6 = (h * own[:units5] * one if units5 else h) @ case.W.T + case.b
            outputs.append(h6 * own[units5:] * one if units6 else h6)
        total = total + p * value(half_square(outputs[0] - outputs[1]))
    return total


def _expected(case, layer, shared=False, scaled=True):
    return _average(case, layer, shared, scaled, lambda d: d)


expected = cache(_expected)


def dropped_output(case):
    return siamese.dropout_distance(*case.h6, case.keep)


def dropped_outputs(case):
    # $$ \begin{aligned}
    #    \text{inverted:} \quad \mathbb E\,d_{\text{drop}} &= d + \frac{1 - p_{\mathrm{keep}}}{2 p_{\mathrm{keep}}}
    #      \bigl( \lVert h^{(6)} \rVert^2 + \lVert \tilde h^{(6)} \rVert^2 \bigr), \\
    #    \text{plain:} \quad \mathbb E\,d_{\text{drop}} &= p_{\mathrm{keep}}^2\,d + \frac{p_{\mathrm{keep}} (1 -
    #    p_{\mathrm{keep}})}{2}
    #      \bigl( \lVert h^{(6)} \rVert^2 + \lVert \tilde h^{(6)} \rVert^2 \bigr)
    #    \end{aligned} $$
    return siamese.dropout_distance(*case.h6, case.keep), siamese.dropout_distance(*case.h6, case.keep, scaled=False)


@claim("siamese-dropout-output", cases=droppings)
def masks_on_the_output(case, dropped_outputs=dropped_outputs):
    """All masks of both branches with their probabilities, in rational numbers."""
    inverted, plain = dropped_outputs(case)
    same(inverted, expected(case, "6"))
    same(plain, expected(case, "6", scaled=False))


@slip("siamese-dropout-output")
def unbiased(case):
    """Average the outputs first: inverted dropout keeps their mean, so the distance would keep its own."""
    return case.d6, case.keep**2 * case.d6


@slip("siamese-dropout-output")
def weights_are_shared(case):
    """Say that it has no effect, as the weights are shared."""
    return case.d6, case.d6


def orthogonal_outputs(case):
    """Outputs of the two images that are orthogonal: (3, 0) and (0, 2), and the like."""
    W = np.array([[Fraction(1), Fraction(0), Fraction(0)], [Fraction(0), Fraction(1), Fraction(0)]])
    h = case.h * [1, 0, 1]
    return replace(case, W=W, b=0 * case.b, h=h, h_tilde=case.h_tilde * [0, 1, 1])


@slip("siamese-dropout-output", blind=orthogonal_outputs)
def one_mask_for_the_pair(case):
    """Use the formula for a mask that the pair shares."""
    return case.d6 / case.keep, case.keep * case.d6


@steps("siamese-dropout-output-steps", cases=droppings, ends_in=dropped_output)
def one_coordinate_at_a_time(case):
    """A dropped number has mean h and mean square h^2 / p; the two masks are independent."""
    h, h_tilde, p = *case.h6, case.keep
    # \mathbb E\,\tfrac12 \sum_i \bigl( \operatorname{drop}(h_i) - \operatorname{drop}(\tilde h_i) \bigr)^2
    yield expected(case, "6")
    zero = 0 * h
    mean_square, mean = p * (h / p) ** 2 + (1 - p) * zero, p * (h / p) + (1 - p) * zero
    mean_square_tilde, mean_tilde = p * (h_tilde / p) ** 2 + (1 - p) * zero, p * (h_tilde / p) + (1 - p) * zero
    # = \sum_i \Bigl( \tfrac12\,\mathbb E \operatorname{drop}(h_i)^2 - \mathbb E \operatorname{drop}(h_i)\,\mathbb E
    #    \operatorname{drop}(\tilde h_i) + \tfrac12\,\mathbb E \operatorname{drop}(\tilde h_i)^2 \Bigr)
    yield (mean_square / 2 - mean * mean_tilde + mean_square_tilde / 2).sum(1)
    # = \sum_i \Bigl( \frac{h_i^2}{2 p_{\mathrm{keep}}} - h_i \tilde h_i + \frac{\tilde h_i^2}{2 p_{\mathrm{keep}}}
    #    \Bigr)
    yield (h**2 / (2 * p) - h * h_tilde + h_tilde**2 / (2 * p)).sum(1)
    # = d + \frac{1 - p_{\mathrm{keep}}}{2 p_{\mathrm{keep}}} \bigl( \lVert h \rVert^2 + \lVert \tilde h \rVert^2 \bigr)
    yield half_square(h - h_tilde) + (1 - p) / (2 * p) * squares(h, h_tilde)


def dropped_identical(case):
    # $$ h^{(6)} = \tilde h^{(6)} \implies \mathbb E\,d_{\text{drop}}
    #    = \frac{1 - p_{\mathrm{keep}}}{p_{\mathrm{keep}}}\,\lVert h^{(6)} \rVert^2 \ \text{ with two masks}, \quad 0
    #    \ \text{ with one} $$
    h = case.h6[0]
    return siamese.dropout_distance(h, h, case.keep), siamese.dropout_distance(h, h, case.keep, shared=True)


@claim("siamese-dropout-identical", cases=droppings)
def masks_on_one_image_twice(case, dropped_identical=dropped_identical):
    """The same image twice, all masks, in rational numbers; and the formula."""
    twice = replace(case, h_tilde=case.h)
    independent, shared = dropped_identical(case)
    same(independent, expected(twice, "6"))
    same(shared, expected(twice, "6", shared=True))
    same(independent, 2 * case.noise * squares(case.h6[0]))


@slip("siamese-dropout-identical")
def identical_stay_identical(case):
    """Believe that identical images stay at distance 0, whatever the masks."""
    return 0 * case.d6, 0 * case.d6


def dropped_shared(case):
    # $$ \text{inverted:} \quad \mathbb E\,d_{\text{drop}} = \frac{d}{p_{\mathrm{keep}}}, \qquad
    #    \text{plain:} \quad \mathbb E\,d_{\text{drop}} = p_{\mathrm{keep}}\,d $$
    return siamese.dropout_distance(*case.h6, case.keep, shared=True), siamese.dropout_distance(
        *case.h6, case.keep, shared=True, scaled=False
    )


@claim("siamese-dropout-shared", cases=droppings)
def one_mask(case, dropped_shared=dropped_shared):
    """All masks that a pair can share, in rational numbers; and the formula."""
    inverted, plain = dropped_shared(case)
    same(inverted, expected(case, "6", shared=True))
    same(plain, expected(case, "6", shared=True, scaled=False))
    same(inverted, case.d6 / case.keep)


@slip("siamese-dropout-shared")
def keep_squared(case):
    """Square the probability, as if the two sides were dropped one by one."""
    return case.d6, case.keep**2 * case.d6


def dropped_hidden(case):
    # $$ \mathbb E\,d_{\text{drop}} = d + \frac{1 - p_{\mathrm{keep}}}{2 p_{\mathrm{keep}}} \sum_j \Bigl( \sum_i
    #    (W^{(6)}_{ij})^2 \Bigr)
    #    \bigl( (h^{(5)}_j)^2 + (\tilde h^{(5)}_j)^2 \bigr) $$
    independent = siamese.dropout_distance(case.h, case.h_tilde, case.keep, W=case.W)
    return independent, siamese.dropout_distance(case.h, case.h_tilde, case.keep, W=case.W, shared=True)


@claim("siamese-dropout-hidden", cases=droppings)
def masks_on_layer_5(case, dropped_hidden=dropped_hidden):
    """All masks on layer 5, two or one a pair, then layer 6; in rational numbers."""
    independent, shared = dropped_hidden(case)
    same(independent, expected(case, "5"))
    same(shared, expected(case, "5", shared=True))


def columns(case):
    return (case.W * case.W).sum(0)


@slip("siamese-dropout-hidden")
def divided_by_keep(case):
    """Use d / p for the shared mask, as on layer 6."""
    return dropped_hidden(case)[0], case.d6 / case.keep


@slip("siamese-dropout-hidden")
def weights_ignored(case):
    """Leave the weights of layer 6 out of the noise."""
    noise = case.noise * squares(case.h, case.h_tilde)
    return case.d6 + noise, dropped_hidden(case)[1]


@slip("siamese-dropout-hidden")
def hidden_unbiased(case):
    """Say that the mean is kept, as dropout on layer 5 keeps the mean of layer 6."""
    return case.d6, case.d6


@slip("siamese-dropout-hidden")
def rows_for_columns(case):
    """Sum the squares of a row of weights, where a unit of layer 5 has a column."""
    rows = (case.W * case.W).sum(1)
    rows = np.array([*rows, rows[0]])
    return case.d6 + case.noise * (rows * (case.h**2 + case.h_tilde**2)).sum(1), dropped_hidden(case)[1]


def dropped_both(case):
    # $$ \mathbb E\,d_{\text{drop}} = d + \frac{1 - p_{\mathrm{keep}}}{2 p_{\mathrm{keep}}}
    #    \bigl( \lVert h^{(6)} \rVert^2 + \lVert \tilde h^{(6)} \rVert^2 \bigr)
    #    + \frac{1 - p_{\mathrm{keep}}}{2 p_{\mathrm{keep}}^2} \sum_j \Bigl( \sum_i (W^{(6)}_{ij})^2 \Bigr)
    #    \bigl( (h^{(5)}_j)^2 + (\tilde h^{(5)}_j)^2 \bigr) $$
    on_5 = siamese.dropout_distance(case.h, case.h_tilde, case.keep, W=case.W) - case.d6
    return siamese.dropout_distance(*case.h6, case.keep) + on_5 / case.keep


@claim("siamese-dropout-both", cases=droppings)
def masks_on_both_layers(case, dropped_both=dropped_both):
    """All 1024 masks of the two layers and the two branches, in rational numbers; and the formula."""
    same(dropped_both(case), expected(case, "5 6"))
    hidden = (columns(case) * (case.h**2 + case.h_tilde**2)).sum(1)
    same(dropped_both(case), case.d6 + case.noise * squares(*case.h6) + case.noise / case.keep * hidden)


@slip("siamese-dropout-both")
def effects_added(case):
    """Add the two effects, and forget that layer 6 divides the noise of layer 5 by p once more."""
    return case.d6 + case.noise * (squares(*case.h6) + (columns(case) * (case.h**2 + case.h_tilde**2)).sum(1))


@claim("siamese-dropout-margin", cases=droppings)
def mean_of_the_maximum(case):
    """All masks of both branches, outputs scaled so that some pass the margin and some do not; in rational numbers."""
    # $$ \mathbb E \max(1 - d_{\text{drop}},\,0) \ \ge \ \max(1 - \mathbb E\,d_{\text{drop}},\,0) $$
    near = replace(case, W=case.W / 4, b=case.b / 4)
    kept = _average(near, "6", False, True, lambda d: np.maximum(1 - d, 0))
    bound = np.maximum(1 - expected(near, "6"), 0)
    every(zip(kept, bound, strict=True), lambda pair: pair[0] >= pair[1])
    every([(kept, bound)], lambda both: bool((both[0] > both[1]).any()))


# --- sparsity ---------------------------------------------------------------------------------------------------------

TARGET = 0.1


@dataclass(frozen=True, eq=False)
class Activities:
    """Mean activities of four units between 0 and 1, and outputs that have them."""

    activity: np.ndarray
    h: np.ndarray
    target: float

    def value(self, r):
        return self.target * np.log(self.target / r) + (1 - self.target) * np.log((1 - self.target) / (1 - r))


def activities(rng):
    """Away from the target, below and above; one unit is close to 1."""
    r = np.array([rng.uniform(0.01, 0.04), *rng.uniform(0.3, 0.6, 2), rng.uniform(0.9, 0.99)])
    noise = rng.normal(size=(6, 4))
    return Activities(r, r + noise - noise.mean(0), TARGET)


def kl_value(case):
    # $$ L_j = \bar h^\star \log \frac{\bar h^\star}{\bar h_j} + (1 - \bar h^\star) \log \frac{1 - \bar h^\star}{1 -
    #    \bar h_j},
    #    \qquad L_{\text{reg}} = \sum_j L_j, \qquad \bar h_j = \frac1N \sum_i h^{(6)}_{ij} $$
    per_unit = [siamese.sparsity(unit[:, None], case.target) for unit in case.h.T]
    return np.array(per_unit), siamese.sparsity(case.h, case.target)


@claim("siamese-kl-value", cases=activities)
def two_outcomes(case, kl_value=kl_value):
    """The sheet's sum over outcomes, unit by unit: active, and not; the sum over units."""
    per_unit, total = kl_value(case)
    law = [(case.target, 1 - case.target), *((r, 1 - r) for r in case.activity)]
    expected_values = [sum(p * np.log(p / q) for p, q in zip(law[0], other, strict=True)) for other in law[1:]]
    agree(per_unit, np.array(expected_values), tolerance=1e-11)
    agree(total, sum(expected_values), tolerance=1e-11)


@slip("siamese-kl-value")
def one_outcome(case):
    """Keep the first term only."""
    each = case.target * np.log(case.target / case.activity)
    return each, each.sum()


@slip("siamese-kl-value")
def arguments_exchanged(case):
    """Exchange the two laws."""
    r, target = case.activity, case.target
    each = r * np.log(r / target) + (1 - r) * np.log((1 - r) / (1 - target))
    return each, each.sum()


@slip("siamese-kl-value")
def mean_over_units(case):
    """Take the mean over units."""
    each = case.value(case.activity)
    return each, each.mean()


def rate_symbols():
    """One activity in symbols, for three targets."""
    import sympy

    for target in (sympy.Rational(1, 10), sympy.Rational(1, 2), sympy.Rational(7, 9)):
        yield Activities(np.array([sympy.Symbol("r", positive=True)]), None, target)


def kl_derivative(case):
    # $$ \frac{\partial L_j}{\partial \bar h_j} = -\frac{\bar h^\star}{\bar h_j} + \frac{1 - \bar h^\star}{1 - \bar h_j}
    #    = \frac{\bar h_j - \bar h^\star}{\bar h_j\,(1 - \bar h_j)} $$
    return siamese.d_sparsity(case.activity[None], case.target)[0]  # one image: the mean is its output


@claim("siamese-kl-derivative", cases=rate_symbols)
def derivative_in_symbols(case, kl_derivative=kl_derivative):
    """The derivative of the sum over both outcomes, in symbols, for targets 1/10, 1/2 and 7/9."""
    import sympy

    r, rho = case.activity[0], case.target
    value = rho * sympy.log(rho / r) + (1 - rho) * sympy.log((1 - rho) / (1 - r))
    same(kl_derivative(case), [sympy.diff(value, r)])


@claim("siamese-kl-derivative", cases=activities)
def derivative_by_complex_step(case, kl_derivative=kl_derivative):
    """The derivative of the value, by a complex step."""
    agree(kl_derivative(case), complex_step(lambda r: case.value(r).sum(), case.activity))


def inside(case):
    return case.activity, case.target


@slip("siamese-kl-derivative")
def first_outcome_only(case):
    """Differentiate the first term only."""
    r, target = inside(case)
    return -target / r


@slip("siamese-kl-derivative")
def signs_turned(case):
    """Forget the minus of log(1 / r)."""
    r, target = inside(case)
    return target / r - (1 - target) / (1 - r)


@slip("siamese-kl-derivative")
def both_minus(case):
    """Forget that 1 - r has the derivative -1."""
    r, target = inside(case)
    return -target / r - (1 - target) / (1 - r)


@slip("siamese-kl-derivative")
def reversed_divergence(case):
    """Differentiate the divergence of the exchanged laws."""
    r, target = inside(case)
    if r.dtype == object:
        import sympy

        return np.array([sympy.log(r[0] / target) - sympy.log((1 - r[0]) / (1 - target))])
    return np.log(r / target) - np.log((1 - r) / (1 - target))


@steps("siamese-kl-derivative-steps", cases=rate_symbols, ends_in=kl_derivative)
def over_one_denominator(case):
    """The products cancel in the numerator."""
    import sympy

    r, rho = case.activity, case.target
    # \frac{\partial L_j}{\partial \bar h_j}
    yield np.array([sympy.diff(-rho * sympy.log(r[0]) - (1 - rho) * sympy.log(1 - r[0]), r[0])])
    # = -\frac{\bar h^\star}{\bar h_j} + \frac{1 - \bar h^\star}{1 - \bar h_j}
    yield -rho / r + (1 - rho) / (1 - r)
    # = \frac{-\bar h^\star (1 - \bar h_j) + (1 - \bar h^\star)\,\bar h_j}{\bar h_j\,(1 - \bar h_j)}
    yield (-rho * (1 - r) + (1 - rho) * r) / (r * (1 - r))
    # = \frac{\bar h_j - \bar h^\star}{\bar h_j\,(1 - \bar h_j)}
    yield (r - rho) / (r * (1 - r))


def kl_curvature(case):
    # $$ \frac{\partial^2 L_j}{\partial \bar h_j^2} = \frac{\bar h^\star}{\bar h_j^2} + \frac{1 - \bar h^\star}{(1 -
    #    \bar h_j)^2} > 0 $$
    return np.array([siamese.d_sparsity(case.activity[None], case.target)[0, 0].diff(case.activity[0])])


@claim("siamese-kl-convex", cases=rate_symbols)
def curvature_in_symbols(case, kl_curvature=kl_curvature):
    """The derivative of the derivative, in symbols; the value and the slope are 0 at the target."""
    r, rho = case.activity[0], case.target
    same(kl_curvature(case), [rho / r**2 + (1 - rho) / (1 - r) ** 2])
    same(siamese.d_sparsity(np.array([[rho]]), rho), [[0]])


@claim("siamese-kl-convex")
def one_minimum_by_z3():
    """For all rates and targets between 0 and 1: the curvature is positive, and the slope is 0 at the target only."""
    import z3

    r, rho = z3.Reals("r rho")
    valid = z3.And(r > 0, r < 1, rho > 0, rho < 1)
    proved(z3.Implies(valid, rho * (1 - r) * (1 - r) + (1 - rho) * r * r > 0))
    proved(z3.Implies(valid, (-rho * (1 - r) + (1 - rho) * r == 0) == (r == rho)))
    agree(siamese.sparsity([[0.1]], 0.1), 0, scale=1)


@slip("siamese-kl-convex")
def curvature_of_one_sign(case):
    """Forget the minus of the inner derivative, a second time."""
    r, rho = inside(case)
    return rho / r**2 - (1 - rho) / (1 - r) ** 2


@dataclass(frozen=True, eq=False)
class Sparse:
    """Pairs whose outputs have means between 0 and 1."""

    pairs: Pairs
    target: Any

    def means(self, params, x):
        return sum(self.pairs.branch(params, x)) / len(x)

    def penalty(self, params, x):
        r = self.means(params, x)
        return (self.target * np.log(self.target / r) + (1 - self.target) * np.log((1 - self.target) / (1 - r))).sum()

    @property
    def r(self):
        return self.pairs.h[0].sum(0) / len(self.pairs.x)

    @property
    def h5(self):
        """The mean outputs of layer 5."""
        return self.pairs.h5[0].sum(0) / len(self.pairs.x)


def sparse(rng):
    """Seven pairs; the bias of layer 6 brings the first branch's means between 0.3 and 0.6, for a target of 0.1."""
    case = pairs(rng)
    W6 = case.params.W6 / 8
    params = replace(case.params, W6=W6)
    off = case.branch(replace(params, b6=np.zeros(2)), case.x).mean(0)
    return Sparse(replace(case, params=replace(params, b6=rng.uniform(0.3, 0.6, 2) - off)), TARGET)


def _exact_sparse():
    case = sparse(np.random.default_rng(5))
    return [Sparse(fractions(case.pairs), Fraction(1, 10))]


exact_sparse = cache(_exact_sparse)


def sparse_gradients(case):
    # $$ \frac{\partial L_{\text{reg}}}{\partial W^{(6)}_{ji}} = \frac{\bar h_j - 0.1}{\bar h_j\,(1 - \bar h_j)}\;\bar
    #    h^{(5)}_i,
    #    \qquad \frac{\partial L_{\text{reg}}}{\partial b^{(6)}_j} = \frac{\bar h_j - 0.1}{\bar h_j\,(1 - \bar h_j)} $$
    h, h_tilde = case.pairs.h
    dh = siamese.d_sparsity(h, case.target)
    gradients = siamese.backward(dh, 0 * h_tilde, case.pairs.saved).dparams
    return gradients.W6, gradients.b6


@claim("siamese-sparsity-gradient", cases=sparse)
def penalty_by_complex_step(case, sparse_gradients=sparse_gradients):
    """The derivative of the penalty along each weight and each bias of layer 6, by a complex step."""
    dW6, db6 = sparse_gradients(case)
    params = case.pairs.params
    agree(dW6, complex_step(lambda W: case.penalty(replace(params, W6=W), case.pairs.x), params.W6))
    agree(db6, complex_step(lambda b: case.penalty(replace(params, b6=b), case.pairs.x), params.b6))


@claim("siamese-sparsity-gradient", cases=exact_sparse)
def penalty_in_fractions(case, sparse_gradients=sparse_gradients):
    """In rational numbers: both outcomes' derivatives, times the mean outputs of layer 5."""
    dW6, db6 = sparse_gradients(case)
    slope = [-case.target / r + (1 - case.target) / (1 - r) for r in case.r]
    same(dW6, [[s * h for h in case.h5] for s in slope])
    same(db6, slope)


@claim("siamese-sparsity-gradient", cases=sparse)
def penalty_by_autograd(case, sparse_gradients=sparse_gradients):
    """PyTorch's autograd."""
    torch = need("torch")
    h5 = torch.tensor(case.pairs.h5[0])
    W, b = (torch.tensor(a, requires_grad=True) for a in (case.pairs.params.W6, case.pairs.params.b6))
    r = (h5 @ W.T + b).mean(0)
    (TARGET * torch.log(TARGET / r) + (1 - TARGET) * torch.log((1 - TARGET) / (1 - r))).sum().backward()
    dW6, db6 = sparse_gradients(case)
    agree(dW6, W.grad.numpy())
    agree(db6, b.grad.numpy())


def outer(case, slope, h5=None):
    """The two gradients, from the derivative by each mean."""
    return np.outer(slope, case.h5 if h5 is None else h5), slope


def right_slope(case):
    return (case.r - case.target) / (case.r * (1 - case.r))


@slip("siamese-sparsity-gradient")
def active_outcome_only(case):
    """Differentiate the first term only."""
    return outer(case, -case.target / case.r)


@slip("siamese-sparsity-gradient")
def sign_turned(case):
    """Turn the signs of both terms."""
    return outer(case, -right_slope(case))


@slip("siamese-sparsity-gradient")
def sum_of_the_outputs(case):
    """Forget the 1 / N of the mean."""
    N = len(case.pairs.x)
    return outer(case, N * right_slope(case))


@slip("siamese-sparsity-gradient")
def input_omitted(case):
    """Leave the output of layer 5 out."""
    return outer(case, right_slope(case), 1 + 0 * case.h5)


@slip("siamese-sparsity-gradient")
def slope_of_a_sigmoid_added(case):
    """Multiply by the slope of a sigmoid, which layer 6 does not have."""
    return outer(case, right_slope(case) * case.r * (1 - case.r))


@slip("siamese-sparsity-gradient")
def bias_zero_as_before(case):
    """Believe that the bias has gradient 0, as it has for the distance."""
    return outer(case, right_slope(case))[0], 0 * case.r


def sparse_both(case):
    # $$ \frac{\partial}{\partial W^{(6)}_{ji}} \bigl( L_{\text{reg}} + \tilde L_{\text{reg}} \bigr)
    #    = \frac{\bar h_j - 0.1}{\bar h_j\,(1 - \bar h_j)}\;\bar h^{(5)}_i
    #    + \frac{\bar{\tilde h}_j - 0.1}{\bar{\tilde h}_j\,(1 - \bar{\tilde h}_j)}\;\bar{\tilde h}{}^{(5)}_i $$
    dh = [siamese.d_sparsity(h, case.target) for h in case.pairs.h]
    return siamese.backward(*dh, case.pairs.saved).dparams.W6


def sparse_twins(rng):
    """Small weights, so that both branches have means between 0 and 1."""
    case = sparse(rng)
    params = replace(case.pairs.params, W6=case.pairs.params.W6 / 8, b6=rng.uniform(0.3, 0.6, 2))
    return Sparse(replace(case.pairs, params=params), TARGET)


@claim("siamese-sparsity-both", cases=sparse_twins)
def both_penalties(case, sparse_both=sparse_both):
    """Both penalties, shared weights: the derivative of their sum by a complex step."""
    params = case.pairs.params

    def both(W):
        moved = replace(params, W6=W)
        return case.penalty(moved, case.pairs.x) + case.penalty(moved, case.pairs.x_tilde)

    agree(sparse_both(case), complex_step(both, params.W6))


@slip("siamese-sparsity-both")
def second_penalty_subtracted(case):
    """Subtract the second branch's part, as the distance does."""
    dh = [siamese.d_sparsity(h, case.target) for h in case.pairs.h]
    return siamese.backward(dh[0], -dh[1], case.pairs.saved).dparams.W6


def sparse_one(case):
    # $$ \frac{\partial L_{\text{reg}}}{\partial W^{(6)}_{ji}}
    #    = \frac{h^{(6)}_j - 0.1}{h^{(6)}_j\,(1 - h^{(6)}_j)}\;h^{(5)}_i \qquad (N = 1,\ 0 < h^{(6)}_j < 1) $$
    dh = siamese.d_sparsity(case.pairs.h[0], case.target)
    return siamese.backward(dh, 0 * dh, case.pairs.saved).dparams.W6


def one_sparse(rng):
    """One image, outputs between 0.3 and 0.6."""
    case = sparse(rng).pairs
    one = replace(case, x=case.x[:1], x_tilde=case.x_tilde[:1], labels=case.labels[:1])
    off = one.branch(replace(one.params, b6=np.zeros(2)), one.x)[0]
    return Sparse(replace(one, params=replace(one.params, b6=rng.uniform(0.3, 0.6, 2) - off)), TARGET)


@claim("siamese-sparsity-one-image", cases=one_sparse)
def one_image_by_complex_step(case, sparse_one=sparse_one):
    """One image: by a complex step, and by the formula."""
    params = case.pairs.params
    agree(sparse_one(case), complex_step(lambda W: case.penalty(replace(params, W6=W), case.pairs.x), params.W6))
    h = case.pairs.h[0][0]
    agree(sparse_one(case), np.outer((h - 0.1) / (h * (1 - h)), case.pairs.h5[0][0]))


@slip("siamese-sparsity-one-image")
def reversed_for_one_image(case):
    """Use the divergence of the exchanged laws."""
    h = case.pairs.h[0][0]
    return np.outer(np.log(h / 0.1) - np.log((1 - h) / 0.9), case.pairs.h5[0][0])


def sparse_sigmoid(case):
    # $$ \frac{\partial L_{\text{reg}}}{\partial W^{(6)}_{ji}}
    #    = \frac{\bar h_j - 0.1}{\bar h_j\,(1 - \bar h_j)}\;\frac1N \sum_{\text{images}} h^{(6)}_j (1 -
    #    h^{(6)}_j)\,h^{(5)}_i,
    #    \qquad h^{(6)} = \sigma(z^{(6)}) $$
    z = case.h[0]
    dz = siamese.d_sparsity(activation.sigmoid(z), TARGET) * activation.d_sigmoid(z)
    return siamese.backward(dz, 0 * dz, case.saved).dparams.W6


@claim("siamese-sparsity-sigmoid", cases=pairs)
def sigmoid_by_complex_step(case, sparse_sigmoid=sparse_sigmoid):
    """The linear output goes through a sigmoid first, so that its mean is between 0 and 1; by a complex step."""

    def penalty(W):
        r = (1 / (1 + np.exp(-case.branch(replace(case.params, W6=W), case.x)))).mean(0)
        return (TARGET * np.log(TARGET / r) + (1 - TARGET) * np.log((1 - TARGET) / (1 - r))).sum()

    agree(sparse_sigmoid(case), complex_step(penalty, case.params.W6))


@slip("siamese-sparsity-sigmoid")
def sigmoid_slope_forgotten(case):
    """Leave the slope of the sigmoid out."""
    dz = siamese.d_sparsity(activation.sigmoid(case.h[0]), TARGET)
    return siamese.backward(dz, 0 * dz, case.saved).dparams.W6


@slip("siamese-sparsity-sigmoid")
def sigmoid_slope_of_the_mean(case):
    """Take the slope at the mean activity, out of the mean over images."""
    h = activation.sigmoid(case.h[0])
    dz = siamese.d_sparsity(h, TARGET) * (h.mean(0) * (1 - h.mean(0)))
    return siamese.backward(dz, 0 * dz, case.saved).dparams.W6


@claim("siamese-sparsity-domain")
def rates_outside():
    """Means at or beyond 0 and 1 are refused, in the value and in the gradient."""
    for rate in (-0.5, 0.0, 1.0, 1.5):
        for f in (siamese.sparsity, siamese.d_sparsity):
            refuses(lambda rate=rate, f=f: f([[0.4, rate - 0.2], [0.5, rate + 0.2]], 0.1), naming="h")
    refuses(lambda: siamese.sparsity([[0.5]], 1.0), naming="target")


@claim("siamese-sparsity-domain")
def rates_outside_in_torch():
    """PyTorch: a mean of 1.5 makes the value NaN, and the gradient is a finite number all the same."""
    torch = need("torch")
    r = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    value = 0.1 * torch.log(0.1 / r) + 0.9 * torch.log(0.9 / (1 - r))
    value.backward()
    every([value.item()], lambda v: bool(np.isnan(v)))
    agree(r.grad.item(), (1.5 - 0.1) / (1.5 * (1 - 1.5)))


# --- in floating point ------------------------------------------------------------------------------------------------


@claim("siamese-large-outputs")
def outputs_far_beyond():
    """Outputs of 1e200: the distance is infinite, the loss of a pair of two classes is 0, and nothing is NaN."""
    h = np.array([[1e200, 1.0]])
    every([siamese.distance(h, -h)[0], siamese.loss(h, -h, [0])], lambda value: bool(value == np.inf))
    same(int(siamese.loss(h, -h, [1])), 0)
    agree(siamese.distance(h, h), [0.0], tolerance=0, scale=1)  # size alone is no distance
    for far in (h, 9e107 * h):  # the largest difference is infinite too
        agree(siamese.d_loss(far, -far, [1])[0], np.zeros((1, 2)), scale=1)
    agree(siamese.d_loss(h, -h, [0])[0], 2 * h)


def example():
    """Parameters and pairs of the smallest sizes that tell shapes apart."""
    return draw(np.random.default_rng(1), 4)


@claim("siamese-bad-input")
def refused_by_name():
    """Wrong shapes and dtypes, ragged lists, NaN, labels, steps, probabilities and counts."""
    case = example()
    p, x = case.params, case.x
    ragged = [[1.0, 2.0], [3.0]]
    odd = (
        x.astype(complex),
        x * np.nan,
        (x * np.inf).astype(object),
        x.astype(str),
        np.full(x.shape, None),
        np.full(x.shape, b"1", object),
    )
    for bad in (x[0], x[:, :4], ragged, x[:0], *odd):
        refuses(lambda bad=bad: siamese.forward(p, bad, x), naming="x")
    for bad in (x[:3], x[:, :4], x > 0, ragged):
        refuses(lambda bad=bad: siamese.forward(p, x, bad), naming="x_tilde")
    for bad in (
        None,
        astuple(p),
        *(replace(p, **{name: np.ones((4, 4, 4))}) for name in FIELDS),
        replace(p, W6=p.W6.T),
        replace(p, W6=np.ones((2, 4))),
        replace(p, W5=p.W5[:, 0]),
        replace(p, W5=ragged),
        replace(p, slope=ragged),
    ):
        refuses(lambda bad=bad: siamese.forward(bad, x, x), naming="params")
    refuses(lambda: siamese.forward(replace(p, slope=np.ones(1)), x, x), naming="params")
    refuses(lambda: siamese.forward(p, x, x, params_tilde=replace(p, slope=np.ones(3))), naming="params_tilde")
    refuses(lambda: siamese.descend(p, replace(p, W5=p.W5.T), 0.1), naming="dparams")
    agree(siamese.descend(p, p, 0).W5, p.W5)  # a step of 0 is allowed, and so is keep = 1
    agree(siamese.dropout_distance(*case.h, 1), case.d)
    for bad in (-1, np.nan, np.inf, "a", [0.1]):
        refuses(lambda bad=bad: siamese.descend(p, p, bad), naming="step")
    h, h_tilde = case.h
    for bad in (case.labels[:3], case.labels + 1, case.labels * 1.0, -case.labels - 1, ragged):
        refuses(lambda bad=bad: siamese.loss(h, h_tilde, bad), naming="labels")
        refuses(lambda bad=bad: siamese.d_loss(h, h_tilde, bad), naming="labels")
    for f in (siamese.distance, lambda a, b: siamese.dropout_distance(a, b, 0.5)):
        refuses(lambda f=f: f(h[0], h_tilde), naming="h")
        refuses(lambda f=f: f(h, h_tilde[:1]), naming="h_tilde")
    refuses(lambda: siamese.backward(h[:1], h_tilde, case.saved), naming="dh")
    refuses(lambda: siamese.backward(h, h_tilde.T, case.saved), naming="dh_tilde")
    for bad in (0, 1.5, np.nan, None, [0.5, 0.5]):
        refuses(lambda bad=bad: siamese.dropout_distance(h, h_tilde, bad), naming="keep")
    refuses(lambda: siamese.dropout_distance(h, h_tilde, 0.5, W=np.ones((2, 5))), naming="W")
    for f in (siamese.prelu, siamese.d_prelu):
        refuses(lambda f=f: f(x[0], 0.1), naming="z")
        refuses(lambda f=f: f(x, np.ones(4)), naming="slope")
    count_of = siamese.parameter_count
    refuses(lambda: count_of((3,), (), (8, 9), size=4), naming="channels")
    refuses(lambda: count_of((3, 0), (3,), (8, 9), size=4), naming="channels")
    refuses(lambda: count_of((3, 4), (3, 3), (8, 9), size=4), naming="kernel_sizes")
    refuses(lambda: count_of((3, 4), (3,), (8,), size=4), naming="widths")
    refuses(lambda: count_of((3, 4), (3,), (8, 9), size=0), naming="size")
    refuses(lambda: count_of((3, 4), (3,), (8, 9), size=4.5), naming="size")
    refuses(lambda: count_of((3, 4), (3,), (8, 9), size=4, strides=(1, 2)), naming="strides")
    refuses(lambda: count_of((3, 4), (3,), (8, 9), size=4, slopes=-1), naming="slopes")


@claim("siamese-pure", cases=untied_pairs)
def inputs_unchanged(case):
    """Arrays that cannot be written to; then the same calls again: the same bits."""
    before = [
        np.array(a) for a in (case.x, case.x_tilde, case.labels, *astuple(case.params), *astuple(case.params_tilde))
    ]
    given = (
        case.x,
        case.x_tilde,
        case.labels,
        *(getattr(p, name) for p in (case.params, case.params_tilde) for name in FIELDS),
    )
    for array in given:
        array.setflags(write=False)
    runs = []
    for _ in range(2):
        h, h_tilde, saved = siamese.forward(case.params, case.x, case.x_tilde, params_tilde=case.params_tilde)
        dh = siamese.d_loss(h, h_tilde, case.labels)
        gradients = siamese.backward(*dh, saved)
        after = siamese.descend(case.params, gradients.dparams, 0.1)
        arrays = (h, h_tilde, *dh, *astuple(gradients.dparams), *astuple(gradients.dparams_tilde), *astuple(after))
        runs.append(np.concatenate([np.ravel(a) for a in arrays]))
    agree(runs[1], runs[0], tolerance=0)
    for array, copy in zip(given, before, strict=True):
        agree(array, copy, tolerance=0, scale=1)
