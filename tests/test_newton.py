"""Newton's method and Hessian-vector products: the claims of the chapter, in its order.

Letters, as on the page: H the Hessian of the loss L at w, v a direction, r the length of a difference. `R` is the
derivative along v. Directions and gradients are vectors (P,); the network's functions take pairs (W, b).
"""

import itertools
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from dlnotes import newton
from dlnotes.check import agree, at_most, claim, complex_step, every, need, note, proved, refuses, same, slip, steps

# --- cases: a second-order model -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """The second-order model of a loss about w, in numbers, Fractions or symbols; and a displacement."""

    w: np.ndarray
    slope: np.ndarray  # the gradient at w
    H: np.ndarray
    displacement: np.ndarray
    constant: Any = 0

    @property
    def P(self):
        return len(self.w)

    def value(self, w):
        away = w - self.w
        return self.constant + self.slope @ away + away @ self.H @ away / 2


def fractions(*values):
    return np.array([Fraction(value) for value in values])


def fraction_matrix(rows):
    return np.array([fractions(*row) for row in rows])


def model(rng):
    """Four parameters; the eigenvalues are near 1, 3, 6 and 10."""
    Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    eigenvalues = np.array([1.0, 3, 6, 10]) * rng.uniform(1.1, 1.3, 4)
    slope = Q @ (rng.uniform(1, 2, 4) * [1, -1, 1, -1])
    return Model(rng.normal(size=4), slope, Q * eigenvalues @ Q.T, rng.normal(size=4), 0.7)


def fraction_model(rng):
    """Three parameters, in Fractions: H = B B^T + 2 I, with B of integers."""
    B = fraction_matrix(rng.integers(-3, 4, (3, 3)).tolist())
    H = B @ B.T + fraction_matrix([[2, 0, 0], [0, 2, 0], [0, 0, 2]])
    return Model(fractions(1, -2, 5), fractions(3, 7, -4), H, fractions(2, -1, 3), Fraction(1, 3))


def symbol_model():
    """Every positive definite H of two rows: p (p l; p l, q + p l^2), with p and q positive."""
    import sympy

    p, q = sympy.symbols("p q", positive=True)
    l, c = sympy.symbols("l c", real=True)
    w, slope, away = (np.array(sympy.symbols(f"{name}1:3", real=True)) for name in "wgd")
    yield Model(w, slope, np.array([[p, p * l], [p * l, q + p * l**2]]), away, c)


def identity(case):
    """H = I."""
    ones = np.ones(case.P, dtype=int) if case.H.dtype == object else np.ones(case.P)
    return replace(case, H=np.diag(ones) + 0 * case.H)


# --- the minimiser of the model --------------------------------------------------------------------------------------


def minimiser(case):
    # $$ w_{t+1} = w_t - H^{-1}\,\nabla L(w_t) $$
    return case.w + newton.newton_step(case.slope, case.H)


@claim("newton-minimiser", cases=model)
def no_slope_is_left(case, minimiser=minimiser):
    """The derivative of the model at its minimiser is zero, by a complex step."""
    agree(complex_step(case.value, minimiser(case)), np.zeros(4), scale=np.abs(case.slope).max())


@claim("newton-minimiser", cases=symbol_model)
def for_every_definite_pair(case, minimiser=minimiser):
    """`newton_step` itself on symbols, for every positive definite H of two rows, against SymPy's solution."""
    import sympy

    value = sympy.expand(case.value(case.w + case.displacement))
    found = sympy.solve([value.diff(letter) for letter in case.displacement], list(case.displacement), dict=True)
    same(minimiser(case), case.w + np.array([found[0][letter] for letter in case.displacement]))


@slip("newton-minimiser")
def sign_forgotten(case):
    """Write w + H^{-1} times the gradient: uphill."""
    return case.w - newton.newton_step(case.slope, case.H)


@slip("newton-minimiser", blind=identity)
def multiplied_by_the_hessian(case):
    """Write w - H times the gradient: the units are wrong."""
    return case.w - case.H @ case.slope


@slip("newton-minimiser", blind=identity)
def unit_step(case):
    """Take the step of gradient descent as the sheet prints it, w minus the gradient."""
    return case.w - case.slope


def largest_eigenvalue(H):
    if H.dtype != object:
        return np.linalg.eigvalsh(H)[-1]
    import sympy

    trace, product = H[0, 0] + H[1, 1], H[0, 0] * H[1, 1] - H[0, 1] ** 2
    return (trace + sympy.sqrt(sympy.expand(trace**2 - 4 * product))) / 2


@slip("newton-minimiser", blind=identity)
def one_step_length_for_all_directions(case):
    """Take the scalar step 1 / lambda_max, and hold it to be optimal in all directions."""
    return case.w - case.slope / largest_eigenvalue(case.H)


def above_the_minimum(case):
    # $$ \mathcal M(w_{t+1} + \Delta w) - \mathcal M(w_{t+1}) = \tfrac12\,\Delta w^\top H\,\Delta w $$
    return case.displacement @ case.H @ case.displacement / 2


def rise(case):
    end = minimiser(case)
    return case.value(end + case.displacement) - case.value(end)


@claim("newton-completed-square", cases=symbol_model)
def square_in_symbols(case, above_the_minimum=above_the_minimum):
    """The model at both points, in symbols."""
    same(above_the_minimum(case), rise(case))


@claim("newton-completed-square", cases=fraction_model)
def square_in_fractions(case, above_the_minimum=above_the_minimum):
    """The same in Fractions, with three parameters."""
    same(above_the_minimum(case), rise(case))


@slip("newton-completed-square")
def half_forgotten(case):
    """Leave out the factor 1/2."""
    return case.displacement @ case.H @ case.displacement


@slip("newton-completed-square")
def slope_kept(case):
    """Keep the linear term, as if the slope at the minimiser were that at w."""
    return above_the_minimum(case) + case.slope @ case.displacement


@steps("newton-completed-square-steps", cases=(symbol_model, fraction_model, model), ends_in=above_the_minimum)
def completing_the_square(case):
    """Expand about w, and use that the slope at the minimiser is zero."""
    end, away = minimiser(case), case.displacement
    # \mathcal M(w_{t+1} + \Delta w) - \mathcal M(w_{t+1})
    yield case.value(end + away) - case.value(end)
    # = \nabla L^\top \Delta w + (w_{t+1} - w_t)^\top H\,\Delta w + \tfrac12\,\Delta w^\top H\,\Delta w
    yield case.slope @ away + (end - case.w) @ case.H @ away + away @ case.H @ away / 2
    # = \bigl( \nabla L + H (w_{t+1} - w_t) \bigr)^\top \Delta w + \tfrac12\,\Delta w^\top H\,\Delta w
    yield (case.slope + case.H @ (end - case.w)) @ away + away @ case.H @ away / 2
    # = \tfrac12\,\Delta w^\top H\,\Delta w
    yield away @ case.H @ away / 2


# --- no minimiser, or many -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A model, a direction, and how far one goes along it."""

    model: Model
    direction: np.ndarray
    r: Any


def downward_line():
    """H = (1 2; 2 1), whose eigenvalues are 3 and -1, along (1, -1); and diag(2, -5, 3) along the second axis."""
    import sympy

    r = sympy.Symbol("r", real=True)
    square = Model(fractions(1, 2), fractions(3, -1), fraction_matrix([[1, 2], [2, 1]]), fractions(0, 0))
    yield Line(square, np.array([1, -1]), r)
    H = fraction_matrix([[2, 0, 0], [0, -5, 0], [0, 0, 3]])
    yield Line(Model(fractions(1, 2, 4), fractions(3, -1, 2), H, fractions(0, 0, 0)), np.array([0, 1, 0]), r)


def along_the_line(case):
    # $$ \mathcal M(w_t + r\vec v) = \mathcal M(w_t) + r\,\vec v^\top \nabla L(w_t)
    #    + \tfrac12\,r^2\,\vec v^\top H\vec v $$
    v, model = case.direction, case.model
    return model.constant + case.r * (v @ model.slope) + case.r**2 * (v @ model.H @ v) / 2


@claim("newton-indefinite", cases=downward_line)
def falls_both_ways(case, along_the_line=along_the_line):
    """The model along the line, in symbols: its limits are minus infinity both ways. `newton_step` refuses."""
    import sympy

    v, model = sympy.sympify(case.direction.tolist()), case.model
    away = np.array([sympy.expand(case.r * entry) for entry in v])
    H = np.array([[sympy.Rational(e.numerator, e.denominator) for e in row] for row in model.H])
    slope = np.array([sympy.Rational(e.numerator, e.denominator) for e in model.slope])
    value = sympy.expand(sympy.sympify(along_the_line(case)))
    same(value, sympy.expand(slope @ away + away @ H @ away / 2))
    same([str(sympy.limit(value, case.r, end)) for end in (sympy.oo, -sympy.oo)], ["-oo", "-oo"])
    refuses(lambda: newton.newton_step(model.slope, model.H), naming="hessian")


@claim("newton-indefinite", cases=downward_line)
def formula_gives_a_saddle(case):
    """At w - H^{-1} gradient the slope is zero, and the model goes down on one line and up on another."""
    model = case.model
    if model.P == 3:
        end = model.w - model.slope / np.diag(model.H)
    else:
        end = model.w - fraction_matrix([[1, -2], [-2, 1]]) @ model.slope / -3  # the inverse of (1 2; 2 1)
    same(model.slope + model.H @ (end - model.w), 0 * model.slope)
    up = np.array([1, 1]) if model.P == 2 else np.array([1, 0, 0])
    lower, higher = model.value(end + case.direction), model.value(end + up)
    every([(lower, model.value(end), higher)], lambda values: values[0] < values[1] < values[2])


@claim("newton-indefinite")
def maximum_if_all_are_negative():
    """H = (-2 -1; -1 -3): at w - H^{-1} gradient the slope is zero; all other points are lower, by Z3."""
    import z3

    H, slope = fraction_matrix([[-2, -1], [-1, -3]]), fractions(4, -7)
    displacement = newton.newton_step(-slope, -H)  # both signs turned: the same solution
    same(slope + H @ displacement, fractions(0, 0))
    a, b = z3.Reals("a b")
    proved(z3.Implies(z3.Or(a != 0, b != 0), (-2 * a * a - 2 * a * b - 3 * b * b) / 2 < 0))


@slip("newton-indefinite")
def curvature_taken_positive(case):
    """Take the curvature for positive: a bowl has a lowest point."""
    v, model = case.direction, case.model
    return model.constant + case.r * (v @ model.slope) + case.r**2 * abs(v @ model.H @ v) / 2


@dataclass(frozen=True)
class Singular:
    """A positive semidefinite H that is singular, a gradient in its range, and one outside."""

    H: np.ndarray
    inside: np.ndarray
    outside: np.ndarray


def singular(rng):
    """H = B B^T with B of 3 rows and 2 columns, integers; the vector null is orthogonal to both columns."""
    while True:
        B = rng.integers(-3, 4, (3, 2))
        null = np.cross(B[:, 0], B[:, 1])
        if null.any():
            break
    H = fraction_matrix((B @ B.T).tolist())
    inside = H @ fractions(2, -1, 3)
    return Singular(H, inside, inside + fractions(*null.tolist()))


def flat_valley():
    """H = (1 1; 1 1), with the gradients (2, 2) and (2, 1)."""
    yield Singular(fraction_matrix([[1, 1], [1, 1]]), fractions(2, 2), fractions(2, 1))


def says(gradient, H):
    try:
        newton.newton_step(gradient, H)
    except ValueError as error:
        return str(error)
    return ""


def has_minimisers(case):
    # $$ \mathcal M \text{ has a minimiser} \iff \nabla L(w_t) = H\,\Delta w \text{ for some } \Delta w $$
    return ["infinitely many minimisers" in says(gradient, case.H) for gradient in (case.inside, case.outside)]


def by_rank(case):
    """Whether H and (H, gradient) have one rank."""
    import sympy

    H = sympy.Matrix(case.H.tolist())
    note("SymPy")
    return [H.rank() == H.row_join(sympy.Matrix(g.tolist())).rank() for g in (case.inside, case.outside)]


