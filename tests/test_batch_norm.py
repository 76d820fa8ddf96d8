"""Batch normalisation: the claims of the chapter, in its order.

Letters, as on the page, for one feature: N values x_i; g_i = dL/dy_i; mu and v their mean and biased variance;
s = sqrt(v + eps). Arrays are (N, D), one column a feature.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from dlnotes import batch_norm
from dlnotes.check import agree, claim, complex_step, differ, need, note, refuses, same, slip, steps

# --- cases: one batch, in numbers or in symbols ----------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """A batch and the gradient dy that comes back. The loss is sum(dy * y): any loss is, to first order."""

    x: np.ndarray
    dy: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    eps: Any  # a number, or a symbol

    sqrt = staticmethod(np.sqrt)
    gradient = staticmethod(complex_step)  # gradient(f, x): of the scalar f at the array x

    # The definition, spelled out; each part also takes another value of what it depends on.

    def mean(self, x):
        return sum(x) / len(x)

    def variance(self, x, mean):
        return sum((row - mean) ** 2 for row in x) / len(x)

    def std(self, variance):
        return self.sqrt(variance + self.eps)

    def normalised(self, x, mean, variance):
        return (x - mean) / self.std(variance)

    def output(self, x_hat):
        return self.gamma * x_hat + self.beta

    def loss(self, x):
        return (self.dy * self.output(self.x_hat_of(x))).sum()

    def x_hat_of(self, x):
        mean = self.mean(x)
        return self.normalised(x, mean, self.variance(x, mean))

    # The values at x.

    @property
    def N(self):
        return len(self.x)

    @property
    def mu(self):
        return self.mean(self.x)

    @property
    def v(self):
        return self.variance(self.x, self.mu)

    @property
    def s(self):
        return self.std(self.v)

    @property
    def x_hat(self):
        return self.x_hat_of(self.x)

    @property
    def saved(self):
        return batch_norm.forward(self.x, self.gamma, self.beta, eps=self.eps)[1]


class Symbols(Batch):
    """The same batch in SymPy symbols: what holds of it holds for all values."""

    @staticmethod
    def sqrt(a):
        import sympy

        return np.array([sympy.sqrt(sympy.sympify(entry)) for entry in np.atleast_1d(a)])

    @staticmethod
    def gradient(f, x):
        import sympy

        note("SymPy")
        letters = np.array(sympy.symbols(f"t:{np.size(x)}", real=True)).reshape(np.shape(x))
        value = sympy.sympify(np.ravel(f(letters))[0])
        at = dict(zip(letters.flat, np.ravel(x), strict=True))
        return np.array([value.diff(letter).subs(at) for letter in letters.flat]).reshape(np.shape(x))

    @property
    def saved(self):
        return batch_norm.Saved(x_hat=self.x_hat, inv_std=1 / self.s, gamma=self.gamma)


def batch(rng):
    """Five examples, three features; dy leans on x, so that no term of the gradient is small."""
    x = rng.normal(size=(5, 3)) * [1.2, 0.7, 2.0] + [3.0, -1.0, 0.5]
    dy = rng.normal(size=(5, 3)) + 0.8 * (x - x.mean(0)) + 0.6
    gamma = rng.uniform(1.2, 2.0, 3) * [1, -1, 1]
    return Batch(x, dy, gamma, beta=rng.uniform(0.5, 1.5, 3), eps=0.3)


def symbols(n):
    import sympy

    def column(name):
        return np.array(sympy.symbols(f"{name}1:{n + 1}", real=True)).reshape(n, 1)

    def one(name):
        return np.array([sympy.Symbol(name, positive=True)])

    return Symbols(column("x"), column("g"), one("gamma"), one("beta"), one("epsilon")[0])


def small_batches():
    """Two and three examples, in symbols."""
    yield symbols(2)
    yield symbols(3)


def unit_std(case):
    """v + eps = 1."""
    if isinstance(case, Symbols):
        return replace(case, eps=(1 - case.v)[0])
    return replace(case, x=case.mu + (case.x - case.mu) * np.sqrt((1 - case.eps) / case.v))


def standardised(case):
    """Mean 0 and v + eps = 1."""
    case = unit_std(case)
    return replace(case, x=case.x - case.mu)


def unit_gamma(case):
    """gamma = 1."""
    return replace(case, gamma=1 + 0 * case.gamma)


def orthogonal_to_1(case):
    """A gradient whose mean is zero."""
    return replace(case, dy=case.dy - case.mean(case.dy))


def orthogonal_to_x_hat(case):
    """A gradient without a component along x_hat."""
    x_hat = case.x_hat
    return replace(case, dy=case.dy - x_hat * sum(case.dy * x_hat) / sum(x_hat * x_hat))


def orthogonal_to_both(case):
    """A gradient orthogonal to 1 and to x_hat."""
    return orthogonal_to_x_hat(orthogonal_to_1(case))


# --- the layer -------------------------------------------------------------------------------------------------------


def y(case):
    # $$ y_i = \gamma\,\frac{x_i - \mu}{\sqrt{v + \varepsilon}} + \beta,
    #    \qquad \mu = \frac1N \sum_j x_j,
    #    \qquad v = \frac1N \sum_j (x_j - \mu)^2 $$
    return batch_norm.forward(case.x, case.gamma, case.beta, eps=case.eps)[0]


@claim("batch-norm-forward", cases=batch)
def by_definition(case, y=y):
    """The definition, one feature and one example at a time, in plain Python numbers."""
    expected = np.empty(case.x.shape)
    for d, column in enumerate(case.x.T.tolist()):
        mu = sum(column) / len(column)
        v = sum((value - mu) ** 2 for value in column) / len(column)
        for i, value in enumerate(column):
            expected[i, d] = case.gamma[d] * (value - mu) / (v + case.eps) ** 0.5 + case.beta[d]
    agree(y(case), expected)


@claim("batch-norm-forward", cases=batch)
def by_torch(case, y=y):
    """PyTorch's own layer, in training mode; with eps as given, and left at its default."""
    torch = need("torch")
    x, gamma, beta = map(torch.tensor, (case.x, case.gamma, case.beta))
    layer = torch.nn.functional.batch_norm
    agree(y(case), layer(x, None, None, gamma, beta, training=True, eps=case.eps).numpy())
    default = batch_norm.forward(case.x, case.gamma, case.beta)[0]
    agree(default, layer(x, None, None, gamma, beta, training=True).numpy())


def unit_variance(case):
    """v = 1: then v and its square are one number."""
    return replace(case, x=(case.x - case.mu) / np.sqrt(case.v))


@slip("batch-norm-forward", blind=unit_variance)
def square_forgotten(case):
    """Read the sheet to the letter: sigma = v, so that the layer divides by sqrt(v^2 + eps)."""
    return case.output((case.x - case.mu) / np.sqrt(case.v**2 + case.eps))


