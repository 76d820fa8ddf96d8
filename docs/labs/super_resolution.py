# %% [markdown]
# # Super-resolution: a network meets the conditional mean
#
# Handwritten digits of 8 x 8 pixels are made small, 4 x 4, and a network learns to make them large again. It is
# trained on the squared error, with the formulas of the book alone. The chapter says what it should learn: the
# mean of all large images that have the same small one. Here such a mean is computed exactly, for what the network
# may see, and the two are compared. Then a draw is compared with both.
#
# The digits are those that scikit-learn carries. Nothing is downloaded.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from dlnotes import super_resolution as sr
from dlnotes.activation import d_relu, relu
from dlnotes.convolution import conv2d, conv2d_backward

rng = np.random.default_rng(0)
digits = load_digits().images[:, None] / 16  # (1797, 1, 8, 8), from 0 (background) to 1 (ink)
digits = digits[rng.permutation(len(digits))]
train, test = digits[:1400], digits[1400:]
print(f"{len(train)} digits to learn from, {len(test)} held out")
different = np.unique(sr.downsample(digits).reshape(len(digits), -1), axis=0)
print(f"{len(digits)} digits, {len(different)} different small images")

# %% [markdown]
# ## What the network may see
#
# No two of these digits have exactly one small image, so a mean over equal small images would be over
# one digit: no mean at all. We make the question well posed in two steps.
#
# 1. A small pixel is rounded to three levels, 0, 1/2 and 1: the thirds of the interval from 0 to 1.
# 2. The 2 x 2 block behind a small pixel may depend on that pixel and its eight neighbours only: the *code*,
# nine levels. Beyond the border the level is 0, which is that of the background.
#
# So there is one law: the empirical law of (code, block) over all 16 blocks of all digits to learn from. Every
# model below is a function from codes to blocks. For that law the conditional mean is exact: the average of the
# blocks that have one code.


# %%
def small(high):
    """Return the small images in three levels, (N, 1, 4, 4)."""
    return np.minimum(np.floor(3 * sr.downsample(high)), 2) / 2


def codes(low):
    """Return the nine levels around each small pixel, (N * 16, 9)."""
    padded = np.pad(low[:, 0], ((0, 0), (1, 1), (1, 1)))
    around = [padded[:, i : i + 4, j : j + 4] for i in range(3) for j in range(3)]
    return np.stack(around, -1).reshape(-1, 9)


def blocks(high):
    """Return the block behind each small pixel, (N * 16, 4), in the order of the codes."""
    return sr.pixel_unshuffle(high).transpose(0, 2, 3, 1).reshape(-1, 4)


def image(block):
    """Return the images that these blocks make: the way back."""
    return sr.pixel_shuffle(block.reshape(-1, 4, 4, 4).transpose(0, 3, 1, 2))


low, test_low = small(train), small(test)
code, test_code = codes(low), codes(test_low)
assert np.array_equal(image(blocks(train)), train)

seen, index, count = np.unique(code, axis=0, return_inverse=True, return_counts=True)
print(
    f"{len(code)} blocks, {len(seen)} codes; blocks with the code of a given one, on average {count[index].mean():.0f}"
)
print(f"blocks whose code is unique: {(count == 1).sum() / len(code):.1%}")

# %% [markdown]
# ## The exact conditional mean
#
# The error below is a mean over pixels. What the conditional mean loses on these digits, no function of the code
# can gain back on them.

# %%
mean = image(sr.conditional_mean(code, blocks(train)))


def error(fake, high):
    """Return the squared error, as a mean over pixels."""
    return sr.pixel_loss(fake, high) / high[0].size


floor = error(mean, train)
print(f"squared error of the conditional mean, on the digits it was made of: {floor:.5f}")

# %% [markdown]
# ## The network
#
# A level becomes three channels, one of which is 1. A convolution of 3 x 3 sees the code. Two of 1 x 1 follow,
# so that the network is a function of the code and of nothing else. Four channels come out, and the sub-pixel
# layer weaves them into an image of twice the size. Forward, backward and loss are the book's.