@claim("newton-singular", cases=singular)
def refusal_by_rank(case, has_minimisers=has_minimisers):
    """What `newton_step` says when it refuses, in Fractions and in float64, against ranks from SymPy."""
    same(has_minimisers(case), by_rank(case))
    floats = Singular(*(np.array(a, dtype=float) for a in (case.H, case.inside, case.outside)))
    same(has_minimisers(floats), by_rank(case))


def real_singular(rng):
    """H = B B^T with B of 7 rows and 4 columns, real numbers."""
    B = rng.normal(size=(7, 4))
    return Singular(B @ B.T, B @ rng.normal(size=4), rng.normal(size=7))


@claim("newton-singular", cases=real_singular)
def in_the_presence_of_rounding(case, has_minimisers=has_minimisers):
    """H and the gradients of real numbers, so that zeros are zeros to rounding only, against NumPy's rank of H."""
    expected = [np.linalg.matrix_rank(np.column_stack([case.H, g])) == 4 for g in (case.inside, case.outside)]
    same(has_minimisers(case), expected)


@claim("newton-singular", cases=real_singular)
def singular_in_other_units(case, has_minimisers=has_minimisers):
    """The same in units from 1e-30 to 1e30: the reason given does not depend on them. And diag(1e40, 1, 0)."""
    units = np.array([1e-30, 1e30, 1.0, 1e10, 1e-10, 1e20, 1e-20])
    same(
        has_minimisers(Singular(case.H * np.outer(units, units), case.inside * units, case.outside * units)),
        [True, False],
    )
    H = np.diag([1e40, 1.0, 0.0])
    same(has_minimisers(Singular(H, np.array([1e20, 1, 0]), np.array([1e20, 1, 1]))), [True, False])


@claim("newton-singular", cases=flat_valley)
def valley_flat_or_sloping(case, has_minimisers=has_minimisers):
    """Along (1, -1) the one model is constant at its lowest value; the other falls with a slope that is not zero."""
    same(has_minimisers(case), [True, False])
    null = fractions(1, -1)
    same(case.H @ null, fractions(0, 0))
    same([null @ case.inside, null @ case.outside], [0, 1])
    same(case.H @ fractions(-1, -1), -case.inside)  # so (-1, -1) + c (1, -1) is a minimiser for every c


@slip("newton-singular")
def singular_means_none(case):
    """Say that a singular H leaves no minimiser."""
    return [False, False]


@slip("newton-singular")
def pseudo_inverse_for_all(case):
    """Take a pseudo-inverse, and call the result a minimiser for any gradient."""
    return [True, True]


# --- the learning rate -----------------------------------------------------------------------------------------------


def step_along_eigenvectors(case):
    # $$ q_i^\top \Delta w = -\frac{1}{\lambda_i}\,q_i^\top \nabla L(w_t) $$
    Q = np.linalg.eigh(case.H)[1]
    return Q.T @ newton.newton_step(case.slope, case.H)


@claim("newton-learning-rate", cases=model)
def one_length_each(case, step_along_eigenvectors=step_along_eigenvectors):
    """The components of the step, against those of the gradient, in NumPy's eigenvectors."""
    eigenvalues, Q = np.linalg.eigh(case.H)
    agree(step_along_eigenvectors(case), -(Q.T @ case.slope) / eigenvalues)


@slip("newton-learning-rate", blind=identity)
def smallest_step_for_all(case):
    """Use 1 / lambda_max along every eigenvector."""
    eigenvalues, Q = np.linalg.eigh(case.H)
    return -(Q.T @ case.slope) / eigenvalues[-1]


@slip("newton-learning-rate", blind=identity)
def eigenvalue_not_inverted(case):
    """Multiply by the eigenvalue."""
    eigenvalues, Q = np.linalg.eigh(case.H)
    return -(Q.T @ case.slope) * eigenvalues


@dataclass(frozen=True)
class Changed:
    """A model, and the matrix A of a change of variables."""

    model: Model
    A: np.ndarray


def other_variables(rng):
    """A matrix A of four rows, with a determinant that is not small."""
    return Changed(model(rng), rng.normal(size=(4, 4)) + 3 * np.eye(4))


def other_units(rng):
    """Units that differ by up to 120 orders of magnitude: A = diag(1e-60, 1, 1e60, 1e30)."""
    return Changed(model(rng), np.diag([1e-60, 1, 1e60, 1e30]))


def step_in_other_variables(case):
    # $$ (A^\top H A)^{-1}\,A^\top \nabla L = A^{-1}\,H^{-1}\,\nabla L $$
    return -newton.newton_step(case.A.T @ case.model.slope, case.A.T @ case.model.H @ case.A)


@claim("newton-units", cases=other_variables)
def solved_by_numpy(case, step_in_other_variables=step_in_other_variables):
    """NumPy's solutions of H and of A, one after the other."""
    expected = np.linalg.solve(case.A, np.linalg.solve(case.model.H, case.model.slope))
    agree(step_in_other_variables(case), expected)


@claim("newton-units", cases=other_units)
def each_in_its_unit(case, step_in_other_variables=step_in_other_variables):
    """Multiplied by A again, each component in its own unit, it is the step of the model as it was."""
    agree(case.A @ step_in_other_variables(case), -newton.newton_step(case.model.slope, case.model.H))


def no_change(case):
    """A = I."""
    return replace(case, A=np.eye(4))


@slip("newton-units", blind=no_change)
def as_a_gradient_changes(case):
    """Let the step change as a gradient does, by the transpose of A."""
    return -case.A.T @ newton.newton_step(case.model.slope, case.model.H)


@claim("newton-unit-step")
def both_steps_are_one_where_the_gradient_is_kept():
    """For every positive definite H of two rows and every gradient, by Z3: the statement, both ways."""
    # $$ -\nabla L(w_t) = \Delta w \iff H\,\nabla L(w_t) = \nabla L(w_t) $$
    import z3

    a, b, c, g1, g2, s1, s2 = z3.Reals("a b c g1 g2 s1 s2")
    solved = z3.And(a * s1 + b * s2 == -g1, b * s1 + c * s2 == -g2, a > 0, a * c - b * b > 0)
    kept = z3.And(a * g1 + b * g2 == g1, b * g1 + c * g2 == g2)
    proved(z3.Implies(solved, kept == z3.And(s1 == -g1, s2 == -g2)))
    kept_for_all = z3.ForAll([g1, g2], kept)
    proved(z3.Implies(kept_for_all, z3.And(a == 1, b == 0, c == 1)))


@claim("newton-unit-step")
def on_one_axis_only():
    """H = diag(1, 10), in Fractions: for the gradient (1, 0) both steps are one; for (1, 1) they are not."""
    H = fraction_matrix([[1, 0], [0, 10]])
    same(newton.newton_step(fractions(1, 0), H), fractions(-1, 0))
    same(newton.newton_step(fractions(1, 1), H), fractions(-1, Fraction(-1, 10)))


CURVATURES = (Fraction(1), Fraction(1, 2), Fraction(3))


def printed_descent():
    # $$ w_t = (1 - \lambda)^t\,w_0 $$
    return [[(1 - curvature) ** t * Fraction(5, 7) for t in range(6)] for curvature in CURVATURES]


@claim("newton-printed-step")
def descent_run(printed_descent=printed_descent):
    """Gradient descent with step 1, in Fractions, for the curvatures 1, 1/2 and 3; and Newton, at 0 after one step."""
    for curvature, values in zip(CURVATURES, printed_descent(), strict=True):
        w, run = Fraction(5, 7), []
        for _ in range(6):
            run.append(w)
            w = w - curvature * w
        same(values, run)
        step = newton.newton_step([curvature * run[0]], [[curvature]])
        same(run[0] + step[0], Fraction(0))
    same(printed_descent()[0][1:], [Fraction(0)] * 5)
    every(range(6), lambda t: abs(printed_descent()[2][t]) == Fraction(5, 7) * 2**t)


@slip("newton-printed-step")
def linear_decay():
    """Subtract lambda at each step, 1 - lambda t."""
    return [[(1 - curvature * t) * Fraction(5, 7) for t in range(6)] for curvature in CURVATURES]


@slip("newton-printed-step")
def minimum_at_once():
    """Believe that the step 1 leads to the minimum for any curvature."""
    return [[Fraction(5, 7)] + [Fraction(0)] * 5 for _ in CURVATURES]


def ellipse():
    """L = (w_1^2 + 10 w_2^2) / 2, from (1, 1)."""
    yield Model(fractions(1, 1), fractions(1, 10), fraction_matrix([[1, 0], [0, 10]]), fractions(0, 0))


def after_one_step(case):
    # $$ w_0 = (1, 1), \quad H = \operatorname{diag}(1, 10): \qquad w_1 = w_0 - H^{-1} H w_0 = 0 $$
    return case.w + newton.newton_step(case.slope, case.H)


@claim("newton-one-step", cases=ellipse)
def at_the_minimum(case, after_one_step=after_one_step):
    """In Fractions: the step ends at 0, the minimum."""
    same(after_one_step(case), fractions(0, 0))


@claim("newton-one-step")
def no_scalar_step_does_it():
    """From (1, 1) no step length leads to 0, by Z3; from (1, 0) and from (0, 1) one does, in Fractions."""
    import z3

    length = z3.Real("length")
    proved(z3.Not(z3.And(1 - length * 1 == 0, 1 - length * 10 == 0)))
    same([1 - Fraction(1) * 1, 1 - Fraction(1, 10) * 10], [Fraction(0), Fraction(0)])


def on_the_axis(case):
    """From (1, 0), an eigenvector."""
    return replace(case, w=fractions(1, 0), slope=fractions(1, 0))


@slip("newton-one-step", blind=on_the_axis)
def exact_line_search(case):
    """Take gradient descent with the best scalar step on its line."""
    length = (case.slope @ case.slope) / (case.slope @ case.H @ case.slope)
    return case.w - length * case.slope


@slip("newton-one-step")
def step_of_the_steepest_axis(case):
    """Take gradient descent with the step 1 / lambda_max = 1/10."""
    return case.w - case.slope / 10


# --- how large H is --------------------------------------------------------------------------------------------------

SIZES = (32, 512, 512, 10)


def parameters():
    # $$ P = (32 \cdot 512 + 512) + (512 \cdot 512 + 512) + (512 \cdot 10 + 10) = 284\,682 $$
    return (32 * 512 + 512) + (512 * 512 + 512) + (512 * 10 + 10)


@claim("newton-parameter-count")
def counted_in_arrays(parameters=parameters):
    """The entries of the gradient that `mlp_gradient` gives for such a network."""
    params = [(np.zeros((rows, columns)), np.zeros(rows)) for columns, rows in itertools.pairwise(SIZES)]
    gradient = newton.mlp_gradient(params, np.ones((2, 32)), np.array([3, 9]))
    same(parameters(), sum(a.size for pair in gradient for a in pair))
    same(parameters(), 284_682)


@claim("newton-parameter-count")
def counted_by_torch(parameters=parameters):
    """PyTorch's own layers."""
    torch = need("torch")
    layers = [torch.nn.Linear(columns, rows) for columns, rows in itertools.pairwise(SIZES)]
    same(parameters(), sum(p.numel() for layer in layers for p in layer.parameters()))


@slip("newton-parameter-count")
def no_biases():
    """Leave out the biases."""
    return sum(columns * rows for columns, rows in itertools.pairwise(SIZES))


@slip("newton-parameter-count")
def one_hidden_layer():
    """Read one hidden layer, 32-512-10."""
    return (32 * 512 + 512) + (512 * 10 + 10)


def hessian_size():
    # $$ P^2 = 81\,043\,841\,124, \qquad \tfrac12 P (P + 1) = 40\,522\,062\,903 $$
    P = parameters()
    return P**2, P * (P + 1) // 2