@slip("batch-norm-forward")
def epsilon_subtracted(case):
    """Write v - eps under the root (here with a tenth of eps, so that the root exists)."""
    return case.output((case.x - case.mu) / np.sqrt(case.v - case.eps / 10))


@slip("batch-norm-forward")
def epsilon_outside_the_root(case):
    """Divide by sqrt(v) + eps."""
    return case.output((case.x - case.mu) / (np.sqrt(case.v) + case.eps))


@slip("batch-norm-forward")
def unbiased_variance(case):
    """Divide the sum of squares by N - 1."""
    return case.output(case.normalised(case.x, case.mu, case.v * case.N / (case.N - 1)))


@slip("batch-norm-forward")
def statistics_of_a_row(case):
    """Normalise each example over its features: that is layer normalisation."""
    mean, variance = case.x.mean(1, keepdims=True), case.x.var(1, keepdims=True)
    return case.output((case.x - mean) / np.sqrt(variance + case.eps))


# --- what the normalised values are -----------------------------------------------------------------------------------


def mean_square(case):
    # $$ \frac1N \sum_i \hat x_i = 0, \qquad \frac1N \sum_i \hat x_i^2 = \frac{v}{v + \varepsilon} $$
    return case.v / (case.v + case.eps)


@claim("batch-norm-x-hat-variance", cases=batch)
def x_hat_measured(case, mean_square=mean_square):
    """Mean and mean square of the x_hat that `forward` saves."""
    x_hat = case.saved.x_hat
    agree(x_hat.mean(0), np.zeros(3), scale=1)
    agree(mean_square(case), (x_hat**2).mean(0))


@claim("batch-norm-x-hat-variance", cases=small_batches)
def x_hat_in_symbols(case, mean_square=mean_square):
    """The same sums in symbols, for two and three examples."""
    same(sum(case.x_hat), [0])
    same(mean_square(case), sum(case.x_hat**2) / case.N)


def no_epsilon(case):
    """eps = 0."""
    return replace(case, eps=0 * case.eps)


@slip("batch-norm-x-hat-variance", blind=no_epsilon)
def exactly_reduced(case):
    """Take the sheet at its word: the x_hat have variance 1."""
    return 1 + 0 * case.v


@slip("batch-norm-x-hat-variance")
def root_forgotten(case):
    """Give the standard deviation, sqrt(v / (v + eps))."""
    return case.sqrt(case.v / (case.v + case.eps))


@steps("batch-norm-x-hat-variance-steps", cases=(batch, small_batches), ends_in=mean_square)
def x_hat_steps(case):
    """The constant s leaves the sum."""
    # \frac1N \sum_i \hat x_i^2
    yield sum(case.x_hat**2) / case.N
    # = \frac{1}{s^2}\,\frac1N \sum_i (x_i - \mu)^2
    yield 1 / case.s**2 * case.variance(case.x, case.mu)
    # = \frac{v}{v + \varepsilon}
    yield case.v / (case.v + case.eps)


# --- the missing square -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal(Batch):
    """The layer of the sheet taken to the letter: sigma = v, and one divides by sqrt(sigma^2 + eps)."""

    def std(self, variance):
        return self.sqrt(variance**2 + self.eps)


class LiteralSymbols(Literal, Symbols):
    """The same in symbols."""


def to_the_letter(case):
    kind = LiteralSymbols if isinstance(case, Symbols) else Literal
    return kind(case.x, case.dy, case.gamma, case.beta, case.eps)


def literal_batch(rng):
    return to_the_letter(batch(rng))


def literal_symbols():
    return map(to_the_letter, small_batches())


def literal_mean_square(case):
    # $$ \frac1N \sum_i \check x_i^2 = \frac{v}{v^2 + \varepsilon} $$
    return case.v / (case.v**2 + case.eps)


@claim("batch-norm-missing-square", cases=literal_batch)
def literal_measured(case, mean_square=literal_mean_square):
    """Mean square of the values normalised as printed."""
    agree(mean_square(case), (case.x_hat**2).mean(0))


@claim("batch-norm-missing-square", cases=literal_symbols)
def literal_in_symbols(case, mean_square=literal_mean_square):
    """The same in symbols; with eps = 0 it is 1/v, where the layer gives 1."""
    same(mean_square(case), sum(case.x_hat**2) / case.N)
    same(mean_square(no_epsilon(case)), 1 / case.v)


def variance_1(case):
    """v = 1: the square changes nothing."""
    if not isinstance(case, Symbols):
        return unit_variance(case)
    spread = np.arange(case.N).reshape(-1, 1) - Fraction(case.N - 1, 2)  # any column will do
    return replace(case, x=spread / case.sqrt(sum(spread**2) / case.N))


@slip("batch-norm-missing-square", blind=variance_1)
def as_if_the_square_were_there(case):
    """Use the variance of the layer as it is meant, v / (v + eps)."""
    return case.v / (case.v + case.eps)


@dataclass(frozen=True)
class Scaled:
    """A batch without eps, and a factor on its inputs."""

    case: Batch
    c: Any

    @property
    def larger(self):
        return replace(self.case, x=self.c * self.case.x)


def scaled_batch(rng):
    """A batch, and a factor between 2 and 5."""
    return Scaled(no_epsilon(batch(rng)), rng.uniform(2, 5))


def scaled_symbols():
    """Two and three examples, and a positive factor, in symbols."""
    import sympy

    for case in small_batches():
        yield Scaled(no_epsilon(case), sympy.Symbol("c", positive=True))


def literal_scaled(scaled):
    # $$ \hat x_i(c x) = \hat x_i(x), \qquad \check x_i(c x) = \frac1c\,\check x_i(x)
    #    \qquad (c > 0,\ \varepsilon = 0) $$
    return to_the_letter(scaled.case).x_hat / scaled.c


@claim("batch-norm-missing-square-scale", cases=scaled_batch)
def rescaled(scaled, literal_scaled=literal_scaled):
    """Multiply the inputs by c: through `forward`, and through the layer as printed."""
    agree(scaled.larger.saved.x_hat, scaled.case.saved.x_hat)
    agree(literal_scaled(scaled), to_the_letter(scaled.larger).x_hat)


@claim("batch-norm-missing-square-scale", cases=scaled_symbols)
def rescaled_in_symbols(scaled, literal_scaled=literal_scaled):
    """The same in symbols."""
    same(scaled.larger.x_hat, scaled.case.x_hat)
    same(literal_scaled(scaled), to_the_letter(scaled.larger).x_hat)


@slip("batch-norm-missing-square-scale")
def scale_invariant_too(scaled):
    """Believe that the printed layer ignores the scale of its input, as the right one does."""
    return to_the_letter(scaled.case).x_hat


