"""A stream scaled to a peak of 1, which only its end tells."""

import tempfile

import torch

#: Bytes of a sample while it waits for the end
WAITING = 4


def scaled_to_peak(blocks, folder=None):
    """Scales a stream to a peak of 1.

    Arguments
    ---------
    blocks : iterable of torch.Tensor
        Waveforms [channels, samples], float32.
    folder : str
        Where they lie meanwhile, in a file without a name.

    Yields
    ------
    torch.Tensor
        The same blocks, scaled; silence stays silence.

    Example
    -------
    >>> [x.tolist() for x in scaled_to_peak(torch.tensor([[0.25, 0.5]]).split(1, 1))]
    [[[0.5]], [[1.0]]]
    """
    shapes, peak = [], 0.0
    with tempfile.TemporaryFile(dir=folder) as file:
        for block in blocks:
            peak = max(peak, block.abs().max().item())
            shapes.append(block.shape)
            file.write(block.numpy().tobytes())
        file.seek(0)
        for shape in shapes:
            block = torch.frombuffer(
                bytearray(file.read(WAITING * shape.numel())),
                dtype=torch.float32,
            )
            yield block.view(shape) / (peak or 1.0)