@claim("newton-hessian-size")
def entries_of_a_view(hessian_size=hessian_size):
    """NumPy's size of a (P, P) array in float32 that takes no memory: its entries, and its 324 175 364 496 bytes."""
    P = 284_682
    H = np.broadcast_to(np.float32(0), (P, P))
    entries, distinct = hessian_size()
    same(entries, H.size)
    same(H.nbytes, 324_175_364_496)
    same(distinct, sum(range(1, P + 1)))  # row i of the lower triangle has i entries


@slip("newton-hessian-size")
def a_vector():
    """Give H one entry a parameter."""
    return 284_682, 284_682


@slip("newton-hessian-size")
def one_block_a_layer():
    """Square layer by layer, as if parameters of two layers had no second derivative in common."""
    blocks = [rows * columns + rows for columns, rows in itertools.pairwise(SIZES)]
    return sum(P**2 for P in blocks), sum(P * (P + 1) // 2 for P in blocks)


# --- a network of 27 parameters, and its Hessian by complex steps ----------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A small network, its data, a direction, and the length of a difference. Parameters are one vector w."""

    sizes: tuple
    w: np.ndarray
    v: np.ndarray
    x: np.ndarray
    labels: np.ndarray
    r: float

    @property
    def M(self):
        return len(self.sizes) - 1

    @property
    def params(self):
        return self.pairs(self.w)

    @property
    def direction(self):
        return self.pairs(self.v)

    def pairs(self, w):
        """The vector as pairs (W, b)."""
        pairs, start = [], 0
        for columns, rows in itertools.pairwise(self.sizes):
            W, start = w[start : start + rows * columns].reshape(rows, columns), start + rows * columns
            b, start = w[start : start + rows], start + rows
            pairs.append((W, b))
        return pairs

    def gradient(self, w):
        """The package's gradient, as a vector."""
        return flat(newton.mlp_gradient(self.pairs(w), self.x, self.labels))

    def loss(self, w):
        """The definition, one example at a time; it takes complex parameters."""
        total = 0
        for row, label in zip(self.x, self.labels, strict=True):
            h = row
            for k, (W, b) in enumerate(self.pairs(w)):
                z = W @ h + b
                h = np.log(1 + np.exp(z)) if k < self.M - 1 else z
            total = total + np.log(np.exp(h).sum()) - h[label]
        return total / len(self.x)

    def gradient_by_hand(self, w):
        """Backpropagation, one example at a time; it takes complex parameters."""
        total = np.zeros(len(w), dtype=complex)
        for row, label in zip(self.x, self.labels, strict=True):
            h, slopes = [row], []
            for W, b in self.pairs(w):
                z = W @ h[-1] + b
                h.append(np.log(1 + np.exp(z)))
                slopes.append(1 / (1 + np.exp(-z)))
            dz = np.exp(z) / np.exp(z).sum() - (np.arange(len(z)) == label)
            parts = []
            for k in reversed(range(self.M)):
                parts += [dz, np.outer(dz, h[k]).ravel()]
                if k:
                    dz = (dz @ self.pairs(w)[k][0]) * slopes[k - 1]
            total += np.concatenate(parts[::-1])
        return total / len(self.x)

    @cached_property
    def H(self):
        """The Hessian, one column a complex step of the gradient."""
        columns = [self.gradient_by_hand(self.w + 1e-30j * e).imag / 1e-30 for e in np.eye(len(self.w))]
        return np.array(columns).T

    @cached_property
    def Hv(self):
        return self.H @ self.v

    @cached_property
    def R2(self):
        """The second derivative of the gradient along v."""
        return (self.product(1e-4) - self.product(-1e-4)) / 2e-4

    @cached_property
    def R3(self):
        """The third derivative of the gradient along v."""
        return (self.product(3e-4) - 2 * self.product(0) + self.product(-3e-4)) / 9e-8

    def product(self, r):
        """H v at w + r v, by a complex step."""
        return self.gradient_by_hand(self.w + (r + 1e-30j) * self.v).imag / 1e-30


def flat(pairs):
    return np.concatenate([a.ravel() for pair in pairs for a in pair])


def network(rng, sizes=(2, 4, 3), N=5, r=1e-6):
    P = sum(rows * columns + rows for columns, rows in itertools.pairwise(sizes))
    labels = rng.permutation(np.arange(N) % sizes[-1])
    return Network(sizes, rng.normal(size=P), rng.normal(size=P), rng.normal(size=(N, sizes[0])), labels, r)


# --- Hv by a forward difference --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Polynomial:
    """L = w^T H w / 2 - b^T w + sum(c w^3) / 6 + sum(k w^4) / 24, in Fractions or symbols."""

    w: np.ndarray
    v: np.ndarray
    r: Any
    A: np.ndarray
    b: np.ndarray
    c: np.ndarray
    k: np.ndarray

    def gradient(self, w):
        return self.A @ w - self.b + self.c * w**2 / 2 + self.k * w**3 / 6

    def loss(self, w):
        return w @ self.A @ w / 2 - self.b @ w + (self.c * w**3).sum() / 6 + (self.k * w**4).sum() / 24

    @property
    def Hv(self):
        return self.A @ self.v + self.c * self.w * self.v + self.k * self.w**2 * self.v / 2

    @property
    def R2(self):
        return (self.c + self.k * self.w) * self.v**2

    @property
    def R3(self):
        return self.k * self.v**3


def quadratics():
    """A quadratic of two parameters, in Fractions, for r of 1/1000, 1/3 and 50."""
    A = fraction_matrix([[3, 1], [1, -2]])
    for r in (Fraction(1, 1000), Fraction(1, 3), Fraction(50)):
        zero = fractions(0, 0)
        yield Polynomial(fractions(2, -1), fractions(5, 3), r, A, fractions(1, -4), zero, zero)


def forward(case):
    # $$ H\vec v \approx \frac{\nabla L(w + r\vec v) - \nabla L(w)}{r} $$
    return newton.hvp_forward_difference(case.gradient, case.w, case.v, case.r)


@claim("newton-forward-difference", cases=quadratics)
def exact_on_quadratics(case, forward=forward):
    """On a quadratic loss, in Fractions: H v, for every r."""
    same(forward(case), case.Hv)


@claim("newton-forward-difference", cases=network)
def close_on_a_network(case, forward=forward):
    """On a network of 27 parameters, r = 1e-6, against its full Hessian (complex steps) times v."""
    agree(forward(case), case.Hv, tolerance=1e-5)


def unit_length(case):
    """r = 1."""
    if isinstance(case, Network):  # on a line where the loss is as good as quadratic
        return replace(case, r=1, v=1e-6 * case.v)
    return replace(case, r=Fraction(1))


@slip("newton-forward-difference", blind=unit_length)
def not_divided_by_r(case):
    """Stop at the difference of the gradients."""
    return case.gradient(case.w + case.r * case.v) - case.gradient(case.w)


@slip("newton-forward-difference", blind=unit_length)
def divided_by_r_squared(case):
    """Divide by r^2, as in a second difference of the loss."""
    return (case.gradient(case.w + case.r * case.v) - case.gradient(case.w)) / case.r**2


@slip("newton-forward-difference")
def gradient_at_w_forgotten(case):
    """Divide the gradient at w + r v by r: right only where the gradient at w is 0."""
    return case.gradient(case.w + case.r * case.v) / case.r


@slip("newton-forward-difference")
def difference_of_losses(case):
    """Take the loss for the gradient: that is the number gradient^T v."""
    return (case.loss(case.w + case.r * case.v) - case.loss(case.w)) / case.r


# --- its error -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Orders:
    """A network, lengths r, and the errors of both differences over the r, and over as many lengths of v."""

    net: Network
    lengths: np.ndarray

    def errors(self, difference, *, of_v):
        net, found = self.net, []
        for length in self.lengths:
            v, r = (net.v * length / self.lengths[0], self.lengths[0]) if of_v else (net.v, length)
            error = difference(net.gradient, net.w, v, r) - net.H @ v
            found.append(np.linalg.norm(error))
        return np.array(found)

    def slopes(self, difference):
        logs = [np.log(self.errors(difference, of_v=of_v)) for of_v in (False, True)]
        return np.array([np.polyfit(np.log(self.lengths), log, 1)[0] for log in logs])


def forward_lengths(rng):
    """r from 1e-6 to 1e-4."""
    return Orders(network(rng), np.geomspace(1e-6, 1e-4, 9))


def central_lengths(rng):
    """r from 1e-4 to 1e-2."""
    return Orders(network(rng), np.geomspace(3e-4, 1e-2, 9))


def forward_orders(case):
    # $$ \frac{O(\lVert r\vec v\rVert^2)}{r} = O(r\,\lVert \vec v\rVert^2) $$
    return np.array([1.0, 2.0])


@claim("newton-forward-order", cases=forward_lengths)
def forward_slopes(case, forward_orders=forward_orders):
    """Slopes of the logarithm of the error: over log r, and over the logarithm of the norm of v."""
    agree(forward_orders(case), case.slopes(newton.hvp_forward_difference), tolerance=0.05, scale=1)


@slip("newton-forward-order")
def order_of_the_series(case):
    """Answer O(r^2): forget to divide by r."""
    return np.array([2.0, 2.0])


@slip("newton-forward-order")
def order_zero(case):
    """Answer O(1): divide once too often."""
    return np.array([0.0, 0.0])


@slip("newton-forward-order")
def norm_without_r(case):
    """Answer O(norm of v), without r."""
    return np.array([0.0, 1.0])


def symbol_cubic():
    """L = w^3 of one parameter, and a cubic of two, in symbols."""
    import sympy

    r = sympy.Symbol("r", positive=True)
    yield symbol_polynomial(1, r, quartic=False)
    yield symbol_polynomial(2, r, quartic=False)


def symbol_polynomial(P, r, quartic):
    import sympy

    def row(name):
        return np.array(sympy.symbols(f"{name}1:{P + 1}", real=True))

    A = np.array([[sympy.Symbol(f"A{min(i, j)}{max(i, j)}") for i in range(P)] for j in range(P)])
    return Polynomial(row("w"), row("v"), r, A, row("b"), row("c"), row("k") if quartic else 0 * row("k"))


def short(rng):
    """The network, with r = 1e-4."""
    return network(rng, r=1e-4)


def forward_error(case):
    # $$ \frac{\nabla L(w + r\vec v) - \nabla L(w)}{r} - H\vec v = \frac r2\,\mathcal R^2\{\nabla L\} + O(r^2) $$
    return case.r / 2 * case.R2


@claim("newton-forward-error", cases=short)
def leading_term(case, forward_error=forward_error):
    """Error of `hvp_forward_difference` on the network at r = 1e-4, within 1 %."""
    agree(forward_error(case), forward(case) - case.Hv, tolerance=0.01)


@claim("newton-forward-error", cases=symbol_cubic)
def whole_error_of_a_cubic(case, forward_error=forward_error):
    """A cubic loss, `hvp_forward_difference` itself on symbols: there is no other term."""
    import sympy

    same(forward_error(case), [sympy.expand(e) for e in forward(case) - case.Hv])


@claim("newton-forward-error")
def one_cube():
    """L = w^3 with v = 1: the error is 3 r, in symbols."""
    import sympy

    w, r = sympy.Symbol("w", real=True), sympy.Symbol("r", positive=True)
    estimate = newton.hvp_forward_difference(lambda w: 3 * w**2, np.array([w]), np.array([sympy.Integer(1)]), r)
    same(sympy.expand(estimate[0] - 6 * w), 3 * r)


@slip("newton-forward-error")
def r_not_divided_out(case):
    """Keep the r^2 of the gradient's series: forget that the difference is divided by r."""
    return case.r**2 / 2 * case.R2


@slip("newton-forward-error")
def constant_error(case):
    """Let the error not depend on r."""
    return case.R2 / 2


@slip("newton-forward-error")
def half_of_the_second_term_forgotten(case):
    """Leave out Taylor's factor 1/2."""
    return case.r * case.R2


@steps("newton-forward-error-steps", cases=symbol_cubic, ends_in=forward_error)
def taylor_divided_by_r(case):
    """The series of the gradient; for a cubic loss it ends at r^2."""
    # \frac{\nabla L(w + r\vec v) - \nabla L(w)}{r} - H\vec v
    yield (case.gradient(case.w + case.r * case.v) - case.gradient(case.w)) / case.r - case.Hv
    # = \frac1r \Bigl( r\,H\vec v + \frac{r^2}{2}\,\mathcal R^2\{\nabla L\} \Bigr) - H\vec v
    yield (case.r * case.Hv + case.r**2 / 2 * case.R2) / case.r - case.Hv
    # = \frac r2\,\mathcal R^2\{\nabla L\}
    yield case.r / 2 * case.R2


# --- the central difference ------------------------------------------------------------------------------------------


def cubics():
    """A cubic of two parameters, in Fractions, for r of 1/1000, 1/3 and 50."""
    for case in quadratics():
        yield replace(case, c=fractions(7, -5))


def wide(rng):
    """The network, with r = 1e-3."""
    return network(rng, r=1e-3)


def central(case):
    # $$ H\vec v \approx \frac{\nabla L(w + r\vec v) - \nabla L(w - r\vec v)}{2r} $$
    return newton.hvp_central_difference(case.gradient, case.w, case.v, case.r)


@claim("newton-central-difference", cases=cubics)
def exact_on_cubics(case, central=central):
    """On a cubic loss, in Fractions: H v, for every r."""
    same(central(case), case.Hv)


@claim("newton-central-difference", cases=wide)
def closer_on_a_network(case, central=central):
    """On the network at r = 1e-3, against its full Hessian times v."""
    agree(central(case), case.Hv, tolerance=1e-4)


@slip("newton-central-difference")
def divided_by_r_only(case):
    """Divide by r: the points are 2 r apart."""
    return 2 * central(case)


@slip("newton-central-difference")
def gradients_added(case):
    """Add the two gradients."""
    total = case.gradient(case.w + case.r * case.v) + case.gradient(case.w - case.r * case.v)
    return total / (2 * case.r)


def symbol_quartic():
    """A quartic of one parameter, and of two, in symbols."""
    import sympy

    r = sympy.Symbol("r", positive=True)
    yield symbol_polynomial(1, r, quartic=True)
    yield symbol_polynomial(2, r, quartic=True)


def central_error(case):
    # $$ \frac{\nabla L(w + r\vec v) - \nabla L(w - r\vec v)}{2r} - H\vec v
    #    = \frac{r^2}{6}\,\mathcal R^3\{\nabla L\} + O(r^4) $$
    return case.r**2 / 6 * case.R3


@claim("newton-central-error", cases=wide)
def central_leading_term(case, central_error=central_error):
    """Error of `hvp_central_difference` on the network at r = 1e-3, within 1 %."""
    agree(central_error(case), central(case) - case.Hv, tolerance=0.01)


@claim("newton-central-error", cases=symbol_quartic)
def whole_error_of_a_quartic(case, central_error=central_error):
    """A quartic loss, `hvp_central_difference` itself on symbols: there is no other term."""
    import sympy

    same(central_error(case), [sympy.expand(e) for e in central(case) - case.Hv])


@claim("newton-central-error", cases=central_lengths)
def central_slopes(case):
    """Slopes of the logarithm of the error: 2 over log r, 3 over the logarithm of the norm of v."""
    agree(case.slopes(newton.hvp_central_difference), np.array([2.0, 3.0]), tolerance=0.05, scale=1)


@slip("newton-central-error")
def first_order(case):
    """Give the central difference an error of the first order."""
    return case.r / 6 * case.R3


@slip("newton-central-error")
def second_instead_of_third(case):
    """Take the second derivative of the gradient, as for the forward difference."""
    return case.r**2 / 6 * case.R2


# --- rounding --------------------------------------------------------------------------------------------------------


def errors_at(case, difference, lengths):
    values = [difference(case.gradient, case.w, case.v, r) for r in lengths]
    return np.array([np.linalg.norm(value - case.Hv) for value in values])


U = 2.0**-53


def rounding_size(case):
    return 2 * (np.linalg.norm(case.gradient(case.w)) + np.linalg.norm(case.H, 2) * np.linalg.norm(case.w))


def forty_networks():
    """Forty networks of 27 parameters."""
    for seed in range(40):
        yield network(np.random.default_rng(seed))


@claim("newton-error-curve", cases=forty_networks)
def under_the_curve(case):
    """Errors for r from 1e-2 to 1e-14 on 40 networks: nowhere 20 % above the curve, nowhere below a 100th of it."""
    # $$ \lVert \text{forward error} \rVert \lesssim c_2\,r + c_u\,\frac ur, \qquad
    #    \lVert \text{central error} \rVert \lesssim c_3\,r^2 + c_u\,\frac{u}{2r} $$
    # $$ c_2 = \tfrac12\,\lVert \mathcal R^2\{\nabla L\} \rVert, \quad
    #    c_3 = \tfrac16\,\lVert \mathcal R^3\{\nabla L\} \rVert, \quad
    #    c_u = 2\,\bigl( \lVert \nabla L \rVert + \lVert H \rVert\,\lVert w \rVert \bigr) $$
    lengths = 10.0 ** -np.arange(2, 15)
    c2, c3, cu = np.linalg.norm(case.R2) / 2, np.linalg.norm(case.R3) / 6, rounding_size(case)
    for difference, curve in (
        (newton.hvp_forward_difference, c2 * lengths + cu * U / lengths),
        (newton.hvp_central_difference, c3 * lengths**2 + cu * U / (2 * lengths)),
    ):
        share = errors_at(case, difference, lengths) / curve
        at_most(share, np.ones(13), tolerance=0.2)
        at_most(1 / share, np.full(13, 100.0))


@claim("newton-error-curve", cases=network)
def a_valley(case):
    """Forward, the errors at 1e-2 and 1e-14 are over 100 times that at 1e-8; this is over 10 times central at 1e-5."""
    ends = errors_at(case, newton.hvp_forward_difference, np.array([1e-2, 1e-14]))
    middle = errors_at(case, newton.hvp_forward_difference, np.array([1e-8]))
    central_best = errors_at(case, newton.hvp_central_difference, np.array([1e-5]))
    at_most(np.full(2, 100 * middle[0]), ends)
    at_most(10 * central_best, middle)


def curve_letters():
    """The letters of both curves, all positive."""
    import sympy

    yield sympy.symbols("c_2 c_3 c_u u r", positive=True)


def best_steps(letters):
    # $$ \text{forward: } r^\star = \sqrt{\frac{c_u u}{c_2}}, \quad \text{error } 2\sqrt{c_2\,c_u u} $$
    # $$ \text{central: } r^\star = \Bigl( \frac{c_u u}{4 c_3} \Bigr)^{1/3}, \quad \text{error } 3 c_3\,(r^\star)^2 $$
    import sympy

    c2, c3, cu, u, _ = letters
    central_r = (cu * u / (4 * c3)) ** sympy.Rational(1, 3)
    return [sympy.sqrt(cu * u / c2), 2 * sympy.sqrt(c2 * cu * u), central_r, 3 * c3 * central_r**2]


@claim("newton-best-step", cases=curve_letters)
def lowest_points(letters, best_steps=best_steps):
    """The slope of each curve at its r is zero, its second derivative is positive, and its value is the error."""
    import sympy

    c2, c3, cu, u, r = letters
    forward_r, forward_value, central_r, central_value = best_steps(letters)
    for curve, at, value in (
        (c2 * r + cu * u / r, forward_r, forward_value),
        (c3 * r**2 + cu * u / (2 * r), central_r, central_value),
    ):
        same(sympy.simplify(curve.diff(r).subs(r, at)), 0)
        same(sympy.simplify(curve.subs(r, at) - value), 0)
        proved(sympy.simplify(curve.diff(r, 2)) > 0)


@slip("newton-best-step")
def as_small_as_possible(letters):
    """Take r as small as the machine allows, u itself."""
    c2, c3, cu, u, _ = letters
    return [u, c2 * u + cu, u, c3 * u**2 + cu / 2]


@slip("newton-best-step")
def square_root_for_both(letters):
    """Use the forward difference's r for the central one too."""
    forward_r, value, *_ = best_steps(letters)
    return [forward_r, value, forward_r, value]


def too_short(rng):
    """The network, with r v below a quarter of a unit roundoff of w, entry by entry."""
    case = network(rng)
    return replace(case, r=U / 4 * np.min(np.abs(case.w / case.v)))


def lost(case):
    # $$ r\,\lvert \vec v_i \rvert \le \tfrac14\,u\,\lvert w_i \rvert \text{ for all } i \implies
    #    \frac{\nabla L(w + r\vec v) - \nabla L(w)}{r} = 0 \text{ in float64} $$
    return newton.hvp_forward_difference(case.gradient, case.w, case.v, case.r)


@claim("newton-step-lost", cases=too_short)
def nothing_moves(case, lost=lost):
    """w + r v is w, bit for bit, and the estimate is 0, bit for bit; H v is not."""
    agree(case.w + case.r * case.v, case.w, tolerance=0)
    agree(lost(case), np.zeros(27), tolerance=0, scale=np.abs(case.Hv).max())


@slip("newton-step-lost")
def the_smaller_the_better(case):
    """Let r go to 0, and count on the limit H v."""
    return case.Hv


# --- the R operator --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Two:
    """Two functions of w, a constant, a point, a direction, and the letter r."""

    y1: Any
    y2: Any
    c: Any
    w: tuple
    v: tuple
    r: Any

    def R(self, y):
        """The definition: differentiate y(w + r v) by r, at r = 0."""
        import sympy

        moved = [w + self.r * v for w, v in zip(self.w, self.v, strict=True)]
        return sympy.sympify(y(*moved)).diff(self.r).subs(self.r, 0).doit()

    def at(self, y, r=0):
        return y(*(w + r * v for w, v in zip(self.w, self.v, strict=True)))


def named(expressions):
    """A letter for each value of a function that is not specified, and for each of its derivatives."""
    import sympy

    found = []
    for expression in expressions:
        value = sympy.sympify(expression)
        for kind in (sympy.Subs, sympy.Derivative, sympy.core.function.AppliedUndef):
            value = value.xreplace({atom: sympy.Symbol(str(atom)) for atom in value.atoms(kind)})
        found.append(sympy.expand(value))
    return found


def any_two_functions():
    """Two functions of two parameters that are not specified."""
    import sympy

    y1, y2 = sympy.Function("y1"), sympy.Function("y2")
    yield Two(y1, y2, *two_letters())


def two_letters():
    import sympy

    return (
        sympy.Symbol("c", real=True),
        sympy.symbols("w1:3", real=True),
        sympy.symbols("v1:3", real=True),
        sympy.Symbol("r", real=True),
    )


def two_polynomials():
    """Two polynomials of two parameters."""
    c, w, v, r = two_letters()
    yield Two(lambda a, b: a**2 * b + 3 * a, lambda a, b: 2 * a - b**2 + 1, c, w, v, r)


def rules(case):
    # $$ \mathcal R\{c\,y_1\} = c\,\mathcal R\{y_1\}, \qquad
    #    \mathcal R\{y_1 y_2\} = \mathcal R\{y_1\}\,y_2 + y_1\,\mathcal R\{y_2\} $$
    R1, R2 = case.R(case.y1), case.R(case.y2)
    return [case.c * R1, R1 * case.at(case.y2) + case.at(case.y1) * R2]


@claim("newton-r-rules", cases=any_two_functions)
def rules_for_any_functions(case, rules=rules):
    """By the definition, in symbols, for two functions that are not specified."""
    computed = [case.R(lambda *w: case.c * case.y1(*w)), case.R(lambda *w: case.y1(*w) * case.y2(*w))]
    same(named(rules(case)), named(computed))


@claim("newton-r-rules", cases=two_polynomials)
def rules_for_polynomials(case, rules=rules):
    """The coefficient of r in the expanded polynomials of w + r v."""
    import sympy

    values = [case.c * case.at(case.y1, case.r), case.at(case.y1, case.r) * case.at(case.y2, case.r)]
    same([sympy.expand(e) for e in rules(case)], [sympy.expand(e).coeff(case.r, 1) for e in values])


@slip("newton-r-rules")
def product_of_derivatives(case):
    """Multiply the two derivatives."""
    return [case.c * case.R(case.y1), case.R(case.y1) * case.R(case.y2)]


@slip("newton-r-rules")
def constant_squared(case):
    """Take c out once from y and once from the operator."""
    return [case.c**2 * case.R(case.y1), rules(case)[1]]


@slip("newton-r-rules")
def constant_differentiated_to_itself(case):
    """Use the product rule with R{c} = c: the derivative of a constant is 0."""
    return [case.c * case.at(case.y1) + case.c * case.R(case.y1), rules(case)[1]]


def product_rule(case):
    import sympy

    return sympy.expand(rules(case)[1])


@steps("newton-r-product-steps", cases=two_polynomials, ends_in=product_rule)
def a_mixed_term_in_between(case):
    """Subtract and add y1(w) y2(w + r v) in the difference."""
    import sympy

    r, y1, y2 = case.r, case.at(case.y1), case.at(case.y2)
    moved1, moved2 = case.at(case.y1, case.r), case.at(case.y2, case.r)
    # \mathcal R\{y_1 y_2\}
    yield sympy.expand(case.R(lambda *w: case.y1(*w) * case.y2(*w)))
    # = \lim_{r \to 0} \frac1r \bigl( y_1(w + r\vec v)\,y_2(w + r\vec v) - y_1(w)\,y_2(w) \bigr)
    yield sympy.limit(sympy.cancel((moved1 * moved2 - y1 * y2) / r), r, 0)
    # = \lim_{r \to 0} \Bigl( \frac{y_1(w + r\vec v) - y_1(w)}{r}\,y_2(w + r\vec v)
    #   + y_1(w)\,\frac{y_2(w + r\vec v) - y_2(w)}{r} \Bigr)
    yield sympy.limit(sympy.cancel((moved1 - y1) / r) * moved2 + y1 * sympy.cancel((moved2 - y2) / r), r, 0)
    # = \mathcal R\{y_1\}\,y_2 + y_1\,\mathcal R\{y_2\}
    yield case.R(case.y1) * y2 + y1 * case.R(case.y2)


def softplus_of(y):
    import sympy

    return sympy.log(1 + sympy.exp(y))


def other_rules(case):
    # $$ \mathcal R\{y_1 + y_2\} = \mathcal R\{y_1\} + \mathcal R\{y_2\}, \quad \mathcal R\{c\} = 0, \quad
    #    \mathcal R\{w\} = \vec v, \quad \mathcal R\{L\} = \nabla L^\top \vec v $$
    # $$ \mathcal R\{\operatorname{act}(y_1)\} = \operatorname{act}'(y_1)\,\mathcal R\{y_1\} $$
    import sympy

    z = sympy.Symbol("z", real=True)
    gradient = [case.y1(*case.w).diff(letter) for letter in case.w]
    along = sum(g * v for g, v in zip(gradient, case.v, strict=True))
    d_act = softplus_of(z).diff(z).subs(z, case.at(case.y1))
    return [case.R(case.y1) + case.R(case.y2), 0, *case.v, along, sympy.simplify(d_act * case.R(case.y1))]


@claim("newton-r-other-rules", cases=any_two_functions)
def other_rules_by_definition(case, other_rules=other_rules):
    """By the definition, in symbols; y1 stands for the loss, and act is softplus."""
    import sympy

    computed = [case.R(lambda *w: case.y1(*w) + case.y2(*w)), case.R(lambda *w: case.c)]
    computed += [case.R(lambda *w, i=i: w[i]) for i in range(2)]
    of_act = case.R(lambda *w: softplus_of(case.y1(*w)))
    same(named(other_rules(case)), named([*computed, case.R(case.y1), sympy.simplify(of_act)]))


@slip("newton-r-other-rules")
def constant_kept(case):
    """Write R{c} = c."""
    total, _, *rest = other_rules(case)
    return [total, case.c, *rest]


@slip("newton-r-other-rules")
def inner_derivative_forgotten(case):
    """Leave R{y} out of the chain rule."""
    import sympy

    z = sympy.Symbol("z", real=True)
    return [*other_rules(case)[:-1], softplus_of(z).diff(z).subs(z, case.at(case.y1))]


@dataclass(frozen=True)
class Dual:
    """A value, and its derivative R{value}: sums and products by the rules."""

    value: Any
    R: Any = 0  # of a constant

    def __add__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value + other.value, self.R + other.R)

    def __mul__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value * other.value, self.R * other.value + self.value * other.R)

    __radd__, __rmul__ = __add__, __mul__


