"""Depth: the claims of the chapter, in its order.

Letters, as on the page: D_h units in a hidden layer, M layers, psi the function to approximate, t folds of the
tent map. Exact cases are Fractions, in arrays of objects.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product
from math import e, sqrt
from typing import Any

import numpy as np

from dlnotes import convolution, depth, mlp
from dlnotes.activation import relu
from dlnotes.check import agree, at_most, claim, differ, every, need, proved, refuses, same, slip, steps

# --- exact numbers, and networks of them -----------------------------------------------------------------------------


def fractions(a):
    """The same numbers as Fractions."""
    a = np.asarray(a)
    return np.array([Fraction(entry) for entry in a.ravel().tolist()], dtype=object).reshape(a.shape)


def exact(params):
    """The same network in Fractions."""
    return [(fractions(W), fractions(b)) for W, b in params]


def floats(params):
    return [(np.asarray(W, dtype=float), np.asarray(b, dtype=float)) for W, b in params]


def drawn(rng, sizes):
    """A network with small rational weights and biases."""
    layers = []
    for D_in, D_out in pairwise(sizes):
        W, b = rng.integers(-6, 7, (D_out, D_in)), rng.integers(-6, 7, D_out)
        layers.append((fractions(W) / 3, fractions(b) / 2))
    return layers


def at(params, x):
    """The values, (N,), of a network of one input and one output."""
    return depth.forward(params, np.asarray(x).reshape(-1, 1))[:, 0]


def equal_pieces(psi, n):
    """The interpolant of psi on n equal pieces of [0, 1], exactly."""
    knots = np.array([Fraction(j, n) for j in range(n + 1)])
    return depth.interpolant(knots, np.array([psi(x) for x in knots]))


def error_at(psi, n, x):
    """The largest |psi - interpolant| at the points x, exactly."""
    values = np.array([psi(point) for point in x])
    return max(abs(values - at(equal_pieces(psi, n), np.array(x))))


# --- the networks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stack:
    """A network and its inputs."""

    params: Any
    x: np.ndarray


def stack(rng):
    """Three inputs, hidden layers of 4 and 5 units, two outputs; six examples; in Fractions."""
    params, x = drawn(rng, (3, 4, 5, 2)), fractions(rng.integers(-9, 10, (6, 3))) / 4
    b = params[-1][1] - sum(depth.forward(params, x)) / 6  # outputs of both signs
    return Stack([*params[:-1], (params[-1][0], b)], x)


def layer_by_layer(case, act, last=lambda z: z, bias=1):
    x = case.x
    for i, (W, b) in enumerate(case.params):
        x = (act(x) if i else x) @ W.T + bias * b
    return last(x)


def y(case):
    # $$ y = z^{(M)}, \qquad z^{(i)} = W^{(i)} h^{(i-1)} + b^{(i)}, \qquad
    #    h^{(i)} = \operatorname{relu}(z^{(i)}), \qquad h^{(0)} = x $$
    return depth.forward(case.params, case.x)


@claim("depth-forward", cases=stack)
def by_definition(case, y=y):
    """The definition, one unit of one example at a time, in Fractions."""
    rows = []
    for h in case.x.tolist():
        for i, (W, b) in enumerate(case.params):
            z = [sum(w * value for w, value in zip(row, h, strict=True)) + d for row, d in zip(W, b, strict=True)]
            h = z if i == len(case.params) - 1 else [max(value, Fraction(0)) for value in z]
        rows.append(h)
    same(y(case), rows)


@claim("depth-forward", cases=stack)
def by_torch(case, y=y):
    """The same layers in PyTorch, in float64."""
    torch = need("torch")
    case = Stack(floats(case.params), case.x.astype(float))
    h = torch.tensor(case.x)
    for i, (W, b) in enumerate(case.params):
        h = torch.nn.functional.linear(torch.relu(h) if i else h, torch.tensor(W), torch.tensor(b))
    agree(y(case), h.numpy())


@slip("depth-forward")
def relu_after_the_last_layer(case):
    """Apply ReLU to the output too."""
    return layer_by_layer(case, relu, last=relu)


@slip("depth-forward")
def no_activation(case):
    """Leave ReLU out."""
    return layer_by_layer(case, lambda z: z)


@slip("depth-forward")
def no_bias(case):
    """Leave the biases out."""
    return layer_by_layer(case, relu, bias=0)


# --- classical methods -----------------------------------------------------------------------------------------------

CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
LABELS = np.array([0, 1, 1, 0])


def learner(rng):
    """A network with 5 hidden units, and the four corners; the case holds both."""
    draw = [(rng.normal(size=(5, 2)), rng.normal(size=5)), (rng.normal(size=(2, 5)), rng.normal(size=2))]
    return Stack(draw, CORNERS)


@claim("depth-features-are-learnt", cases=learner)
def two_labellings(case):
    """One step on the labels of XOR, one on those of AND, from one start: the hidden outputs part."""

    def features(params):
        return mlp.forward(params, case.x)[1].inputs[1]

    def after(labels):
        logits, saved = mlp.forward(case.params, case.x)
        dparams = mlp.backward(mlp.d_cross_entropy(logits, labels), saved).dparams
        return features(mlp.descend(case.params, dparams, 1.0))

    differ(after(LABELS), features(case.params))
    differ(after(LABELS), after(np.array([0, 0, 0, 1])))


@claim("depth-features-are-learnt", cases=learner)
def not_through_weights_of_zero(case):
    """Where all weights of the last layer are 0, no gradient reaches the hidden layer: the first step moves nothing."""
    (W, b), (out, shift) = case.params
    logits, saved = mlp.forward([(W, b), (0 * out, shift)], case.x)
    (dW, db), _ = mlp.backward(mlp.d_cross_entropy(logits, LABELS), saved).dparams
    agree(dW, 0 * W, tolerance=0, scale=1)
    agree(db, 0 * b, tolerance=0, scale=1)


def machine():
    # $$ y(x) = \frac{1}{(1 - e^{-1})^2} \sum_{j=1}^{4} (2 \ell_j - 1)\, e^{-\lVert x - x_j \rVert^2},
    #    \qquad y(x_i) = 2 \ell_i - 1 $$
    return depth.gram(CORNERS, CORNERS) @ (2 * LABELS - 1) / (1 - 1 / e) ** 2


@claim("depth-kernel-machine-solves-xor")
def plus_or_minus_one(machine=machine):
    """The values at the four corners are minus 1 where XOR is 0, and 1 where it is 1."""
    agree(machine(), [2 * (a ^ b) - 1 for a, b in product((0, 1), repeat=2)])


@claim("depth-kernel-machine-solves-xor")
def by_scikit_learn():
    """The support vector machine of scikit-learn gets all four with this kernel, and not with a linear one."""
    from sklearn.svm import SVC

    def wrong(kernel):
        return int((SVC(kernel=kernel, gamma=1.0, C=1e6).fit(CORNERS, LABELS).predict(CORNERS) != LABELS).sum())

    same(wrong("rbf"), 0)
    every(["linear"], lambda kernel: wrong(kernel) > 0)


@slip("depth-kernel-machine-solves-xor")
def classical_means_linear():
    """Believe that a support vector machine is a linear one: the best affine fit, which is 0 everywhere."""
    design = np.column_stack((CORNERS, np.ones(4)))
    return design @ np.linalg.lstsq(design, 2 * LABELS - 1)[0]


@slip("depth-kernel-machine-solves-xor")
def square_of_the_coefficient_forgotten():
    """Divide by 1 - 1/e, not by its square."""
    return depth.gram(CORNERS, CORNERS) @ (2 * LABELS - 1) / (1 - 1 / e)


def determinant():
    # $$ \det\bigl( e^{-\lVert x_i - x_j \rVert^2} \bigr)_{ij} = (1 - e^{-2})^4 $$
    import sympy

    return (1 - sympy.exp(-2)) ** 4


@claim("depth-xor-gram-determinant")
def determinant_in_symbols(determinant=determinant):
    """The determinant of the four by four matrix, in symbols."""
    import sympy

    corners = fractions(CORNERS)
    distances = depth.squared_distances(corners, corners)
    same(determinant(), sympy.expand(sympy.Matrix(4, 4, lambda i, j: sympy.exp(-int(distances[i, j]))).det()))


@claim("depth-xor-gram-determinant")
def determinant_in_floating_point(determinant=determinant):
    """The determinant of `gram`, by NumPy."""
    agree(float(determinant()), np.linalg.det(depth.gram(CORNERS, CORNERS)))


@slip("depth-xor-gram-determinant")
def singular():
    """Believe that no weights solve XOR, as for the kernel of a linear machine: determinant 0."""
    return 0


@slip("depth-xor-gram-determinant")
def each_axis_once():
    """Count the determinant of each axis once: the Kronecker product of two 2 x 2 matrices has their squares."""
    import sympy

    return (1 - sympy.exp(-2)) ** 2


@dataclass(frozen=True)
class Images:
    """Images as rows of pixels, as integers; one order of the pixels for all; a dense layer."""

    x: np.ndarray
    centres: np.ndarray
    order: np.ndarray
    W: np.ndarray


def images(rng):
    """Four images and three others, of seven pixels, that move."""
    draw = [rng.integers(0, 9, shape).astype(object) for shape in ((4, 7), (3, 7), (5, 7))]
    return Images(draw[0], draw[1], np.roll(rng.permutation(7), 1), draw[2])


def reordered(case):
    # $$ \lVert A x_i - A x_j \rVert^2 = \lVert x_i - x_j \rVert^2, \qquad W x_i = (W A^\top)\,A x_i $$
    A = np.eye(7, dtype=int).astype(object)[case.order]
    return depth.squared_distances(case.x @ A.T, case.centres @ A.T), (case.x @ A.T) @ (case.W @ A.T).T


@claim("depth-kernel-ignores-pixel-order", cases=images)
def in_the_first_order(case, reordered=reordered):
    """Distances and dense outputs before the pixels were moved: one pixel at a time, in integers."""
    distances = [[sum((a - b) ** 2 for a, b in zip(x, c, strict=True)) for c in case.centres] for x in case.x]
    outputs = [[sum(a * b for a, b in zip(x, w, strict=True)) for w in case.W] for x in case.x]
    found = reordered(case)
    same(found[0], distances)
    same(found[1], outputs)


def first_order(case):
    """The pixels stay where they are."""
    return replace(case, order=np.arange(7))


@slip("depth-kernel-ignores-pixel-order", blind=first_order)
def one_side_moved(case):
    """Move the pixels of the new images, and leave the training images and the weights as they were."""
    moved = case.x[:, case.order]
    return depth.squared_distances(moved, case.centres), moved @ case.W.T


def largest_windows():
    # $$ \max_i y_i = 4 \text{ before}, \qquad \max_i y_i = 1 \text{ after} $$
    block = np.zeros((1, 1, 6, 6), dtype=int).astype(object)
    block[..., 2:4, 2:4] = 1
    moved = np.zeros((1, 1, 6, 6), dtype=int).astype(object)
    moved[..., ::5, ::5] = 1
    ones = np.ones((1, 1, 2, 2), dtype=int).astype(object)
    return tuple(max(convolution.conv2d(image, ones).flat) for image in (block, moved))


@claim("depth-convolution-sees-pixel-order")
def windows_counted(largest=largest_windows):
    """Count the ones of each 2 x 2 window: of a block in the middle, and of the four corners."""

    def count(ones):
        windows = product(range(5), repeat=2)
        return max(sum((i + p, j + q) in ones for p, q in product((0, 1), repeat=2)) for i, j in windows)

    same(largest(), (count(set(product((2, 3), repeat=2))), count(set(product((0, 5), repeat=2)))))


@slip("depth-convolution-sees-pixel-order")
def same_as_a_kernel():
    """Believe that a convolution, like the kernel, ignores the order of the pixels."""
    return 4, 4


# --- when a network is deep ------------------------------------------------------------------------------------------


def collapsed(case):
    # $$ A = W^{(M)} \cdots W^{(1)}, \qquad b = \sum_{i=1}^{M} W^{(M)} \cdots W^{(i+1)}\, b^{(i)} $$
    return depth.collapse(case.params)


@claim("depth-linear-stack", cases=stack)
def column_by_column(case, collapsed=collapsed):
    """Send 0 and the basis vectors through the layers, without activation, in Fractions."""
    columns = layer_by_layer(Stack(case.params, np.vstack((np.zeros((1, 3), int), np.eye(3, dtype=int)))), lambda z: z)
    A, b = collapsed(case)
    same(b, columns[0])
    same(A, (columns[1:] - columns[0]).T)


@claim("depth-linear-stack", cases=stack)
def on_the_examples(case, collapsed=collapsed):
    """`forward` with the identity as activation, on the examples; and A and b are unique, as these span the space."""
    A, b = collapsed(case)
    identity = depth.forward(case.params, case.x, act=lambda z: z)
    same(np.shape(A), (2, 3))
    same(case.x @ A.T + b, identity)


@slip("depth-linear-stack")
def transposed(case):
    """Give A for rows, x A, where columns are meant, A x."""
    A, b = depth.collapse(case.params)
    return A.T, b


@slip("depth-linear-stack")
def biases_dropped(case):
    """Multiply the weights, and forget the biases."""
    A, b = depth.collapse(case.params)
    return A, 0 * b


@slip("depth-linear-stack")
def last_bias_only(case):
    """Keep the last bias, and forget that the others go through the layers above."""
    return depth.collapse(case.params)[0], case.params[-1][1]


def as_one_layer(case):
    A, b = depth.collapse(case.params[:2])
    return case.x @ A.T + b


@steps("depth-linear-stack-steps", cases=stack, ends_in=as_one_layer)
def two_layers(case):
    """Multiply out."""
    W1, b1 = case.params[0]
    W2, b2 = case.params[1]
    # W^{(2)} \bigl( W^{(1)} x + b^{(1)} \bigr) + b^{(2)}
    yield (case.x @ W1.T + b1) @ W2.T + b2
    # = \bigl( W^{(2)} W^{(1)} \bigr) x + \bigl( W^{(2)} b^{(1)} + b^{(2)} \bigr)
    yield case.x @ (W2 @ W1).T + (W2 @ b1 + b2)


@dataclass(frozen=True)
class Widths:
    """The sizes of the layers of a linear network, and a network of integers."""

    sizes: tuple
    params: Any


def linear_networks():
    """The narrowest layer is the input, a hidden one, or the output."""
    for sizes in ((5, 2, 6, 4), (7, 6, 3, 4), (6, 4, 5, 7, 4)):
        rng = np.random.default_rng(sum(sizes))
        shapes = list(pairwise(sizes))
        yield Widths(sizes, [(rng.integers(-9, 10, (out, into)), np.zeros(out, int)) for into, out in shapes])


def narrowest_first():
    """No hidden layer is narrower than both ends."""
    yield from (case for case in linear_networks() if min(case.sizes) < min(case.sizes[0], case.sizes[-1]))


def rank(case):
    # $$ \operatorname{rank} A \le \min_{0 \le i \le M} D^{(i)} $$
    return min(case.sizes)


@claim("depth-linear-stack-rank", cases=narrowest_first)
def rank_by_elimination(case, rank=rank):
    """Weights drawn among integers reach the bound: the rank of A, by exact elimination."""
    import sympy

    A = depth.collapse(exact(case.params))[0]
    same(sympy.Matrix(A.astype(int)).rank(), rank(case))


@claim("depth-linear-stack-rank")
def rank_bounded():
    """A hundred networks, some with weights that repeat: never above the bound."""
    rng = np.random.default_rng(0)

    def holds(sizes):
        params = [(rng.integers(-1, 2, (out, into)), np.zeros(out, int)) for into, out in pairwise(sizes)]
        return bool(np.linalg.matrix_rank(depth.collapse(params)[0]) <= min(sizes))

    every([tuple(rng.integers(1, 7, 4).tolist()) for _ in range(100)], holds)


@slip("depth-linear-stack-rank")
def more_layers_more_power(case):
    """Look at the two ends only, as if the layers between them could not lose anything."""
    return min(case.sizes[0], case.sizes[-1])


def most_right():
    # $$ \max_{W, b} \#\{\text{corners where } [\,z > 0\,] = \text{XOR}\} = 3 $$
    return 3


@claim("depth-linear-unit-misses-xor")
def no_unit_gets_four(most_right=most_right):
    """For all real weights, with z = 0 counted as class 0 or as class 1: never more; and OR gets as many."""
    import z3

    w1, w2, b = z3.Reals("w1 w2 b")
    z = [w1 * int(x1) + w2 * int(x2) + b for x1, x2 in CORNERS]
    for positive in (lambda a: a > 0, lambda a: a >= 0):
        right = [positive(a) if label else z3.Not(positive(a)) for a, label in zip(z, LABELS, strict=True)]
        proved(z3.Sum([z3.If(one, 1, 0) for one in right]) <= most_right())
    by_or = [int(int(x1 + x2 - 0.5 > 0) == label) for (x1, x2), label in zip(CORNERS, LABELS, strict=True)]
    same(most_right(), sum(by_or))


@claim("depth-linear-unit-misses-xor")
def the_diagonals_have_one_sum():
    """Both sums are w1 + w2 + 2b, for all real weights."""
    import z3

    w1, w2, b = z3.Reals("w1 w2 b")
    z = {(x1, x2): w1 * x1 + w2 * x2 + b for x1, x2 in product((0, 1), repeat=2)}
    # $$ z(0,0) + z(1,1) = z(0,1) + z(1,0) $$
    proved(z[0, 0] + z[1, 1] == z[0, 1] + z[1, 0])


@slip("depth-linear-unit-misses-xor")
def one_unit_is_enough():
    """Believe that one linear unit, n = 1, does it."""
    return 4


@slip("depth-linear-unit-misses-xor")
def no_better_than_chance():
    """Believe that a linear unit gets half of them."""
    return 2


def xor():
    # $$ \operatorname{relu}(x_1 + x_2) - 2 \operatorname{relu}(x_1 + x_2 - 1) $$
    return depth.forward(exact(depth.xor_network()), fractions(CORNERS))[:, 0]


@claim("depth-xor-network")
def all_four_corners(xor=xor):
    """The exclusive or of Python, at the four corners."""
    same(xor(), [a ^ b for a, b in product((0, 1), repeat=2)])


@slip("depth-xor-network")
def without_relu():
    """Leave ReLU out: 2 - x_1 - x_2, one linear unit."""
    return np.array([int(2 - x1 - x2) for x1, x2 in CORNERS])


@slip("depth-xor-network")
def factor_2_forgotten():
    """Subtract the second unit once: that is OR."""
    return np.array([int(relu(x1 + x2) - relu(x1 + x2 - 1)) for x1, x2 in CORNERS])


# --- universal approximation -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Points:
    """Points to join by straight lines, and the x where the network is asked."""

    knots: np.ndarray
    values: np.ndarray
    x: np.ndarray


def points(rng):
    """Six knots at unequal distances, in Fractions; x between, at, left and right of them."""
    knots = fractions(np.cumsum(rng.integers(1, 9, 6))) / 7
    values = fractions(rng.integers(-9, 10, 6)) + 10 * fractions(np.arange(6) % 2) + 3
    x = np.concatenate(([knots[0] - 2], knots, (knots[1:] + 2 * knots[:-1]) / 3, [knots[-1] + Fraction(5, 3)]))
    return Points(knots, values, x)


def joined(case):
    # $$ y(x) = \psi(x_0) + \sum_{j=0}^{D_{\mathrm h} - 1} W^{(2)}_j \operatorname{relu}(x - x_j),
    #    \qquad W^{(2)}_j = \text{slope}_j - \text{slope}_{j-1} $$
    return at(depth.interpolant(case.knots, case.values), case.x)


@claim("depth-interpolant", cases=points)
def line_through_two_points(case, joined=joined):
    """On each piece the line through its two ends, in Fractions; constant on the left, straight on the right."""

    def line(x):
        if x <= case.knots[0]:
            return case.values[0]
        j = min(max(k for k in range(6) if case.knots[k] <= x), 4)
        share = (x - case.knots[j]) / (case.knots[j + 1] - case.knots[j])
        return (1 - share) * case.values[j] + share * case.values[j + 1]

    same(joined(case), [line(x) for x in case.x])


@claim("depth-interpolant", cases=points)
def by_numpy(case, joined=joined):
    """NumPy's own interpolation, up to the last knot."""
    case = Points(case.knots.astype(float), case.values.astype(float), case.x[:-1].astype(float))
    agree(joined(case), np.interp(case.x, case.knots, case.values))
    unsigned = Points(np.array([1, 2, 5], dtype=np.uint8), np.array([7, 3, 9], dtype=np.uint8), np.arange(6))
    agree(
        depth.forward(depth.interpolant(unsigned.knots, unsigned.values), unsigned.x[:, None])[:, 0], [7, 7, 3, 5, 7, 9]
    )