# --- the missing square, in the gradient ------------------------------------------------------------------------------


def literal_dx(case):
    # $$ \frac{\partial L}{\partial x_i} = \frac{\gamma}{N \check s}
    #    \Bigl( N g_i - \sum_j g_j - 2 v\,\check x_i \sum_j g_j\,\check x_j \Bigr),
    #    \qquad \check s = \sqrt{v^2 + \varepsilon} $$
    along = 2 * case.v * case.x_hat * sum(case.dy * case.x_hat)
    return case.gamma / (case.N * case.s) * (case.N * case.dy - sum(case.dy) - along)


@claim("batch-norm-missing-square-gradient", cases=literal_batch)
def literal_by_complex_step(case, literal_dx=literal_dx):
    """The layer as printed, differentiated by a complex step."""
    agree(literal_dx(case), complex_step(case.loss, case.x))


@claim("batch-norm-missing-square-gradient", cases=literal_symbols)
def literal_dx_in_symbols(case, literal_dx=literal_dx):
    """The same in symbols."""
    same(literal_dx(case), case.gradient(case.loss, case.x))


@claim("batch-norm-missing-square-gradient", cases=batch)
def even_where_the_outputs_agree(case):
    """Inputs of variance 1: the same outputs, and a last term that is twice as large."""
    case = unit_variance(case)
    literal = to_the_letter(case)
    agree(literal.x_hat, case.x_hat)
    differ(literal_dx(literal), dx(case))
    last_term = case.gamma / (case.N * case.s) * case.x_hat * sum(case.dy * case.x_hat)
    agree(literal_dx(literal), dx(case) - last_term)


def variance_1_and_orthogonal(case):
    """v = 1, and a gradient without a component along x_hat."""
    return orthogonal_to_x_hat(variance_1(case))


@slip("batch-norm-missing-square-gradient", blind=variance_1_and_orthogonal)
def gradient_of_the_right_layer(case):
    """Give the gradient of the layer with its square."""
    meant = (Symbols if isinstance(case, Symbols) else Batch)(case.x, case.dy, case.gamma, case.beta, case.eps)
    return assemble(meant)


# --- gradients for the parameters -------------------------------------------------------------------------------------


def dgamma(case):
    # $$ \frac{\partial L}{\partial \gamma} = \sum_i g_i\,\hat x_i $$
    return batch_norm.backward(case.dy, case.saved).dgamma


def loss_of_gamma(case):
    return lambda gamma: (case.dy * replace(case, gamma=gamma).output(case.x_hat)).sum()


def loss_of_beta(case):
    return lambda beta: (case.dy * replace(case, beta=beta).output(case.x_hat)).sum()


@claim("batch-norm-scale-gradient", cases=batch)
def dgamma_by_complex_step(case, dgamma=dgamma):
    """Derivative of the loss along each gamma, by a complex step."""
    agree(dgamma(case), complex_step(loss_of_gamma(case), case.gamma))


@claim("batch-norm-scale-gradient", cases=small_batches)
def dgamma_in_symbols(case, dgamma=dgamma):
    """`backward` itself, run on symbols, against SymPy's derivative."""
    same(dgamma(case), case.gradient(loss_of_gamma(case), case.gamma))


@claim("batch-norm-scale-gradient", cases=batch)
def dgamma_by_autograd(case, dgamma=dgamma):
    """PyTorch's layer, differentiated by autograd."""
    agree(dgamma(case), torch_gradients(case)[1])


@slip("batch-norm-scale-gradient", blind=standardised)
def raw_input(case):
    """Multiply by x instead of x_hat."""
    return sum(case.dy * case.x)


@slip("batch-norm-scale-gradient")
def mean_for_sum(case):
    """Average over the batch: every example adds to the loss, so the gradient is a sum."""
    return sum(case.dy * case.x_hat) / case.N


@slip("batch-norm-scale-gradient", blind=unit_gamma)
def extra_gamma(case):
    """Multiply by gamma, which belongs to the gradient of x_hat."""
    return case.gamma * sum(case.dy * case.x_hat)


@slip("batch-norm-scale-gradient", blind=unit_std)
def not_divided_by_s(case):
    """Use the centred input, without 1/s."""
    return sum(case.dy * (case.x - case.mu))


@steps("batch-norm-scale-gradient-steps", cases=(batch, small_batches), ends_in=dgamma)
def dgamma_steps(case):
    """The chain rule over the N outputs that gamma enters."""
    # \frac{\partial L}{\partial \gamma}
    yield case.gradient(loss_of_gamma(case), case.gamma)
    outputs = np.array([slope_of_output(case, i) for i in range(case.N)])
    # = \sum_i \frac{\partial L}{\partial y_i}\,\frac{\partial y_i}{\partial \gamma}
    yield sum(case.dy * outputs)
    # = \sum_i g_i\,\hat x_i
    yield sum(case.dy * case.x_hat)


def slope_of_output(case, i):
    """dy_i / dgamma, one a feature."""
    return case.gradient(lambda gamma: replace(case, gamma=gamma).output(case.x_hat)[i].sum(), case.gamma)


def dbeta(case):
    # $$ \frac{\partial L}{\partial \beta} = \sum_i g_i $$
    return batch_norm.backward(case.dy, case.saved).dbeta


@claim("batch-norm-shift-gradient", cases=batch)
def dbeta_by_complex_step(case, dbeta=dbeta):
    """Derivative of the loss along each beta, by a complex step."""
    agree(dbeta(case), complex_step(loss_of_beta(case), case.beta))


@claim("batch-norm-shift-gradient", cases=small_batches)
def dbeta_in_symbols(case, dbeta=dbeta):
    """`backward` itself, run on symbols, against SymPy's derivative."""
    same(dbeta(case), case.gradient(loss_of_beta(case), case.beta))


@claim("batch-norm-shift-gradient", cases=batch)
def dbeta_by_autograd(case, dbeta=dbeta):
    """PyTorch's layer, differentiated by autograd."""
    agree(dbeta(case), torch_gradients(case)[2])


@slip("batch-norm-shift-gradient")
def mean_of_the_gradient(case):
    """Average over the batch."""
    return case.mean(case.dy)


def ones(case):
    """A gradient of ones."""
    return replace(case, dy=1 + 0 * case.dy)


@slip("batch-norm-shift-gradient", blind=ones)
def batch_size(case):
    """Forget the gradient that comes back, and count the examples."""
    return case.N + 0 * case.beta


@slip("batch-norm-shift-gradient")
def one(case):
    """Give dy_i/dbeta = 1, a derivative of the output, for that of the loss."""
    return 1 + 0 * case.beta


