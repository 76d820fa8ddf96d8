"""The loop over the steps as one kernel each way, with W in registers.

H up to 128: one program has one sequence and all of W. Above, a program has some units and some sequences; those that
share sequences meet at a counter after each step. A product is a sum of float32 products: no tensor core.
"""

import torch
import triton
import triton.language as tl

from dlnotes.core.gpu.tensors import on_its_device

INTERPRETED = triton.knobs.runtime.interpret  # programs then run one after another, and must not wait for each other
WHOLE = 128  # units: the largest W that one program holds
TILE = 1 << 15  # numbers of W that a program holds otherwise: 64 registers a thread
PROCESSORS = 6  # in the interpreter


@triton.jit
def _times(m, v):
    return tl.sum(m * v[:, None], axis=0)


@triton.jit
def _sigmoid(z):
    e = tl.exp(-tl.abs(z))
    return tl.where(z < 0, e, 1.0) / (1 + e)


@triton.jit
def _meet(counter, target):
    """Wait until the counter, which each program raises once a step, has reached the target.

    Release and acquire order what a program wrote before with what the others read after. The barriers extend that
    from the thread that counts to all threads of the program.
    """
    tl.debug_barrier()
    tl.atomic_add(counter, 1, sem="release", scope="gpu")
    while tl.atomic_add(counter, 0, sem="acquire", scope="gpu") < target:
        pass
    tl.debug_barrier()


@triton.jit
def forward_whole(states, W_T, T, B, H, BLOCK: tl.constexpr):
    """One sequence a program: h stays in registers."""
    i, step = tl.arange(0, BLOCK), B * H
    inside = i < H
    m = tl.load(W_T + i[:, None] * H + i[None, :], mask=inside[:, None] & inside[None, :], other=0.0)
    at = states + tl.program_id(0) * H + i
    h = tl.load(at, mask=inside, other=0.0)
    at += step
    z = tl.load(at, mask=inside, other=0.0)
    for t in range(T):
        z_next = tl.load(at + step, mask=i < tl.where(t + 1 < T, H, 0), other=0.0)  # on its way during the product
        h = _sigmoid(z + _times(m, h))
        tl.store(at, h, mask=inside)
        z = z_next
        at += step


@triton.jit
def backward_whole(dz, dh, states, W, T, B, H, BLOCK: tl.constexpr):
    """One sequence a program, from the last step on."""
    i, step = tl.arange(0, BLOCK), B * H
    inside = i < H
    m = tl.load(W + i[:, None] * H + i[None, :], mask=inside[:, None] & inside[None, :], other=0.0)
    at = tl.program_id(0) * H + i + (T - 1) * step  # of dh_t; states and dz have it a step later
    h = tl.load(states + at + step, mask=inside, other=0.0)
    own = tl.load(dh + at, mask=inside, other=0.0)
    later = tl.zeros((BLOCK,), tl.float32)
    for t in range(T):
        earlier = i < tl.where(t + 1 < T, H, 0)
        h_next = tl.load(states + at, mask=earlier, other=0.0)
        own_next = tl.load(dh + at - step, mask=earlier, other=0.0)
        slope = h * (1 - h) * (own + later)
        tl.store(dz + at + step, slope, mask=inside)
        later = _times(m, slope)
        h = h_next
        own = own_next
        at -= step
    tl.store(dz + tl.program_id(0) * H + i, later, mask=inside)


@triton.jit
def forward_shared(
    states, W_T, counters, steps, rows, B, H, BLOCK: tl.constexpr, UNITS: tl.constexpr, MEET: tl.constexpr
):
    """Some units of some sequences a program. What other programs wrote is read past the first cache (.cg)."""
    k, n = tl.arange(0, BLOCK), tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    m = tl.load(W_T + k[:, None] * H + n[None, :], mask=(k < H)[:, None] & (n < H)[None, :], other=0.0)
    start = tl.program_id(1) * rows
    stop = tl.minimum(start + rows, B)
    for t in range(steps):
        v = tl.load(states + start * H + k, mask=k < H, other=0.0, cache_modifier=".cg")
        for row in range(start, stop):
            at = states + (B + row) * H + n
            z = tl.load(at, mask=n < H, other=0.0)
            v_next = tl.load(
                states + (row + 1) * H + k, mask=k < tl.where(row + 1 < stop, H, 0), other=0.0, cache_modifier=".cg"
            )
            tl.store(at, _sigmoid(z + _times(m, v)), mask=n < H)
            v = v_next
        states += B * H
        if MEET:
            _meet(counters + tl.program_id(1), (t + 1) * tl.num_programs(0))


