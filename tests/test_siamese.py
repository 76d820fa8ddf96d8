"""Siamese networks: the claims of the chapter, in its order.

Letters, as on the page: h4 is the input of layer 5, one image of the pair; a tilde is the other image; Delta h is the
difference of the two branches; g = dL/dd is 1 for a pair of one class, -1 for a near pair of two classes, 0 for a far one.
"""

from dataclasses import astuple, dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import product

import numpy as np

from dlnotes import convolution, siamese
from dlnotes.check import agree, at_most, claim, complex_step, differ, every, need, note, proved, refuses, same, slip, steps
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
            (1 - d_i if near_i else 0 * d_i) if label else d_i for d_i, near_i, label in zip(d, near, self.labels, strict=True)
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
    shrink = [replace(p, W6=number(scale * p.W6), b6=number(scale * p.b6)) if p else None for p in (params, params_tilde)]
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
    return [fractions(draw(np.random.default_rng(seed), 5, untied=True)) for seed in (12, 13)]


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
    #    \qquad h^{(5)}_j = \begin{cases} z^{(5)}_j & \text{if } z^{(5)}_j > 0 \\ a\,z^{(5)}_j & \text{if not} \end{cases},
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
        h6.append([sum(w * u for w, u in zip(row6, units, strict=True)) + b for row6, b in zip(params.W6, params.b6, strict=True)])
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
    return tuple(h * (h > 0) for h in case.h) + (case.h5[0],)


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
    same(d, np.array([sum((a - b) * (a - b) for a, b in zip(*pair, strict=True)) / 2 for pair in zip(*case.h, strict=True)]))
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
    # $$ \check d(h, h) = \tfrac12 \sum_i h_i^4, \qquad \frac{\partial \check d}{\partial h} = h \odot \tilde h \odot \tilde h $$
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
    # $$ \frac{\partial L}{\partial h^{(6)}} = g\,\Delta h^{(6)}, \qquad \frac{\partial L}{\partial \tilde h^{(6)}} = -g\,\Delta h^{(6)} $$
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
    # = \frac{\partial L}{\partial h^{(6)}}\,(h^{(5)})^\top + \frac{\partial L}{\partial \tilde h^{(6)}}\,(\tilde h^{(5)})^\top
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
    return exact_pairs()


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
    return Parameters(*(np.asarray(a) / 2 for a in astuple(case.gradients.dparams)))


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
    """Complex-step gradients of this loss, and of one half the squared gap to the margin; at equal outputs ours is 0."""
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
    # $$ \frac{\partial L}{\partial z^{(5)}} = g\,\bigl( (W^{(6)})^\top \Delta h^{(6)} \bigr) \odot \operatorname{prelu}'(z^{(5)}),
    #    \qquad \frac{\partial L}{\partial \tilde z^{(5)}} = -g\,\bigl( (W^{(6)})^\top \Delta h^{(6)} \bigr) \odot \operatorname{prelu}'(\tilde z^{(5)}) $$
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
    return complex_step(lambda v: loss_from_z(case, v, z_tilde), z), complex_step(lambda v: loss_from_z(case, z, v), z_tilde)


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
    #    = \frac{\partial L}{\partial z^{(5)}}\,(h^{(4)})^\top + \frac{\partial L}{\partial \tilde z^{(5)}}\,(\tilde h^{(4)})^\top $$
    return siamese.backward(*siamese.d_loss(*case.h, case.labels), case.saved).dparams.W5


@claim("siamese-prelu-layer-gradient", cases=pairs)
def prelu_layer_by_complex_step(case, dW5=dW5):
    """The derivative of the loss along each weight of layer 5, by a complex step; the masks of the two branches differ."""
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
    # = \frac{\partial L}{\partial z^{(5)}}\,(h^{(4)})^\top + \frac{\partial L}{\partial \tilde z^{(5)}}\,(\tilde h^{(4)})^\top
    yield dz[0].T @ case.x + dz[1].T @ case.x_tilde
    back = (case.g * (case.h[0] - case.h[1])) @ case.params.W6
    # = g \bigl( (W^{(6)})^\top \Delta h^{(6)} \odot \operatorname{prelu}'(z^{(5)}) \bigr) (h^{(4)})^\top - g \bigl( (W^{(6)})^\top \Delta h^{(6)} \odot \operatorname{prelu}'(\tilde z^{(5)}) \bigr) (\tilde h^{(4)})^\top
    yield (back * case.slopes[0]).T @ case.x - (back * case.slopes[1]).T @ case.x_tilde


def db5(case):
    # $$ \frac{\partial L}{\partial b^{(5)}} = \frac{\partial L}{\partial z^{(5)}} + \frac{\partial L}{\partial \tilde z^{(5)}} $$
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
    """Difference quotients of the package's own PReLU in rational numbers, on one side of 0."""
    z, r = case.z[0], Fraction(1, 10**6)
    same(prelu_slope(case), (siamese.prelu(z + r, case.params.slope) - siamese.prelu(z, case.params.slope)) / r)


def positive_slope(case):
    """A slope above 0: there z and PReLU of z have one sign."""
    return replace(case, params=replace(case.params, slope=abs(case.params.slope)))


@slip("siamese-negative-slope", blind=positive_slope)
def mask_from_the_output(case):
    """Ask whether the output is positive, where it is the input that counts."""
    return siamese.d_prelu(case.h5[0], case.params.slope)


def dx(case):
    # $$ \frac{\partial L}{\partial h^{(4)}} = (W^{(5)})^\top \frac{\partial L}{\partial z^{(5)}},
    #    \qquad \frac{\partial L}{\partial \tilde h^{(4)}} = (W^{(5)})^\top \frac{\partial L}{\partial \tilde z^{(5)}} $$
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
        named = {"size": self.size, "strides": self.strides, "pooled": self.pooled}
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
    # $$ P = \sum_{i=1}^{4} (k_i^2\,F_{i-1} + 1)\,F_i + (n_{\mathrm h}\,n_{\mathrm w}\,F_4 + 1)\,D_5 + D_5 + (D_5 + 1)\,D_6 $$
    return siamese.parameter_count(
        network.channels,
        network.kernels,
        network.widths,
        size=network.size,
        strides=network.strides,
        pooled=network.pooled,
    )


@claim("siamese-parameter-count", cases=networks)
def entries_of_arrays(network, count=count):
    """Count the entries of the arrays of one branch, each once."""
    same(count(network), sum(int(np.prod(shape)) for shape in network.shapes))


@claim("siamese-parameter-count", cases=networks)
def torch_counts(network, count=count):
    """Build the branch in PyTorch, and add up its parameters."""
    nn = need("torch").nn
    inputs = network.shapes[-5][1]
    layers = [nn.Conv2d(C, F, k) for k, C, F in zip(network.kernels, network.channels, network.channels[1:], strict=False)]
    units, outputs = network.widths
    layers += [nn.Linear(inputs, units), nn.PReLU(units), nn.Linear(units, outputs)]
    same(count(network), sum(p.numel() for p in nn.Sequential(*layers).parameters()))


@slip("siamese-parameter-count")
def both_branches_counted(network):
    """Count both branches, whose parameters are the same ones."""
    return network.count(tied=False)


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
    return Network().count(tied=False)


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
        (3, 32, 32, 64, 64), (3, 3, 3, 3), (128, 10), size=32, pooled=True
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