@steps("batch-norm-shift-gradient-steps", cases=(batch, small_batches), ends_in=dbeta)
def dbeta_steps(case):
    """The chain rule again; beta enters each output with slope 1."""
    # \frac{\partial L}{\partial \beta}
    yield case.gradient(loss_of_beta(case), case.beta)
    slopes = np.array([shift_of_output(case, i) for i in range(case.N)])
    # = \sum_i \frac{\partial L}{\partial y_i}\,\frac{\partial y_i}{\partial \beta}
    yield sum(case.gradient(lambda y: (case.dy * y).sum(), case.output(case.x_hat)) * slopes)
    # = \sum_i g_i
    yield sum(case.dy)


def shift_of_output(case, i):
    """dy_i / dbeta, one a feature."""
    return case.gradient(lambda beta: replace(case, beta=beta).output(case.x_hat)[i].sum(), case.beta)


# --- the gradient for the input ---------------------------------------------------------------------------------------


def dx(case):
    # $$ \frac{\partial L}{\partial x_i}
    #    = \frac{\gamma}{N s} \Bigl( N g_i - \sum_j g_j - \hat x_i \sum_j g_j\,\hat x_j \Bigr) $$
    return batch_norm.backward(case.dy, case.saved).dx


def torch_gradients(case):
    """dx, dgamma and dbeta by PyTorch's layer and autograd."""
    torch = need("torch")
    layer = torch.nn.BatchNorm1d(case.x.shape[1], eps=case.eps, dtype=torch.float64)
    layer.weight.data, layer.bias.data = torch.tensor(case.gamma), torch.tensor(case.beta)
    x = torch.tensor(case.x, requires_grad=True)
    layer(x).backward(torch.tensor(case.dy))
    return x.grad.numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy()


@claim("batch-norm-input-gradient", cases=batch)
def by_complex_step(case, dx=dx):
    """Derivative of the loss along each input, by a complex step."""
    agree(dx(case), complex_step(case.loss, case.x))


@claim("batch-norm-input-gradient", cases=small_batches)
def in_symbols(case, dx=dx):
    """`backward` itself, run on symbols, against SymPy's derivative, for two and three examples."""
    same(dx(case), case.gradient(case.loss, case.x))


@claim("batch-norm-input-gradient", cases=batch)
def by_autograd(case, dx=dx):
    """PyTorch's layer, differentiated by autograd."""
    agree(dx(case), torch_gradients(case)[0])


def assemble(case, *, mean_path=True, variance_path=True):
    """The answer without one of its paths."""
    mean = case.mean(case.dy) if mean_path else 0
    along = case.x_hat * case.mean(case.dy * case.x_hat) if variance_path else 0
    return case.gamma / case.s * (case.dy - mean - along)


@slip("batch-norm-input-gradient", blind=orthogonal_to_both)
def statistics_held_constant(case):
    """Differentiate as if the mean and the variance of the batch were constants."""
    return assemble(case, mean_path=False, variance_path=False)


@slip("batch-norm-input-gradient", blind=orthogonal_to_x_hat)
def variance_path_forgotten(case):
    """Let the mean depend on x, and not the variance."""
    return assemble(case, variance_path=False)


@slip("batch-norm-input-gradient", blind=orthogonal_to_1)
def mean_path_forgotten(case):
    """Let the variance depend on x, and not the mean."""
    return assemble(case, mean_path=False)


@slip("batch-norm-input-gradient", blind=unit_gamma)
def gamma_forgotten(case):
    """Stop at the gradient of x_hat, without gamma."""
    return assemble(case) / case.gamma


@slip("batch-norm-input-gradient", blind=orthogonal_to_x_hat)
def unbiased_last_term(case):
    """Divide the last term by N - 1."""
    along = case.x_hat * sum(case.dy * case.x_hat) / (case.N - 1)
    return case.gamma / case.s * (case.dy - case.mean(case.dy) - along)


@slip("batch-norm-input-gradient", blind=orthogonal_to_x_hat)
def plus_for_minus(case):
    """Write + before the last term."""
    along = case.x_hat * case.mean(case.dy * case.x_hat)
    return case.gamma / case.s * (case.dy - case.mean(case.dy) + along)


@slip("batch-norm-input-gradient", blind=standardised)
def raw_input_for_x_hat(case):
    """Write x_i where x_hat_i stands."""
    along = case.x * case.mean(case.dy * case.x)
    return case.gamma / case.s * (case.dy - case.mean(case.dy) - along)


@slip("batch-norm-input-gradient", blind=unit_std)
def one_over_variance(case):
    """Put 1/s^2 in front."""
    return assemble(case) / case.s


# --- its derivation: three paths --------------------------------------------------------------------------------------


def loss_of_x_hat(case):
    return lambda x_hat: (case.dy * case.output(x_hat)).sum()


def loss_of_variance(case):
    return lambda v: (case.dy * case.output(case.normalised(case.x, case.mu, v))).sum()


def loss_of_mean(case):
    """The variance follows the mean; the inputs stay."""
    return lambda mean: (case.dy * case.output(case.normalised(case.x, mean, case.variance(case.x, mean)))).sum()


def dx_hat(case):
    return case.gamma * case.dy


def dv(case):
    return -case.gamma / (2 * case.s**2) * sum(case.dy * case.x_hat)


def dmu(case):
    return -case.gamma / case.s * sum(case.dy)


@steps("batch-norm-normalised-gradient-steps", cases=(batch, small_batches), ends_in=dx_hat)
def dx_hat_steps(case):
    """Each x_hat_i enters one output, with slope gamma."""
    # \frac{\partial L}{\partial \hat x_i}
    yield case.gradient(loss_of_x_hat(case), case.x_hat)
    # = \frac{\partial L}{\partial y_i}\,\frac{\partial y_i}{\partial \hat x_i}
    yield case.dy * case.gradient(lambda x_hat: case.output(x_hat).sum(), case.x_hat)
    # = \gamma\, g_i
    yield case.gamma * case.dy


@steps("batch-norm-variance-gradient-steps", cases=(batch, small_batches), ends_in=dv)
def dv_steps(case):
    """All x_hat_j depend on v; mean and inputs are held."""
    # \frac{\partial L}{\partial v}
    yield case.gradient(loss_of_variance(case), case.v)
    slopes = np.array([slope_by_variance(case, j) for j in range(case.N)])
    # = \sum_j \frac{\partial L}{\partial \hat x_j}\,\frac{\partial \hat x_j}{\partial v}
    yield sum(case.gradient(loss_of_x_hat(case), case.x_hat) * slopes)
    # = \sum_j \gamma\, g_j\, (x_j - \mu) \Bigl( -\frac{1}{2 s^3} \Bigr)
    yield sum(case.gamma * case.dy * (case.x - case.mu) * (-1 / (2 * case.s**3)))
    # = -\frac{\gamma}{2 s^2} \sum_j g_j\,\hat x_j
    yield -case.gamma / (2 * case.s**2) * sum(case.dy * case.x_hat)


