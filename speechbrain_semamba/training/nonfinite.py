"""Steps that NaN or infinity spoil: which utterances to suspect."""

import torch


def find_suspects(window):
    """Utterances of a window with a value or a gradient that is not finite.

    Arguments
    ---------
    window : list of dict
        For each batch its utterances under ``ids``; all tensors among the
        other entries, and in tuples of them, are looked at [batch, ...].

    Returns
    -------
    list of str
        Their ids; none if the fault lies elsewhere.

    Example
    -------
    >>> wav = torch.tensor([[0.0, 1.0], [0.0, torch.nan]])
    >>> find_suspects([{"ids": ["a", "b"], "wav": wav}])
    ['b']
    """
    found = []
    for batch in window:
        tensors = []
        for value in batch.values():
            values = value if isinstance(value, tuple) else [value]
            tensors += [x for x in values if torch.is_tensor(x)]
        tensors += [x.grad for x in tensors if x.is_leaf and x.grad is not None]
        finite = [x.detach().isfinite().flatten(1).all(1) for x in tensors]
        good = torch.stack(finite).all(0).tolist()
        found += [
            key for key, is_good in zip(batch["ids"], good) if not is_good
        ]
    return found
