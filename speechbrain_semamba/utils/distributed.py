"""What the processes of a run tell each other, and what one does for all."""

import torch
from speechbrain.utils.distributed import (
    is_distributed_initialized,
    main_process_only,
)

from speechbrain_semamba.utils.messages import first_line

#: Of errors of the main process, those that the others raise as such
TOLD_KINDS = OSError, ValueError, ImportError


def rank_and_size():
    """This process's number, and how many there are.

    Returns
    -------
    rank : int
        From 0.
    size : int
        At least 1.

    Example
    -------
    >>> rank_and_size()
    (0, 1)
    """
    if not is_distributed_initialized():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def mean_everywhere(values, device="cpu"):
    """Means of scalars over the processes; NaN if one is NaN anywhere.

    All processes get the same means, and so decide alike: one that skipped a
    step on its own would leave the others waiting for it.

    Arguments
    ---------
    values : dict
        Scalars by name, numbers or tensors; the same names on every process.
    device : str
        Where the processes exchange them.

    Returns
    -------
    dict
        Floats by name.

    Example
    -------
    >>> mean_everywhere({"loss": torch.tensor(2.0), "count": 3})
    {'loss': 2.0, 'count': 3.0}
    """
    tensors = any(isinstance(x, torch.Tensor) for x in values.values())
    if not tensors and not is_distributed_initialized():
        device = "cpu"  # a GPU would have to finish its work to answer
    # as one tensor: each scalar read alone would wait for the device
    dtype = torch.float64
    if torch.device(device).type == "mps":  # which has none
        dtype = torch.float32
    scalars = torch.stack(
        [
            torch.as_tensor(x, dtype=dtype, device=device).detach()
            for x in values.values()
        ]
    )
    if is_distributed_initialized():
        torch.distributed.all_reduce(scalars)
        scalars /= torch.distributed.get_world_size()
    return dict(zip(values, scalars.tolist()))


def gather_everywhere(items):
    """Puts together what the processes hold; the same on all of them.

    Arguments
    ---------
    items : dict
        Picklable values by key; no key is on two processes.

    Returns
    -------
    dict
        All values, in the order of their keys.

    Example
    -------
    >>> gather_everywhere({"b": 1, "a": 2})
    {'a': 2, 'b': 1}
    """
    parts = [items]
    if is_distributed_initialized():
        parts = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, items)
    merged = {key: part[key] for part in parts for key in part}
    return dict(sorted(merged.items()))


def call_on_main(function, *args):
    """Calls a function on the main process, for all processes.

    SpeechBrain's ``main_process_only`` alone would leave the others waiting
    for a result if the call fails.

    Arguments
    ---------
    function : callable
        What to call; its result must be picklable.
    *args
        Its arguments.

    Returns
    -------
    object
        The result, on every process.

    Raises
    ------
    OSError, ValueError, ImportError, RuntimeError
        On the other processes, if the function raised one of the first three
        or anything else; on the main process, what it raised.

    Example
    -------
    >>> call_on_main(max, 1, 2)
    2
    """
    failure = None

    def attempt():
        nonlocal failure
        try:
            return function(*args), None, None
        except Exception as error:
            failure = error
            kinds = (k for k in TOLD_KINDS if isinstance(error, k))
            return None, first_line(error), next(kinds, RuntimeError)

    result, message, kind = main_process_only(attempt)()
    if failure is not None:
        raise failure
    if message is not None:
        raise kind(message)
    return result


def leave_group():
    """Ends what ``ddp_init_group`` began.

    A process that just ended would at times be aborted on its way out, and
    its exit status be lost.

    Example
    -------
    >>> leave_group()  # of a single process, nothing
    """
    if is_distributed_initialized():
        torch.distributed.destroy_process_group()


def unwrapped(network):
    """A network without the wrappers of DDP and of compilation.

    Arguments
    ---------
    network : torch.nn.Module
        Wrapped or not.

    Returns
    -------
    torch.nn.Module
        What was wrapped.

    Example
    -------
    >>> network = torch.nn.Linear(1, 1)
    >>> unwrapped(torch.compile(network)) is unwrapped(network) is network
    True
    """
    network = getattr(network, "module", network)
    return getattr(network, "_orig_mod", network)