@triton.jit
def backward_shared(
    dz, dh, states, W, counters, first, steps, rows, B, H, BLOCK: tl.constexpr, UNITS: tl.constexpr, MEET: tl.constexpr
):
    """From dz_{t+1}, at dz[t + 1], to dz_t, at dz[t], for t = first, first - 1, ... dz[0] is dh0: no slope there."""
    k, n = tl.arange(0, BLOCK), tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    m = tl.load(W + k[:, None] * H + n[None, :], mask=(k < H)[:, None] & (n < H)[None, :], other=0.0)
    start = tl.program_id(1) * rows
    stop = tl.minimum(start + rows, B)
    step = B * H
    base = first * step
    for t in range(steps):
        last = base == 0
        v = tl.load(dz + base + step + start * H + k, mask=k < H, other=0.0, cache_modifier=".cg")
        for row in range(start, stop):
            at = base + row * H + n
            h = tl.load(states + at, mask=n < H, other=0.0)
            own = tl.load(dh + at - step, mask=n < tl.where(base > 0, H, 0), other=0.0)
            v_next = tl.load(
                dz + base + step + (row + 1) * H + k,
                mask=k < tl.where(row + 1 < stop, H, 0),
                other=0.0,
                cache_modifier=".cg",
            )
            later = _times(m, v)
            tl.store(dz + at, tl.where(last, later, h * (1 - h) * (own + later)), mask=n < H)
            v = v_next
        base -= step
        if MEET:
            _meet(counters + tl.program_id(1), (t + 1) * tl.num_programs(0))


@on_its_device
def forward(states, W):
    """Turn U x_t, in states[t], into h_t, in place: states (T + 1, B, H), W (H, H), contiguous float32."""
    T, (B, H), W_T = len(states) - 1, states.shape[1:], W.T.contiguous()
    if H <= WHOLE:
        forward_whole[B,](states, W_T, T, B, H, BLOCK=_power(H), num_warps=8, enable_fp_fusion=True)
        return
    grid, rows, options = _plan(W, B)
    counters = torch.zeros(grid[1], dtype=torch.int32, device=W.device)
    for t, steps in _launches(T):
        forward_shared[grid](states[t:], W_T, counters, steps, rows, B, H, **options)


@on_its_device
def backward(dh, states, W):
    """Return (T + 1, B, H): dh0, then dz_t. dh (T, B, H), states (T + 1, B, H), W (H, H), contiguous float32."""
    (T, B, H), dz = dh.shape, torch.empty_like(states)
    if H <= WHOLE:
        backward_whole[B,](dz, dh, states, W, T, B, H, BLOCK=_power(H), num_warps=8, enable_fp_fusion=True)
        return dz
    dz[T] = states[T] * (1 - states[T]) * dh[-1]
    grid, rows, options = _plan(W, B)
    counters = torch.zeros(grid[1], dtype=torch.int32, device=W.device)
    for t, steps in _launches(T):
        backward_shared[grid](dz, dh, states, W, counters, T - 1 - t, steps, rows, B, H, **options)
    return dz


def _launches(T):
    """(first step, steps) of each launch: one for all, or one a step where programs cannot meet."""
    return [(t, 1) for t in range(T)] if INTERPRETED else [(0, T)]


def _plan(W, B):
    """The grid (blocks of units, blocks of sequences), the sequences of a block, and the options of the launch.

    No more programs than multiprocessors: all of them run at once, else those that wait would wait for ever.
    """
    H, block = len(W), _power(len(W))
    processors = PROCESSORS if INTERPRETED else torch.cuda.get_device_properties(W.device).multi_processor_count
    units = max(TILE // block, 1)
    while units > 16 and triton.cdiv(H, units // 2) * B <= processors:
        units //= 2
    across = triton.cdiv(H, units)
    if units < 8 or across > processors:
        raise ValueError(f"W has shape {tuple(W.shape)}; expected fewer units for algorithm 'triton' on this device")
    rows = triton.cdiv(B, min(B, processors // across))
    options = {"BLOCK": block, "UNITS": units, "MEET": not INTERPRETED, "num_warps": 16, "enable_fp_fusion": True}
    if not INTERPRETED:
        options["launch_cooperative_grid"] = True
    return (across, triton.cdiv(B, rows)), rows, options


def _power(n):
    return max(triton.next_power_of_2(n), 16)