@slip("depth-interpolant")
def slopes_not_their_changes(case):
    """Weigh each unit by the slope of its piece: the units left of it are still rising."""
    slopes = np.diff(case.values) / np.diff(case.knots)
    return case.values[0] + sum(
        slope * np.maximum(case.x - knot, 0) for slope, knot in zip(slopes, case.knots[:-1], strict=True)
    )


@slip("depth-interpolant")
def first_value_forgotten(case):
    """Begin at 0, not at the first value."""
    return joined(case) - case.values[0]


def widths():
    """Two to nine pieces."""
    yield from range(2, 10)


def root_error(n):
    # $$ \max_{0 \le x \le 1} \lvert \psi(x) - y(x) \rvert
    #    \le \max_{\lvert x_1 - x_2 \rvert \le 1 / D_{\mathrm h}} \lvert \psi(x_1) - \psi(x_2) \rvert $$
    return 1 / (4 * sqrt(n))


@claim("depth-continuous-error", cases=widths)
def of_the_root(n, root_error=root_error):
    """The square root, of unbounded slope: error 1/(4 sqrt(D_h)), at 1/(4 D_h); the largest change is 1/sqrt(D_h)."""
    x = np.union1d(np.linspace(0, 1, 401), [1 / (4 * n)])
    knots = np.linspace(0, 1, n + 1)
    error = np.abs(np.sqrt(x) - at(depth.interpolant(knots, np.sqrt(knots)), x))
    agree(root_error(n), error.max())
    at_most(error, np.full(x.size, 1 / sqrt(n)))
    same(int(error.argmax()), int(np.searchsorted(x, 1 / (4 * n))))


