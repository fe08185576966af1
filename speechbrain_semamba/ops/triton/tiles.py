"""What a program of the scan works on: some channels of one item.

A tile is [state, channel]. One warp runs a program, and Triton shares the tile
out over its threads such that sums over states and sums over channels, which
only the gradients of B and C need, take few exchanges between them.
"""

import triton
import triton.language as tl

#: Channels of a program
CHANNELS = 32


def grid_of(u):
    """Programs for a tensor [batch, length, dim]."""
    batch, _, dim = u.shape
    return batch, triton.cdiv(dim, CHANNELS)


def warps_of(arguments):
    """Warps of a program: one has registers for 16 states."""
    return max(1, arguments["STATES"] // 16)


@triton.jit
def steps_of(sizes, item, length):
    """How many steps of an item count; all of them without sizes."""
    if sizes is not None:
        length = tl.load(sizes + item)
    return length


@triton.jit
def place_of(i, count, REVERSE: tl.constexpr):
    """Where the i-th step of a scan lies in time."""
    return count - 1 - i if REVERSE else i


@triton.jit
def read(x, mask, dtype: tl.constexpr):
    """Numbers in the type to compute in; zero where the mask says so.

    All zero where there is no tensor.
    """
    if x is None:
        numbers = tl.zeros(mask.shape, dtype)
    else:
        numbers = tl.load(x, mask=mask, other=0).to(dtype)
    return numbers


@triton.jit
def advance(h, step, rates, x, b):
    """The states after a step [state, channel], and the decay of those before.

    Arguments
    ---------
    h, rates : tensor
        States before the step, and A [state, channel].
    step, x : tensor
        Step size after the softplus, and u [channel].
    b : tensor
        B [state].
    """
    decay = tl.exp(step[None, :] * rates)
    return decay * h + (step * x)[None, :] * b[:, None], decay
