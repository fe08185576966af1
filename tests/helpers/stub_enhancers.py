"""Enhancers whose network is a plain function, and files to try them on."""

import soundfile
import torch

from speechbrain_semamba.inference.enhancement import SEMambaEnhancement


class StubNetwork(torch.nn.Module):
    """Stands for ``SEMambaEnhancer``; remembers what it was given."""

    def __init__(self, function):
        super().__init__()
        self.function, self.calls = function, []

    def forward(self, noisy, lengths=None, gain=None):
        self.calls.append((noisy, lengths, gain))
        return self.function(noisy), None


def stub_enhancer(function=lambda noisy: noisy):
    """An enhancer that gives what ``function`` makes of [batch, samples]."""
    modules = {"enhance_model": StubNetwork(function)}
    return SEMambaEnhancement(modules, {"sample_rate": 16000})


def calls_of(enhancer):
    """What the network of a stub was given: noisy waves, lengths, gains."""
    return enhancer.mods.enhance_model.calls


def noise(*shape, seed=0, scale=0.1):
    """Reproducible noise."""
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator)


def write(path, wav, rate=16000, subtype="FLOAT"):
    """Writes a wave [channels, samples]; its path."""
    soundfile.write(path, wav.T.numpy(), rate, subtype=subtype)
    return path


def read(path):
    """What a file holds [channels, samples], and its rate."""
    wav, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(wav).T, rate


def blocks_of(wav, sizes):
    """Cuts [..., samples] into blocks of these sizes, again and again."""
    start, turn = 0, 0
    while start < wav.shape[-1]:
        size = sizes[turn % len(sizes)]
        yield wav[..., start : start + size]
        start, turn = start + size, turn + 1
