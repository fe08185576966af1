"""What waves, lengths and weights must be like, where users hand them over."""

import torch

#: Full scale of the integers that sound cards, WAV files and SciPy give
PCM = {torch.int16: 2**15, torch.int32: 2**31}


def check_waves(wav):
    """Waves as floating point, if they can be enhanced.

    Arguments
    ---------
    wav : torch.Tensor
        Waveforms [batch, samples]; 16 or 32 bit integers count as PCM, whose
        full scale becomes 1.

    Returns
    -------
    torch.Tensor
        Waveforms [batch, samples] in float32 or float64.

    Raises
    ------
    ValueError
        If they have another shape or type, no sample, or one that is not
        finite; or no samples at all, on the device meta.

    Example
    -------
    >>> check_waves(torch.tensor([[16384, -32768]], dtype=torch.int16))
    tensor([[ 0.5000, -1.0000]])
    """
    if wav.is_meta:
        raise ValueError(
            "waves on the device meta hold no samples; give the spectrum's "
            "shapes to the generator alone"
        )
    if wav.dim() != 2:
        raise ValueError(
            f"waves must be [batch, samples], found {list(wav.shape)}; one "
            "alone is wav[None]"
        )
    if 0 in wav.shape:
        raise ValueError(f"a wave needs a sample, found {list(wav.shape)}")
    if wav.dtype in PCM:
        wav = wav.double() / PCM[wav.dtype]
        return wav.to(torch.float32)
    if not wav.is_floating_point():
        raise ValueError(
            "waves must be floating point, or PCM of 16 or 32 bits, found "
            f"{wav.dtype}; scale them to -1 to 1"
        )
    check_finite(wav, "samples")
    return wav.to(torch.promote_types(wav.dtype, torch.float32))


def check_finite(wav, name, hint=""):
    """Whether no sample is NaN or infinite.

    Arguments
    ---------
    wav : torch.Tensor
        Any shape.
    name : str
        What to call its elements in the error.
    hint : str
        What the error ends with.

    Raises
    ------
    ValueError
        If one is; says how many.

    Example
    -------
    >>> check_finite(torch.tensor([0.0, torch.nan]), "samples")
    Traceback (most recent call last):
    ValueError: samples must be finite, but 1 of 2 are NaN or infinite
    """
    if wav.isfinite().all():
        return
    count = (~wav.isfinite()).sum().item()
    raise ValueError(
        f"{name} must be finite, but {count} of {wav.numel()} are NaN or "
        f"infinite{hint}"
    )


def check_lengths(lengths):
    """Whether lengths are relative ones; ``ValidSizes`` asks for their number.

    Arguments
    ---------
    lengths : torch.Tensor
        SpeechBrain's relative lengths [batch], 1.0 for the longest; None for
        none.

    Raises
    ------
    ValueError
        If one is not above 0 and at most 1.

    Example
    -------
    >>> check_lengths(torch.tensor([16000, 8000]))
    Traceback (most recent call last):
    ValueError: lengths are relative, above 0 and at most 1.0 for the longest, found [16000, 8000]
    """
    # float32 may round a ratio of 1 up
    if lengths is None or ((lengths > 0) & (lengths < 1.001)).all():
        return
    raise ValueError(
        "lengths are relative, above 0 and at most 1.0 for the longest, found "
        f"{lengths.tolist()}"
    )


def check_weights(network):
    """The type that a network computes in, if its weights have one.

    Arguments
    ---------
    network : torch.nn.Module
        Float32 or float64; without weights it counts as float32.

    Returns
    -------
    torch.dtype
        That of its weights.

    Raises
    ------
    ValueError
        If they are in half precision, which the state of a Mamba and the
        phase cannot bear; autocast leaves these out.

    Example
    -------
    >>> check_weights(torch.nn.Linear(1, 1).double())
    torch.float64
    """
    dtype = next((p.dtype for p in network.parameters()), torch.float32)
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"weights must be float32 or float64, found {dtype}; for half "
            "precision keep them so, and use autocast (precision='bf16')"
        )
    return dtype
