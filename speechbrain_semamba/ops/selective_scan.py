"""The public selective scan, and which back end it takes and why."""

import functools
import logging

import torch

from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops.scan import cpu, mamba_ssm, pytorch, reference

logger = logging.getLogger(__name__)

#: Each back end is a module with ``scan`` and ``why_not``. "auto" takes the
#: first that is ready; the reference comes last, so it is taken only by name.
BACKENDS = {
    "cuda": mamba_ssm,
    "cpu": cpu,
    "pytorch": pytorch,
    "reference": reference,
}


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
        Relative lengths [batch]. Beyond them the output is zero and nothing
        enters the state, so a reverse scan starts at each item's own end.
    reverse : bool
        Scan from the last step to the first.
    backend : str
        "auto", or a key of ``BACKENDS``.

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
    _check_shapes(u, delta, A, B, C, D, z, delta_bias, lengths)
    name = choose_backend(u.device, backend)
    dtype = torch.promote_types(u.dtype, torch.float32)
    # only the compiled kernel converts u, delta and z as it reads them
    reads_half = name == "cpu" and u.dtype == torch.bfloat16
    wide = u.dtype if reads_half else dtype
    wanted = (wide, wide, dtype, dtype, dtype, dtype, wide, dtype)
    inputs = [
        x if x is None else x.to(dtype)
        for x, dtype in zip((u, delta, A, B, C, D, z, delta_bias), wanted)
    ]
    with torch.autocast(u.device.type, enabled=False):
        return BACKENDS[name].scan(*inputs, lengths, reverse).to(u.dtype)


def choose_backend(device, backend="auto"):
    """Name of the back end that will run on a device.

    Arguments
    ---------
    device : torch.device
        Where the tensors are.
    backend : str
        "auto", or a key of ``BACKENDS``, which never falls back.

    Returns
    -------
    str
        A key of ``BACKENDS``.

    Raises
    ------
    ValueError
        If there is no back end of this name.
    RuntimeError
        If the back end asked for by name cannot run here; says why.

    Example
    -------
    >>> choose_backend(torch.device("cpu"), "pytorch")
    'pytorch'
    """
    return _choose(torch.device(device).type, backend)


def compiled(x, backend="auto"):
    """Whether the compiled CPU kernels are to be used for a tensor.

    Arguments
    ---------
    x : torch.Tensor
        What they would work on.
    backend : str
        "auto", or a key of ``BACKENDS``.

    Returns
    -------
    bool
        True if the back end is "cpu" and its kernels have the tensor's type.

    Example
    -------
    >>> compiled(torch.zeros(1), "pytorch")
    False
    """
    cpu = choose_backend(x.device, backend) == "cpu"
    return cpu and x.dtype in kernels.DATA_TYPES


@functools.lru_cache(maxsize=None)
def _choose(device_type, backend):
    if backend == "auto":
        for name, module in BACKENDS.items():
            if module.why_not(device_type) is None:
                # a log would break torch.compile's graph in two
                if not torch.compiler.is_compiling():
                    logger.info("selective scan on %s: %s", device_type, name)
                return name
    if backend not in BACKENDS:
        raise ValueError(
            f"the scan back end must be 'auto' or one of {list(BACKENDS)}, "
            f"not {backend!r}"
        )
    reason = BACKENDS[backend].why_not(device_type)
    if reason is not None:
        raise RuntimeError(
            f"scan back end {backend!r} cannot run on {device_type}: {reason}"
        )
    return backend


def _check_shapes(u, delta, A, B, C, D, z, delta_bias, lengths):
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
        "lengths": (lengths, (batch,)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must be {list(shape)} for u {list(u.shape)}, "
                f"not {list(tensor.shape)}"
            )