@dataclass(frozen=True)
class Quartic:
    """L = (w_1 w_2)^2 + 3 w_1 w_2 w_3 + w_3^4, a point and a direction, in Fractions."""

    w: np.ndarray
    v: np.ndarray

    @staticmethod
    def gradient(a, b, c):
        return [2 * (a * b * b) + 3 * (b * c), 2 * (a * a * b) + 3 * (a * c), 3 * (a * b) + 4 * (c * c * c)]

    @property
    def Hv(self):
        import sympy

        a, b, c = letters = sympy.symbols("a b c")
        H = sympy.hessian((a * b) ** 2 + 3 * a * b * c + c**4, letters)
        rational = [[sympy.Rational(e.numerator, e.denominator) for e in row] for row in (self.w, self.v)]
        note("SymPy")
        return H.subs(dict(zip(letters, rational[0], strict=True))) @ sympy.Matrix(rational[1])


def quartic(rng):
    """Three parameters, in Fractions."""
    w, v = (fractions(*(Fraction(int(n), 7) for n in rng.choice([-9, -5, -3, 2, 4, 8], 3))) for _ in "wv")
    return Quartic(w, v)


def gradient_on_duals(case):
    # $$ (y_1, \mathcal R\{y_1\})\,(y_2, \mathcal R\{y_2\})
    #    = (y_1 y_2,\ \mathcal R\{y_1\}\,y_2 + y_1\,\mathcal R\{y_2\}) $$
    pairs = [Dual(w, v) for w, v in zip(case.w, case.v, strict=True)]
    return [[entry.value, entry.R] for entry in case.gradient(*pairs)]