def slope_by_variance(case, j):
    """d x_hat_j / dv, with x and mu held."""
    return case.gradient(lambda v: case.normalised(case.x, case.mu, v)[j].sum(), case.v)


@steps("batch-norm-mean-gradient-steps", cases=(batch, small_batches), ends_in=dmu)
def dmu_steps(case):
    """The mean acts on each x_hat_j directly, and through the variance; the second way closes."""
    # \frac{\partial L}{\partial \mu}
    yield case.gradient(loss_of_mean(case), case.mu)
    slopes = np.array([slope_by_mean(case, j) for j in range(case.N)])
    direct = sum(case.gradient(loss_of_x_hat(case), case.x_hat) * slopes)
    dv_by_dmu = case.gradient(lambda mean: case.variance(case.x, mean).sum(), case.mu)
    # = \sum_j \frac{\partial L}{\partial \hat x_j}\,\frac{\partial \hat x_j}{\partial \mu}
    #   + \frac{\partial L}{\partial v}\,\frac{\partial v}{\partial \mu}
    yield direct + case.gradient(loss_of_variance(case), case.v) * dv_by_dmu
    # = \sum_j \gamma\, g_j \Bigl( -\frac1s \Bigr)
    #   + \frac{\partial L}{\partial v} \Bigl( -\frac2N \sum_j (x_j - \mu) \Bigr)
    yield sum(case.gamma * case.dy * (-1 / case.s)) + dv(case) * (-2 * sum(case.x - case.mu) / case.N)
    # = -\frac{\gamma}{s} \sum_j g_j
    yield -case.gamma / case.s * sum(case.dy)


def slope_by_mean(case, j):
    """d x_hat_j / dmu, with x and v held."""
    return case.gradient(lambda mean: case.normalised(case.x, mean, case.v)[j].sum(), case.mu)


@steps("batch-norm-three-paths", cases=(batch, small_batches), ends_in=dx)
def three_paths(case):
    """Add the three ways by which x_i acts: its own x_hat_i, the variance, the mean."""
    # \frac{\partial L}{\partial x_i}
    yield case.gradient(case.loss, case.x)
    own = case.gradient(loss_of_x_hat(case), case.x_hat) / case.s
    through_v = case.gradient(loss_of_variance(case), case.v) * 2 * (case.x - case.mu) / case.N
    # = \frac{\partial L}{\partial \hat x_i}\,\frac1s
    #   + \frac{\partial L}{\partial v}\,\frac{2 (x_i - \mu)}{N}
    #   + \frac{\partial L}{\partial \mu}\,\frac1N
    yield own + through_v + case.gradient(loss_of_mean(case), case.mu) / case.N
    last = case.gamma / case.s * sum(case.dy) / case.N
    # = \frac{\gamma g_i}{s}
    #   - \frac{\gamma}{2 s^2} \Bigl( \sum_j g_j\,\hat x_j \Bigr) \frac{2 (x_i - \mu)}{N}
    #   - \frac{\gamma}{s} \Bigl( \sum_j g_j \Bigr) \frac1N
    yield (
        case.gamma * case.dy / case.s
        - case.gamma / (2 * case.s**2) * sum(case.dy * case.x_hat) * 2 * (case.x - case.mu) / case.N
        - last
    )
    # = \frac{\gamma}{N s} \Bigl( N g_i - \sum_j g_j - \hat x_i \sum_j g_j\,\hat x_j \Bigr)
    yield case.gamma / (case.N * case.s) * (case.N * case.dy - sum(case.dy) - case.x_hat * sum(case.dy * case.x_hat))


# --- what the gradient cannot see -------------------------------------------------------------------------------------


@claim("batch-norm-gradient-sums-to-zero", cases=batch)
def sums_to_zero(case, dx=dx):
    """The sum over the batch of what `backward` gives, against the size of its terms."""
    agree(sum(dx(case)), np.zeros(3), scale=np.abs(case.gradient(case.loss, case.x)).max())


@claim("batch-norm-gradient-sums-to-zero", cases=small_batches)
def sums_to_zero_in_symbols(case, dx=dx):
    """The same sum in symbols. It holds for any eps."""
    # $$ \sum_i \frac{\partial L}{\partial x_i} = 0 $$
    same(sum(dx(case)), [0])


@slip("batch-norm-gradient-sums-to-zero", blind=orthogonal_to_1)
def no_mean_path(case):
    """Forget the mean path: then the sum is that of gamma g_i / s."""
    return mean_path_forgotten(case)


def along_x_hat(case):
    # $$ \sum_i \hat x_i\,\frac{\partial L}{\partial x_i} = \frac{\gamma\,\varepsilon}{s^3} \sum_i g_i\,\hat x_i $$
    return case.gamma * case.eps / case.s**3 * sum(case.dy * case.x_hat)


@claim("batch-norm-gradient-along-x-hat", cases=batch)
def along_x_hat_measured(case, along_x_hat=along_x_hat):
    """The inner product of x_hat with what `backward` gives."""
    scale = np.abs(case.gamma * case.dy * case.x_hat / case.s).max()
    agree(along_x_hat(case), sum(case.x_hat * dx(case)), scale=scale)


@claim("batch-norm-gradient-along-x-hat", cases=small_batches)
def along_x_hat_in_symbols(case, along_x_hat=along_x_hat):
    """The same in symbols."""
    same(along_x_hat(case), sum(case.x_hat * case.gradient(case.loss, case.x)))


@slip("batch-norm-gradient-along-x-hat", blind=no_epsilon)
def orthogonal_for_any_epsilon(case):
    """Say that the gradient is orthogonal to x_hat: so it is for eps = 0, and only then."""
    return 0 * case.gamma


@slip("batch-norm-gradient-along-x-hat")
def power_of_s(case):
    """Lose the two powers of s that the variance path brings."""
    return case.gamma * case.eps / case.s * sum(case.dy * case.x_hat)


