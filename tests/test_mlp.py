"""Multilayer perceptron: the claims of the chapter, in its order.

Letters, as on the page: D inputs x, D_h hidden units, z1 = W1 x + b1, h = softplus(z1), K logits z2 = W2 h + b2,
p = softmax(z2), a label. In arrays an example is a row; where the page writes one example, N = 1.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np

from dlnotes import mlp
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

# --- cases: a network, its input and its labels ----------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softplus(z):
    return np.log(1 + np.exp(z))


def softmax(z):
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


@dataclass(frozen=True)
class Network:
    """One hidden layer, spelled out. Each loss_of_v takes another value of v, complex ones too."""

    W1: np.ndarray  # (D_h, D)
    b1: np.ndarray  # (D_h,)
    W2: np.ndarray  # (K, D_h)
    b2: np.ndarray  # (K,)
    x: np.ndarray  # (N, D)
    labels: np.ndarray  # (N,)

    @property
    def N(self):
        return len(self.x)

    @property
    def params(self):
        return (self.W1, self.b1), (self.W2, self.b2)

    @property
    def z1(self):
        return self.x @ self.W1.T + self.b1

    @property
    def h(self):
        return softplus(self.z1)

    @property
    def z2(self):
        return self.h @ self.W2.T + self.b2

    @property
    def p(self):
        return softmax(self.z2)

    @property
    def one_hot(self):
        return np.eye(len(self.b2))[self.labels]

    @property
    def g(self):
        """The gradient by the logits of the sum over examples, (N, K)."""
        return self.p - self.one_hot

    def loss_of_z2(self, z2):
        return -(self.one_hot * np.log(softmax(z2))).sum() / self.N

    def loss_of_h(self, h):
        return self.loss_of_z2(h @ self.W2.T + self.b2)

    def loss_of_z1(self, z1):
        return self.loss_of_h(softplus(z1))

    @property
    def loss(self):
        return self.loss_of_z2(self.z2)

    def by(self, name):
        """The loss's gradient by one of the fields, by a complex step."""
        return complex_step(lambda value: replace(self, **{name: value}).loss, getattr(self, name))

    @property
    def saved(self):
        return mlp.forward(self.params, self.x)[1]


def network(rng, N, D, H, K):
    W1, W2 = rng.normal(size=(H, D)) * 0.8, rng.normal(size=(K, H)) * 0.7
    x, labels = rng.normal(size=(N, D)) + 0.3, rng.integers(K, size=N)
    return Network(W1, rng.uniform(0.3, 1, H), W2, rng.uniform(0.2, 0.9, K), x, labels)


def batch(rng):
    """Four examples of five features, seven hidden units, three classes."""
    return network(rng, 4, 5, 7, 3)


def one_example(rng):
    """One example of five features, seven hidden units, three classes; the label is not the likeliest class."""
    case = network(rng, 1, 5, 7, 3)
    return replace(case, labels=case.p.argmin(1))


def square(rng):
    """One example; four features, four hidden units and four classes, so that W and its transpose both fit."""
    case = network(rng, 1, 4, 4, 4)
    return replace(case, labels=case.p.argmin(1))


def symmetric(case):
    """Both matrices equal to their transposes."""
    return replace(case, W1=case.W1 + case.W1.T, W2=case.W2 + case.W2.T)


def autograd(case):
    """PyTorch's gradients of the mean cross-entropy: by the parameters, the input, and what lies between."""
    torch = need("torch")
    leaves = {k: torch.tensor(getattr(case, k), requires_grad=True) for k in ("W1", "b1", "W2", "b2", "x")}
    z1 = leaves["x"] @ leaves["W1"].T + leaves["b1"]
    h = torch.nn.functional.softplus(z1, threshold=1e9)
    z2 = h @ leaves["W2"].T + leaves["b2"]
    every_one = leaves | {"z1": z1, "h": h, "z2": z2}
    loss = torch.nn.functional.cross_entropy(z2, torch.tensor(case.labels))
    gradients = torch.autograd.grad(loss, list(every_one.values()))
    return {name: gradient.numpy() for name, gradient in zip(every_one, gradients, strict=True)}


# --- the network: 2.a, 2.b -------------------------------------------------------------------------------------------


def logits(case):
    # $$ z^{(1)} = W^{(1)} x + b^{(1)}, \qquad h = \operatorname{softplus}(z^{(1)}),
    #    \qquad z^{(2)} = W^{(2)} h + b^{(2)} $$
    return mlp.forward(case.params, case.x)[0]


@claim("mlp-forward", cases=batch)
def by_definition(case, logits=logits):
    """The definition in plain Python numbers, one example and one unit at a time."""
    from math import exp, log

    expected = []
    for row in case.x.tolist():
        h = []
        for weights, bias in zip(case.W1.tolist(), case.b1.tolist(), strict=True):
            h.append(log(1 + exp(sum(a * b for a, b in zip(weights, row, strict=True)) + bias)))
        for weights, bias in zip(case.W2.tolist(), case.b2.tolist(), strict=True):
            expected.append(sum(a * b for a, b in zip(weights, h, strict=True)) + bias)
    agree(logits(case), np.reshape(expected, (case.N, len(case.b2))))