@claim("depth-continuous-error")
def the_line_is_between_its_ends():
    """A mean of two numbers is no further from psi(x) than the further of the two: for all real numbers."""
    import z3

    psi, left, right, theta, largest = z3.Reals("psi left right theta largest")
    near = [z3.And(-largest <= psi - end, psi - end <= largest) for end in (left, right)]
    error = psi - ((1 - theta) * left + theta * right)
    proved(z3.Implies(z3.And(theta >= 0, theta <= 1, *near), z3.And(-largest <= error, error <= largest)))


@slip("depth-continuous-error")
def as_if_the_slope_were_bounded(n):
    """Take the rate 1/D_h: the slope of the root is not bounded near 0."""
    return 1 / (4 * n)


@slip("depth-continuous-error")
def largest_change(n):
    """Take the bound for the error."""
    return 1 / sqrt(n)


@dataclass(frozen=True)
class Rough:
    """A largest slope, a number of pieces, and a point in one of them."""

    lipschitz: Fraction
    width: int
    theta: Fraction

    def psi(self, c):
        return lambda x: self.lipschitz * abs(x - c)


def rough(rng):
    """Two to eight pieces."""
    width = int(rng.integers(2, 9))
    return Rough(Fraction(int(rng.integers(1, 30)), 7), width, Fraction(int(rng.integers(1, 9)), 9))