@steps("batch-norm-gradient-along-x-hat-steps", cases=(batch, small_batches), ends_in=along_x_hat)
def along_x_hat_steps(case):
    """The x_hat sum to zero, and their squares to N v / s^2."""
    # \sum_i \hat x_i\,\frac{\partial L}{\partial x_i}
    yield sum(case.x_hat * case.gradient(case.loss, case.x))
    # = \frac{\gamma}{N s} \Bigl( N \sum_i \hat x_i g_i - \sum_i \hat x_i \sum_j g_j
    #   - \sum_i \hat x_i^2 \sum_j g_j\,\hat x_j \Bigr)
    yield (
        case.gamma
        / (case.N * case.s)
        * (
            case.N * sum(case.x_hat * case.dy)
            - sum(case.x_hat) * sum(case.dy)
            - sum(case.x_hat**2) * sum(case.dy * case.x_hat)
        )
    )
    # = \frac{\gamma}{s} \Bigl( 1 - \frac{v}{s^2} \Bigr) \sum_j g_j\,\hat x_j
    yield case.gamma / case.s * (1 - case.v / case.s**2) * sum(case.dy * case.x_hat)
    # = \frac{\gamma\,\varepsilon}{s^3} \sum_j g_j\,\hat x_j
    yield case.gamma * case.eps / case.s**3 * sum(case.dy * case.x_hat)


# --- the Jacobian -----------------------------------------------------------------------------------------------------


def one_feature(rng):
    """Six examples, one feature."""
    case = batch(rng)
    x = rng.normal(size=(6, 1)) * 1.4 + 2
    return replace(case, x=x, dy=rng.normal(size=(6, 1)), gamma=case.gamma[:1], beta=case.beta[:1])


def jacobian(case):
    # $$ J = \frac{\partial y}{\partial x} = \frac{\gamma}{s}
    #    \Bigl( I - \frac1N\,\mathbf 1 \mathbf 1^\top - \frac1N\,\hat x\,\hat x^\top \Bigr) $$
    return case.gamma / case.s * (np.eye(case.N, dtype=int) - (1 + case.x_hat @ case.x_hat.T) / case.N)


def by_columns(case):
    """Column i of the transpose: the gradient of the output y_i alone."""
    return np.array(
        [case.gradient(lambda x, i=i: case.output(case.x_hat_of(x))[i].sum(), case.x)[:, 0] for i in range(case.N)]
    )


@claim("batch-norm-jacobian", cases=one_feature)
def jacobian_by_complex_step(case, jacobian=jacobian):
    """Each output differentiated by a complex step; J is N x N and symmetric."""
    agree(jacobian(case), by_columns(case))
    agree(jacobian(case), jacobian(case).T)


@claim("batch-norm-jacobian", cases=small_batches)
def jacobian_in_symbols(case, jacobian=jacobian):
    """The same in symbols."""
    same(jacobian(case), by_columns(case))


@claim("batch-norm-jacobian", cases=one_feature)
def jacobian_by_backward(case, jacobian=jacobian):
    """`backward` fed with each unit gradient in turn: the rows of J."""
    units = np.eye(case.N)[:, :, None]
    agree(jacobian(case), np.array([dx(replace(case, dy=unit))[:, 0] for unit in units]))


@slip("batch-norm-jacobian")
def diagonal_only(case):
    """Say that y_i depends on x_i alone."""
    return case.gamma / case.s * np.eye(case.N, dtype=int)


@slip("batch-norm-jacobian")
def centring_only(case):
    """Project out the mean, and forget the variance."""
    return case.gamma / case.s * (np.eye(case.N, dtype=int) - (1 + 0 * case.x_hat @ case.x_hat.T) / case.N)


def eigenvalues(case):
    # $$ J\,\mathbf 1 = 0, \qquad J\,\hat x = \frac{\gamma\,\varepsilon}{s^3}\,\hat x,
    #    \qquad J\,q = \frac{\gamma}{s}\,q \quad \text{if } q \perp \mathbf 1 \text{ and } q \perp \hat x $$
    return np.concatenate(
        [0 * case.gamma, case.gamma * case.eps / case.s**3, np.repeat(case.gamma / case.s, case.N - 2)]
    )


@claim("batch-norm-spectrum", cases=one_feature)
def spectrum(case, eigenvalues=eigenvalues):
    """LAPACK's eigenvalues of the measured Jacobian: 0, gamma eps / s^3, and gamma / s taken N - 2 times."""
    agree(np.sort(eigenvalues(case)), np.linalg.eigvalsh(by_columns(case)))


@claim("batch-norm-spectrum", cases=one_feature)
def eigenvectors(case, eigenvalues=eigenvalues):
    """J applied to 1, to x_hat, and to a basis of what is orthogonal to both."""
    basis = np.linalg.qr(np.hstack([np.ones((case.N, 1)), case.x_hat, np.eye(case.N)[:, 2:]]))[0]
    agree(basis * eigenvalues(case), by_columns(case) @ basis)


@slip("batch-norm-spectrum", blind=no_epsilon)
def rank_n_minus_2(case):
    """Say that J projects out 1 and x_hat both: the second only for eps = 0."""
    return np.concatenate([0 * case.gamma, 0 * case.gamma, np.repeat(case.gamma / case.s, case.N - 2)])


@slip("batch-norm-spectrum")
def rank_n_minus_1(case):
    """Say that only the mean is lost."""
    return np.concatenate([0 * case.gamma, np.repeat(case.gamma / case.s, case.N - 1)])


def one_example():
    yield symbols(1)


def two_examples():
    yield no_epsilon(symbols(2))


@claim("batch-norm-one-example", cases=one_example)
def one_example_in_symbols(case, dx=dx):
    """`backward` on one example, in symbols."""
    # $$ \frac{\partial L}{\partial x_1} = 0 \qquad (N = 1,\ \varepsilon > 0) $$
    same(dx(case), [[0]])


def one_row(rng):
    """One example of three features."""
    case = batch(rng)
    return replace(case, x=case.x[:1], dy=case.dy[:1])


@claim("batch-norm-one-example", cases=one_row)
def one_example_measured(case, dx=dx):
    """`forward`, then `backward`, on one example: the output is beta, and only beta has a gradient."""
    agree(batch_norm.forward(case.x, case.gamma, case.beta, eps=case.eps)[0], case.beta[None])
    agree(dx(case), np.zeros((1, 3)), scale=1)
    agree(dbeta(case), case.dy[0])
    agree(dgamma(case), np.zeros(3), scale=1)


@claim("batch-norm-one-example")
def not_one_image():
    """One image of two by three positions: N is 6, and its input gets a gradient."""
    rng = np.random.default_rng(2)
    x, dy = rng.normal(size=(1, 2, 2, 3)), rng.normal(size=(1, 2, 2, 3))
    saved = batch_norm.forward(x, np.ones(2), np.zeros(2))[1]
    differ(batch_norm.backward(dy, saved).dx, 0 * x, scale=1)


@slip("batch-norm-one-example")
def like_any_scaling(case):
    """Treat the layer as a scaling by gamma / s."""
    return statistics_held_constant(case)