@claim("mlp-forward", cases=batch)
def by_torch_layers(case, logits=logits):
    """PyTorch's Linear, Softplus, Linear."""
    torch = need("torch")
    first, second = (torch.nn.Linear(*W.T.shape, dtype=torch.float64) for W, _ in case.params)
    for layer, (W, b) in zip((first, second), case.params, strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(W), torch.tensor(b)
    net = torch.nn.Sequential(first, torch.nn.Softplus(threshold=1e9), second)
    agree(logits(case), net(torch.tensor(case.x)).detach().numpy())


@claim("mlp-forward", cases=batch)
def far_from_zero(case):
    """Inputs 1000 times as large: softplus(z) is near z or 0, its slope near 1 or 0, and nothing overflows."""
    logits, saved = mlp.forward(case.params, 1000 * case.x)
    z1 = 1000 * case.x @ case.W1.T + case.b1
    h = np.maximum(z1, 0) + np.log1p(np.exp(-np.abs(z1)))
    agree(saved.inputs[1], h)
    agree(saved.slopes[0], np.where(z1 > 0, 1, np.exp(np.minimum(z1, 0))) / (1 + np.exp(-np.abs(z1))))
    agree(logits, h @ case.W2.T + case.b2)


@slip("mlp-forward")
def bias_forgotten(case):
    """Leave out the biases of the hidden layer."""
    return softplus(case.x @ case.W1.T) @ case.W2.T + case.b2


@slip("mlp-forward")
def no_activation(case):
    """Feed the pre-activations to the second layer."""
    return case.z1 @ case.W2.T + case.b2


@slip("mlp-forward")
def softplus_on_the_logits(case):
    """Apply softplus to the last layer too."""
    return softplus(case.z2)


def elements(case):
    # $$ z^{(1)}_j = \sum_{i=1}^{D} W^{(1)}_{ji}\, x_i + b^{(1)}_j,
    #    \qquad z^{(2)}_i = \sum_{j=1}^{D_{\mathrm h}} W^{(2)}_{ij}\, h_j + b^{(2)}_i $$
    x, D, H, K = case.x[0], len(case.x[0]), len(case.b1), len(case.b2)
    z1 = [sum(case.W1[j, i] * x[i] for i in range(D)) + case.b1[j] for j in range(H)]
    z2 = [sum(case.W2[i, j] * case.h[0, j] for j in range(H)) + case.b2[i] for i in range(K)]
    return np.array(z1), np.array(z2)


def wide_input(rng):
    """One example of seven features, five hidden units, three classes."""
    return network(rng, 1, 7, 5, 3)


@claim("mlp-elements", cases=wide_input)
def elements_of_the_products(case, elements=elements):
    """Each layer alone through `forward`, which multiplies matrices."""
    z1, z2 = elements(case)
    agree(z1, mlp.forward(case.params[:1], case.x)[0][0])
    agree(z2, mlp.forward(case.params, case.x)[0][0])


def as_many_classes_as_hidden_units(case):
    """Drop hidden units until there are K."""
    K = len(case.b2)
    return replace(case, W1=case.W1[:K], b1=case.b1[:K], W2=case.W2[:, :K])


@slip("mlp-elements", blind=as_many_classes_as_hidden_units)
def sum_to_the_number_of_classes(case):
    """Sum over K hidden units, as the sheet's answer does."""
    K = len(case.b2)
    return case.z1[0], case.W2[:, :K] @ case.h[0, :K] + case.b2


def as_many_inputs_as_hidden_units(case):
    """Drop inputs until there are D_h."""
    H = len(case.b1)
    return replace(case, W1=case.W1[:, :H], x=case.x[:, :H])


@slip("mlp-elements", blind=as_many_inputs_as_hidden_units)
def sum_to_the_number_of_hidden_units(case):
    """Sum over D_h inputs."""
    H = len(case.b1)
    return case.W1[:, :H] @ case.x[0, :H] + case.b1, case.z2[0]


def shapes(sizes):
    # $$ W^{(1)} : D_{\mathrm h} \times D, \qquad b^{(1)} : D_{\mathrm h},
    #    \qquad W^{(2)} : K \times D_{\mathrm h}, \qquad b^{(2)} : K $$
    D, H, K = sizes
    return [H, D, H, K, H, K]


def sizes():
    yield 5, 7, 3
    yield 2, 3, 4


@claim("mlp-shapes", cases=sizes)
def accepted_by_forward(sizes, shapes=shapes):
    """All ways of giving D, D_h or K to each of the six axes: `forward` takes D inputs to K logits for one of them."""

    def fits(axes):
        a, b, c, d, e, f = axes
        try:
            params = (np.ones((a, b)), np.ones(c)), (np.ones((d, e)), np.ones(f))
            logits, saved = mlp.forward(params, np.ones((1, sizes[0])))
        except ValueError:
            return False
        return (saved.inputs[1].shape, logits.shape) == ((1, sizes[1]), (1, sizes[2]))

    every(product(sizes, repeat=6), lambda axes: fits(axes) == (list(axes) == shapes(sizes)))


@claim("mlp-shapes", cases=sizes)
def shapes_of_torch(sizes, shapes=shapes):
    """The parameters of PyTorch's Linear layers."""
    torch = need("torch")
    layers = torch.nn.Linear(sizes[0], sizes[1]), torch.nn.Linear(sizes[1], sizes[2])
    same(shapes(sizes), [n for layer in layers for a in (layer.weight, layer.bias) for n in a.shape])


@slip("mlp-shapes")
def one_bias_an_input(sizes):
    """Give the hidden layer one bias for each input."""
    D, H, K = sizes
    return [H, D, D, K, H, K]


@slip("mlp-shapes")
def output_weights_transposed(sizes):
    """Write W2 as D_h x K."""
    D, H, K = sizes
    return [H, D, H, H, K, K]


def rows(case):
    # $$ z = x\,W^\top + \mathbf 1\, b^\top $$
    return mlp.forward(case.params[:1], case.x)[0]


def square_batch(rng):
    """Three examples; four features, four hidden units and four classes."""
    return network(rng, 3, 4, 4, 4)


@claim("mlp-rows", cases=square_batch)
def one_column_at_a_time(case, rows=rows):
    """Each example as a column: W x + b. The results are the rows."""
    agree(rows(case), np.array([case.W1 @ column + case.b1 for column in case.x]))


@slip("mlp-rows", blind=symmetric)
def transpose_forgotten(case):
    """Write x W: that is W transposed times each column. It takes a square W to get that far."""
    return case.x @ case.W1 + case.b1


# --- 2.c -------------------------------------------------------------------------------------------------------------


def p(case):
    # $$ p_i = \frac{e^{z_i}}{\sum_{j=1}^{K} e^{z_j}} > 0, \qquad \sum_{i=1}^{K} p_i = 1 $$
    return mlp.probabilities(case.z2)


@claim("mlp-probabilities", cases=batch)
def by_exponentials(case, p=p):
    """The formula in plain Python numbers; the sum, and the signs."""
    from math import exp

    agree(p(case), [[exp(z) / sum(map(exp, row)) for z in row] for row in case.z2.tolist()])
    agree(p(case).sum(1), np.ones(case.N))
    at_most(np.zeros(p(case).shape), p(case), tolerance=0)


@claim("mlp-probabilities", cases=batch)
def by_torch_softmax(case, p=p):
    """PyTorch's softmax."""
    torch = need("torch")
    agree(p(case), torch.softmax(torch.tensor(case.z2), 1).numpy())


@claim("mlp-probabilities")
def positive_and_of_sum_1():
    """For any three positive numbers in the place of the exponentials."""
    import z3

    a, b, c = z3.Reals("a b c")
    total, positive = a + b + c, z3.And(a > 0, b > 0, c > 0)
    proved(z3.Implies(positive, z3.And(a / total > 0, a / total + b / total + c / total == 1)))


@slip("mlp-probabilities")
def a_sigmoid_for_each_unit(case):
    """Take the sigmoid of each logit: positive, but the sum is not 1."""
    return sigmoid(case.z2)


@slip("mlp-probabilities")
def no_exponentials(case):
    """Divide the logits by their sum: the sum is 1, but the entries may be negative."""
    return case.z2 / case.z2.sum(1, keepdims=True)


def far_apart():
    """Two logits, and a gap from 0 to 800 above that of the label, or below it."""
    for gap in (0.0, 0.5, 30.0, 40.0, 800.0):
        yield np.array([[0.0, gap]]), [0]
        if gap < 800:  # there it is less than the smallest float
            yield np.array([[gap, 0.0]]), [0]


def loss_and_gradient(case):
    return np.array([mlp.cross_entropy(*case)]), mlp.d_cross_entropy(*case)


@claim("mlp-underflow", cases=far_apart)
def in_sixty_digits(case, loss_and_gradient=loss_and_gradient):
    """Loss and gradient from the logits, against 60 digits."""
    import sympy

    note("60 digits")
    gap = sympy.Float(case[0][0, 1] - case[0][0, 0], 60)
    loss, dlogits = loss_and_gradient(case)
    agree(loss, [float(sympy.log(1 + sympy.exp(gap)))])
    p1 = float(1 / (1 + sympy.exp(-gap)))
    agree(dlogits, [[-p1, p1]])


@claim("mlp-underflow")
def probability_underflows():
    """At a gap of 800 the probability is 0 in float64, and the loss 800; at the ends of float64 nothing is NaN."""
    z = np.array([[0.0, 800.0]])
    agree(mlp.probabilities(z), [[0, 1]], tolerance=0)
    agree(np.array([mlp.cross_entropy(z, [0])]), [800.0])
    ends = np.array([[-1e308, 1e308, 0.0]])
    agree(mlp.probabilities(ends), [[0, 1, 0]], tolerance=0)
    agree(mlp.d_cross_entropy(ends, [0]), [[-1, 1, 0]], tolerance=0)
    agree(np.array([mlp.cross_entropy(ends, [2])]), [1e308], tolerance=0)


# --- 2.d -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TwoLogits:
    """The two logits of a binary problem, numbers or symbols."""

    z0: Any
    z1: Any

    def exp(self, z):
        if isinstance(self.z0, np.ndarray):
            return np.exp(z)
        import sympy

        return sympy.exp(z)

    def sigmoid(self, z):
        return 1 / (1 + self.exp(-z))


def two_logits(rng):
    """Six pairs of logits; the two of a pair are never near."""
    z0 = rng.uniform(0.3, 2, 6)
    return TwoLogits(z0, z0 + rng.uniform(0.5, 2, 6) * rng.permutation([1, 1, 1, -1, -1, -1]))


def two_symbols():
    import sympy

    yield TwoLogits(*sympy.symbols("z0 z1", real=True))


def two_class_p(case):
    # $$ p_0 = \sigma(z_0 - z_1), \qquad p_1 = 1 - p_0 = \sigma(z_1 - z_0) $$
    return np.array([case.sigmoid(case.z0 - case.z1), case.sigmoid(case.z1 - case.z0)])


@claim("mlp-two-classes", cases=two_symbols)
def two_classes_in_symbols(case, two_class_p=two_class_p):
    """Softmax of two symbols."""
    a, b = case.exp(case.z0), case.exp(case.z1)
    same(two_class_p(case), [a / (a + b), b / (a + b)])


@claim("mlp-two-classes", cases=two_logits)
def two_classes_measured(case, two_class_p=two_class_p):
    """`probabilities` of two logits."""
    agree(two_class_p(case).T, mlp.probabilities(np.array([case.z0, case.z1]).T))


def second_logit_0(case):
    """z_1 = 0."""
    return replace(case, z1=0 * case.z1)


def equal_logits(case):
    """z_1 = z_0."""
    return replace(case, z1=case.z0)


@slip("mlp-two-classes", blind=second_logit_0)
def sigmoid_of_the_first_logit(case):
    """Take the sigmoid of the unit's own logit."""
    return np.array([case.sigmoid(case.z0), 1 - case.sigmoid(case.z0)])


@slip("mlp-two-classes", blind=second_logit_0)
def sigmoid_of_the_sum(case):
    """Lose the minus: sigma(z_0 + z_1)."""
    return np.array([case.sigmoid(case.z0 + case.z1), 1 - case.sigmoid(case.z0 + case.z1)])


@slip("mlp-two-classes", blind=equal_logits)
def classes_exchanged(case):
    """Subtract the wrong way round."""
    return np.array([case.sigmoid(case.z1 - case.z0), case.sigmoid(case.z0 - case.z1)])


def first_of_two(case):
    return two_class_p(case)[0]


@steps("mlp-two-classes-steps", cases=(two_logits, two_symbols), ends_in=first_of_two)
def divide_by_the_numerator(case):
    """Numerator and denominator are divided by the numerator."""
    # p_0
    yield case.exp(case.z0) / (case.exp(case.z0) + case.exp(case.z1))
    # = \frac{1}{1 + e^{z_1 - z_0}}
    yield 1 / (1 + case.exp(case.z1 - case.z0))
    # = \sigma(z_0 - z_1)
    yield case.sigmoid(case.z0 - case.z1)


# --- 2.e -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneLogit:
    """A logit z and a label, numbers or symbols."""

    z: Any
    label: Any

    @property
    def p(self):
        return self.p_of(self.z)

    def p_of(self, z):
        return 1 / (1 + self.exp(-z))

    def function(self, name, value):
        if isinstance(self.z, np.ndarray):
            return getattr(np, name)(value)
        import sympy

        return getattr(sympy, name)(value)

    def exp(self, z):
        return self.function("exp", z)

    def squared(self, z):
        return (self.p_of(z) - self.label) ** 2

    def entropy(self, z):
        p, log = self.p_of(z), lambda a: self.function("log", a)
        return -self.label * log(p) - (1 - self.label) * log(1 - p)

    def derivative(self, loss, order=1):
        if isinstance(self.z, np.ndarray):
            return complex_step(lambda z: loss(z).sum(), self.z)
        return loss(self.z).diff(self.z, order)


def one_logit(rng):
    """Six logits away from 0, with labels 0 and 1."""
    return OneLogit(rng.uniform(0.4, 3, 6) * [1, -1, 1, -1, 1, -1], np.array([1, 1, 1, 0, 0, 0]))


def one_symbol():
    import sympy

    yield OneLogit(*sympy.symbols("z label", real=True))


def logit_0(case):
    """z = 0: both classes are equally likely."""
    return replace(case, z=0 * case.z)


def squared_error_gradient(case):
    # $$ L = (\sigma(z) - \ell)^2, \qquad
    #    \frac{\partial L}{\partial z} = 2\,(\sigma(z) - \ell)\,\sigma(z)\,(1 - \sigma(z)) $$
    return 2 * (case.p - case.label) * case.p * (1 - case.p)


@claim("mlp-squared-error", cases=one_symbol)
def squared_error_in_symbols(case, gradient=squared_error_gradient):
    """SymPy's derivative, for any label."""
    same(gradient(case), case.derivative(case.squared))


@claim("mlp-squared-error", cases=one_logit)
def squared_error_measured(case, gradient=squared_error_gradient):
    """A complex step."""
    agree(gradient(case), case.derivative(case.squared))


@slip("mlp-squared-error")
def slope_of_the_sigmoid_forgotten(case):
    """Stop at the derivative by the output, 2 (sigma - label)."""
    return 2 * (case.p - case.label)


@slip("mlp-squared-error")
def label_minus_output(case):
    """Turn the sign."""
    return -squared_error_gradient(case)


@slip("mlp-squared-error")
def half_of_the_slope(case):
    """Write (sigma - label) sigma, without 2 and without 1 - sigma."""
    return (case.p - case.label) * case.p


@slip("mlp-squared-error")
def label_dropped(case):
    """Drop the label, and the 2: sigma^2 (1 - sigma), which is right for label 0 if the loss has a half."""
    return case.p**2 * (1 - case.p)


@steps("mlp-squared-error-steps", cases=(one_logit, one_symbol), ends_in=squared_error_gradient)
def through_the_sigmoid(case):
    """The chain rule through the output of the sigmoid."""
    # \frac{\partial L}{\partial z}
    yield case.derivative(case.squared)
    # = 2\,(\sigma(z) - \ell)\,\sigma'(z)
    yield 2 * (case.p - case.label) * case.derivative(case.p_of)
    # = 2\,(\sigma(z) - \ell)\,\sigma(z)\,(1 - \sigma(z))
    yield 2 * (case.p - case.label) * case.p * (1 - case.p)


def steepest():
    # $$ \Bigl\lvert \frac{\partial L}{\partial z} \Bigr\rvert \le \frac{8}{27} \qquad (\ell = 0 \text{ or } 1) $$
    return [Fraction(8, 27), Fraction(1, 3), Fraction(2, 3)]


@claim("mlp-squared-error-bound")
def bound_for_all_outputs(steepest=steepest):
    """For all outputs p from 0 to 1 and both labels; label 1 attains it at the second number, label 0 at the third."""
    import z3

    bound, *places = steepest()
    p = z3.Real("p")
    for label in (0, 1):
        gradient = 2 * (p - label) * p * (1 - p)
        largest = z3.Q(bound.numerator, bound.denominator)
        proved(z3.Implies(z3.And(p >= 0, p <= 1), z3.And(gradient <= largest, -largest <= gradient)))
    every(places, lambda p: 0 <= p <= 1)
    same([abs(2 * (at - label) * at * (1 - at)) for at, label in zip(places, (1, 0), strict=True)], [bound] * 2)


@slip("mlp-squared-error-bound")
def largest_where_the_sigmoid_is_steepest(case=None):
    """Take p = 1/2, where the sigmoid is steepest: 1/4."""
    return [Fraction(1, 4), Fraction(1, 2), Fraction(1, 2)]


# --- 2.e with softmax ------------------------------------------------------------------------------------------------


def squared_error_logits(case):
    # $$ L = \frac1K \lVert p - e_\ell \rVert^2, \qquad
    #    \frac{\partial L}{\partial z} = \frac2K \bigl( \operatorname{diag}(p) - p\,p^\top \bigr) (p - e_\ell) $$
    J = np.diag(case.p[0]) - np.outer(case.p[0], case.p[0])
    return 2 / len(case.b2) * J @ case.g[0]


@claim("mlp-squared-error-logits", cases=one_example)
def squared_error_of_softmax(case, gradient=squared_error_logits):
    """A complex step along each logit."""
    agree(gradient(case), complex_step(lambda z: ((softmax(z) - case.one_hot) ** 2).mean(), case.z2)[0])


@claim("mlp-squared-error-logits", cases=one_example)
def squared_error_by_autograd(case, gradient=squared_error_logits):
    """PyTorch's softmax, its mse_loss, and autograd."""
    torch = need("torch")
    z = torch.tensor(case.z2, requires_grad=True)
    torch.nn.functional.mse_loss(torch.softmax(z, 1), torch.tensor(case.one_hot)).backward()
    agree(gradient(case), z.grad[0].numpy())


def two_classes(case):
    """Two classes only."""
    return replace(case, W2=case.W2[:2], b2=case.b2[:2], labels=np.array([1]))


@slip("mlp-squared-error-logits", blind=two_classes)
def two_over_k_forgotten(case):
    """Leave out 2/K, as the sheet's answer does: it has two classes in mind."""
    return (np.diag(case.p[0]) - np.outer(case.p[0], case.p[0])) @ case.g[0]


@slip("mlp-squared-error-logits")
def jacobian_of_the_sigmoid(case):
    """Take the diagonal Jacobian of the sigmoid for that of softmax."""
    return 2 / len(case.b2) * case.p[0] * (1 - case.p[0]) * case.g[0]


def two_routes(case):
    # $$ \frac{\partial L}{\partial z_1} = -\frac{\partial L}{\partial z_0}
    #    = 2\,(p_1 - \ell)\,p_1\,(1 - p_1) \qquad (K = 2) $$
    second = squared_error_gradient(OneLogit(case.z1 - case.z0, case.label))
    return np.array([-second, second])


@dataclass(frozen=True)
class LabelledLogits(TwoLogits):
    """Two logits and a label."""

    label: Any

    def squared(self):
        a, b = self.exp(self.z0), self.exp(self.z1)
        return ((a / (a + b) - (1 - self.label)) ** 2 + (b / (a + b) - self.label) ** 2) / 2


def labelled_symbols():
    import sympy

    yield LabelledLogits(*sympy.symbols("z0 z1 label", real=True))


@claim("mlp-squared-error-routes", cases=labelled_symbols)
def two_routes_in_symbols(case, two_routes=two_routes):
    """SymPy's derivative of half the squared distance of (p_0, p_1) from (1 - label, label)."""
    same(two_routes(case), [case.squared().diff(case.z0), case.squared().diff(case.z1)])


@slip("mlp-squared-error-routes")
def both_rise(case):
    """Give both logits the gradient of the sigmoid's."""
    return np.abs(np.array([1, -1])) * two_routes(case)[1]


# --- 2.f -------------------------------------------------------------------------------------------------------------


def entropy_gradient(case):
    # $$ L = -\ell \log \sigma(z) - (1 - \ell) \log(1 - \sigma(z)), \qquad
    #    \frac{\partial L}{\partial z} = \sigma(z) - \ell $$
    return case.p - case.label


@claim("mlp-binary-cross-entropy", cases=one_symbol)
def entropy_in_symbols(case, gradient=entropy_gradient):
    """SymPy's derivative, for any label."""
    same(gradient(case), case.derivative(case.entropy))


@claim("mlp-binary-cross-entropy", cases=one_logit)
def entropy_measured(case, gradient=entropy_gradient):
    """A complex step; and `d_cross_entropy` of the logits (0, z), whose second entry it is."""
    agree(gradient(case), case.derivative(case.entropy))
    both = mlp.d_cross_entropy(np.array([0 * case.z, case.z]).T, case.label)
    agree(gradient(case), both[:, 1] * len(case.z))


@slip("mlp-binary-cross-entropy")
def sign_of_the_entropy(case):
    """Write label - sigma."""
    return case.label - case.p


@slip("mlp-binary-cross-entropy")
def slope_not_cancelled(case):
    """Keep the slope of the sigmoid, which the derivative of the logarithm cancels."""
    return (case.p - case.label) * case.p * (1 - case.p)


@slip("mlp-binary-cross-entropy")
def derivative_by_the_output(case):
    """Stop at the derivative by the output, and forget the other class: -label / sigma."""
    return -case.label / case.p


@steps("mlp-binary-cross-entropy-steps", cases=(one_logit, one_symbol), ends_in=entropy_gradient)
def slope_cancels(case):
    """The slope of the sigmoid cancels the denominators."""
    # \frac{\partial L}{\partial z}
    yield case.derivative(case.entropy)
    # = \Bigl( -\frac{\ell}{\sigma(z)} + \frac{1 - \ell}{1 - \sigma(z)} \Bigr)\,\sigma'(z)
    yield (-case.label / case.p + (1 - case.label) / (1 - case.p)) * case.derivative(case.p_of)
    # = -\ell\,(1 - \sigma(z)) + (1 - \ell)\,\sigma(z)
    yield -case.label * (1 - case.p) + (1 - case.label) * case.p
    # = \sigma(z) - \ell
    yield case.p - case.label


@dataclass(frozen=True)
class LogisticOutputs:
    """K outputs that are each a sigmoid of its own logit, and a one-hot target."""

    z: np.ndarray
    target: np.ndarray

    @property
    def p(self):
        return sigmoid(self.z)


def logistic_outputs(rng):
    """Three logits, so that 2/K is not 1; the label is the middle one."""
    return LogisticOutputs(rng.uniform(0.4, 2, 3) * [1, -1, 1], np.array([0.0, 1.0, 0.0]))


def logistic_gradients(case):
    # $$ \begin{aligned}
    #    \frac{\partial}{\partial z_i} \frac1K \sum_{j=1}^{K} (\sigma(z_j) - [\,j = \ell\,])^2
    #    &= \frac2K\,(\sigma(z_i) - [\,i = \ell\,])\,\sigma(z_i)\,(1 - \sigma(z_i)) \\
    #    \frac{\partial}{\partial z_i} \bigl( -\log \sigma(z_\ell) \bigr)
    #    &= [\,i = \ell\,]\,(\sigma(z_\ell) - 1)
    #    \end{aligned} $$
    K = len(case.target)
    return (case.p - case.target) * case.p * (1 - case.p) * 2 / K, case.target * (case.p - 1)


@claim("mlp-logistic-outputs", cases=logistic_outputs)
def logistic_by_complex_step(case, gradients=logistic_gradients):
    """A complex step through three sigmoids."""
    squared, entropy = gradients(case)
    agree(squared, complex_step(lambda z: ((sigmoid(z) - case.target) ** 2).mean(), case.z))
    agree(entropy, complex_step(lambda z: -(case.target * np.log(sigmoid(z))).sum(), case.z))


@dataclass(frozen=True)
class Halves(LogisticOutputs):
    """Both logits 0, in fractions."""

    @property
    def p(self):
        return np.array([Fraction(1, 2)] * 2)


@claim("mlp-logistic-outputs")
def logistic_at_zero():
    """At logits (0, 0) and label 0 of two: (-1/8, 1/8) and (-1/2, 0); as printed (-1/4, 1/4) and (-1/2, 1/2)."""
    case = Halves(np.zeros(2), np.array([Fraction(1), Fraction(0)]))
    for found, expected in zip(logistic_gradients(case), ([(-1, 8), (1, 8)], [(-1, 2), (0, 1)]), strict=True):
        same(found, [Fraction(*pair) for pair in expected])
    for found, expected in zip(
        softmax_jacobian_for_sigmoids(case), ([(-1, 4), (1, 4)], [(-1, 2), (1, 2)]), strict=True
    ):
        same(found, [Fraction(*pair) for pair in expected])


@slip("mlp-logistic-outputs")
def softmax_jacobian_for_sigmoids(case):
    """Use the Jacobian of softmax for the sigma that the sheet defines as the sigmoid."""
    J = np.diag(case.p) - np.outer(case.p, case.p)
    return (case.p - case.target) @ J, (-case.target / case.p) @ J


@dataclass(frozen=True)
class Outputs:
    """A distribution p over K classes, and a label."""

    p: np.ndarray
    label: int

    @property
    def one_hot(self):
        return np.arange(len(self.p)) == self.label


def outputs(rng):
    """Three classes."""
    return Outputs(softmax(rng.normal(size=3)), 1)


def output_symbols():
    import sympy

    p = sympy.symbols("p0 p1", positive=True)
    yield Outputs(np.array([*p, 1 - sum(p)]), 1)


def p_minus_one_hot(case):
    return case.p - 1 * case.one_hot


@steps("mlp-printed-product-steps", cases=(outputs, output_symbols), ends_in=p_minus_one_hot)
def printed_product(case):
    """The row of derivatives by the outputs, times the Jacobian of softmax."""
    one_hot, eye = 1 * case.one_hot, np.eye(len(case.p), dtype=int)
    # \sum_j \Bigl( -\frac{[\,j = \ell\,]}{p_j} \Bigr)\,p_j\,([\,j = i\,] - p_i)
    yield sum(-one_hot[j] / case.p[j] * case.p[j] * (eye[j] - case.p) for j in range(len(case.p)))
    # = -[\,i = \ell\,] + p_i \sum_j [\,j = \ell\,]
    yield -one_hot + case.p * sum(one_hot)
    # = p_i - [\,i = \ell\,]
    yield case.p - one_hot


# --- 2.g -------------------------------------------------------------------------------------------------------------


def limits():
    # $$ \begin{array}{lcc} & z \to -\infty \text{ (wrong)} & z \to +\infty \text{ (right)} \\
    #    \sigma(z) - 1 & -1 & 0 \\
    #    \sigma(z)\,(1 - \sigma(z)) & 0 & 0 \\
    #    2\,(\sigma(z) - 1)\,\sigma(z)\,(1 - \sigma(z)) & 0 & 0 \end{array} $$
    return np.array([[-1, 0], [0, 0], [0, 0]])


@claim("mlp-where-gradients-die")
def limits_in_symbols(limits=limits):
    """SymPy's limits of the sigmoid; the factors are polynomials in it."""
    import sympy

    z = sympy.Symbol("z", real=True)
    ends = [(1 / (1 + sympy.exp(-z))).limit(z, end) for end in (-sympy.oo, sympy.oo)]
    factors = [(p - 1, p * (1 - p), 2 * (p - 1) * p * (1 - p)) for p in ends]
    same(limits(), np.transpose(factors))


@claim("mlp-where-gradients-die")
def at_twenty(limits=limits):
    """The derivatives of the two losses at z = -20 and z = 20, by a complex step, and their quotient."""
    case = OneLogit(np.array([-20.0, 20.0]), 1)
    entropy, squared = case.derivative(case.entropy), case.derivative(case.squared)
    for row, values in zip(limits(), (entropy, squared / entropy / 2, squared), strict=True):
        agree(row, values, tolerance=1e-8, scale=1)


@claim("mlp-where-gradients-die")
def the_numbers():
    """At z = -20 the squared error has gradient -4.12e-9, the cross-entropy -1; at z = 20 the latter has -2.06e-9."""
    z = np.array([-20.0, 20.0])
    agree(squared_error_gradient(OneLogit(z, 1))[:1], [-4.12e-9], tolerance=2e-3)
    agree(mlp.d_cross_entropy(np.array([[0, -20.0]]), [1])[0, 1:], [-1.0], tolerance=1e-8)
    agree(mlp.d_cross_entropy(np.array([[0, 20.0]]), [1])[0, 1:], [-2.06e-9], tolerance=2e-3)


@slip("mlp-where-gradients-die")
def the_difference_dies():
    """Say, as the printed answer does, that sigma - label is the factor that vanishes for the wrong output."""
    return np.array([[0, 0], [0, 0], [0, 0]])


@slip("mlp-where-gradients-die")
def cross_entropy_never_dies():
    """Say that the cross-entropy's gradient stays away from 0 everywhere: it does so on the wrong side only."""
    return np.array([[-1, -1], [0, 0], [0, 0]])


@slip("mlp-where-gradients-die")
def squared_error_has_the_difference():
    """Give the squared error the gradient sigma - label."""
    return np.array([[-1, 0], [0, 0], [-1, 0]])


def curvatures(case):
    # $$ \frac{\partial^2 L_{\mathrm{CE}}}{\partial z^2} = p\,(1 - p) > 0, \qquad
    #    \frac{\partial^2 L_{\mathrm{MSE}}}{\partial z^2} = 2\,p\,(1 - p)^2\,(3p - 1) \qquad (\ell = 1) $$
    return np.array([case.p * (1 - case.p), 2 * case.p * (1 - case.p) ** 2 * (3 * case.p - 1)])


def label_1():
    yield replace(next(one_symbol()), label=1)


@claim("mlp-convexity", cases=label_1)
def second_derivatives(case, curvatures=curvatures):
    """SymPy's second derivatives."""
    same(curvatures(case), [case.derivative(case.entropy, 2), case.derivative(case.squared, 2)])


@claim("mlp-convexity")
def signs_of_the_curvatures():
    """For all p between 0 and 1, the second is negative iff p < 1/3; and sigma(-log 2) = 1/3."""
    import sympy
    import z3

    p = z3.Real("p")
    squared = 2 * p * (1 - p) ** 2 * (3 * p - 1)
    proved(z3.Implies(z3.And(p > 0, p < 1), z3.And(p * (1 - p) > 0, (squared < 0) == (3 * p < 1))))
    same(1 / (1 + sympy.exp(sympy.log(2))), sympy.Rational(1, 3))


@slip("mlp-convexity")
def a_square_is_convex(case):
    """Keep the square of the slope only: a square of a function that bends need not be convex."""
    return np.array([case.p * (1 - case.p), 2 * (case.p * (1 - case.p)) ** 2])


# --- 2.h -------------------------------------------------------------------------------------------------------------


def example_loss(case):
    # $$ L = -\log p_\ell = \log \sum_{j=1}^{K} e^{z_j} - z_\ell $$
    return np.array([mlp.cross_entropy(case.z2, case.labels)])


@claim("mlp-cross-entropy", cases=one_example)
def minus_log_of_softmax(case, loss=example_loss):
    """Minus the logarithm of the label's probability, in plain Python numbers."""
    from math import exp, log

    z, label = case.z2[0].tolist(), case.labels[0]
    agree(loss(case), [-log(exp(z[label]) / sum(map(exp, z)))])


@claim("mlp-cross-entropy", cases=one_example)
def cross_entropy_of_torch(case, loss=example_loss):
    """PyTorch's cross_entropy."""
    torch = need("torch")
    agree(loss(case), [torch.nn.functional.cross_entropy(torch.tensor(case.z2), torch.tensor(case.labels)).item()])


def sum_of_exponentials(case):
    return np.exp(case.z2).sum(1)


def logit_of_label(case):
    return case.z2[0, case.labels]


@slip("mlp-cross-entropy")
def log_likelihood(case):
    """Forget the minus of the loss."""
    return logit_of_label(case) - np.log(sum_of_exponentials(case))


@slip("mlp-cross-entropy")
def log_forgotten(case):
    """Write the sum without its logarithm."""
    return sum_of_exponentials(case) - logit_of_label(case)


@slip("mlp-cross-entropy")
def minus_lost(case):
    """Lose the minus between the two terms: a product."""
    return np.log(sum_of_exponentials(case)) * logit_of_label(case)


@steps("mlp-cross-entropy-steps", cases=one_example, ends_in=example_loss)
def logarithm_of_a_quotient(case):
    """The logarithm of a quotient; the logarithm of an exponential."""
    # -\log p_\ell
    yield -np.log(case.p[0, case.labels])
    # = -\log \frac{e^{z_\ell}}{\sum_j e^{z_j}}
    yield -np.log(np.exp(logit_of_label(case)) / sum_of_exponentials(case))
    # = \log \sum_j e^{z_j} - z_\ell
    yield np.log(sum_of_exponentials(case)) - logit_of_label(case)


# --- 2.i -------------------------------------------------------------------------------------------------------------


def few_examples(rng):
    """Three examples, and four classes: example i has a class i too."""
    case = network(rng, 3, 5, 7, 4)
    return replace(case, labels=np.array([2, 3, 0]))


def risk(case):
    # $$ L(w) = \frac1N \sum_{i=1}^{N} L_i(w), \qquad L_i(w) = -\log p_{\ell_i}(x_i) $$
    return np.array([mlp.cross_entropy(mlp.forward(case.params, case.x)[0], case.labels)])


@claim("mlp-risk", cases=few_examples)
def mean_of_the_losses(case, risk=risk):
    """One example at a time, in the definition."""
    agree(risk(case), [sum(-np.log(case.p[i, case.labels[i]]) for i in range(case.N)) / case.N])


@slip("mlp-risk")
def minus_twice(case):
    """Put a minus before the mean, and keep the one before the logarithm."""
    return -risk(case)


@slip("mlp-risk")
def index_of_the_example(case):
    """Take the probability of class i for example i, as the sheet's answer does."""
    return np.array([-np.log(np.diag(case.p)).mean()])


@slip("mlp-risk")
def sum_of_the_losses(case):
    """Forget 1/N."""
    return risk(case) * case.N


def count(sizes):
    # $$ P = D_{\mathrm h} D + D_{\mathrm h} + K D_{\mathrm h} + K $$
    return mlp.parameter_count(sizes)


@claim("mlp-parameter-count", cases=sizes)
def size_of_the_arrays(sizes, count=count):
    """The entries of the four arrays of a network that `forward` accepts: 66 for sizes 5, 7, 3; and a deeper one."""
    D, H, K = sizes
    params = (np.ones((H, D)), np.ones(H)), (np.ones((K, H)), np.ones(K))
    mlp.forward(params, np.ones((1, D)))
    same(count(sizes), sum(a.size for pair in params for a in pair))
    same(mlp.parameter_count((5, 7, 3)), 66)
    same(mlp.parameter_count((5, 7, 4, 3)), 5 * 7 + 7 + 7 * 4 + 4 + 4 * 3 + 3)


@slip("mlp-parameter-count")
def no_biases(sizes):
    """Count the weights only: 56 in place of 66."""
    D, H, K = sizes
    return H * D + K * H


def twin(case):
    # $$ b^{(2)} \to b^{(2)} + \delta\,\mathbf 1; \qquad
    #    W^{(1)} \to A\,W^{(1)}, \quad b^{(1)} \to A\,b^{(1)}, \quad W^{(2)} \to W^{(2)} A^\top $$
    order = np.array([4, 0, 6, 1, 5, 2, 3])  # not its own inverse
    return (case.W1[order], case.b1[order]), (case.W2[:, order], case.b2 + 0.7)


@claim("mlp-minimiser-is-not-unique", cases=batch)
def other_parameters_same_outputs(case, twin=twin):
    """The hidden units in another order, and 0.7 added to each bias of the last layer: the probabilities stay."""
    (_, _), (_, b2) = twin(case)
    differ(b2, case.b2)
    agree(b2 - case.b2, np.full(len(b2), 0.7))
    agree(mlp.probabilities(mlp.forward(twin(case), case.x)[0]), case.p)


@slip("mlp-minimiser-is-not-unique")
def columns_left_in_place(case):
    """Reorder the hidden units, and leave the columns of W2 where they are."""
    (W1, b1), (_, b2) = twin(case)
    return (W1, b1), (case.W2, b2)


@claim("mlp-minimum-not-attained", cases=batch)
def sharper_and_sharper(case):
    """Labels that the network already gives: the last layer times 1, 2, 4, 8, and each loss keeps falling."""
    # $$ 0 < L_i(\alpha) \le \sum_{j \ne \ell_i} e^{-\alpha\,(z_{\ell_i} - z_j)} $$
    case = replace(case, labels=case.p.argmax(1))
    before = None
    for alpha in (1.0, 2.0, 4.0, 8.0):
        z = mlp.forward(((case.W1, case.b1), (alpha * case.W2, alpha * case.b2)), case.x)[0]
        losses = np.array([mlp.cross_entropy(z[[i]], case.labels[[i]]) for i in range(case.N)])
        gaps = z[np.arange(case.N), case.labels][:, None] - z
        at_most(losses, (np.exp(-gaps) * (1 - case.one_hot)).sum(1))
        at_most(np.full(case.N, 1e-300), losses, tolerance=0)
        if before is not None:
            at_most(losses / before, np.full(case.N, 0.9), tolerance=0)
        before = losses


# --- 2.j, 2.k --------------------------------------------------------------------------------------------------------


STEP, PENALTY = 2.0, 0.1


def flat(params):
    return np.concatenate([a.ravel() for pair in params for a in pair])


def gradient_of_params(case):
    """The mean over examples of the gradients, one example at a time, by a complex step: pairs (dW, db)."""
    singles = [replace(case, x=case.x[[i]], labels=case.labels[[i]]) for i in range(case.N)]
    parts = {name: sum(single.by(name) for single in singles) / case.N for name in ("W1", "b1", "W2", "b2")}
    return (parts["W1"], parts["b1"]), (parts["W2"], parts["b2"])


def dparams(case):
    logits, saved = mlp.forward(case.params, case.x)
    return mlp.backward(mlp.d_cross_entropy(logits, case.labels), saved).dparams


def descended(case):
    # $$ w_{t+1} = w_t - \frac{\eta}{N} \sum_{i=1}^{N} \nabla L_i(w_t), \qquad \eta > 0 $$
    return mlp.descend(case.params, dparams(case), STEP)


@claim("mlp-gradient-descent", cases=batch)
def step_along_the_mean(case, descended=descended):
    """The gradient of each example by itself, by a complex step, then their mean; the step is 2."""
    agree(flat(descended(case)), flat(case.params) - STEP * flat(gradient_of_params(case)))


def one_example_only(case):
    """N = 1."""
    return replace(case, x=case.x[:1], labels=case.labels[:1])


def moved(case, by):
    return tuple((W + by * dW, b + by * db) for (W, b), (dW, db) in zip(case.params, dparams(case), strict=True))


@slip("mlp-gradient-descent")
def uphill(case):
    """Add the gradient."""
    return moved(case, STEP)


@slip("mlp-gradient-descent", blind=one_example_only)
def sum_of_the_gradients(case):
    """Forget 1/N."""
    return moved(case, -STEP * case.N)


@slip("mlp-gradient-descent", blind=one_example_only)
def one_example_a_step(case):
    """Use the gradient of the first example: a step of stochastic gradient descent."""
    first = one_example_only(case)
    return moved(replace(case, x=first.x, labels=first.labels), -STEP)


def drop(case):
    # $$ \frac{d}{d\eta} L(w - \eta\,\nabla L) = -\lVert \nabla L \rVert^2 \qquad (\eta = 0) $$
    return np.array([-(flat(dparams(case)) ** 2).sum()])


@claim("mlp-first-order-drop", cases=batch)
def derivative_along_the_step(case, drop=drop):
    """A complex step along eta; and the loss before and after a small step, forwards and backwards."""
    (dW1, db1), (dW2, db2) = dparams(case)

    def after(eta):
        other = Network(
            case.W1 - eta * dW1, case.b1 - eta * db1, case.W2 - eta * dW2, case.b2 - eta * db2, case.x, case.labels
        )
        return other.loss

    agree(drop(case), complex_step(lambda eta: after(eta[0]), np.zeros(1)))
    losses = np.array([after(1e-3), after(0), after(-1e-3)])
    at_most(-np.diff(losses), np.full(2, drop(case)[0] * 1e-3 / 2), tolerance=0)


@slip("mlp-first-order-drop")
def norm_not_squared(case):
    """Write the norm of the gradient without its square."""
    return -np.sqrt(-drop(case))


@dataclass(frozen=True)
class Decay:
    """A network, a step and a penalty."""

    case: Network
    step: float
    penalty: float


def decay(rng):
    return Decay(batch(rng), STEP, PENALTY)


def no_penalty(decay):
    """No penalty."""
    return replace(decay, penalty=0.0)


def decayed(decay):
    # $$ w_{t+1} = (1 - 2 \eta \zeta)\,w_t - \eta\,\nabla L(w_t) $$
    case = decay.case
    return flat(mlp.descend(case.params, dparams(case), decay.step, penalty=decay.penalty))


def penalised_gradient(decay):
    """The gradient of the loss plus zeta ||w||^2, biases included, by a complex step."""
    case = decay.case

    def gradient(name):
        def penalised(value):
            return replace(case, **{name: value}).loss + decay.penalty * (value**2).sum()

        return complex_step(penalised, getattr(case, name)).ravel()

    return np.concatenate([gradient(name) for name in ("W1", "b1", "W2", "b2")])


@claim("mlp-weight-decay", cases=decay)
def step_on_the_penalised_loss(decay, decayed=decayed):
    """A step on the penalised loss, differentiated as a whole by a complex step."""
    agree(decayed(decay), flat(decay.case.params) - decay.step * penalised_gradient(decay))


def shrunk(decay, factor):
    return factor * flat(decay.case.params) - decay.step * flat(dparams(decay.case))


@slip("mlp-weight-decay", blind=no_penalty)
def factor_2_forgotten(decay):
    """Differentiate the square without its 2."""
    return shrunk(decay, 1 - decay.step * decay.penalty)


@slip("mlp-weight-decay", blind=no_penalty)
def weights_grow(decay):
    """Turn the sign of the decay."""
    return shrunk(decay, 1 + 2 * decay.step * decay.penalty)


def step_1(decay):
    """eta = 1."""
    return replace(decay, step=1.0)


@slip("mlp-weight-decay", blind=step_1)
def decay_without_the_step(decay):
    """Multiply the gradient by eta, and the decay not."""
    return shrunk(decay, 1 - 2 * decay.penalty)


@slip("mlp-weight-decay", blind=no_penalty)
def biases_spared(decay):
    """Shrink the weights only; the penalty of the question is on all of w."""
    free = mlp.descend(decay.case.params, dparams(decay.case), decay.step)
    (W1, _), (W2, _) = mlp.descend(decay.case.params, dparams(decay.case), decay.step, penalty=decay.penalty)
    return flat(((W1, free[0][1]), (W2, free[1][1])))


@steps("mlp-weight-decay-steps", cases=decay, ends_in=decayed)
def penalty_differentiated(decay):
    """The gradient of the penalty is 2 zeta w."""
    w, gradient = flat(decay.case.params), flat(gradient_of_params(decay.case))
    # w_{t+1}
    yield w - decay.step * penalised_gradient(decay)
    # = w_t - \eta\,(\nabla L(w_t) + 2 \zeta\,w_t)
    yield w - decay.step * (gradient + 2 * decay.penalty * w)
    # = (1 - 2 \eta \zeta)\,w_t - \eta\,\nabla L(w_t)
    yield (1 - 2 * decay.step * decay.penalty) * w - decay.step * gradient


# --- 2.l -------------------------------------------------------------------------------------------------------------


def dlogits(case):
    # $$ \frac{\partial L}{\partial z^{(2)}} = p - e_\ell $$
    return mlp.d_cross_entropy(case.z2, case.labels)[0]


@claim("mlp-logits-gradient", cases=one_example)
def logits_by_complex_step(case, dlogits=dlogits):
    """A complex step along each logit; the sum is 0."""
    agree(dlogits(case), complex_step(case.loss_of_z2, case.z2)[0])
    agree(np.array([dlogits(case).sum()]), np.zeros(1), scale=1)


@claim("mlp-logits-gradient", cases=one_example)
def logits_by_autograd(case, dlogits=dlogits):
    """PyTorch's cross_entropy and autograd."""
    agree(dlogits(case), autograd(case)["z2"][0])


@claim("mlp-logits-gradient")
def logits_in_symbols():
    """SymPy's derivative of the loss, for three classes and each label."""
    import sympy

    z = sympy.symbols("z0:3", real=True)
    total = sum(map(sympy.exp, z))
    for label in range(3):
        loss = sympy.log(total) - z[label]
        same([loss.diff(a) for a in z], [sympy.exp(z[i]) / total - (i == label) * 1 for i in range(3)])


@slip("mlp-logits-gradient")
def logarithm_kept(case):
    """Differentiate the logarithm and keep it: exp(z_i) over the logarithm of the sum, as the sheet's answer does."""
    return np.exp(case.z2[0]) / np.log(sum_of_exponentials(case)) - case.one_hot[0]


@slip("mlp-logits-gradient")
def one_hot_minus_p(case):
    """Turn the sign."""
    return -case.g[0]


@slip("mlp-logits-gradient")
def label_left_out(case):
    """Differentiate the logarithm of the sum only: p."""
    return case.p[0]


@steps("mlp-logits-gradient-steps", cases=one_example, ends_in=dlogits)
def derivative_of_the_logarithm(case):
    """The derivative of a logarithm is one over what stands in it."""
    z, total = case.z2[0], sum_of_exponentials(case)
    # \frac{\partial L}{\partial z_i}
    yield complex_step(case.loss_of_z2, case.z2)[0]
    # = \frac{\partial}{\partial z_i} \log \sum_j e^{z_j} - \frac{\partial z_\ell}{\partial z_i}
    yield complex_step(lambda a: np.log(np.exp(a).sum()), z) - complex_step(lambda a: a[case.labels[0]], z)
    # = \frac{1}{\sum_j e^{z_j}}\,\frac{\partial}{\partial z_i} \sum_j e^{z_j} - [\,i = \ell\,]
    yield complex_step(lambda a: np.exp(a).sum(), z) / total - case.one_hot[0]
    # = \frac{e^{z_i}}{\sum_j e^{z_j}} - [\,i = \ell\,]
    yield np.exp(z) / total - case.one_hot[0]
    # = p_i - [\,i = \ell\,]
    yield case.p[0] - case.one_hot[0]


# --- 2.m, 2.n --------------------------------------------------------------------------------------------------------


def output_elements(case):
    # $$ \frac{\partial L}{\partial W^{(2)}_{ij}} = (p_i - [\,i = \ell\,])\,h_j, \qquad
    #    \frac{\partial L}{\partial b^{(2)}_i} = p_i - [\,i = \ell\,] $$
    K, H = case.W2.shape
    db = [case.p[0, i] - (i == case.labels[0]) for i in range(K)]
    return np.array([[db[i] * case.h[0, j] for j in range(H)] for i in range(K)]), np.array(db)


@claim("mlp-output-elements", cases=one_example)
def output_elements_by_complex_step(case, gradients=output_elements):
    """A complex step along each weight and each bias."""
    dW, db = gradients(case)
    agree(dW, case.by("W2"))
    agree(db, case.by("b2"))


@slip("mlp-output-elements")
def all_ones_for_the_biases(case):
    """Say that each bias acts on every logit with slope 1: then all entries are one sum."""
    dW, db = output_elements(case)
    return dW, np.ones((len(db), len(db))) @ db


@slip("mlp-output-elements")
def before_the_activation(case):
    """Multiply by the pre-activation of the hidden unit, not by its output."""
    return np.outer(case.g[0], case.z1[0]), case.g[0]


@slip("mlp-output-elements")
def indices_exchanged(case):
    """Multiply h of the row by the gradient of the column: the array has the shape of the transpose."""
    return np.outer(case.h[0], case.g[0]), case.g[0]


def output_jacobians(case):
    # $$ \frac{\partial z^{(2)}_i}{\partial W^{(2)}} = e_i\,h^\top, \qquad
    #    \frac{\partial z^{(2)}}{\partial b^{(2)}} = I $$
    eye = np.eye(len(case.b2))
    return np.array([np.outer(one, case.h[0]) for one in eye]), eye


@claim("mlp-output-jacobians", cases=one_example)
def jacobians_by_complex_step(case, jacobians=output_jacobians):
    """A complex step of each logit along each weight and each bias: row i only, and the identity."""
    K = len(case.b2)
    dW, db = jacobians(case)
    agree(dW, np.array([complex_step(lambda W, i=i: case.h[0] @ W[i] + case.b2[i], case.W2) for i in range(K)]))
    agree(db, np.array([complex_step(lambda b, i=i: case.h[0] @ case.W2[i] + b[i], case.b2) for i in range(K)]))


@slip("mlp-output-jacobians")
def h_in_every_row(case):
    """Fill all rows with h, as if each logit read all the weights."""
    K = len(case.b2)
    return np.array([np.tile(case.h, (K, 1))] * K), np.eye(K)


@slip("mlp-output-jacobians")
def ones_for_the_identity(case):
    """Write a matrix of ones for the derivative by the biases."""
    K = len(case.b2)
    return output_jacobians(case)[0], np.ones((K, K))


def output_gradients(case):
    # $$ \frac{\partial L}{\partial W^{(2)}} = g\,h^\top, \qquad
    #    \frac{\partial L}{\partial b^{(2)}} = g, \qquad g = p - e_\ell $$
    return dparams(case)[1]


@claim("mlp-output-gradients", cases=one_example)
def output_by_complex_step(case, gradients=output_gradients):
    """A complex step along each weight and each bias; the shapes are those of W2 and b2."""
    dW, db = gradients(case)
    agree(dW, case.by("W2"))
    agree(db, case.by("b2"))


@claim("mlp-output-gradients", cases=one_example)
def output_by_autograd(case, gradients=output_gradients):
    """PyTorch's autograd."""
    dW, db = gradients(case)
    agree(dW, autograd(case)["W2"])
    agree(db, autograd(case)["b2"])


@slip("mlp-output-gradients")
def printed_matrices(case):
    """Multiply by the matrices of the sheet's answer, whose blocks are all equal: the result is 0."""
    K = len(case.b2)
    return sum(case.g[0]) * np.tile(case.h, (K, 1)), np.ones((K, K)) @ case.g[0]


@slip("mlp-output-gradients")
def product_the_other_way_round(case):
    """Write h g^T: D_h x K."""
    return np.outer(case.h[0], case.g[0]), case.g[0]


@slip("mlp-output-gradients")
def minus_the_product(case):
    """Turn the sign of the product."""
    return -np.outer(case.g[0], case.h[0]), case.g[0]


@slip("mlp-output-gradients")
def pre_activations_in_the_product(case):
    """Multiply by the pre-activations: g z^T."""
    return np.outer(case.g[0], case.z1[0]), case.g[0]


def printed_sum(case):
    # $$ \mathbf 1 \mathbf 1^\top (p - e_\ell) = 0 $$
    return 0 * case.p


@claim("mlp-printed-gradient-is-zero", cases=output_symbols)
def printed_sum_in_symbols(case, printed_sum=printed_sum):
    """The matrix of ones times p minus one-hot, in symbols: a distribution has the sum 1, and so has the one-hot."""
    same(printed_sum(case), np.ones((3, 3), dtype=int) @ p_minus_one_hot(case))


@slip("mlp-printed-gradient-is-zero")
def ones_taken_for_the_identity(case):
    """Read the matrix of ones as the identity."""
    return p_minus_one_hot(case)


# --- 2.o, 2.p --------------------------------------------------------------------------------------------------------


def hidden_output_elements(case):
    # $$ \frac{\partial L}{\partial h_j} = \sum_{i=1}^{K} (p_i - [\,i = \ell\,])\,W^{(2)}_{ij} $$
    K, H = case.W2.shape
    label = case.labels[0]
    return np.array([sum((case.p[0, i] - (i == label)) * case.W2[i, j] for i in range(K)) for j in range(H)])


@claim("mlp-hidden-output-elements", cases=one_example)
def hidden_output_elements_by_complex_step(case, gradient=hidden_output_elements):
    """A complex step along each hidden output."""
    agree(gradient(case), complex_step(case.loss_of_h, case.h)[0])


@slip("mlp-hidden-output-elements")
def label_only(case):
    """Forget the sum: follow the path through the logit of the label only."""
    label = case.labels[0]
    return case.g[0, label] * case.W2[label]


def hidden_output_gradient(case):
    # $$ \frac{\partial L}{\partial h} = (W^{(2)})^\top g, \qquad
    #    (D_{\mathrm h} \times K)\,(K \times 1) = (D_{\mathrm h} \times 1) $$
    last_layer = (case.params[1],)
    return mlp.backward(case.g, mlp.forward(last_layer, case.h)[1]).dx.T


@claim("mlp-hidden-output-gradient", cases=square)
def hidden_output_by_complex_step(case, gradient=hidden_output_gradient):
    """A complex step along each hidden output, as a column."""
    agree(gradient(case), complex_step(case.loss_of_h, case.h).T)


@claim("mlp-hidden-output-gradient", cases=square)
def hidden_output_by_autograd(case, gradient=hidden_output_gradient):
    """PyTorch's autograd, as a column."""
    agree(gradient(case), autograd(case)["h"].T)


@claim("mlp-hidden-output-gradient", cases=one_example)
def hidden_output_shape(case):
    """With seven hidden units and three classes the product has seven entries; W2 g does not exist."""
    same(hidden_output_gradient(case).shape, (7, 1))
    agree(hidden_output_gradient(case)[:, 0], hidden_output_elements(case))


def two_units(slopes):
    """Two hidden units, two classes, W2 = (1 2; 3 4), in fractions; what `forward` would have saved."""
    W2 = np.array([[Fraction(n) for n in row] for row in ((1, 2), (3, 4))])
    ones = np.array([[Fraction(1), Fraction(1)]])
    return mlp.Saved((ones, ones), (np.array([slopes]),), (W2, W2))


@claim("mlp-hidden-output-gradient")
def hidden_output_in_fractions():
    """g = (-1/2, 1/2): W2 transposed gives (1, 1); W2 would give (1/2, 1/2)."""
    g = np.array([[Fraction(-1, 2), Fraction(1, 2)]])
    saved = two_units([Fraction(1), Fraction(1)])
    same(mlp.backward(g, saved).dparams[0][1], [Fraction(1), Fraction(1)])
    same(g @ saved.weights[1].T, [[Fraction(1, 2), Fraction(1, 2)]])


@slip("mlp-hidden-output-gradient", blind=symmetric)
def weights_not_transposed(case):
    """Write W2 g, as the sheet's answer does. It exists only if K = D_h, as here."""
    return case.W2 @ case.g.T


@slip("mlp-hidden-output-gradient")
def left_as_a_row(case):
    """Write g^T W2 and leave it a row: the same numbers in the other shape."""
    return case.g @ case.W2


# --- 2.q, 2.r --------------------------------------------------------------------------------------------------------


def slopes(case):
    # $$ \operatorname{softplus}'(z) = \sigma(z) $$
    return mlp.forward(case.params, case.x)[1].slopes[0]


@claim("mlp-softplus-slope", cases=batch)
def slopes_by_complex_step(case, slopes=slopes):
    """A complex step of log(1 + exp(z)) at each pre-activation."""
    agree(slopes(case), complex_step(lambda z: softplus(z).sum(), case.z1))


@claim("mlp-softplus-slope")
def slope_in_symbols():
    """SymPy's derivative."""
    import sympy

    z = sympy.Symbol("z", real=True)
    same(sympy.log(1 + sympy.exp(z)).diff(z), 1 / (1 + sympy.exp(-z)))


@slip("mlp-softplus-slope")
def slope_of_the_sigmoid(case):
    """Give the derivative of the sigmoid."""
    return sigmoid(case.z1) * (1 - sigmoid(case.z1))


@slip("mlp-softplus-slope")
def slope_of_relu(case):
    """Give the derivative of relu."""
    return (case.z1 > 0) * 1.0


@slip("mlp-softplus-slope")
def sigmoid_of_the_output(case):
    """Take the sigmoid of the unit's output."""
    return sigmoid(case.h)


@slip("mlp-softplus-slope")
def slope_1(case):
    """Leave the activation out."""
    return np.ones(case.z1.shape)


@steps("mlp-softplus-slope-steps", cases=batch, ends_in=slopes)
def divide_by_the_exponential(case):
    """The chain rule through 1 + e^z; then numerator and denominator are divided by e^z."""
    # \operatorname{softplus}'(z)
    yield complex_step(lambda z: np.log(1 + np.exp(z)).sum(), case.z1)
    # = \frac{1}{1 + e^z}\,\frac{d}{dz}\,(1 + e^z)
    yield 1 / (1 + np.exp(case.z1)) * complex_step(lambda z: (1 + np.exp(z)).sum(), case.z1)
    # = \frac{e^z}{1 + e^z}
    yield np.exp(case.z1) / (1 + np.exp(case.z1))
    # = \frac{1}{1 + e^{-z}}
    yield 1 / (1 + np.exp(-case.z1))


def hidden_elements(case):
    # $$ \frac{\partial L}{\partial z^{(1)}_j} = \frac{\partial L}{\partial h_j}\,\sigma(z^{(1)}_j) $$
    return np.array([dh * sigmoid(z) for dh, z in zip(hidden_output_elements(case), case.z1[0], strict=True)])


@claim("mlp-hidden-elements", cases=one_example)
def hidden_elements_by_complex_step(case, gradient=hidden_elements):
    """A complex step along each pre-activation."""
    agree(gradient(case), complex_step(case.loss_of_z1, case.z1)[0])


@slip("mlp-hidden-elements")
def activation_left_out(case):
    """Pass the gradient of the output on as it is."""
    return hidden_output_elements(case)


@slip("mlp-hidden-elements")
def relu_in_its_place(case):
    """Use the slope of relu."""
    return hidden_output_elements(case) * (case.z1[0] > 0)


def hidden_gradient(case):
    # $$ \frac{\partial L}{\partial z^{(1)}} = \operatorname{diag}(\sigma(z^{(1)}))\,(W^{(2)})^\top g
    #    = \sigma(z^{(1)}) \odot \bigl( (W^{(2)})^\top g \bigr) $$
    return dparams(case)[0][1]


@claim("mlp-hidden-gradient", cases=square)
def hidden_by_complex_step(case, gradient=hidden_gradient):
    """A complex step along each pre-activation."""
    agree(gradient(case), complex_step(case.loss_of_z1, case.z1)[0])


@claim("mlp-hidden-gradient", cases=square)
def hidden_by_autograd(case, gradient=hidden_gradient):
    """PyTorch's autograd."""
    agree(gradient(case), autograd(case)["z1"][0])


@claim("mlp-hidden-gradient", cases=one_example)
def both_forms(case):
    """The diagonal matrix (7 x 7), W2 transposed (7 x 3) and g (3), multiplied as written; and entry by entry."""
    through_matrix = np.diag(sigmoid(case.z1[0])) @ case.W2.T @ case.g[0]
    agree(hidden_gradient(case), through_matrix)
    agree(hidden_gradient(case), hidden_elements(case))


@claim("mlp-hidden-gradient")
def hidden_in_fractions():
    """Pre-activations 0, so slopes of 1/2, and g = (-1/2, 1/2): (1/2, 1/2); without the transpose (1/4, 1/4)."""
    g, half = np.array([[Fraction(-1, 2), Fraction(1, 2)]]), Fraction(1, 2)
    saved = two_units([half, half])
    same(mlp.backward(g, saved).dparams[0][1], [half, half])
    same(g @ saved.weights[1].T * saved.slopes[0], [[half / 2, half / 2]])


@slip("mlp-hidden-gradient", blind=symmetric)
def transpose_missing(case):
    """Carry on W2 without its transpose, as the sheet's answer does."""
    return sigmoid(case.z1[0]) * (case.W2 @ case.g[0])


@slip("mlp-hidden-gradient")
def slope_at_the_output(case):
    """Put the outputs of the hidden layer into the diagonal."""
    return sigmoid(case.h[0]) * (case.W2.T @ case.g[0])


# --- the first layer, and a batch -------------------------------------------------------------------------------------


def first_layer(case):
    # $$ \frac{\partial L}{\partial W^{(1)}} = \frac{\partial L}{\partial z^{(1)}}\,x^\top, \qquad
    #    \frac{\partial L}{\partial b^{(1)}} = \frac{\partial L}{\partial z^{(1)}}, \qquad
    #    \frac{\partial L}{\partial x} = (W^{(1)})^\top\,\frac{\partial L}{\partial z^{(1)}} $$
    logits, saved = mlp.forward(case.params, case.x)
    gradients = mlp.backward(mlp.d_cross_entropy(logits, case.labels), saved)
    return *gradients.dparams[0], gradients.dx


@claim("mlp-first-layer", cases=one_example)
def first_layer_by_complex_step(case, gradients=first_layer):
    """A complex step along each weight, bias and input."""
    for ours, name in zip(gradients(case), ("W1", "b1", "x"), strict=True):
        agree(ours, case.by(name))


@claim("mlp-first-layer", cases=one_example)
def first_layer_by_autograd(case, gradients=first_layer):
    """PyTorch's autograd."""
    expected = autograd(case)
    for ours, name in zip(gradients(case), ("W1", "b1", "x"), strict=True):
        agree(ours, expected[name])


@slip("mlp-first-layer")
def outputs_for_inputs(case):
    """Start from the gradient of the outputs h, and forget the slope of the activation."""
    dh = hidden_output_elements(case)
    return np.outer(dh, case.x[0]), dh, (case.W1.T @ dh)[None]


@dataclass(frozen=True)
class Deep:
    """A network of any depth, an input, and a gradient by the logits. The loss is sum(dlogits * logits)."""

    params: tuple
    x: np.ndarray
    dlogits: np.ndarray

    act = staticmethod(softplus)

    def logits(self, params, x):
        for layer, (W, b) in enumerate(params):
            x = (self.act(x) if layer else x) @ W.T + b
        return x

    @property
    def leaves(self):
        return [a for pair in self.params for a in pair] + [self.x]

    def loss(self, leaves):
        params = tuple(zip(leaves[:-1:2], leaves[1:-1:2], strict=True))
        return (self.dlogits * self.logits(params, leaves[-1])).sum()

    def by(self, k):
        leaves = self.leaves
        return complex_step(lambda a: self.loss([*leaves[:k], a, *leaves[k + 1 :]]), leaves[k])

    @property
    def saved(self):
        return mlp.forward(self.params, self.x)[1]


class DeepSymbols(Deep):
    """The same in symbols, with an activation of which nothing is known but that it has a derivative."""

    @staticmethod
    def act(z):
        import sympy

        act = sympy.Function("act")
        return np.array([[act(a) for a in row] for row in z])

    @staticmethod
    def slope(z):
        import sympy

        act, t = sympy.Function("act"), sympy.Symbol("t")
        return np.array([[act(t).diff(t).subs(t, a).doit() for a in row] for row in z])

    def by(self, k):
        leaves = self.leaves
        loss = self.loss(leaves)
        return np.array([loss.diff(a) for a in leaves[k].flat]).reshape(leaves[k].shape)

    @property
    def saved(self):
        z = self.logits(self.params[:1], self.x)
        return mlp.Saved((self.x, self.act(z)), (self.slope(z),), tuple(W for W, _ in self.params))


def deep(rng):
    """Six examples, layers of 5, 4, 2 and 3 units."""
    sizes = (5, 4, 2, 3)
    params = tuple((rng.normal(size=(b, a)), rng.uniform(0.2, 1, b)) for a, b in pairwise(sizes))
    return Deep(params, rng.normal(size=(6, 5)), rng.normal(size=(6, 3)) + 0.4)


def deep_symbols():
    """Two examples, two inputs, three hidden units, one output."""
    import sympy

    def array(name, *shape):
        return np.array(sympy.symbols(f"{name}0:{np.prod(shape)}", real=True)).reshape(shape)

    first, second = (array("W", 3, 2), array("b", 3)), (array("V", 1, 3), array("c", 1))
    yield DeepSymbols((first, second), array("x", 2, 2), array("g", 2, 1))


def batch_gradients(case):
    # $$ \frac{\partial L}{\partial W} = g^\top x, \qquad
    #    \frac{\partial L}{\partial b} = g^\top \mathbf 1, \qquad
    #    \frac{\partial L}{\partial x} = g\,W $$
    gradients = mlp.backward(case.dlogits, case.saved)
    return [*(a for pair in gradients.dparams for a in pair), gradients.dx]


@claim("mlp-backward", cases=deep)
def all_by_complex_step(case, gradients=batch_gradients):
    """Three layers, six examples: a complex step along every weight, bias and input."""
    for k, ours in enumerate(gradients(case)):
        agree(ours, case.by(k))


@claim("mlp-backward", cases=deep)
def all_by_autograd(case, gradients=batch_gradients):
    """PyTorch's autograd."""
    torch = need("torch")
    leaves = [torch.tensor(a, requires_grad=True) for a in case.leaves]
    z = leaves[-1]
    for layer, (W, b) in enumerate(zip(leaves[:-1:2], leaves[1:-1:2], strict=True)):
        z = torch.nn.functional.linear(torch.nn.functional.softplus(z, threshold=1e9) if layer else z, W, b)
    z.backward(torch.tensor(case.dlogits))
    for ours, leaf in zip(gradients(case), leaves, strict=True):
        agree(ours, leaf.grad.numpy())


@claim("mlp-backward", cases=deep_symbols)
def all_in_symbols(case, gradients=batch_gradients):
    """`backward` on symbols, for any differentiable activation: two examples, layers of 2, 3 and 1 units."""
    for k, ours in enumerate(gradients(case)):
        same(ours, case.by(k))


@slip("mlp-backward")
def mean_over_examples(case):
    """Divide by N once more: the 1/N of a mean is in the gradient that comes in."""
    return [a / len(case.x) for a in batch_gradients(case)[:-1]] + batch_gradients(case)[-1:]


@slip("mlp-backward")
def slopes_forgotten(case):
    """Leave out the slopes of the activations."""
    saved = case.saved
    return batch_gradients(SavedAlready(case.dlogits, replace(saved, slopes=tuple(0 * s + 1 for s in saved.slopes))))


@dataclass(frozen=True)
class SavedAlready:
    """What `backward` is given."""

    dlogits: np.ndarray
    saved: mlp.Saved


@slip("mlp-backward")
def columns_for_rows(case):
    """Keep the order of one column, x^T g where rows need g^T x: the arrays have the shape of the transpose."""
    found = batch_gradients(case)
    return [a.T if a.ndim == 2 else a for a in found[:-1]] + found[-1:]


# --- digits ----------------------------------------------------------------------------------------------------------


def digits(seed):
    """Scikit-learn's 1797 digits of 8 x 8 pixels, shuffled; a third is held out: x, labels, x held out, labels."""
    from sklearn.datasets import load_digits

    note("scikit-learn's digits")
    x, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    held_out, kept = order[: len(x) // 3], order[len(x) // 3 :]
    return x[kept] / 16, labels[kept], x[held_out] / 16, labels[held_out]


def gradient_by_the_chapter(params, x, labels):
    logits, saved = mlp.forward(params, x)
    return mlp.backward(mlp.d_cross_entropy(logits, labels), saved).dparams


def learn(seed, gradient=gradient_by_the_chapter):
    """The share of the held-out digits that are recognised after 40 passes over the others, in batches of about 32."""
    rng = np.random.default_rng(seed)
    x, labels, x_held, labels_held = digits(seed)
    W1, W2 = rng.normal(size=(40, 64)) * 0.6, rng.normal(size=(10, 40)) / np.sqrt(40)
    params = (W1, np.zeros(40)), (W2, np.zeros(10))
    for _ in range(40):
        for part in np.array_split(rng.permutation(len(x)), len(x) // 32):
            params = mlp.descend(params, gradient(params, x[part], labels[part]), 0.3)
    return (mlp.forward(params, x_held)[0].argmax(1) == labels_held).mean()


def one_hot_forgotten(params, x, labels):
    logits, saved = mlp.forward(params, x)
    return mlp.backward(mlp.probabilities(logits) / len(x), saved).dparams


def softplus_slope_forgotten(params, x, labels):
    logits, saved = mlp.forward(params, x)
    saved = replace(saved, slopes=tuple(np.ones_like(s) for s in saved.slopes))
    return mlp.backward(mlp.d_cross_entropy(logits, labels), saved).dparams


@claim("mlp-learns-digits")
def held_out_digits():
    """Three seeds, each for the split, the first weights and the order: at least 95 %."""
    for seed in range(3):
        at_most(np.array([0.95]), np.array([learn(seed)]), tolerance=0)


@claim("mlp-learns-digits")
def a_wrong_gradient_does_not_learn():
    """With p in the place of p minus the one-hot label, at most 30 % are recognised, for the same seeds."""
    for seed in range(3):
        at_most(np.array([learn(seed, one_hot_forgotten)]), np.array([0.3]), tolerance=0)


@claim("mlp-digits-miss-a-slip")
def no_slope_and_yet():
    """With all slopes of softplus replaced by 1 the gradient is off by more than 10 %; still 95 % are recognised."""
    for seed in range(3):
        x, labels, _, _ = digits(seed)
        rng = np.random.default_rng(seed)
        W1, W2 = rng.normal(size=(40, 64)) * 0.6, rng.normal(size=(10, 40)) / np.sqrt(40)
        params = (W1, np.zeros(40)), (W2, np.zeros(10))
        wrong, right = (f(params, x, labels)[0][0] for f in (softplus_slope_forgotten, gradient_by_the_chapter))
        differ(wrong, right, by=0.1)
        at_most(np.array([0.95]), np.array([learn(seed, softplus_slope_forgotten)]), tolerance=0)


# --- bad input, precision --------------------------------------------------------------------------------------------


@claim("mlp-bad-input")
def bad_input():
    """Wrong structures, shapes, dtypes and ranges, for each argument of each function."""
    W1, b1, W2, b2 = np.ones((3, 5)), np.ones(3), np.ones((2, 3)), np.ones(2)
    params, x = ((W1, b1), (W2, b2)), np.ones((4, 5))
    logits, saved = mlp.forward(params, x)
    labels = [0, 1, 1, 0]
    for bad in (x[0], x[:0], x[:, :4], x[:, :, None], x.T, x.astype(int), x + 1j, x > 0, x.astype(object)):
        refuses(lambda bad=bad: mlp.forward(params, bad), naming="x")
    pairs = [
        ((W1.T, b1), (W2, b2)),
        ((W1, b1), (W2.T, b2)),
        ((W1, b1[:1]), (W2, b2)),
        ((W1, b1), (W2, b2[:, None])),
        ((W1, b1), (W2, 1.0)),
        ((W1.astype(int), b1), (W2, b2)),
        ((W1, b1), (W2, b2 * 1j)),
        ((W1, b1, W2), (b2,)),
        (W1, b1, W2, b2),
        (W1, b1),
        (),
        W1,
        None,
    ]
    for bad in pairs:
        refuses(lambda bad=bad: mlp.forward(bad, x), naming="params")
        refuses(lambda bad=bad: mlp.descend(bad, params, 0.1), naming="params")
        refuses(lambda bad=bad: mlp.descend(params, bad, 0.1), naming="dparams")
    refuses(lambda: mlp.descend(params, params[:1], 0.1), naming="dparams")
    refuses(lambda: mlp.descend(params, ((W1[:, :1], b1), (W2, b2)), 0.1), naming="dparams")
    for bad in (-0.1, np.nan, np.inf, [0.1], "small", 1j, True):
        refuses(lambda bad=bad: mlp.descend(params, params, bad), naming="step")
        refuses(lambda bad=bad: mlp.descend(params, params, 0.1, penalty=bad), naming="penalty")
    for bad in (logits[0], logits[:0], logits[:, :0], logits.astype(int), logits + 1j, logits[:, :, None]):
        refuses(lambda bad=bad: mlp.probabilities(bad), naming="logits")
        refuses(lambda bad=bad: mlp.cross_entropy(bad, labels), naming="logits")
        refuses(lambda bad=bad: mlp.d_cross_entropy(bad, labels), naming="logits")
    for bad in (labels[:1], 0, [labels], [0, 1, 1, 2], [0, 1, 1, -1], [0.0, 1, 1, 0], [True, False, True, True]):
        refuses(lambda bad=bad: mlp.cross_entropy(logits, bad), naming="labels")
        refuses(lambda bad=bad: mlp.d_cross_entropy(logits, bad), naming="labels")
    for bad in (logits[:1], logits[:, :1], logits.T, logits.astype(int), logits + 1j, logits > 0):
        refuses(lambda bad=bad: mlp.backward(bad, saved), naming="dlogits")
    for bad in ((), (5,), 5, (5, 0), (5, -3), (5, 7.0), ((5, 7), (7, 3)), "57", None):
        refuses(lambda bad=bad: mlp.parameter_count(bad), naming="sizes")


def everything(case, dtype):
    """Everything that the functions give for a batch, in a precision."""
    params = tuple((W.astype(dtype), b.astype(dtype)) for W, b in case.params)
    logits, saved = mlp.forward(params, case.x.astype(dtype))
    gradients = mlp.backward(mlp.d_cross_entropy(logits, case.labels), saved)
    after = mlp.descend(params, gradients.dparams, STEP, penalty=PENALTY)
    results = [logits, mlp.probabilities(logits), gradients.dx, np.array([mlp.cross_entropy(logits, case.labels)])]
    results += [a for pairs in (gradients.dparams, after) for pair in pairs for a in pair]
    return [*results, *saved.inputs, *saved.slopes]


@claim("mlp-precision", cases=batch)
def in_single_precision(case):
    """The same batch in float32 and float64: the results are float32, and agree to five digits."""
    for low, high in zip(everything(case, np.float32), everything(case, np.float64), strict=True):
        same(str(low.dtype), "float32")
        agree(low, high, tolerance=1e-5)


@claim("mlp-pure", cases=batch)
def inputs_unchanged(case):
    """Arrays that cannot be written to, the saved ones too; then the same calls again: the same bits."""
    for array in (case.W1, case.b1, case.W2, case.b2, case.x, case.labels):
        array.setflags(write=False)
    logits, saved = mlp.forward(case.params, case.x)
    dlogits = mlp.d_cross_entropy(logits, case.labels)
    for array in (*saved.inputs, *saved.slopes, *saved.weights, logits, dlogits):
        array.setflags(write=False)
    first, again = mlp.backward(dlogits, saved), mlp.backward(dlogits, saved)
    agree(flat(first.dparams), flat(again.dparams), tolerance=0)
    agree(first.dx, again.dx, tolerance=0)
    for pair in first.dparams:
        for array in pair:
            array.setflags(write=False)
    agree(flat(mlp.descend(case.params, first.dparams, STEP)), flat(descended(case)), tolerance=0)
    agree(mlp.d_cross_entropy(logits, case.labels), dlogits, tolerance=0)
