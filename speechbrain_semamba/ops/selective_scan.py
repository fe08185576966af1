"""The public selective scan."""

import torch

from speechbrain_semamba.ops.backends import choose_backend
from speechbrain_semamba.processing.lengths import ValidSizes
from speechbrain_semamba.processing.precision import without_autocast


def selective_scan(
    u,
    delta,
    A,
    B,
    C,
    D=None,
    z=None,
    delta_bias=None,
    lengths=None,
    reverse=False,
    backend="auto",
):
    """Selective scan of Mamba (Gu and Dao, arXiv:2312.00752, algorithm 2).

    With ``step = softplus(delta + delta_bias)``, for every batch item, dim d
    and state n, from a state of zero::

        h[t, d, n] = exp(step[t, d] A[d, n]) h[t-1, d, n]
                     + step[t, d] B[t, n] u[t, d]
        y[t, d] = (sum_n C[t, n] h[t, d, n] + D[d] u[t, d]) silu(z[t, d])

    The state and ``A`` are kept in float32 (float64 if ``u`` is float64)
    under any autocast; the result has the dtype of ``u``.

    Arguments
    ---------
    u : torch.Tensor
        Input [batch, length, dim].
    delta : torch.Tensor
        Step size before the softplus [batch, length, dim].
    A : torch.Tensor
        Decay rates [dim, state], negative.
    B : torch.Tensor
        Input matrices [batch, length, state].
    C : torch.Tensor
        Output matrices [batch, length, state].
    D : torch.Tensor
        Skip connection [dim].
    z : torch.Tensor
        Gate [batch, length, dim].
    delta_bias : torch.Tensor
        Added to delta [dim].
    lengths : torch.Tensor
        Relative lengths [batch], or their ``ValidSizes``. Beyond them the output is zero and nothing
        enters the state, so a reverse scan starts at each item's own end.
    reverse : bool
        Scan from the last step to the first.
    backend : str
        "auto", or a name of ``ops.backends.BACKENDS``.

    Returns
    -------
    torch.Tensor
        Output [batch, length, dim].

    Raises
    ------
    ValueError
        If the back end is unknown or a shape does not fit.
    RuntimeError
        If the back end asked for by name cannot run here; says why.

    Example
    -------
    >>> one = torch.ones(1, 3, 1)
    >>> half = torch.full((1, 3, 1), 0.5413248546)  # softplus gives 1
    >>> rate = torch.tensor([[-0.6931472]])  # so each step halves the state
    >>> selective_scan(one, half, rate, one, one).flatten()
    tensor([1.0000, 1.5000, 1.7500])
    """
    valid = ValidSizes.of(lengths, u.shape[:2])
    sizes = None if valid is None else valid.sizes
    _check_shapes(u, delta, A, B, C, D, z, delta_bias, sizes)
    row = choose_backend(u.device, backend)
    dtype = torch.promote_types(u.dtype, torch.float32)
    wide = u.dtype if u.dtype in row.half else dtype
    wanted = (wide, wide, dtype, dtype, dtype, dtype, wide, dtype)
    inputs = [
        x if x is None else x.to(dtype)
        for x, dtype in zip((u, delta, A, B, C, D, z, delta_bias), wanted)
    ]
    with without_autocast(u.device.type):
        return row.scan(*inputs, valid, reverse).to(u.dtype)


def _check_shapes(u, delta, A, B, C, D, z, delta_bias, sizes):
    batch, length, dim = u.shape
    state = A.shape[-1]
    expected = {
        "delta": (delta, (batch, length, dim)),
        "A": (A, (dim, state)),
        "B": (B, (batch, length, state)),
        "C": (C, (batch, length, state)),
        "D": (D, (dim,)),
        "z": (z, (batch, length, dim)),
        "delta_bias": (delta_bias, (dim,)),
        "lengths": (sizes, (batch,)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must be {list(shape)} for u {list(u.shape)}, "
                f"not {list(tensor.shape)}"
            )