@claim("batch-norm-two-examples", cases=two_examples)
def two_examples_in_symbols(case, dx=dx):
    """`backward` on two examples without eps, in symbols: each x_hat is 1 or -1."""
    # $$ \frac{\partial L}{\partial x_1} = \frac{\partial L}{\partial x_2} = 0 \qquad (N = 2,\ \varepsilon = 0) $$
    same(dx(case), [[0], [0]])
    same(case.x_hat**2, [[1], [1]])


def two_rows(rng):
    """Two examples of three features, without eps."""
    case = no_epsilon(batch(rng))
    return replace(case, x=case.x[:2], dy=case.dy[:2])


@claim("batch-norm-two-examples", cases=two_rows)
def two_examples_measured(case):
    """`forward`, then `backward`, on two examples: the outputs are beta + gamma and beta - gamma, in some order."""
    y = batch_norm.forward(case.x, case.gamma, case.beta, eps=0)[0]
    agree(np.sort(y, axis=0), np.sort([case.beta + case.gamma, case.beta - case.gamma], axis=0))
    agree(dx(case), np.zeros((2, 3)), scale=np.abs(case.gamma * case.dy / case.s).max())


@slip("batch-norm-two-examples")
def centred_only(case):
    """Forget the variance path."""
    return variance_path_forgotten(case)


# --- images -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Images:
    """A batch of images (N, C, H, W), and the gradient that comes back."""

    x: np.ndarray
    dy: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    eps: float

    @property
    def rows(self) -> Batch:
        """The same numbers as (N H W, C): one row a position."""
        return Batch(flat(self.x), flat(self.dy), self.gamma, self.beta, self.eps)


def flat(a):
    return a.transpose(0, 2, 3, 1).reshape(-1, a.shape[1])


def images(rng):
    """Three images of 2 x 4 positions, five channels."""
    shift, size = rng.normal(size=(1, 5, 1, 1)), (3, 5, 2, 4)
    x = 3 * shift + (1 + shift**2) * rng.normal(size=size) + rng.normal(size=(3, 5, 1, 1))
    dy = rng.normal(size=size) + x + rng.normal(size=(1, 1, 2, 4))
    return Images(x, dy, rng.uniform(1.2, 2.0, 5), rng.uniform(0.5, 1.5, 5), 0.3)


def image_outputs(case):
    # $$ \mu = \frac1N \sum_{i \in \text{channel}} x_i,
    #    \qquad v = \frac1N \sum_{i \in \text{channel}} (x_i - \mu)^2 $$
    y, saved = batch_norm.forward(case.x, case.gamma, case.beta, eps=case.eps)
    gradients = batch_norm.backward(case.dy, saved)
    return y, gradients.dx, gradients.dgamma, gradients.dbeta


def one_image(rng):
    """A single image of 2 x 4 positions, five channels."""
    case = images(rng)
    return replace(case, x=case.x[:1], dy=case.dy[:1])


@claim("batch-norm-images", cases=one_image)
def one_image_as_rows(case):
    """One image alone: its eight positions are the examples."""
    as_rows(case)


@claim("batch-norm-images", cases=images)
def as_rows(case, image_outputs=image_outputs):
    """Each position of each image taken as an example of the first part, differentiated by a complex step."""
    y, dx, dgamma, dbeta = image_outputs(case)
    rows = case.rows
    agree(flat(y), rows.output(rows.x_hat))
    agree(flat(dx), complex_step(rows.loss, rows.x))
    agree(dgamma, complex_step(loss_of_gamma(rows), rows.gamma))
    agree(dbeta, complex_step(loss_of_beta(rows), rows.beta))


@claim("batch-norm-images", cases=images)
def by_torch_2d(case, image_outputs=image_outputs):
    """PyTorch's BatchNorm2d and autograd."""
    torch = need("torch")
    layer = torch.nn.BatchNorm2d(5, eps=case.eps, dtype=torch.float64)
    layer.weight.data, layer.bias.data = torch.tensor(case.gamma), torch.tensor(case.beta)
    x = torch.tensor(case.x, requires_grad=True)
    out = layer(x)
    out.backward(torch.tensor(case.dy))
    expected = (out.detach(), x.grad, layer.weight.grad, layer.bias.grad)
    for ours, theirs in zip(image_outputs(case), expected, strict=True):
        agree(ours, theirs.numpy())


def image_answer(case, axes):
    """The four answers, with statistics taken over other axes."""
    mean, variance = case.x.mean(axes, keepdims=True), case.x.var(axes, keepdims=True)
    s = np.sqrt(variance + case.eps)
    x_hat, gamma, beta = (case.x - mean) / s, case.gamma[:, None, None], case.beta[:, None, None]
    along = x_hat * (case.dy * x_hat).mean(axes, keepdims=True)
    dx = gamma / s * (case.dy - case.dy.mean(axes, keepdims=True) - along)
    return gamma * x_hat + beta, dx, (case.dy * x_hat).sum((0, 2, 3)), case.dy.sum((0, 2, 3))


@slip("batch-norm-images")
def statistics_of_an_image(case):
    """Take the statistics of each image by itself: that is instance normalisation."""
    return image_answer(case, (2, 3))


@slip("batch-norm-images")
def statistics_of_a_position(case):
    """Take the statistics over the batch alone, one mean a pixel."""
    return image_answer(case, (0,))


@slip("batch-norm-images")
def count_of_images(case):
    """Divide by the number of images N in the gradient, where N H W values share a statistic."""
    y, _, dgamma, dbeta = image_answer(case, (0, 2, 3))
    rows = case.rows
    wrong = rows.gamma / rows.s * (rows.dy - sum(rows.dy) / 3 - rows.x_hat * sum(rows.dy * rows.x_hat) / 3)
    return y, wrong.reshape(3, 2, 4, 5).transpose(0, 3, 1, 2), dgamma, dbeta


# --- PyTorch's layer --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluation(Batch):
    """The layer in evaluation mode: the statistics are numbers kept from training."""

    def mean(self, x):
        return np.array([2.0, -0.5, 1.0])

    def variance(self, x, mean):
        return np.array([0.8, 1.7, 3.1])


def evaluation(rng):
    """A batch, and running statistics of its own."""
    case = batch(rng)
    return Evaluation(case.x, case.dy, case.gamma, case.beta, case.eps)


def evaluation_dx(case):
    # $$ \frac{\partial L}{\partial x_i} = \frac{\gamma\, g_i}{\sqrt{\bar v + \varepsilon}} $$
    return case.gamma * case.dy / case.s


@claim("batch-norm-evaluation-gradient", cases=evaluation)
def evaluation_by_complex_step(case, evaluation_dx=evaluation_dx):
    """The layer with fixed statistics, differentiated by a complex step."""
    agree(evaluation_dx(case), complex_step(case.loss, case.x))