@claim("newton-dual-numbers", cases=quartic)
def gradient_and_product(case, gradient_on_duals=gradient_on_duals):
    """A gradient written once, run on dual numbers of Fractions: it gives the gradient, and SymPy's H v."""
    values, products = zip(*gradient_on_duals(case), strict=True)
    same(list(values), case.gradient(*case.w))
    same(list(products), list(case.Hv))


@slip("newton-dual-numbers")
def derivatives_multiplied(case):
    """Multiply dual numbers entry by entry."""
    derivatives = case.gradient(*case.v)
    return [[value, R] for value, R in zip(case.gradient(*case.w), derivatives, strict=True)]


# --- H v exactly -----------------------------------------------------------------------------------------------------


def any_loss():
    """A loss of two parameters that is not specified."""
    import sympy

    yield Two(sympy.Function("L"), None, *two_letters())


def some_loss():
    """A loss of two parameters, of several powers."""
    c, w, v, r = two_letters()
    yield Two(lambda a, b: a**3 * b + 5 * a * b**2 - 2 * b**4, None, c, w, v, r)


def gradient_of(case):
    return [case.y1(*case.w).diff(letter) for letter in case.w]


def second_derivatives(case):
    return np.array([[g.diff(letter) for letter in case.w] for g in gradient_of(case)])


def directional_gradient(case):
    """R of each entry of the gradient, by the definition."""
    import sympy

    found = []
    for letter in case.w:
        entry = sympy.Lambda(case.w, case.y1(*case.w).diff(letter))
        found.append(sympy.expand(case.R(entry)))
    return found


def exact_product(case):
    # $$ H\vec v = \mathcal R\{\nabla L(w)\} = \nabla \bigl( \nabla L(w)^\top \vec v \bigr) $$
    import sympy

    along = sum(g * v for g, v in zip(gradient_of(case), case.v, strict=True))
    return [sympy.expand(along.diff(letter)) for letter in case.w]


@claim("newton-hvp-exact", cases=any_loss)
def product_for_any_loss(case, exact_product=exact_product):
    """The gradient of gradient^T v, against the matrix of second derivatives times v, for a loss not specified."""
    same(named(exact_product(case)), named(second_derivatives(case) @ np.array(case.v)))


@claim("newton-hvp-exact", cases=some_loss)
def both_forms(case, exact_product=exact_product):
    """A polynomial loss: the matrix times v, and R of the gradient by the definition."""
    import sympy

    same(exact_product(case), [sympy.expand(e) for e in second_derivatives(case) @ np.array(case.v)])
    same(exact_product(case), directional_gradient(case))


def one_network():
    """A network of 27 parameters."""
    yield network(np.random.default_rng(5))


@claim("newton-hvp-exact", cases=one_network)
def by_torch_both_ways(case):
    """PyTorch on the network: forward over reverse, reverse over reverse, and its full Hessian times v, all equal."""
    torch = need("torch")
    x, labels, v = torch.tensor(case.x), torch.tensor(case.labels), torch.tensor(case.v)

    def loss(w):
        h = x
        for k, (W, b) in enumerate(case.pairs(w)):
            z = h @ W.T + b
            h = torch.nn.functional.softplus(z) if k < case.M - 1 else z
        return torch.nn.functional.cross_entropy(h, labels)

    w = torch.tensor(case.w, requires_grad=True)
    full = (torch.autograd.functional.hessian(loss, w) @ v).numpy()
    with torch.autograd.forward_ad.dual_level():
        moved = torch.autograd.forward_ad.make_dual(w, v)
        (gradient,) = torch.autograd.grad(loss(moved), moved, create_graph=True)
        forward_over_reverse = torch.autograd.forward_ad.unpack_dual(gradient).tangent.detach()
    (gradient,) = torch.autograd.grad(loss(w), w, create_graph=True)
    (reverse_over_reverse,) = torch.autograd.grad(gradient @ v, w)
    agree(forward_over_reverse.numpy(), full)
    agree(reverse_over_reverse.numpy(), full)
    agree(case.Hv, full)


@slip("newton-hvp-exact")
def r_of_the_loss(case):
    """Apply R to the loss: that is the number gradient^T v."""
    return [case.R(case.y1)]


@slip("newton-hvp-exact")
def quadratic_form(case):
    """Give the number v^T H v."""
    return [sum(v * entry for v, entry in zip(case.v, exact_product(case), strict=True))]


@slip("newton-hvp-exact")
def inverse_applied(case):
    """Give H^{-1} v, the vector that Newton's step needs."""
    import sympy

    H = sympy.Matrix(second_derivatives(case).tolist())
    return list(H.adjugate() @ sympy.Matrix(case.v) / H.det())


@steps("newton-hvp-exact-steps", cases=some_loss, ends_in=exact_product)
def from_hv_to_a_gradient(case):
    """The chain rule in r, read backwards; then the order of the derivatives is exchanged."""
    import sympy

    v, g = np.array(case.v), gradient_of(case)
    there = {w: w + case.r * along for w, along in zip(case.w, case.v, strict=True)}
    moved = [entry.subs(there, simultaneous=True) for entry in g]
    # H\vec v
    yield np.array([sympy.expand(e) for e in second_derivatives(case) @ v])
    # = \frac{\partial}{\partial r} \nabla L(w + r\vec v) \Big|_{r = 0}
    yield [sympy.expand(entry.diff(case.r).subs(case.r, 0)) for entry in moved]
    # = \nabla \bigl( \nabla L(w)^\top \vec v \bigr)
    yield [sympy.expand((g[0] * v[0] + g[1] * v[1]).diff(letter)) for letter in case.w]


# --- H v of a network ------------------------------------------------------------------------------------------------


def networks():
    """Networks of two, three and four layers; all sizes of a network differ."""
    rng = np.random.default_rng(7)
    yield network(rng)
    yield network(rng, sizes=(3, 5, 4, 2), N=6)
    yield network(rng, sizes=(4, 3, 5, 2, 6), N=7)