def lipschitz_error(case):
    # $$ \max_{0 \le x \le 1} \lvert \psi(x) - y(x) \rvert \le \frac{\operatorname{Lip}(\psi)}{2 D_{\mathrm h}} $$
    return case.lipschitz / (2 * case.width)


@claim("depth-lipschitz-error", cases=rough)
def attained_by_a_kink(case, bound=lipschitz_error):
    """A kink in the middle of a piece attains the bound; other kinks stay below it. In Fractions."""
    n = case.width
    middle = Fraction(2 * (n // 2) + 1, 2 * n)
    same(error_at(case.psi(middle), n, [middle]), bound(case))
    every([Fraction(k, 23) for k in range(24)], lambda c: error_at(case.psi(c), n, [c]) <= bound(case))
    from_flat = error_at(lambda x: case.lipschitz * relu(x - middle), n, [middle])
    same(2 * from_flat, bound(case))  # a kink that begins flat: half of it


@claim("depth-lipschitz-error", cases=rough)
def of_zigzags(case):
    """Twenty zigzags with slopes up to the largest, at 61 points each."""
    rng, n, x = np.random.default_rng(case.width), case.width, np.linspace(0, 1, 61)
    for _ in range(20):
        slopes = rng.uniform(-1, 1, 30) * float(case.lipschitz)
        values = np.interp(x, np.linspace(0, 1, 31), np.concatenate(([0.0], np.cumsum(slopes) / 30)))
        knots = np.linspace(0, 1, n + 1)
        y = at(depth.interpolant(knots, np.interp(knots, x, values)), x)
        at_most(np.abs(values - y), np.full(61, float(lipschitz_error(case))))


def one_piece(case):
    """One unit: there both rates are one."""
    return replace(case, width=1)


@slip("depth-lipschitz-error", blind=one_piece)
def rate_of_a_smooth_function(case):
    """Divide by the square of the width, though only the slope is bounded."""
    return case.lipschitz / (2 * case.width**2)


@slip("depth-lipschitz-error")
def slope_times_half_a_piece_twice(case):
    """Forget the factor 1/2: take the largest change over a whole piece."""
    return case.lipschitz / case.width


@steps("depth-lipschitz-steps", cases=rough, ends_in=lipschitz_error)
def straight_line_error(case):
    """The line is a mean of the two ends; each end is near, or has a small weight."""
    c = Fraction(1, 3)
    psi, n, theta = case.psi(c), case.width, case.theta
    left, right = Fraction(n // 3, n), Fraction(n // 3 + 1, n)
    x = (1 - theta) * left + theta * right
    # \lvert \psi(x) - y(x) \rvert
    yield abs(psi(x) - at(equal_pieces(psi, n), np.array([x]))[0])
    # \le (1 - \theta)\,\lvert \psi(x) - \psi(x_j) \rvert + \theta\,\lvert \psi(x) - \psi(x_{j+1}) \rvert
    yield (1 - theta) * abs(psi(x) - psi(left)) + theta * abs(psi(x) - psi(right))
    # \le 2\,\theta (1 - \theta)\,\frac{\operatorname{Lip}(\psi)}{D_{\mathrm h}}
    yield 2 * theta * (1 - theta) * case.lipschitz / n
    # \le \frac{\operatorname{Lip}(\psi)}{2 D_{\mathrm h}}
    yield case.lipschitz / (2 * n)


@claim("depth-lipschitz-error")
def two_weights():
    """2 theta (1 - theta) is at most 1/2, for every real theta."""
    import z3

    theta = z3.Real("theta")
    proved(2 * theta * (1 - theta) <= z3.Q(1, 2))


def kinks_off_the_knots():
    """Widths that 3 does not divide."""
    yield from (2, 4, 5, 7, 8, 16, 32, 64)


def a_third(x):
    return abs(x - Fraction(1, 3))


def kink_error(n):
    # $$ \max_{0 \le x \le 1} \lvert \psi(x) - y(x) \rvert = \frac{4}{9 D_{\mathrm h}} $$
    return Fraction(4, 9 * n) if n % 3 else Fraction(0)


@claim("depth-kink-error", cases=kinks_off_the_knots)
def at_the_kink_and_elsewhere(n, kink_error=kink_error):
    """The largest error, exactly: it is straight between the knots and the kink, so these are enough."""
    same(error_at(a_third, n, [Fraction(1, 3), *(Fraction(j, n) for j in range(n + 1))]), kink_error(n))


@claim("depth-kink-error")
def none_where_three_divides():
    """A knot at the kink: no error at all."""
    same([error_at(a_third, n, [Fraction(j, 36) for j in range(37)]) for n in (3, 6, 9)], [0, 0, 0])
    same([kink_error(n) for n in (3, 6, 9)], [0, 0, 0])


@claim("depth-kink-error")
def none_with_a_knot_there():
    """Two units with knots at 0 and 1/3, which are not equal pieces: no error, in Fractions."""
    knots, x = fractions([0, 0, 1]) + np.array([0, Fraction(1, 3), 0]), [Fraction(j, 36) for j in range(37)]
    same(at(depth.interpolant(knots, abs(knots - Fraction(1, 3))), np.array(x)), [a_third(point) for point in x])


@claim("depth-kink-error")
def halved_when_the_width_doubles():
    """Width 4 to 64: the errors of the networks fall like 1 over the width."""
    widths = [4, 8, 16, 32, 64]
    errors = [float(error_at(a_third, n, [Fraction(1, 3)])) for n in widths]
    agree(np.polyfit(np.log(widths), np.log(errors), 1)[0], -1.0, tolerance=0.05)


@slip("depth-kink-error")
def square_of_the_width(n):
    """Take the rate of a smooth function."""
    return Fraction(4, 9 * n * n)


@slip("depth-kink-error")
def bound_for_the_error(n):
    """Take the bound, which a kink in the middle of a piece attains; a third is not in the middle."""
    return Fraction(1, 2 * n)


@dataclass(frozen=True)
class Smooth:
    """A largest second derivative, and a number of pieces."""

    curvature: Fraction
    width: int


def smooth(rng):
    """Two to eight pieces."""
    return Smooth(Fraction(int(rng.integers(1, 30)), 7), int(rng.integers(2, 9)))


def smooth_error(case):
    # $$ \max_{0 \le x \le 1} \lvert \psi(x) - y(x) \rvert
    #    \le \frac{\max \lvert \psi'' \rvert}{8 D_{\mathrm h}^2} $$
    return case.curvature / (8 * case.width**2)


@claim("depth-smooth-error", cases=smooth)
def attained_by_parabolas(case, bound=smooth_error):
    """A parabola attains it, in the middle of each piece; other cubes and parabolas stay below. In Fractions."""
    c, n = case.curvature, case.width
    middles = [Fraction(2 * j + 1, 2 * n) for j in range(n)]
    same(error_at(lambda x: c * x * x / 2, n, middles), bound(case))
    grid = [Fraction(k, 40) for k in range(41)]
    every([1, 2, 3], lambda p: error_at(lambda x: c * x ** (p + 1) / (p * (p + 1)), n, grid) <= bound(case))


@claim("depth-smooth-error")
def of_a_sine():
    """sin(3x), whose second derivative reaches 9: below the bound, and near it for many pieces."""
    x = np.linspace(0, 1, 4001)
    for n in (3, 10, 40):
        knots = np.linspace(0, 1, n + 1)
        error = np.abs(np.sin(3 * x) - at(depth.interpolant(knots, np.sin(3 * knots)), x)).max()
        at_most(error, smooth_error(Smooth(9, n)))
    differ(error, 0.0, by=0.98, scale=smooth_error(Smooth(9, n)))


@slip("depth-smooth-error")
def half_for_an_eighth(case):
    """Divide by 2, as in the remainder of a Taylor series at one end; the line is right at both."""
    return case.curvature / (2 * case.width**2)


@slip("depth-smooth-error", blind=lambda case: replace(case, width=1))
def rate_of_a_rough_function(case):
    """Divide by the width once."""
    return case.curvature / (8 * case.width)


def square_error(n):
    # $$ \max_{0 \le x \le 1} \lvert x^2 - y(x) \rvert = \frac{1}{4 D_{\mathrm h}^2} $$
    return Fraction(1, 4 * n * n)


@claim("depth-square-error", cases=widths)
def at_the_middles(n, square_error=square_error):
    """The error in the middle of every piece is this, and at 200 other points not more. In Fractions."""
    middles = [Fraction(2 * j + 1, 2 * n) for j in range(n)]
    every(middles, lambda x: error_at(lambda x: x * x, n, [x]) == square_error(n))
    same(error_at(lambda x: x * x, n, [*middles, *(Fraction(k, 199) for k in range(200))]), square_error(n))


@claim("depth-square-error")
def quartered_when_the_width_doubles():
    """Width 4 to 64: the errors of the networks fall like 1 over the square of the width."""
    widths = [4, 8, 16, 32, 64]
    errors = [float(error_at(lambda x: x * x, n, [Fraction(1, 2 * n)])) for n in widths]
    agree(np.polyfit(np.log(widths), np.log(errors), 1)[0], -2.0, tolerance=0.05)


@slip("depth-square-error")
def second_derivative_1(n):
    """Take 1 for the second derivative of x^2, which is 2."""
    return Fraction(1, 8 * n * n)


@slip("depth-square-error")
def width_not_squared(n):
    """Divide by the width once."""
    return Fraction(1, 4 * n)


@steps("depth-square-steps", cases=widths, ends_in=square_error)
def product_of_two_distances(n):
    """On one piece: the product of the distances to its two ends, largest in the middle."""
    left, right, x = Fraction(1, n), Fraction(2, n), Fraction(7, 5 * n)
    # y(x) - x^2
    yield at(equal_pieces(lambda x: x * x, n), np.array([x]))[0] - x**2
    # = (x - x_j)(x_{j+1} - x)
    yield (x - left) * (right - x)
    # \le \frac14\,(x_{j+1} - x_j)^2
    yield (right - left) ** 2 / 4
    # = \frac{1}{4 D_{\mathrm h}^2}
    yield Fraction(1, 4 * n**2)


def jump_error():
    # $$ \min_{y \text{ continuous}}\ \sup_{x} \lvert\, [\,x > \tfrac12\,] - y(x) \,\rvert = \frac12 $$
    return Fraction(1, 2)


@claim("depth-jump")
def one_value_for_two(jump_error=jump_error):
    """At the jump y has one value, near 0 from the left and near 1 from the right: no real number does better."""
    import z3

    y, bound = z3.Real("y"), jump_error()
    bound = z3.Q(bound.numerator, bound.denominator)
    proved(z3.Or(y >= bound, -y >= bound, 1 - y >= bound, y - 1 >= bound))
    same(max(abs(0 - Fraction(1, 2)), abs(1 - Fraction(1, 2))), jump_error())  # the constant 1/2


@claim("depth-jump")
def interpolants_of_a_step(jump_error=jump_error):
    """Interpolants with up to 64 units: the error just left or right of the jump stays at 1/2 or more, exactly."""
    smallest = []
    for n in (1, 3, 7, 64):
        y = at(equal_pieces(lambda x: Fraction(int(2 * x > 1)), n), np.array([Fraction(1, 2)]))[0]
        smallest.append(max(abs(y), abs(1 - y)))
    same(min(smallest), jump_error())


@slip("depth-jump")
def any_function():
    """Leave out that psi is continuous, and believe that any function is approximated."""
    return Fraction(0)


def far_error():
    # $$ \min_{W, b}\ \max_{\lvert x - x_0 \rvert \le \delta} \lvert x^2 - (W x + b) \rvert = \frac{\delta^2}{2} $$
    import sympy

    return sympy.Symbol("delta", positive=True) ** 2 / 2


@claim("depth-not-compact")
def second_difference(far_error=far_error):
    """Three errors: the ends less twice the middle is 2 delta^2, so one is delta^2/2 or more; one line has no more."""
    import sympy

    delta, x0, w, b = sympy.symbols("delta x_0 w b", real=True)
    bound = far_error().subs(sympy.Symbol("delta", positive=True), delta) if far_error() != 0 else sympy.Integer(0)
    error = [x**2 - (w * x + b) for x in (x0 - delta, x0, x0 + delta)]
    same(error[0] - 2 * error[1] + error[2], 4 * bound)
    best = {w: 2 * x0, b: delta**2 / 2 - x0**2}
    same([value.subs(best) for value in error], [bound, -bound, bound])


@claim("depth-not-compact")
def straight_past_the_last_kink():
    """Fifty ReLU networks, of one to three hidden layers: straight beyond their last breakpoint. In Fractions."""
    rng = np.random.default_rng(3)

    def holds(sizes):
        params = drawn(rng, sizes)
        last = max([Fraction(0), *depth.breakpoints(params)])
        a, b, c = at(params, [last, last + 7, last + 14])
        return a - 2 * b + c == 0

    every([(1, 3, 1), (1, 3, 2, 1), (1, 2, 3, 2, 1), (1, 4, 1), (1, 3, 3, 1)] * 10, holds)


@slip("depth-not-compact")
def on_the_whole_line_too():
    """Leave out that the set is bounded, and believe that the error can be made small on all of it."""
    import sympy

    return sympy.Integer(0)


@slip("depth-not-compact")
def error_of_the_chord():
    """Take the line through the two ends: it can be lowered by half of its error."""
    import sympy

    return sympy.Symbol("delta", positive=True) ** 2


def squares_network():
    """One input, three units with the square as activation, one output, in symbols."""
    import sympy

    draw = [np.array(sympy.symbols(f"{name}:3", real=True)) for name in "abc"]
    yield [(draw[0][:, None], draw[1]), (draw[2][None], np.array([sympy.Symbol("d", real=True)]))]


def coefficients(params):
    # $$ y(x) = \Bigl( b^{(2)} + \sum_j W^{(2)}_j \bigl(b^{(1)}_j\bigr)^2 \Bigr)
    #    + \Bigl( 2 \sum_j W^{(2)}_j W^{(1)}_j b^{(1)}_j \Bigr) x
    #    + \Bigl( \sum_j W^{(2)}_j \bigl(W^{(1)}_j\bigr)^2 \Bigr) x^2 $$
    (W, b), (out, shift) = params
    W, out = W[:, 0], out[0]
    return np.array([shift[0] + out @ b**2, 2 * (out @ (W * b)), out @ W**2])


@claim("depth-squares-make-a-quadratic", cases=squares_network)
def coefficients_of_x(params, coefficients=coefficients):
    """`forward` in symbols, with the square as activation: its coefficients of 1, x and x^2, and no others."""
    import sympy

    x = sympy.Symbol("x", real=True)
    y = sympy.Poly(depth.forward(params, np.array([[x]]), act=lambda z: z * z)[0, 0], x)
    same(coefficients(params), y.all_coeffs()[::-1])


@slip("depth-squares-make-a-quadratic")
def cross_terms_once(params):
    """Forget the 2 of the cross terms."""
    c = coefficients(params)
    return np.array([c[0], c[1] / 2, c[2]])


@slip("depth-squares-make-a-quadratic")
def weights_not_squared(params):
    """Leave the first weights as they are in the coefficient of x^2."""
    c = coefficients(params)
    return np.array([c[0], c[1], sum(params[1][0][0] * params[0][0][:, 0])])


def squares_error():
    # $$ \min_{c_0, c_1, c_2}\ \max_{-1 \le x \le 1}
    #    \bigl\lvert\, \lvert x \rvert - (c_0 + c_1 x + c_2 x^2) \,\bigr\rvert = \frac18 $$
    return Fraction(1, 8)


@claim("depth-squares-error")
def equal_and_alternating(squares_error=squares_error):
    """Every quadratic is off by this at -1, -1/2, 0, 1/2 or 1; and x^2 + 1/8 by no more, at any x from -1 to 1."""
    import z3

    c0, c1, c2, x = z3.Reals("c0 c1 c2 x")
    bound = z3.Q(squares_error().numerator, squares_error().denominator)

    def error(x, c0, c1, c2):
        return z3.If(x >= 0, x, -x) - (c0 + c1 * x + c2 * x * x)

    at_five = [error(z3.Q(k, 2), c0, c1, c2) for k in range(-2, 3)]
    proved(z3.Or(*(z3.Or(value >= bound, -value >= bound) for value in at_five)))
    best = error(x, z3.Q(1, 8), 0, 1)
    proved(z3.Implies(z3.And(x >= -1, x <= 1), z3.And(best <= bound, -best <= bound)))


@claim("depth-squares-error")
def two_relu_units():
    """With ReLU, relu(x) + relu(-x) is |x|: two units, no error."""
    x = np.array([Fraction(k, 7) for k in range(-7, 8)])
    same(at(exact([([[1], [-1]], [0, 0]), ([[1, 1]], [0])]), x), abs(x))


@slip("depth-squares-error")
def any_activation():
    """Believe that any activation will do, with units enough."""
    return Fraction(0)


@slip("depth-squares-error")
def best_without_the_shift():
    """Take the error of x^2, which 1/8 halves."""
    return Fraction(1, 4)


def between(case):
    # $$ y_1(x_i) = y_2(x_i) \text{ at all examples},
    #    \qquad y_1 \Bigl( \frac{x_i + x_{i+1}}{2} \Bigr) - y_2 \Bigl( \frac{x_i + x_{i+1}}{2} \Bigr) = \delta $$
    middles = (case.knots[1:] + case.knots[:-1]) / 2
    knots = np.sort(np.concatenate((case.knots, middles)))
    straight = np.interp(np.arange(11), np.arange(0, 11, 2), case.values.astype(float))
    raised = straight + np.where(np.arange(11) % 2, 2.5, 0.0)
    first, second = (at(depth.interpolant(knots, fractions(values)), knots) for values in (raised, straight))
    return first - second


@claim("depth-no-word-between-examples", cases=points)
def right_and_apart(case, between=between):
    """Two interpolants, exactly: no difference at the six examples, and 5/2 in the five gaps."""
    same(between(case), [Fraction(5, 2) * (j % 2) for j in range(11)])


@slip("depth-no-word-between-examples")
def a_good_fit_generalises(case):
    """Believe that networks that agree on the examples agree between them."""
    return np.zeros(11, dtype=int)


# --- why several layers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Folds:
    """A number of folds, and points of [0, 1] in Fractions."""

    t: int
    x: np.ndarray


def folds():
    """One to six folds, at the multiples of 1/128 and of 1/37."""
    for t in range(1, 7):
        yield Folds(t, np.array([Fraction(k, n) for n in (64, 11) for k in range(n + 1)]))


def many_folds():
    """Two to six folds."""
    yield from (case for case in folds() if case.t > 1)


def folded(case):
    # $$ y(x) = \underbrace{\operatorname{tent}(\operatorname{tent}(\cdots \operatorname{tent}}_{t \text{ times}}(x))),
    #    \qquad \operatorname{tent}(x) = 2 \operatorname{relu}(x) - 4 \operatorname{relu}\bigl(x - \tfrac12\bigr) $$
    return at(exact(depth.tent_network(case.t)), case.x)


@claim("depth-tent-network", cases=many_folds)
def by_folding(case, folded=folded):
    """Take the smaller of 2x and 2 - 2x, t times."""
    x = case.x
    for _ in range(case.t):
        x = np.minimum(2 * x, 2 - 2 * x)
    same(folded(case), x)


@claim("depth-tent-network", cases=many_folds)
def distance_to_an_even_number(case, folded=folded):
    """The distance of 2^t x to the nearest even number."""
    x = 2**case.t * case.x
    same(folded(case), [min(value % 2, 2 - value % 2) for value in x])


@slip("depth-tent-network")
def folded_once(case):
    """Fold once, and stretch."""
    return case.t * np.minimum(2 * case.x, 2 - 2 * case.x)


@slip("depth-tent-network")
def weight_4_read_as_2(case):
    """Turn the slope from 2 to 0, not to -2."""
    x = case.x
    for _ in range(case.t):
        x = 2 * relu(x) - 2 * relu(x - Fraction(1, 2))
    return x


def three_folds_or_more():
    """Three to six folds: for one and two, 2t and 2^t are one number."""
    yield from range(3, 7)


def two_folds(t):
    """t = 2."""
    return 2


def pieces(t):
    # $$ 2t \text{ units}, \qquad 2^t \text{ pieces on } [0, 1],
    #    \qquad 2^t + 2 \text{ pieces on } \mathbb R \quad (t \ge 2) $$
    return 2 * t, 2**t, 2**t + 2 if t > 1 else 3


@claim("depth-tent-pieces", cases=three_folds_or_more)
def breakpoints_counted(t, pieces=pieces):
    """The units and the breakpoints of the network, in Fractions."""
    params = depth.tent_network(np.int64(t))
    units = sum(b.size for _, b in params[:-1])
    same(pieces(t), (units, len(depth.breakpoints(params, 0, 1)) + 1, len(depth.breakpoints(params)) + 1))


@claim("depth-tent-pieces", cases=three_folds_or_more)
def slopes_compared(t, pieces=pieces):
    """Its values at the multiples of 2^(-t-1) only, in Fractions: where three of them are not on a line."""

    def count(first, last):
        x = np.array([Fraction(k, 2 ** (t + 1)) for k in range(first * 2 ** (t + 1), last * 2 ** (t + 1) + 1)])
        return int((np.diff(at(exact(depth.tent_network(t)), x), 2) != 0).sum()) + 1

    same(pieces(t), (len(depth.tent_network(t)[:-1]) * 2, count(0, 1), count(-1, 2)))


@claim("depth-tent-pieces")
def one_fold_and_two():
    """One fold: 2 pieces, 3 on the line. Two: 4 and 6. And one fold has no flat piece on the right."""
    for t, count in ((1, (2, 2, 3)), (2, (4, 4, 6))):
        params = depth.tent_network(t)
        same(pieces(t), count)
        same(count[1:], (len(depth.breakpoints(params, 0, 1)) + 1, len(depth.breakpoints(params)) + 1))


@slip("depth-tent-pieces", blind=two_folds)
def two_pieces_a_layer(t):
    """Add two pieces a fold: 2t, where each fold doubles them."""
    return 2 * t, 2 * t, 2 * t + 2


@slip("depth-tent-pieces")
def only_on_the_interval(t):
    """Forget the two flat pieces left of 0 and right of 1."""
    return 2 * t, 2**t, 2**t


@dataclass(frozen=True)
class Shallow:
    """A width, and networks of one hidden layer of so many units."""

    width: int
    networks: Any


def shallow():
    """Widths 2 to 6, forty networks each, some with two kinks at one place or units that are constant."""
    for width in range(2, 7):
        rng = np.random.default_rng(width)
        yield Shallow(width, tuple(drawn(rng, (1, width, 1)) for _ in range(40)))


def single_unit(case):
    """One unit that bends."""
    rng = np.random.default_rng(1)
    networks = [drawn(rng, (1, 1, 1)) for _ in range(40)]
    return Shallow(1, tuple(net for net in networks if net[0][0][0, 0] and net[1][0][0, 0]))


def most_pieces(case):
    # $$ \text{pieces} \le D_{\mathrm h} + 1 $$
    return [1 + len(depth.breakpoints(params)) for params in case.networks]


@claim("depth-shallow-pieces", cases=shallow)
def kinks_of_the_units(case, most_pieces=most_pieces):
    """A unit bends at x = -b/w, if w is not 0: the places where bends do not cancel, plus 1, for each network."""

    def places(params):
        bends = {}
        (W, b), (out, _) = params
        for w, shift, weight in zip(W[:, 0], b, out[0], strict=True):
            if w:
                bends[-shift / w] = bends.get(-shift / w, 0) + weight * abs(w)
        return sum(bend != 0 for bend in bends.values())

    counts = most_pieces(case)
    same(counts, [1 + places(params) for params in case.networks])
    same(max(counts), case.width + 1)  # no more; and reached among these forty


@slip("depth-shallow-pieces", blind=single_unit)
def a_pattern_a_piece(case):
    """Count the 2^D_h patterns of units that are on and off: on a line only D_h + 1 of them occur."""
    return [2**case.width] * len(case.networks)


@slip("depth-shallow-pieces")
def as_many_as_units(case):
    """Count the kinks, not the pieces between them."""
    return [pieces - 1 for pieces in most_pieces(case)]


def shallow_units(t):
    # $$ D_{\mathrm h} = 2^t $$
    return 2**t


@claim("depth-shallow-tent-units", cases=three_folds_or_more)
def so_many_suffice(t, units=shallow_units):
    """The one hidden layer that `one_hidden_layer` builds has so many units, and equals the folds exactly."""
    deep = depth.tent_network(t)
    flat = depth.one_hidden_layer(deep, 0, 1)
    x = np.array([Fraction(k, 3 * 2**t) for k in range(3 * 2**t + 1)])
    same(at(flat, x), at(exact(deep), x))
    same(units(t), flat[0][1].size)


def three_folds_and_four():
    """Three and four folds."""
    yield from (3, 4)


@claim("depth-shallow-tent-units", cases=three_folds_and_four)
def one_less_does_not(t, units=shallow_units):
    """With one unit a breakpoint and no more, the first slope is not 2^t: every choice of sides is tried."""
    breaks = depth.breakpoints(depth.tent_network(t), 0, 1)
    same(units(t), len(breaks) + 1)
    bends = [-2 * 2**t * (-1) ** k for k in range(units(t) - 1)]
    sides = product((0, 1), repeat=len(bends))
    every(sides, lambda on_left: -sum(bend * side for bend, side in zip(bends, on_left, strict=True)) != 2**t)


@claim("depth-shallow-tent-units", cases=three_folds_and_four)
def one_unit_a_bend(t):
    """What the last count uses: the first slope is 2^t, and the slope jumps by 2 times 2^t, up and down in turn."""
    deep = exact(depth.tent_network(t))
    x = np.array([Fraction(2 * j + side, 2 ** (t + 1)) for j in range(2**t) for side in (0, 1)])
    slopes = np.diff(at(deep, x))[::2] * 2 ** (t + 1)
    same(slopes, [2**t * (-1) ** j for j in range(2**t)])


@slip("depth-shallow-tent-units", blind=two_folds)
def one_layer_is_enough_in_practice(t):
    """Believe that one layer does it with the units of the deep network."""
    return 2 * t


@slip("depth-shallow-tent-units")
def a_unit_a_breakpoint(t):
    """Take the bound 2^t - 1 that the count of pieces gives: no unit is left for the first slope."""
    return 2**t - 1


def shallow_error():
    # $$ \max_{0 \le x \le 1} \lvert \psi(x) - y(x) \rvert \ge \frac12 \qquad (D_{\mathrm h} \le 2^t - 2) $$
    return Fraction(1, 2)


def zigzag(t):
    return np.array([Fraction(j % 2) for j in range(2**t + 1)])


@claim("depth-shallow-tent-error")
def too_few_units(shallow_error=shallow_error):
    """Four folds, 1 to 14 units: interpolants and random networks are off by 1/2 or more; the constant 1/2 by 1/2."""
    t, x = 4, np.array([Fraction(j, 16) for j in range(17)])
    rng = np.random.default_rng(5)

    def error(params):
        return max(abs(at(params, x) - zigzag(t)))

    networks = []
    for n in range(1, 15):
        for _ in range(5):
            inner = sorted(rng.choice(np.arange(1, 16), n - 1, replace=False))
            networks.append(depth.interpolant(x[[0, *inner, 16]], zigzag(t)[[0, *inner, 16]]))
            (W, b), (out, shift) = drawn(rng, (1, n, 1))
            networks.append([(W, b), (out / 9, shift / 9)])
    errors = [error(params) for params in networks]
    same(min([*errors, error(exact([([[0]], [0]), ([[0]], [0.5])]))]), shallow_error())


@claim("depth-shallow-tent-error")
def a_piece_crosses_once():
    """On a straight piece, two changes of side of 1/2 between three points are impossible, for all real numbers."""
    import z3

    w, b, x1, x2, x3 = z3.Reals("w b x1 x2 x3")
    z = [w * x + b - z3.Q(1, 2) for x in (x1, x2, x3)]
    ordered = z3.And(x1 < x2, x2 < x3)
    proved(z3.Implies(ordered, z3.Not(z3.And(z[0] < 0, z[1] > 0, z[2] < 0))))
    proved(z3.Implies(ordered, z3.Not(z3.And(z[0] > 0, z[1] < 0, z[2] > 0))))


@slip("depth-shallow-tent-error")
def approximated_by_few():
    """Take the theorem to promise a small error with few units."""
    return Fraction(0)


def parameters(t):
    # $$ P_{\text{deep}} = 6t + 1, \qquad P_{\text{shallow}} = 3 \cdot 2^t + 1 $$
    return mlp.parameter_count([1, *[2] * t, 1]), mlp.parameter_count([1, 2**t, 1])


@claim("depth-tent-parameters", cases=three_folds_or_more)
def entries_counted(t, parameters=parameters):
    """The entries of the arrays of both networks; and by the formulas."""
    deep = depth.tent_network(t)
    counts = tuple(sum(W.size + b.size for W, b in net) for net in (deep, depth.one_hidden_layer(deep, 0, 1)))
    same(parameters(t), counts)
    same(parameters(t), (6 * t + 1, 3 * 2**t + 1))


@slip("depth-tent-parameters")
def deep_means_more_parameters(t):
    """Believe that the deeper network is the larger: t times the shallow one."""
    return t * (3 * 2**t + 1), 3 * 2**t + 1


@slip("depth-tent-parameters")
def units_for_parameters(t):
    """Count the units."""
    return 2 * t, 2**t


def deep(rng):
    """Hidden layers of 4, 3 and 3 units, three bends at least on [-2, 2]; points in Fractions."""
    while True:
        params = drawn(rng, (1, 4, 3, 3, 1))
        if len(depth.breakpoints(params, -2, 2)) >= 3:
            return Stack(params, np.array([Fraction(k, 19) for k in range(-38, 39)]))


def flattened(case):
    # $$ y_{\text{shallow}}(x) = y_{\text{deep}}(x) \quad \text{for all } x \in [x_0, x_{D_{\mathrm h}}],
    #    \qquad D_{\mathrm h} = \text{number of pieces} $$
    params = depth.one_hidden_layer(case.params, -2, 2)
    return at(params, case.x), params[0][1].size


@claim("depth-same-functions-on-a-line", cases=deep)
def one_layer_for_three(case, flattened=flattened):
    """Both networks at 77 points, in Fractions; and the slopes of the deep one, from its breakpoints."""
    values, units = flattened(case)
    same(values, at(case.params, case.x))
    ends = [Fraction(-2), *depth.breakpoints(case.params, -2, 2), Fraction(2)]
    thirds = [np.array([left, (2 * left + right) / 3, (left + right) / 2, right]) for left, right in pairwise(ends)]
    every(thirds, lambda x: len(set(np.diff(at(case.params, x)) / np.diff(x))) == 1)
    same(units, len(thirds))
    single = [(W.astype(np.float32), b.astype(np.float32)) for W, b in depth.tent_network(3)]
    same(depth.breakpoints(single, np.float32(0), np.float32(1)), [Fraction(j, 8) for j in range(1, 8)])


@slip("depth-same-functions-on-a-line")
def a_unit_for_each_deep_unit(case):
    """Give the shallow network as many units as the deep one, ten, at equal distances."""
    knots = np.array([Fraction(4 * j, 10) - 2 for j in range(11)])
    return at(depth.interpolant(knots, at(case.params, knots)), case.x), 10


def both_positive(x1, x2):
    """relu(min(x1, x2)) by two hidden layers: x2 less relu(x2 - x1), then ReLU."""
    params = exact([([[-1, 1], [0, 1], [0, -1]], [0, 0, 0]), ([[-1, 1, -1]], [0]), ([[1]], [0])])
    return depth.forward(params, fractions([[x1, x2]]))[0, 0]


def jumps():
    # $$ \operatorname{relu}(\min(x_1, x_2)) = \operatorname{relu}\bigl( x_2 - \operatorname{relu}(x_2 - x_1) \bigr) $$
    h = Fraction(1, 10)
    return tuple((both_positive(h, x2) - 2 * both_positive(0, x2) + both_positive(-h, x2)) / h for x2 in (1, -1))


@claim("depth-two-inputs")
def a_kink_that_ends(jumps=jumps):
    """The slope along x1 jumps by 1 on the line x1 = 0 where x2 = 1, and by 0 where x2 = -1."""

    def slope(x1, x2):
        return int(0 < x1 < x2)

    same(jumps(), [slope(0.1, x2) - slope(-0.1, x2) for x2 in (1, -1)])


@claim("depth-two-inputs")
def two_layers_do_it():
    """For all real x1 and x2, with the definitions of min and relu; and the network on a grid."""
    import z3

    x1, x2 = z3.Reals("x1 x2")

    def positive(a):
        return z3.If(a > 0, a, z3.RealVal(0))

    proved(positive(z3.If(x1 < x2, x1, x2)) == positive(x2 - positive(x2 - x1)))
    every(list(product(range(-3, 4), repeat=2)), lambda x: both_positive(*x) == max(0, min(x)))


@claim("depth-two-inputs")
def one_layer_bends_all_along():
    """A hundred networks of one hidden layer: on the line x1 = 0 the jump is one number, far up and far down."""
    rng, h = np.random.default_rng(8), Fraction(1, 100)

    def holds(_):
        params = drawn(rng, (2, 4, 1))
        params[0][0][0, 1], params[0][1][0] = Fraction(0), Fraction(0)  # one unit that bends on the line

        def jump(x2):
            up, on, down = depth.forward(params, np.array([[h, x2], [0, x2], [-h, x2]]))[:, 0]
            return (up - 2 * on + down) / h

        return jump(Fraction(1000)) == jump(Fraction(-1000))

    every(range(100), holds)


@slip("depth-two-inputs")
def as_one_layer_bends():
    """Believe that one hidden layer writes it: the jump would be the same all along the line."""
    return Fraction(1), Fraction(1)


# --- in use ----------------------------------------------------------------------------------------------------------


@claim("depth-bad-input")
def bad_input():
    """Wrong shapes, wrong dtypes, layers that do not fit, knots that do not increase, counts that are no counts."""
    net, x = depth.xor_network(), np.ones((3, 2))
    ragged = [[1.0, 2.0], [3.0]]
    odd = [np.array([[entry, Fraction(1)]], dtype=object) for entry in (True, 1j, np.complex64(1), np.inf, np.nan)]
    for bad in (
        [],
        None,
        3.0,
        [np.ones((2, 2))],
        [(np.ones((2, 2)), np.ones(3))],
        [(np.ones(2), np.ones(2))],
        [net[0], (np.ones((1, 3)), np.ones(1))],
        [(np.ones((2, 2)) > 0, np.ones(2))],
        [(ragged, np.ones(2))],
        [(np.ones((0, 2)), np.ones(0))],
    ):
        refuses(lambda bad=bad: depth.forward(bad, x), naming="params")
        refuses(lambda bad=bad: depth.collapse(bad), naming="params")
        refuses(lambda bad=bad: depth.breakpoints(bad), naming="params")
    refuses(lambda: depth.breakpoints(net), naming="params")
    refuses(lambda: depth.breakpoints([(np.ones((2, 1)), np.ones(2))]), naming="params")
    for bad in (x[0], x[:0], x[:, :1], x > 0, x * 1j, x * np.nan, ragged, [["a", "b"]], [[None, 1]], *odd):
        refuses(lambda bad=bad: depth.forward(net, bad), naming="x")
        refuses(lambda bad=bad: depth.gram(x, bad), naming="centres")
    refuses(lambda: depth.interpolant([-1e308, 1e308], [1.0, 2.0]), naming="knots")
    for bad in (x[0], x[:0], x > 0, x * 1j, ragged, x * np.inf):
        refuses(lambda bad=bad: depth.squared_distances(bad, x), naming="x")
    refuses(lambda: depth.forward(net, x, act="relu"), naming="act")
    for bad in ([0.0], [0.0, 0.0], [1.0, 0.0], [[0.0, 1.0]], [0.0, np.nan], [0.0, np.inf], ragged, [False, True]):
        refuses(lambda bad=bad: depth.interpolant(bad, [1.0, 2.0]), naming="knots")
    for bad in ([1.0], [1.0, np.nan], [1j, 2.0], 3.0, ragged, [-1e308, 1e308]):
        refuses(lambda bad=bad: depth.interpolant([0.0, 0.5], bad), naming="values")
    for bad in (0, -1, 1.5, True, "2", None, [2]):
        refuses(lambda bad=bad: depth.tent_network(bad), naming="t")
    tent = depth.tent_network(2)
    for bad in (np.nan, np.inf, "0", 2.0, 1.0, [0.0], [0.0, 0.5], True):
        refuses(lambda bad=bad: depth.breakpoints(tent, bad, 1.0), naming="lower")
        refuses(lambda bad=bad: depth.one_hidden_layer(tent, bad, 1.0), naming="lower")
    for bad in (np.inf, [1.0, 2.0]):
        refuses(lambda bad=bad: depth.breakpoints(tent, 0.0, bad), naming="upper")
        refuses(lambda bad=bad: depth.one_hidden_layer(tent, 0.0, bad), naming="upper")
    refuses(lambda: depth.one_hidden_layer(tent, None, 1.0), naming="lower")
    refuses(lambda: depth.one_hidden_layer(net, 0.0, 1.0), naming="params")
    refuses(lambda: depth.breakpoints([(W * np.nan, b) for W, b in tent]), naming="params")


@claim("depth-pure", cases=stack)
def inputs_unchanged(case):
    """Arrays that cannot be written to; then the same calls again: the same values."""
    params = floats(case.params)
    x, knots, values = case.x.astype(float), np.array([0.0, 1, 3]), np.array([2.0, 5, 1])
    line = [(np.ones((3, 1)), np.array([1.0, 2, 3])), (np.array([[1.0, -2, 2]]), np.ones(1))]
    for array in (x, knots, values, *(a for layer in params + line for a in layer)):
        array.setflags(write=False)
    for call in (
        lambda: depth.forward(params, x),
        lambda: depth.collapse(params)[0],
        lambda: depth.gram(x, x),
        lambda: depth.interpolant(knots, values)[1][0],
        lambda: at(depth.one_hidden_layer(line, -4, 4), knots).astype(float),
    ):
        agree(call(), call(), tolerance=0)
    depth.interpolant(knots, values)[1][1][0] = 9.0
    same(int(values[0]), 2)
    A, b = depth.collapse(line[:1])
    A[0, 0] = b[0] = 9.0
    same([int(line[0][0][0, 0]), int(line[0][1][0])], [1, 1])
