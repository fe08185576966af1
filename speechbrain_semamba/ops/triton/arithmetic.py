"""Functions of the kernels that Triton has not, or not as exact."""

import triton
import triton.language as tl


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x)), of float32 or float64."""
    return 1 / (1 + tl.exp(-x))


@triton.jit
def softplus(x):
    """log(1 + exp(x)), its relative error small also where it is small."""
    small = tl.exp(-tl.abs(x))
    one = 1 + small
    # log(1 + small) by its error in 1 + small (Higham, Accuracy and Stability
    # of Numerical Algorithms, section 1.14.1)
    rounded = one - 1
    exact = rounded == 0
    log = tl.log(one) * small / tl.where(exact, 1, rounded)
    return tl.maximum(x, 0) + tl.where(exact, small, log)


@triton.jit
def silu_slope(x, gate):
    """The derivative of x sigmoid(x), of x and its sigmoid."""
    return gate * (1 + x * (1 - gate))