def network_gradient(case):
    # $$ z^{(i)} = h^{(i-1)} W^{(i)\top} + b^{(i)}, \qquad h^{(i)} = \operatorname{softplus}(z^{(i)}), \qquad
    #    p = \operatorname{softmax}(z^{(M)}) $$
    # $$ \frac{\partial L}{\partial z^{(M)}} = \frac1N (p - e_\ell), \qquad
    #    \frac{\partial L}{\partial h^{(i)}} = \frac{\partial L}{\partial z^{(i+1)}}\,W^{(i+1)}, \qquad
    #    \frac{\partial L}{\partial z^{(i)}} = \frac{\partial L}{\partial h^{(i)}} \odot \sigma(z^{(i)}) $$
    # $$ \frac{\partial L}{\partial W^{(i)}} = \Bigl(\frac{\partial L}{\partial z^{(i)}}\Bigr)^\top h^{(i-1)}, \qquad
    #    \frac{\partial L}{\partial b^{(i)}} = \Bigl(\frac{\partial L}{\partial z^{(i)}}\Bigr)^\top \mathbf 1 $$
    return flat(newton.mlp_gradient(case.params, case.x, case.labels))


@claim("newton-mlp-gradient", cases=networks)
def gradient_by_complex_step(case, network_gradient=network_gradient):
    """Derivative of the loss, written from its definition, along each parameter, by a complex step."""
    expected = complex_step(case.loss, case.w)
    agree(network_gradient(case), expected)
    agree(case.gradient_by_hand(case.w).real, expected)


@slip("newton-mlp-gradient")
def sum_over_the_examples(case):
    """Add the examples instead of taking their mean."""
    return len(case.x) * network_gradient(case)


@slip("newton-mlp-gradient")
def labels_from_one(case):
    """Read the labels as if they began with 1."""
    return flat(newton.mlp_gradient(case.params, case.x, (case.labels - 1) % case.sizes[-1]))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_rules(case, *, RW_back=1, slope=1, dz_Rh=1, mean=1, coupling=1, shift=0):
    """H v by the rules, in the test's own words; a factor 0 leaves a term out."""
    params, direction, h, Rh, z, Rz = case.params, case.direction, [case.x], [0 * case.x], [], []
    for (W, b), (RW, Rb) in zip(params, direction, strict=True):
        z.append(np.einsum("nd,od->no", h[-1], W) + b + shift * (W is params[-1][0]))
        Rz.append(np.einsum("nd,od->no", Rh[-1], W) + np.einsum("nd,od->no", h[-1], RW) + Rb)
        h.append(np.log(1 + np.exp(z[-1])))
        Rh.append(Rz[-1] / (1 + np.exp(-z[-1])))
    p = np.exp(z[-1]) / np.exp(z[-1]).sum(1)[:, None]
    N = len(case.x) if mean else 1
    dz = (p - (np.arange(p.shape[1]) == case.labels[:, None])) / N
    Rdz = (p * Rz[-1] - coupling * p * np.einsum("nk,nk->n", p, Rz[-1])[:, None]) / N
    found = []
    for i in range(len(params))[::-1]:
        found.append((np.einsum("no,nd->od", Rdz, h[i]) + dz_Rh * np.einsum("no,nd->od", dz, Rh[i]), sum(Rdz)))
        Rdh = np.einsum("no,od->nd", Rdz, params[i][0]) + RW_back * np.einsum("no,od->nd", dz, direction[i][0])
        dh = np.einsum("no,od->nd", dz, params[i][0])
        s = sigmoid(z[i - 1]) if i else 0
        dz, Rdz = dh * s, Rdh * s + slope * dh * s * (1 - s) * (Rz[i - 1] if i else 0)
    return flat(found[::-1])


def network_product(case):
    # $$ \mathcal R\{z^{(i)}\} = \mathcal R\{h^{(i-1)}\}\,W^{(i)\top} + h^{(i-1)}\,\mathcal R\{W^{(i)}\}^\top
    #    + \mathcal R\{b^{(i)}\} $$
    # $$ \mathcal R\{h^{(i)}\} = \sigma(z^{(i)}) \odot \mathcal R\{z^{(i)}\} $$
    # $$ \mathcal R\Bigl\{\frac{\partial L}{\partial z^{(M)}}\Bigr\} = \frac1N\,\mathcal R\{p\}, \qquad
    #    \mathcal R\{p_i\} = p_i \Bigl( \mathcal R\{z_i^{(M)}\} - \sum_j p_j\,\mathcal R\{z_j^{(M)}\} \Bigr) $$
    # $$ \mathcal R\Bigl\{\frac{\partial L}{\partial h^{(i)}}\Bigr\}
    #    = \mathcal R\Bigl\{\frac{\partial L}{\partial z^{(i+1)}}\Bigr\} W^{(i+1)}
    #    + \frac{\partial L}{\partial z^{(i+1)}}\,\mathcal R\{W^{(i+1)}\} $$
    # $$ \mathcal R\Bigl\{\frac{\partial L}{\partial z^{(i)}}\Bigr\}
    #    = \mathcal R\Bigl\{\frac{\partial L}{\partial h^{(i)}}\Bigr\} \odot \sigma(z^{(i)})
    #    + \frac{\partial L}{\partial h^{(i)}} \odot \sigma(z^{(i)}) \odot \sigma(-z^{(i)})
    #    \odot \mathcal R\{z^{(i)}\} $$
    # $$ \mathcal R\Bigl\{\frac{\partial L}{\partial W^{(i)}}\Bigr\}
    #    = \mathcal R\Bigl\{\frac{\partial L}{\partial z^{(i)}}\Bigr\}^\top h^{(i-1)}
    #    + \Bigl(\frac{\partial L}{\partial z^{(i)}}\Bigr)^\top \mathcal R\{h^{(i-1)}\} $$
    # $$ \mathcal R\Bigl\{\frac{\partial L}{\partial b^{(i)}}\Bigr\}
    #    = \mathcal R\Bigl\{\frac{\partial L}{\partial z^{(i)}}\Bigr\}^\top \mathbf 1 $$
    return flat(newton.mlp_hvp(case.params, case.x, case.labels, case.direction))


@claim("newton-mlp-hvp", cases=networks)
def dense_hessian_times_v(case, network_product=network_product):
    """The whole Hessian, one column a complex step of the gradient, times v; it is symmetric."""
    agree(case.H, case.H.T)
    agree(network_product(case), case.H @ case.v)


@claim("newton-mlp-hvp", cases=networks)
def by_the_rules_again(case, network_product=network_product):
    """The same rules written a second time, in another order and with other functions of NumPy."""
    agree(network_product(case), by_rules(case))


@claim("newton-mlp-hvp")
def one_layer():
    """Softmax regression, a network without hidden units: its whole Hessian times v."""
    for sizes in ((3, 4), (1, 2)):
        case = network(np.random.default_rng(3), sizes=sizes)
        agree(network_product(case), case.H @ case.v)


def without_hidden_units(case):
    """A network of one layer."""
    return network(np.random.default_rng(4), sizes=(4, 3))


@slip("newton-mlp-hvp", blind=without_hidden_units)
def direction_forgotten_on_the_way_back(case):
    """Leave out R{W} when the gradient goes back through W: only the forward pass moves W then."""
    return by_rules(case, RW_back=0)


@slip("newton-mlp-hvp", blind=without_hidden_units)
def slope_of_the_activation_held_constant(case):
    """Hold sigma(z) constant on the way back: leave out the second derivative of the activation."""
    return by_rules(case, slope=0)


@slip("newton-mlp-hvp", blind=without_hidden_units)
def gauss_newton(case):
    """Let R act on the top gradient only: that is the Gauss-Newton matrix times v."""
    return by_rules(case, RW_back=0, slope=0, dz_Rh=0)


@slip("newton-mlp-hvp", blind=without_hidden_units)
def hidden_output_held_constant(case):
    """Leave out R{h} in the gradient by W: apply half of the product rule."""
    return by_rules(case, dz_Rh=0)


@slip("newton-mlp-hvp")
def softmax_entry_by_entry(case):
    """Differentiate each softmax as if it depended on its own logit only."""
    return by_rules(case, coupling=0)


@slip("newton-mlp-hvp")
def mean_forgotten(case):
    """Add the examples instead of taking their mean."""
    return by_rules(case, mean=0)


def one_row(rng):
    """A row of five logits, and their derivatives along v."""
    return rng.normal(size=5), rng.normal(size=5)


def softmax_row(z):
    return np.exp(z) / np.exp(z).sum()


def softmax_along(row):
    z, Rz = row
    return softmax_row(z) * (Rz - softmax_row(z) @ Rz)


@steps("newton-r-softmax-steps", cases=one_row, ends_in=softmax_along)
def quotient_of_exponentials(row):
    """The rule of a quotient, and R{e^z} = e^z R{z}."""
    z, Rz = row
    total = np.exp(z).sum()
    # \mathcal R\{p_i\}
    yield softmax_row(z + 1e-30j * Rz).imag / 1e-30
    # = \frac{e^{z_i}\,\mathcal R\{z_i\}}{\sum_j e^{z_j}}
    #   - \frac{e^{z_i} \sum_j e^{z_j}\,\mathcal R\{z_j\}}{\bigl( \sum_j e^{z_j} \bigr)^2}
    yield np.exp(z) * Rz / total - np.exp(z) * (np.exp(z) @ Rz) / total**2
    # = p_i \Bigl( \mathcal R\{z_i\} - \sum_j p_j\,\mathcal R\{z_j\} \Bigr)
    yield softmax_row(z) * (Rz - softmax_row(z) @ Rz)


@dataclass(frozen=True)
class SheetNetwork:
    """The network of the sheet, 32-512-512-10, five examples and a direction; computed once each."""

    params: list
    direction: list
    x: np.ndarray
    labels: np.ndarray

    @cached_property
    def product(self):
        return newton.mlp_hvp(self.params, self.x, self.labels, self.direction)

    @cached_property
    def by_torch(self):
        torch = need("torch")
        leaves = [torch.tensor(a, requires_grad=True) for pair in self.params for a in pair]
        h = torch.tensor(self.x)
        for k in range(3):
            z = h @ leaves[2 * k].T + leaves[2 * k + 1]
            h = torch.nn.functional.softplus(z)
        loss = torch.nn.functional.cross_entropy(z, torch.tensor(self.labels))
        gradient = torch.autograd.grad(loss, leaves, create_graph=True)
        parts = [torch.tensor(a) for pair in self.direction for a in pair]
        along = sum((g * part).sum() for g, part in zip(gradient, parts, strict=True))
        return [a.numpy() for a in torch.autograd.grad(along, leaves)]


def sheet_network():
    """Five examples."""
    rng = np.random.default_rng(11)

    def pairs(scale):
        return [
            (rng.normal(size=(rows, columns)) * scale / columns**0.5, rng.normal(size=rows))
            for columns, rows in itertools.pairwise(SIZES)
        ]

    yield SheetNetwork(pairs(1.0), pairs(2.0), rng.normal(size=(5, 32)), np.array([3, 0, 9, 4, 3]))


def sheet_product(case):
    # $$ H\vec v \in \R^{284\,682} \text{, and no array of size } P^2 $$
    return flat(case.product)


@claim("newton-mlp-hvp-sheet", cases=sheet_network)
def double_backward(case, sheet_product=sheet_product):
    """PyTorch's double backward, each weight and each bias array apart."""
    need("torch")
    rest = sheet_product(case)
    for expected in case.by_torch:
        part, rest = rest[: expected.size], rest[expected.size :]
        agree(part, expected.ravel())
    same(rest.size, 0)


@slip("newton-mlp-hvp-sheet")
def gauss_newton_on_the_sheet(case):
    """Give the Gauss-Newton matrix times v."""
    return by_rules(case, RW_back=0, slope=0, dz_Rh=0)


def shifted(rng):
    """A network whose logits are all near 1000."""
    case = network(rng)
    return replace(case, w=np.concatenate([case.w[:-3], case.w[-3:] + 1000]))


