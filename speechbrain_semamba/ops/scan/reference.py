"""The selective scan as its equation reads; the yardstick, never optimised."""

import torch
from torch.nn.functional import silu, softplus


def why_not(device_type):
    """Runs everywhere: always None."""
    return None


def scan(u, delta, A, B, C, D, z, delta_bias, valid, reverse):
    """The recurrence as a loop; arguments as ``ops.backends.Backend``."""
    batch, length, _ = u.shape
    mask = u.new_ones(batch, length, 1)
    if valid is not None:
        mask = valid.mask.unsqueeze(-1).to(u.dtype)
    if delta_bias is not None:
        delta = delta + delta_bias
    step = softplus(delta) * mask
    state = u.new_zeros(batch, *A.shape)
    y = [None] * length
    for t in reversed(range(length)) if reverse else range(length):
        decay = torch.exp(step[:, t, :, None] * A)
        drive = step[:, t, :, None] * B[:, t, None, :] * u[:, t, :, None]
        state = decay * state + drive
        y[t] = (state * C[:, t, None, :]).sum(-1)
    y = torch.stack(y, dim=1)
    if D is not None:
        y = y + D * u
    if z is not None:
        y = y * silu(z)
    return y * mask
