"""The selective scan in PyTorch alone: serial in time, on any device.

Forward and backward keep no [batch, length, dim, state] tensor: the states
are kept at every sqrt(length)-th step and computed again from there. The
gradient of the recurrence is the same recurrence run the other way.
"""

import math

import torch
from torch.nn.functional import silu, softplus

from speechbrain_semamba.ops.scan import exported


def why_not(device_type):
    """Runs everywhere: always None."""
    return None


def scan(u, delta, A, B, C, D, z, delta_bias, valid, reverse):
    """Arguments as ``ops.backends.Backend`` says."""
    step = softplus(delta if delta_bias is None else delta + delta_bias)
    if valid is not None:
        # a step of zero leaves the state as it is
        step = step * valid.mask.unsqueeze(-1)
    exporting = torch.compiler.is_exporting()
    recurrence = exported.recurrence if exporting else _Recurrence.apply
    y = recurrence(u, step, A, B, C, reverse)
    if D is not None:
        y = torch.addcmul(y, u, D)
    if z is not None:
        y = y * silu(z)
    return y if valid is None else y * valid.mask.unsqueeze(-1)


class _Recurrence(torch.autograd.Function):
    """h = exp(step A) h + step u B, y = C h, with its backward.

    The states are [batch, state, dim], so that the innermost loops are long.
    """

    @staticmethod
    def forward(ctx, u, step, A, B, C, reverse):
        order = list(range(u.shape[1]))
        if reverse:
            order.reverse()
        size = max(1, math.isqrt(len(order)))
        ctx.chunks = [order[i : i + size] for i in range(0, len(order), size)]
        keep = any(ctx.needs_input_grad)
        rate, drive = A.T.contiguous(), step * u
        y = torch.empty_like(u)
        state = u.new_zeros(u.shape[0], *rate.shape)
        decay = torch.empty_like(state)
        checkpoints = []
        for chunk in ctx.chunks:
            if keep:
                checkpoints.append(state.clone())
            for t in chunk:
                _advance(state, state, decay, step, drive, rate, B, t)
                y[:, t] = _by_state(C[:, t], state)
        if keep:
            ctx.save_for_backward(u, step, rate, B, C, *checkpoints)
        return y

    @staticmethod
    def backward(ctx, grad_y):
        u, step, rate, B, C, *checkpoints = ctx.saved_tensors
        drive = step * u
        grad_drive, grad_step = torch.empty_like(u), torch.empty_like(u)
        grad_B, grad_C = torch.empty_like(B), torch.empty_like(C)
        grad_state = torch.zeros_like(checkpoints[0])
        grad_rate = torch.zeros_like(grad_state)
        states = _buffers(grad_state, len(ctx.chunks[0]) + 1)
        decays = _buffers(grad_state, len(ctx.chunks[0]))
        for chunk, first in zip(reversed(ctx.chunks), reversed(checkpoints)):
            states[0].copy_(first)
            for i, t in enumerate(chunk):
                _advance(
                    states[i], states[i + 1], decays[i], step, drive, rate, B, t
                )
            for i, t in reversed(list(enumerate(chunk))):
                grad_C[:, t] = _by_dim(states[i + 1], grad_y[:, t])
                _add_outer(grad_state, C[:, t], grad_y[:, t])
                grad_B[:, t] = _by_dim(grad_state, drive[:, t])
                grad_drive[:, t] = _by_state(B[:, t], grad_state)
                # now the gradient of the state before this step, and from
                # it that of the exponent, step * rate
                grad_state.mul_(decays[i])
                grad_exponent = torch.mul(grad_state, states[i], out=decays[i])
                grad_rate.addcmul_(grad_exponent, step[:, None, t])
                grad_step[:, t] = grad_exponent.mul_(rate).sum(1)
        grad_step.addcmul_(grad_drive, u)
        grad_u = grad_drive.mul_(step)
        return grad_u, grad_step, grad_rate.sum(0).T, grad_B, grad_C, None


def _advance(state, following, decay, step, drive, rate, B, t):
    """One step of the recurrence; ``following`` may be ``state`` itself."""
    torch.mul(step[:, None, t], rate, out=decay).exp_()
    torch.mul(state, decay, out=following)
    _add_outer(following, B[:, t], drive[:, t])


def _add_outer(state, by_state, by_dim):
    """Adds [batch, state] x [batch, dim] to [batch, state, dim]."""
    state.addcmul_(by_state.unsqueeze(2), by_dim.unsqueeze(1))


def _by_state(vector, state):
    """[batch, state] times [batch, state, dim]: [batch, dim]."""
    return torch.bmm(vector.unsqueeze(1), state).squeeze(1)


def _by_dim(state, vector):
    """[batch, state, dim] times [batch, dim]: [batch, state]."""
    # several times faster than state @ vector, whose results are so short
    return torch.bmm(vector.unsqueeze(1), state.mT).squeeze(1)


def _buffers(like, count):
    return [torch.empty_like(like) for _ in range(count)]
