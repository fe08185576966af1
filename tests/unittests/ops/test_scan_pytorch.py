"""What the scan in PyTorch keeps in memory."""

import torch
from operators import scan, scan_inputs, values_and_gradients

from speechbrain_semamba.ops.scan import pytorch


def test_no_tensor_of_all_states():
    """Nothing as large as [batch, length, dim, state] is allocated."""
    sizes = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if torch.is_tensor(out):
                sizes.append(out.untyped_storage().nbytes() // 8)
            return out

    batch, length, dim, state = 2, 100, 32, 16
    inputs = scan_inputs(length, dim, state, batch)
    with Watch():
        values_and_gradients(scan("pytorch"), inputs)
    assert len(sizes) > length
    assert max(sizes) < batch * length * dim * state / 4


def test_takes_no_checkpoints_without_gradient():
    inputs = scan_inputs(20)
    y = pytorch.scan(*inputs.values(), None, False)
    assert y.grad_fn is None


def test_takes_checkpoints_with_one():
    inputs = [x.requires_grad_() for x in scan_inputs(20).values()]
    y = pytorch.scan(*inputs, None, False)
    assert y.requires_grad
