"""What a yaml makes, tried before the data are prepared.

Else the first batch would tell what is wrong with it.
"""

import torch


@torch.no_grad()
def check_generator(generator, stft, device="cpu"):
    """Whether a generator enhances what the front end makes of a wave.

    Arguments
    ---------
    generator : torch.nn.Module
        Maps (mag, phase) to (mag, phase).
    stft : speechbrain_semamba.processing.spectral.MagPhaseSTFT
        The spectral front end.
    device : str
        Where both are.

    Raises
    ------
    ValueError
        If it does not, such as of a transform of another size.

    Example
    -------
    >>> from speechbrain_semamba.lobes.models.semamba import SEMamba
    >>> from speechbrain_semamba.processing.spectral import MagPhaseSTFT
    >>> generator = SEMamba(channels=4, num_blocks=1)
    >>> check_generator(generator, MagPhaseSTFT())
    >>> try:
    ...     check_generator(generator, MagPhaseSTFT(n_fft=512))
    ... except ValueError as error:
    ...     print(str(error).split(";")[1])
     n_fft of model and transform are to be the same
    """
    noisy = stft.analyze(torch.ones(1, 2 * stft.n_fft, device=device))
    training = generator.training
    # a run draws the same random numbers as without this trial
    with torch.random.fork_rng():
        enhanced = generator.eval()(*noisy)
    generator.train(training)
    shapes = [list(x.shape) for x in enhanced]
    if shapes != [list(x.shape) for x in noisy]:
        raise ValueError(
            "the generator must make magnitude and phase of the shape that "
            f"it gets, {list(noisy[0].shape)}, but makes {shapes}"
        )


def check_optimizer(opt_class, scheduler_class):
    """Whether an optimizer and its schedule can be made.

    Arguments
    ---------
    opt_class : callable
        Makes an optimizer of parameters.
    scheduler_class : callable
        Makes a schedule of an optimizer.

    Raises
    ------
    ValueError
        If an argument of theirs is out of range, or of another type.

    Example
    -------
    >>> from functools import partial
    >>> schedule = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9)
    >>> check_optimizer(partial(torch.optim.AdamW, lr=-1), schedule)
    Traceback (most recent call last):
    ValueError: Invalid learning rate: -1
    """
    spare = torch.nn.Parameter(torch.zeros(1))
    try:
        scheduler_class(opt_class([spare]))
    except TypeError as error:
        raise ValueError(
            f"opt_class or scheduler_class cannot be made: {error}"
        ) from error
