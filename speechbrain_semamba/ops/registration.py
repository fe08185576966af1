"""Python functions as PyTorch operators that ``torch.compile`` understands.

``torch.library.custom_op`` does the same, but imports the compiler at the
first call, which takes longer than enhancing a sentence.
"""

import contextlib
import functools

import torch

#: What "on" was told, functions by operator, by device
_ON = {}


def operator(function):
    """Registers a function as the operator ``semamba::<its name>``.

    Arguments
    ---------
    function : callable
        Takes and returns tensors on the CPU, with annotations; changes none
        of its arguments, and returns none of them.

    Returns
    -------
    callable
        The same function by way of PyTorch's dispatcher. Its ``on``
        registers the function for the tensors of another device, such as
        "CUDA", its ``fake`` and ``gradient`` what
        ``torch.library.register_fake`` and ``torch.library.register_autograd``
        take, ``no_gradient`` that there is none.
    """
    name = f"semamba::{function.__name__.lstrip('_')}"
    schema = torch.library.infer_schema(function, mutates_args=())
    torch.library.define(name, schema)
    torch.library.impl(name, "CPU", function)
    overload = getattr(torch.ops.semamba, name.split("::")[1]).default

    @functools.wraps(function)
    def call(*arguments, **options):
        return overload(*arguments, **options)

    def on(device, function):
        function = _with_its_device(function)
        torch.library.impl(name, device, function)
        _ON.setdefault(device, {})[name] = function

    def fake(shapes):
        torch.library.register_fake(name, shapes)

    def gradient(backward, save):
        torch.library.register_autograd(name, backward, setup_context=save)

    def no_gradient():
        def refuse(ctx, *grads):
            raise RuntimeError(f"{name} has no gradient")

        gradient(refuse, lambda ctx, inputs, output: None)

    call.on, call.fake = on, fake
    call.gradient, call.no_gradient = gradient, no_gradient
    return call


def _with_its_device(function):
    """A function that may launch kernels, on the GPU that has its tensors."""

    @functools.wraps(function)
    def call(x, *others):
        with torch.cuda.device_of(x):
            return function(x, *others)

    return call


@contextlib.contextmanager
def cpu_tensors_as(device):
    """CPU tensors go to the functions for another device's.

    For tests on a machine that lacks the device: ``TRITON_INTERPRET=1`` in the
    environment makes Triton run its kernels on them.

    Arguments
    ---------
    device : str
        As ``on`` takes it, such as "CUDA".
    """
    with torch.library._scoped_library("semamba", "IMPL") as library:
        for name, function in _ON[device].items():
            library.impl(name, function, "CPU")
        yield