# %%
shapes = [(48, 3, 3, 3), (48, 48, 1, 1), (4, 48, 1, 1)]  # (F, C, kH, kW)
weights = [rng.normal(size=s) * np.sqrt(2 / np.prod(s[1:])) for s in shapes]
weights[-1] *= 0.1
biases = [np.zeros(s[0]) for s in shapes]
velocities = [np.zeros_like(a) for a in weights + biases]


def planes(low):
    """Return (N, 3, 6, 6): one channel a level, and a border of background."""
    padded = np.pad(low, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.concatenate([padded == level for level in (0, 0.5, 1)], 1).astype(float)


def forward(low):
    """Return the large images, and what each layer was given and gave."""
    x, saved = planes(low), []
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = conv2d(x, w, b)
        saved.append((x, z))
        x = relu(z) if k < 2 else z
    return sr.pixel_shuffle(x), saved


def backward(d_fake, saved):
    """Return the gradients of the weights, then of the biases."""
    dz, grads = sr.pixel_unshuffle(d_fake), []
    for k in (2, 1, 0):
        x, z = saved[k]
        dz = dz * d_relu(z) if k < 2 else dz
        g = conv2d_backward(dz, x, weights[k])
        grads.append((g.dw, g.db))
        dz = g.dx
    return [dw for dw, _ in grads[::-1]] + [db for _, db in grads[::-1]]


EPOCHS, BATCH, STEP, MOMENTUM = 22, 20, 0.006, 0.9
history = []
for epoch in range(EPOCHS):
    step = STEP * (1 - epoch / EPOCHS)
    order = rng.permutation(len(train))
    for first in range(0, len(train), BATCH):
        rows = order[first : first + BATCH]
        fake, saved = forward(low[rows])
        gradients = backward(sr.d_pixel_loss(fake, train[rows]), saved)
        for parameter, velocity, gradient in zip(weights + biases, velocities, gradients, strict=True):
            velocity *= MOMENTUM
            velocity -= step * gradient
            parameter += velocity
    history.append(error(forward(low)[0], train))
network = forward(low)[0]
print(f"network, after {EPOCHS} passes: {history[-1]:.5f}")

# %% [markdown]
# ## The theorem, on these digits
#
# The chapter's identity: the network's error is that of the conditional mean, plus the squared distance between
# the two. It holds for any weights, up to rounding. Training can change the second term only.

# %% alt="Squared error of the network against passes over the digits. It falls towards the line of the exact conditional mean and stays above it."
distance = error(network, mean)
print(f"error of the network      {error(network, train):.5f}")
print(f"  lost by any function    {floor:.5f}")
print(f"  distance from the mean  {distance:.5f}")
assert abs(error(network, train) - floor - distance) < 1e-12
assert all(value >= floor for value in history)
print(f"distance of repeated pixels from the mean {error(low.repeat(2, 2).repeat(2, 3), mean):.5f}")
assert distance < 0.25 * floor

figure, ax = plt.subplots(figsize=(6, 3.4))
ax.plot(history, label="network")
ax.axhline(floor, color="C1", linestyle="--", label="conditional mean: nothing goes below")
ax.set_xlabel("passes over the digits")
ax.set_ylabel("squared error a pixel")
ax.set_ylim(0.9 * floor, history[0])
ax.legend()
plt.show()

# %% [markdown]
# ## A draw in place of the mean
#
# A generator with a random input could draw a block from the law of the blocks that have the code. No
# discriminator of a code and a block could tell it from the truth. The chapter says what that costs: twice the error of the mean. The expectation is exact, over all
# pairs of blocks with one code. One draw of each block comes close to it.

# %%
by_code = np.argsort(index, kind="stable")
offset = np.concatenate([[0], np.cumsum(count)[:-1]])


def draw(group):
    """Return, for each group of equal codes, one of its blocks."""
    return blocks(train)[by_code[offset[group] + np.floor(rng.random(len(group)) * count[group]).astype(int)]]


second = sr.conditional_mean(code, blocks(train) ** 2)  # E[x^2 | code]
first = sr.conditional_mean(code, blocks(train))
expected = (blocks(train) ** 2 - 2 * blocks(train) * first + second).mean()  # E (x - y)^2, multiplied out
drawn = image(draw(index))
print(
    f"error expected of a draw {expected:.5f}, of this draw {error(drawn, train):.5f}, twice the floor {2 * floor:.5f}"
)
assert abs(expected - 2 * floor) < 1e-12
assert abs(error(drawn, train) / expected - 1) < 0.05

# %% [markdown]
# What the mean loses is detail. Measure it by the variance inside the 2 x 2 blocks, which a small pixel alone
# cannot show.

# %%


def detail(high):
    """Return the mean variance inside the blocks."""
    return blocks(high).var(1).mean()


for name, images in (("true", train), ("draw", drawn), ("network", network), ("mean", mean)):
    print(f"detail, {name:8s} {detail(images):.4f}")
assert detail(mean) < 0.8 * detail(train)
assert detail(network) < 0.8 * detail(train)
assert abs(detail(drawn) / detail(train) - 1) < 0.05

# %% [markdown]
# ## Held-out digits
#
# On digits that were not learnt from, the table of means has holes: codes that it never saw. There it answers
# for the nearest code seen (least sum of absolute differences of levels; the first one, of several). The
# network has an answer to every code. The two interpolations without learning get the same levels; bilinear is also
# given the small image before it is rounded, an advantage that the others do not have.

# %%
table = np.zeros((len(seen), 4))
table[index] = blocks(mean)
known = {tuple(row): k for k, row in enumerate(seen.tolist())}
match = np.array([known.get(tuple(row), -1) for row in test_code.tolist()])
for k in np.flatnonzero(match < 0):
    match[k] = np.abs(seen - test_code[k]).sum(1).argmin()
unseen = np.array([tuple(row) not in known for row in test_code.tolist()])
print(f"held-out blocks with a code never seen: {unseen.mean():.1%}")

answers = {
    "bilinear": sr.bilinear(test_low),
    "network": forward(test_low)[0],
    "mean (table)": image(table[match]),
    "one draw": image(draw(match)),
}
results = {name: error(fake, test) for name, fake in answers.items()}
results["repeated pixels"] = error(test_low.repeat(2, 2).repeat(2, 3), test)
results["bilinear, not rounded"] = error(sr.bilinear(sr.downsample(test)), test)
for name, value in sorted(results.items(), key=lambda pair: pair[1]):
    print(f"squared error, {name:22s} {value:.5f}")
for name, images in (*answers.items(), ("true", test)):
    print(f"detail, {name:13s} {detail(images):.4f}")
assert results["network"] < results["bilinear"]
assert results["mean (table)"] < results["one draw"]
assert results["network"] < results["one draw"]
assert detail(answers["network"]) < 0.8 * detail(test)
assert detail(answers["mean (table)"]) < 0.8 * detail(test)
assert abs(detail(answers["one draw"]) / detail(test) - 1) < 0.05

# %% [markdown]
# ## Side by side
#
# The network and the mean have less detail than the truth. The draw has as much, but its squared error is larger:
# its details are not the true ones. Its blocks are drawn one by one, so neighbours need not fit.

# %% alt="Eight held-out digits in rows: the small image, bilinear interpolation, the network, the table of means, one draw, the true image. The network and the mean are softer than the truth; the draw is as sharp."
rows = {"small": test_low, **answers, "true": test}
figure, axes = plt.subplots(len(rows), 8, figsize=(8, 6.4))
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for k, ax in enumerate(line):
        ax.imshow(images[k, 0], cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.tight_layout()
plt.show()
