"""The selective scan in PyTorch alone: serial in time, on any device.

Forward and backward keep no [batch, length, dim, state] tensor: the states
are kept at every sqrt(length)-th step and computed again from there. The
gradient of the recurrence is the same recurrence run the other way.
"""

import math

import torch
from torch.nn.functional import silu, softplus

from speechbrain_semamba.processing.lengths import valid_mask


def why_not(device_type):
    """Runs everywhere: always None."""
    return None


def scan(u, delta, A, B, C, D, z, delta_bias, lengths, reverse):
    """Arguments as ``ops.selective_scan``, float32 or float64."""
    step = softplus(delta if delta_bias is None else delta + delta_bias)
    valid = None
    if lengths is not None:
        # a step of zero leaves the state as it is
        valid = valid_mask(lengths, u.shape[1]).unsqueeze(-1)
        step = step * valid
    y = _Recurrence.apply(u, step, A, B, C, reverse)
    if D is not None:
        y = torch.addcmul(y, u, D)
    if z is not None:
        y = y * silu(z)
    return y if valid is None else y * valid


class _Recurrence(torch.autograd.Function):
    """h = exp(step A) h + step u B, y = C h, with its backward."""

    @staticmethod
    def forward(ctx, u, step, A, B, C, reverse):
        order = list(range(u.shape[1]))
        if reverse:
            order.reverse()
        size = max(1, math.isqrt(len(order)))
        ctx.chunks = [order[i : i + size] for i in range(0, len(order), size)]
        keep = any(ctx.needs_input_grad)
        y = torch.empty_like(u)
        state = u.new_zeros(u.shape[0], *A.shape)
        decay = torch.empty_like(state)
        drive = step * u
        checkpoints = []
        for chunk in ctx.chunks:
            if keep:
                checkpoints.append(state.clone())
            for t in chunk:
                _advance(state, state, decay, step, drive, A, B, t)
                y[:, t] = _right(state, C[:, t])
        if keep:
            ctx.save_for_backward(u, step, A, B, C, *checkpoints)
        return y

    @staticmethod
    def backward(ctx, grad_y):
        u, step, A, B, C, *checkpoints = ctx.saved_tensors
        drive = step * u
        grad_drive, grad_rate = torch.empty_like(u), torch.empty_like(u)
        grad_B, grad_C = torch.empty_like(B), torch.empty_like(C)
        grad_state = torch.zeros_like(checkpoints[0])
        grad_A = torch.zeros_like(grad_state)
        states = _stack(grad_state, len(ctx.chunks[0]) + 1)
        decays = _stack(grad_state, len(ctx.chunks[0]))
        for chunk, first in zip(reversed(ctx.chunks), reversed(checkpoints)):
            states[0].copy_(first)
            for i, t in enumerate(chunk):
                _advance(
                    states[i], states[i + 1], decays[i], step, drive, A, B, t
                )
            for i, t in reversed(list(enumerate(chunk))):
                grad_C[:, t] = _left(grad_y[:, t], states[i + 1])
                _add_outer(grad_state, grad_y[:, t], C[:, t])
                grad_B[:, t] = _left(drive[:, t], grad_state)
                grad_drive[:, t] = _right(grad_state, B[:, t])
                # now the gradient of the state before this step, and from
                # it that of the exponent, step * A
                grad_state.mul_(decays[i])
                grad_exponent = torch.mul(grad_state, states[i], out=decays[i])
                grad_A.addcmul_(grad_exponent, step[:, t].unsqueeze(-1))
                grad_rate[:, t] = grad_exponent.mul_(A).sum(-1)
        grad_step = torch.addcmul(grad_rate, grad_drive, u)
        return grad_drive * step, grad_step, grad_A.sum(0), grad_B, grad_C, None


def _advance(state, following, decay, step, drive, A, B, t):
    """One step of the recurrence; ``following`` may be ``state`` itself."""
    torch.mul(step[:, t].unsqueeze(-1), A, out=decay).exp_()
    torch.mul(state, decay, out=following)
    _add_outer(following, drive[:, t], B[:, t])


def _add_outer(state, by_dim, by_state):
    """Adds [batch, dim] x [batch, state] to [batch, dim, state]."""
    state.addcmul_(by_dim.unsqueeze(-1), by_state.unsqueeze(1))


def _left(vector, matrix):
    """[i, j] times [i, j, k], summed over j: [i, k]."""
    return torch.bmm(vector.unsqueeze(1), matrix).squeeze(1)


def _right(matrix, vector):
    """[i, j, k] times [i, k], summed over k: [i, j]."""
    return torch.bmm(matrix, vector.unsqueeze(-1)).squeeze(-1)


def _stack(like, count):
    return [torch.empty_like(like) for _ in range(count)]