def large_logits(case):
    # $$ H\vec v \text{ at } b^{(M)} + \delta\,\mathbf 1 \ =\ H\vec v \text{ at } b^{(M)} $$
    return flat(newton.mlp_hvp(case.params, case.x, case.labels, case.direction))


@claim("newton-mlp-stable", cases=shifted)
def as_without_the_shift(case, large_logits=large_logits):
    """Logits near 1000, whose exponential overflows, against the network with 1000 taken from its last biases."""
    lower = replace(case, w=np.concatenate([case.w[:-3], case.w[-3:] - 1000]))
    agree(large_logits(case), lower.Hv, tolerance=1e-9)


@claim("newton-mlp-stable", cases=networks)
def no_overflow(case):
    """Weights times 1e4 and times 1e150, both signs: gradient and product are finite, and no warning is raised."""
    for factor in (1e4, -1e4, 1e150):
        one = replace(case, w=factor * case.w) if factor < 1e100 else replace(case, w=case.w, x=factor * case.x)
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            values = (large_logits(one), network_gradient(one))
        every(values, lambda value: np.isfinite(value).all())


@slip("newton-mlp-stable")
def exponentials_as_they_are(case):
    """Exponentiate the logits without subtracting the largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        return by_rules(case)


# --- what it costs ---------------------------------------------------------------------------------------------------


class Counted(np.ndarray):
    """An array that notes each matrix product it takes part in: how many multiplications."""

    noted = ()

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        plain = [a.view(np.ndarray) if isinstance(a, Counted) else a for a in inputs]
        if ufunc is np.matmul:
            Counted.noted = (*Counted.noted, plain[0].shape[0] * plain[0].shape[1] * plain[1].shape[1])
        value = getattr(ufunc, method)(*plain, **options)
        return value.view(Counted) if isinstance(value, np.ndarray) else value


class LetsPass:
    """NumPy, but `asarray` lets an array that counts pass as it is."""

    asarray = staticmethod(np.asanyarray)

    def __getattr__(self, name):
        return getattr(np, name)


def products_of(call):
    """The multiplications of each matrix product that a call of the package does."""
    Counted.noted, newton.np = (), LetsPass()
    try:
        call()
    finally:
        newton.np = np
    return Counted.noted


def counted(case):
    """The matrix products of one gradient, and of one H v."""

    def counting(pairs):
        return [(W.view(Counted), b.view(Counted)) for W, b in pairs]

    params, direction, x = counting(case.params), counting(case.direction), case.x.view(Counted)
    gradient = products_of(lambda: newton.mlp_gradient(params, x, case.labels))
    return gradient, products_of(lambda: newton.mlp_hvp(params, x, case.labels, direction))


def deep_and_shallow():
    """Networks of one to four layers."""
    yield network(np.random.default_rng(4), sizes=(4, 3))
    yield from networks()


def cost(case):
    # $$ \nabla L : \ 3M - 1 \text{ products}, \qquad H\vec v : \ 8M - 5 \text{ products}, \qquad
    #    \frac{8M - 5}{3M - 1} < \frac83 $$
    return [3 * case.M - 1, 8 * case.M - 5]


@claim("newton-cost", cases=deep_and_shallow)
def products_counted(case, cost=cost):
    """Arrays that count their products, handed to `mlp_gradient` and to `mlp_hvp`."""
    same(cost(case), [len(noted) for noted in counted(case)])
    gradient, product = cost(case)
    every([(gradient, product)], lambda pair: 3 * pair[1] < 8 * pair[0])


@claim("newton-cost", cases=sheet_network)
def multiplications_on_the_sheet(case):
    """The network of the sheet: 834 560 multiplications an example for the gradient, 2 187 264 for H v, 2.62 times."""
    same([sum(noted) for noted in counted(case)], [5 * 834_560, 5 * 2_187_264])
    agree(2_187_264 / 834_560, 2.62, tolerance=1e-3)


@slip("newton-cost")
def as_two_gradients(case):
    """Count two gradients, as for a difference."""
    return [3 * case.M - 1, 2 * (3 * case.M - 1)]


@slip("newton-cost")
def one_gradient_a_parameter(case):
    """Build H first, one gradient a column."""
    return [3 * case.M - 1, len(case.w) * (3 * case.M - 1)]


# --- Newton's step from products only --------------------------------------------------------------------------------


def solved_by_products(case):
    # $$ H\,\Delta w = -\nabla L(w_t) $$
    return newton.conjugate_gradient(lambda v: case.H @ v, -case.slope)


@claim("newton-conjugate-gradient", cases=fraction_model)
def exact_after_P_products(case, solved_by_products=solved_by_products):
    """In Fractions, with H known by its products only: the solution, after at most P of them."""
    calls = []
    step = newton.conjugate_gradient(lambda v: calls.append(v) or case.H @ v, -case.slope)
    same(case.H @ step, -case.slope)
    every([len(calls)], lambda count: count <= case.P)
    same(solved_by_products(case), newton.newton_step(case.slope, case.H))


@claim("newton-conjugate-gradient", cases=model)
def in_floating_point(case, solved_by_products=solved_by_products):
    """In float64: the residual."""
    agree(case.H @ solved_by_products(case), -case.slope, tolerance=1e-9)


@claim("newton-conjugate-gradient")
def as_many_as_distinct_eigenvalues():
    """H = I + a a^T has two eigenvalues, whatever its size: two products, in Fractions. And a stop when asked."""
    a, b, calls = fractions(1, -2, 3, 1, 4), fractions(1, -2, 3, 1, 5), []
    solution = newton.conjugate_gradient(lambda v: calls.append(v) or v + a * (a @ v), b)
    same(solution + a * (a @ solution), b)
    same(len(calls), 2)
    one = newton.conjugate_gradient(lambda v: v + a * (a @ v), b, iterations=1)
    same(one, b * ((b @ b) / (b @ b + (a @ b) ** 2)))
    near = newton.conjugate_gradient(lambda v: v + a * (a @ v), b, tolerance=Fraction(1, 5))
    left = b - near - a * (a @ near)
    every([left @ left / (b @ b)], lambda share: 0 < share <= Fraction(1, 5) ** 2)


@claim("newton-conjugate-gradient")
def when_it_stops():
    """Float64: soon on a good H; after more than P products on one of condition 1e4; and numbers near the largest."""
    for H, fewest, most in ((np.diag([1.0, 2, 3, 4]), 4, 6), (np.diag(np.geomspace(1, 1e4, 12)), 13, 60)):
        b, calls = np.sin(np.arange(1.0, len(H) + 1)), []
        s = newton.conjugate_gradient(lambda v, H=H, calls=calls: calls.append(v) or H @ v, b)
        agree(H @ s, b, tolerance=1e-12)
        every([len(calls)], lambda count, fewest=fewest, most=most: fewest <= count <= most)
    agree(newton.conjugate_gradient(lambda v: 2 * v, np.array([1e300, 3e300])), np.array([5e299, 1.5e300]))


@claim("newton-conjugate-gradient")
def too_few_products():
    """Condition 1e10: after the 500 products it allows for P = 50 the residual is over a hundredth of b. It returns."""
    H, calls = np.geomspace(1, 1e10, 50), []
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 50)))[0]
    b = Q @ np.ones(50)
    s = newton.conjugate_gradient(lambda v: calls.append(v) or Q @ (H * (Q.T @ v)), b)
    same(len(calls), 500)
    at_most(np.linalg.norm(b), 100 * np.linalg.norm(Q @ (H * (Q.T @ s)) - b))


@claim("newton-conjugate-gradient")
def negative_curvature_is_said():
    """H = diag(1, -1): it refuses, and names the function that gives the products."""
    refuses(lambda: newton.conjugate_gradient(lambda v: v * np.array([1.0, -1.0]), np.array([1.0, 2.0])), naming="hvp")


def steps_of_descent(case, count):
    s, residual = 0 * case.slope, -case.slope
    for _ in range(count):
        length = (residual @ residual) / (residual @ case.H @ residual)
        s, residual = s + length * residual, residual - length * (case.H @ residual)
        if not residual @ residual:
            break
    return s


@slip("newton-conjugate-gradient", blind=identity)
def steepest_descent(case):
    """Take as many steps along the residual itself, each of the best length."""
    return steps_of_descent(case, case.P)


@slip("newton-conjugate-gradient")
def right_side_not_negated(case):
    """Solve with the gradient on the right."""
    return newton.conjugate_gradient(lambda v: case.H @ v, case.slope)


@slip("newton-conjugate-gradient", blind=identity)
def one_product_too_few(case):
    """Stop after P - 1 products."""
    return newton.conjugate_gradient(lambda v: case.H @ v, -case.slope, iterations=case.P - 1)


# --- how fast, and when not ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneParameter:
    """A loss of one parameter: its first two derivatives, its minimiser, a start, derivatives at the minimiser."""

    d1: Any
    d2: Any
    star: Any
    start: Any
    d2_star: Any
    d3_star: Any

    def next(self, w):
        return w + newton.newton_step([self.d1(w)], [[self.d2(w)]])[0]


def smooth_losses():
    """L = e^w - 2 w, whose minimiser is log 2; and L = w - log w, whose minimiser is 1."""
    import mpmath

    with mpmath.workdps(200):
        yield OneParameter(lambda w: mpmath.exp(w) - 2, mpmath.exp, mpmath.log(2), mpmath.mpf(1), 2, 2)
        yield OneParameter(lambda w: 1 - 1 / w, lambda w: 1 / w**2, mpmath.mpf(1), mpmath.mpf("0.6"), 1, -2)


def rate(case):
    # $$ \lim_{t \to \infty} \frac{w_{t+1} - w^\star}{(w_t - w^\star)^2} = \frac{L'''(w^\star)}{2\,L''(w^\star)} $$
    return case.d3_star / (2 * case.d2_star)


@claim("newton-quadratic-rate", cases=smooth_losses)
def errors_squared(case, rate=rate):
    """`newton_step` itself on numbers of 200 digits: the last ratio after eight steps."""
    import mpmath

    note("200 digits")
    with mpmath.workdps(200):
        w = [case.start]
        for _ in range(8):
            w.append(case.next(w[-1]))
        ratio = (w[7] - case.star) / (w[6] - case.star) ** 2
    agree(rate(case), float(ratio))


@slip("newton-quadratic-rate")
def half_left_out(case):
    """Leave out the factor 1/2."""
    return case.d3_star / case.d2_star


@slip("newton-quadratic-rate")
def rate_of_descent(case):
    """Look for a rate as that of gradient descent, and find 0."""
    return 0.0


def local_cubic():
    """L = a d^2 / 2 + c d^3 / 6 at the distance d from its minimiser, all letters positive."""
    import sympy

    yield sympy.symbols("a c d", positive=True)


def next_distance(letters):
    a, c, d = letters
    return c * d**2 / (2 * (a + c * d))


@steps("newton-quadratic-rate-steps", cases=local_cubic, ends_in=next_distance)
def second_order_is_left(letters):
    """A loss that is a cubic about its minimiser, so that its series end."""
    a, c, d = letters
    slope, curvature = a * d + c * d**2 / 2, a + c * d
    # w_{t+1} - w^\star
    yield d + newton.newton_step([slope], [[curvature]])[0]
    # = (w_t - w^\star) - \frac{L'(w_t)}{L''(w_t)}
    yield d - slope / curvature
    # = \frac{L''(w_t)\,(w_t - w^\star) - L'(w_t)}{L''(w_t)}
    yield (curvature * d - slope) / curvature
    # = \frac{\tfrac12\,L'''(w^\star)\,(w_t - w^\star)^2}{L''(w_t)}
    yield c * d**2 / 2 / curvature


def real_letter():
    """One real parameter."""
    import sympy

    yield sympy.Symbol("w", real=True)


def valley_iterate(w):
    # $$ L(w) = \sqrt{1 + w^2} : \qquad w_{t+1} = -w_t^3 $$
    return -(w**3)


@claim("newton-diverges", cases=real_letter)
def cubed(w, valley_iterate=valley_iterate):
    """`newton_step` itself on the symbol, with the derivatives from SymPy."""
    import sympy

    loss = sympy.sqrt(1 + w**2)
    step = newton.newton_step(np.array([loss.diff(w)]), np.array([[sympy.simplify(loss.diff(w, 2))]]))
    same(valley_iterate(w), sympy.simplify(w + step[0]))


@claim("newton-diverges")
def three_starts():
    """From 1/2 it converges, from 1 it goes to and fro, from 2 it diverges: exactly, as 2 to the power 3^t."""
    starts = {Fraction(1, 2): [], Fraction(1): [], Fraction(2): []}
    for start, seen in starts.items():
        w = start
        for _ in range(5):
            w = valley_iterate(w)
            seen.append(w)
    for start, seen in starts.items():
        same(seen, [(-1) ** t * start ** (3**t) for t in range(1, 6)])


@slip("newton-diverges")
def sign_of_the_cube(w):
    """Lose the sign."""
    return w**3


@slip("newton-diverges")
def always_quadratic(w):
    """Square the error, as if the rate near the minimum held from anywhere."""
    return w**2


@steps("newton-diverges-steps", cases=real_letter, ends_in=valley_iterate)
def curvature_of_the_valley(w):
    """The two derivatives, then the quotient."""
    import sympy

    loss = sympy.sqrt(1 + w**2)
    # w_t - \frac{L'(w_t)}{L''(w_t)}
    yield sympy.simplify(w - loss.diff(w) / loss.diff(w, 2))
    # = w_t - \frac{w_t}{(1 + w_t^2)^{1/2}}\,(1 + w_t^2)^{3/2}
    yield w - w / (1 + w**2) ** sympy.Rational(1, 2) * (1 + w**2) ** sympy.Rational(3, 2)
    # = w_t - w_t\,(1 + w_t^2)
    yield w - w * (1 + w**2)
    # = -w_t^3
    yield -(w**3)


def two_wells(w):
    # $$ L(w) = \tfrac14 w^4 - \tfrac12 w^2 : \qquad w_t - \frac{L'(w_t)}{L''(w_t)} = \frac{2 w_t^3}{3 w_t^2 - 1} $$
    return 2 * w**3 / (3 * w**2 - 1)


@claim("newton-to-a-maximum", cases=real_letter)
def towards_the_top(w, two_wells=two_wells):
    """The formula in symbols; from 2/5 to 0 within 1e-9, a maximum, where `newton_step` refuses; from 1/2 to -1."""
    import sympy

    loss = w**4 / 4 - w**2 / 2
    same(two_wells(w), sympy.together(w - loss.diff(w) / loss.diff(w, 2)))
    same(sympy.sign(loss.diff(w, 2).subs(w, 0)), -1)
    at = Fraction(2, 5)
    refuses(lambda: newton.newton_step([at**3 - at], [[3 * at**2 - 1]]), naming="hessian")
    for _ in range(4):
        at = 2 * at**3 / (3 * at**2 - 1)
    every([at], lambda at: abs(at) < Fraction(1, 10**9))
    half, curvature = sympy.Rational(1, 2), loss.diff(w, 2)
    same([two_wells(w).subs(w, half), loss.diff(w).subs(w, -1)], [-1, 0])
    same([sympy.sign(curvature.subs(w, half)), sympy.sign(curvature.subs(w, -1))], [-1, 1])


@slip("newton-to-a-maximum")
def to_the_nearest_minimum(w):
    """Count on the minimum at 1."""
    return w**0


def shift_of_biases(case, layer):
    """The direction that adds one number to all biases of a layer, and nothing else."""
    pairs = [(0 * W, 0 * b + (i == layer)) for i, (W, b) in enumerate(case.params, 1)]
    return flat(pairs)


def unseen_shift(case):
    # $$ H\vec v = 0 \quad \text{and} \quad \nabla L^\top \vec v = 0 \qquad
    #    \text{if } \mathcal R\{b^{(M)}\} = \mathbf 1 \text{ and the rest of } \vec v \text{ is } 0 $$
    direction = case.pairs(case.v + shift_of_biases(case, case.M))
    return flat(newton.mlp_hvp(case.params, case.x, case.labels, direction))


@claim("newton-mlp-singular", cases=networks)
def nothing_moves_the_softmax(case, unseen_shift=unseen_shift):
    """The shift, added to a direction, leaves its H v as it was; it is orthogonal to the gradient; H is refused."""
    agree(unseen_shift(case), case.Hv)
    shift, gradient = shift_of_biases(case, case.M), case.gradient(case.w)
    agree(case.H @ shift, 0 * shift, scale=np.abs(case.H).max())
    agree(gradient @ shift, np.zeros(()), scale=np.abs(gradient).max())
    refuses(lambda: newton.newton_step(gradient, case.H), naming="hessian")


@slip("newton-mlp-singular")
def biases_of_the_first_layer(case):
    """Shift the biases of the first layer instead: the softmax sees that."""
    direction = case.pairs(case.v + shift_of_biases(case, 1))
    return flat(newton.mlp_hvp(case.params, case.x, case.labels, direction))


@claim("newton-mlp-indefinite", cases=networks)
def eigenvalues_of_both_signs(case):
    """The extreme eigenvalues of the Hessian of each network, at random parameters."""
    # $$ \lambda_{\min} < 0 < \lambda_{\max} $$
    eigenvalues = np.linalg.eigvalsh(case.H)
    at_most(eigenvalues[0], -0.05 * eigenvalues[-1])
    at_most(-eigenvalues[-1], np.float64(-0.1))


@claim("newton-mlp-indefinite")
def convex_with_one_layer():
    """Fifty networks of one layer, parameters from 0.01 to 100 in size: no eigenvalue below 0, but for rounding."""
    rng = np.random.default_rng(8)
    for size in np.geomspace(0.01, 100, 50):
        case = network(rng, sizes=(4, 3))
        params = [(size * W, size * b) for W, b in case.params]
        columns = [flat(newton.mlp_hvp(params, case.x, case.labels, case.pairs(e))) for e in np.eye(len(case.w))]
        eigenvalues = np.linalg.eigvalsh(columns)
        at_most(-eigenvalues[0], 1e-12 * eigenvalues[-1] + 1e-15)


# --- input -----------------------------------------------------------------------------------------------------------


@claim("newton-bad-input")
def bad_models():
    """Wrong shapes and dtypes, entries that are not finite, matrices without symmetry, without definiteness."""
    g, H = np.array([1.0, 2]), np.array([[2.0, 1], [1, 3]])
    for bad in (1.0, g[:0], H, g * 1j, g > 0, np.array([1, np.nan]), np.array(["a", "b"])):
        refuses(lambda bad=bad: newton.newton_step(bad, H), naming="gradient")
    wrong = (g, H[:1], np.eye(3), H * 1j, H > 0, H * np.inf, np.array([[2, 1], [0, 3]]), -H, H - H, np.ones((2, 2)))
    for bad in wrong:
        refuses(lambda bad=bad: newton.newton_step(g, bad), naming="hessian")
    for bad in (1.0, g[:0], H, g * 1j):
        refuses(lambda bad=bad: newton.conjugate_gradient(lambda v: v, bad), naming="b")
    refuses(lambda: newton.conjugate_gradient(lambda v: v[:1], g), naming="hvp")
    refuses(lambda: newton.conjugate_gradient(lambda v: -v, g), naming="hvp")
    refuses(lambda: newton.conjugate_gradient(H, g), naming="hvp")
    for factor in (0, np.nan):
        refuses(lambda factor=factor: newton.conjugate_gradient(lambda v: v * factor, g), naming="hvp")
    skew = np.array([[0, 1], [-1, 0]])
    refuses(lambda: newton.newton_step(g, H + 1e-6 * skew), naming="hessian")
    agree(newton.newton_step(g, H + 1e-9 * skew), newton.newton_step(g, H))
    for bad in (-1e-3, np.nan):
        refuses(lambda bad=bad: newton.conjugate_gradient(lambda v: v, g, tolerance=bad), naming="tolerance")


@claim("newton-bad-input")
def bad_differences():
    """A gradient that is no function or gives another shape; a direction of another shape; r not positive."""
    w, v = np.array([1.0, 2, 3]), np.array([3.0, 1, 2])
    for difference in (newton.hvp_forward_difference, newton.hvp_central_difference):
        for bad in (w, lambda w: w[:1], lambda w: w.sum(), lambda w: w[:, None]):
            refuses(lambda bad=bad, d=difference: d(bad, w, v, 0.1), naming="gradient")
        for bad in (1.0, w[:0], w[:, None], w * 1j):
            refuses(lambda bad=bad, d=difference: d(np.sin, bad, v, 0.1), naming="w")
        for bad in (v[:1], v[:, None], 2.0, v > 0):
            refuses(lambda bad=bad, d=difference: d(np.sin, w, bad, 0.1), naming="v")
        for bad in (None, 0, -0.1, np.nan, np.inf, v, "small", 1j):
            refuses(lambda bad=bad, d=difference: d(np.sin, w, v, bad), naming="r")


@claim("newton-bad-input")
def bad_networks():
    """Shapes that do not fit together, dtypes, labels out of range, a direction not shaped as the network."""
    case = network(np.random.default_rng(0))
    params, x, labels, v = case.params, case.x, case.labels, case.direction
    (W, b), last = params[0], params[1]
    wrong = ([], 3, [W, b], [(W, b, b), last], [(W.T, b), last], [(W, b[1:]), last], [(W, b[:, None]), last])
    for bad in (*wrong, [(W, b)] * 2, [(W.astype(int), b), last], [(W, b * 1j), last], [(W[0], b), last]):
        refuses(lambda bad=bad: newton.mlp_gradient(bad, x, labels), naming="params")
        refuses(lambda bad=bad: newton.mlp_hvp(bad, x, labels, v), naming="params")
    for bad in (x[0], x[:0], x.astype(int), x * 1j, x[:, :, None]):
        refuses(lambda bad=bad: newton.mlp_hvp(params, bad, labels, v), naming="x")
    for bad in (labels[:-1], labels[:, None], labels + 0.0, labels - 1, labels + 1, labels > 0, 1):
        refuses(lambda bad=bad: newton.mlp_hvp(params, x, bad, v), naming="labels")
    for bad in (v[:1], v[::-1], [(W, b), last, last], 3, [(W.astype(int), b), last], [(W, b[:, None]), last]):
        refuses(lambda bad=bad: newton.mlp_hvp(params, x, labels, bad), naming="v")


@claim("newton-pure", cases=network)
def inputs_unchanged(case):
    """Arrays that cannot be written to; then the same calls again: the same bits. Float32 in, float32 out."""
    for array in (case.w, case.v, case.x, case.labels):
        array.setflags(write=False)
    H, g = np.diag([2.0, 3, 5]), np.array([1.0, 2, 3])
    H.setflags(write=False)
    g.setflags(write=False)
    calls = (
        lambda: newton.newton_step(g, H),
        lambda: newton.conjugate_gradient(lambda v: H @ v, g),
        lambda: forward(case),
        lambda: central(case),
        lambda: network_gradient(case),
        lambda: network_product(case),
    )
    for call in calls:
        agree(call(), call(), tolerance=0)

    def doubled(v):  # writes to its argument
        v *= 2
        return v

    buffer = np.empty(3)

    def squared(w):  # gives the same array at each call
        return np.multiply(w, w, out=buffer)

    w = np.array([1.0, 2, 3])
    agree(newton.hvp_forward_difference(doubled, w, g, 0.5), 2 * g)
    agree(newton.hvp_central_difference(doubled, w, g, 0.5), 2 * g)
    agree(w, np.array([1.0, 2, 3]), tolerance=0)
    agree(newton.hvp_central_difference(squared, w, g, 0.5), 2 * w * g)
    agree(newton.conjugate_gradient(doubled, g), g / 2)
    low = replace(case, **{name: getattr(case, name).astype("f4") for name in ("w", "v", "x")})
    for call in (network_gradient, network_product):
        same(str(call(low).dtype), "float32")
        agree(call(low), call(case), tolerance=1e-4)