@claim("batch-norm-evaluation-gradient", cases=evaluation)
def evaluation_by_autograd(case, evaluation_dx=evaluation_dx):
    """PyTorch's layer in evaluation mode, differentiated by autograd."""
    torch = need("torch")
    layer = torch.nn.BatchNorm1d(3, eps=case.eps, dtype=torch.float64).eval()
    layer.weight.data, layer.bias.data = torch.tensor(case.gamma), torch.tensor(case.beta)
    layer.running_mean, layer.running_var = torch.tensor(case.mu), torch.tensor(case.v)
    x = torch.tensor(case.x, requires_grad=True)
    layer(x).backward(torch.tensor(case.dy))
    agree(evaluation_dx(case), x.grad.numpy())


@slip("batch-norm-evaluation-gradient")
def training_gradient(case):
    """Use the gradient of training mode: here the statistics do not depend on x."""
    along = case.x_hat * (case.dy * case.x_hat).mean(0)
    return case.gamma / case.s * (case.dy - case.dy.mean(0) - along)


def running_variance(case):
    # $$ \bar v \leftarrow (1 - \text{momentum})\,\bar v + \text{momentum}\,\frac{N}{N - 1}\,v $$
    return 0.75 * 2.5 + 0.25 * case.v * case.N / (case.N - 1)


@claim("batch-norm-running-variance", cases=batch)
def running_variance_of_torch(case, running_variance=running_variance):
    """One training step of PyTorch's layer, from 2.5, with momentum 1/4; its output is divided by N all the same."""
    torch = need("torch")
    mean, variance = torch.zeros(3, dtype=torch.float64), torch.full((3,), 2.5, dtype=torch.float64)
    x = torch.tensor(case.x)
    out = torch.nn.functional.batch_norm(x, mean, variance, training=True, momentum=0.25, eps=case.eps)
    agree(running_variance(case), variance.numpy())
    agree(out.numpy(), case.x_hat)


@slip("batch-norm-running-variance")
def biased_running_variance(case):
    """Store the variance that the output was divided by."""
    return 0.75 * 2.5 + 0.25 * case.v


@slip("batch-norm-running-variance")
def momentum_on_the_old_value(case):
    """Read momentum as the weight of the old value; in PyTorch it is that of the new one."""
    return 0.25 * 2.5 + 0.75 * case.v * case.N / (case.N - 1)


# --- in floating point, and with bad input ----------------------------------------------------------------------------


def far_from_zero(rng):
    """Values of spread 1 around 2^26, exact in binary."""
    case = batch(rng)
    return replace(case, x=np.round(rng.normal(size=(7, 3)) * 2**10) / 2**10 + 2**26, eps=2.0**-10)


def y_far_from_zero(case):
    # $$ v = \frac1N \sum_i (x_i - \mu)^2 $$
    return batch_norm.forward(case.x, np.ones(3), np.zeros(3), eps=case.eps)[0]


@claim("batch-norm-two-passes", cases=far_from_zero)
def in_rational_numbers(case, y=y_far_from_zero):
    """Mean and variance in exact fractions; only the root is rounded. The mean's own rounding, 1e-8, is allowed."""
    expected = np.empty(case.x.shape)
    for d in range(3):
        column = [Fraction(value) for value in case.x[:, d]]
        mean = sum(column) / len(column)
        variance = sum((value - mean) ** 2 for value in column) / len(column)
        for i, value in enumerate(column):
            expected[i, d] = float(value - mean) / float(variance + Fraction(case.eps)) ** 0.5
    agree(y(case), expected, tolerance=2**26 * 2.0**-52)


@slip("batch-norm-two-passes")
def one_pass(case):
    """Compute the variance as mean(x^2) - mean(x)^2: the two agree to sixteen digits, and their difference is noise."""
    mean = case.x.mean(0)
    return (case.x - mean) / np.sqrt(np.abs((case.x**2).mean(0) - mean**2) + case.eps)


@claim("batch-norm-bad-input")
def bad_input():
    """Wrong shapes, wrong dtypes, an eps that is no constant, and features without variance where eps is 0."""
    x, gamma, beta = np.arange(12.0).reshape(4, 3) ** 2, np.ones(3), np.zeros(3)
    for bad in (x[0], x[:0], x[:, :, None], x[:, :, None, None, None], x.astype(int), x + 1j, x > 0, x.astype(object)):
        refuses(lambda bad=bad: batch_norm.forward(bad, gamma, beta), naming="x")
    for bad in (gamma[:1], gamma[:, None], 1.0, gamma * 1j, gamma > 0):
        refuses(lambda bad=bad: batch_norm.forward(x, bad, beta), naming="gamma")
        refuses(lambda bad=bad: batch_norm.forward(x, gamma, bad), naming="beta")
    for bad in (-1e-5, np.nan, np.inf, [0.1], [0.1, 0.2, 0.3], "small", 1j):
        refuses(lambda bad=bad: batch_norm.forward(x, gamma, beta, eps=bad), naming="eps")
    for constant in (1.0, 0.1, 0.7):  # the mean of 0.1, 0.1, 0.1 is not 0.1
        flat = np.where(np.arange(3) == 1, constant, x[1:])
        refuses(lambda flat=flat: batch_norm.forward(flat, gamma, beta, eps=0), naming="eps")
        refuses(lambda flat=flat: batch_norm.forward(flat.astype("f4"), gamma, beta, eps=1e-50), naming="eps")
    saved = batch_norm.forward(x, gamma, beta)[1]
    for bad in (x[:1], x[:, :2], x.T, x.astype(int), x + 1j, x > 0):
        refuses(lambda bad=bad: batch_norm.backward(bad, saved), naming="dy")


@claim("batch-norm-precision", cases=images)
def in_single_precision(case):
    """The same batch in float32 and float64: the results are float32, and as near as float32 allows."""
    single = Images(*(a.astype(np.float32) for a in (case.x, case.dy, case.gamma, case.beta)), case.eps)
    for low, high in zip(image_outputs(single), image_outputs(case), strict=True):
        same(str(low.dtype), "float32")
        agree(low, high, tolerance=1e-5)


@claim("batch-norm-pure", cases=images)
def inputs_unchanged(case):
    """Arrays that cannot be written to, the saved ones too; then the same calls again: the same bits."""
    for array in (case.x, case.dy, case.gamma, case.beta):
        array.setflags(write=False)
    y, saved = batch_norm.forward(case.x, case.gamma, case.beta, eps=case.eps)
    for array in (saved.x_hat, saved.inv_std, saved.gamma):
        array.setflags(write=False)
    first, again = batch_norm.backward(case.dy, saved), batch_norm.backward(case.dy, saved)
    for name in ("dx", "dgamma", "dbeta"):
        agree(getattr(again, name), getattr(first, name), tolerance=0)
    agree(image_outputs(case)[0], y, tolerance=0)
