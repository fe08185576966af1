"""What is tried before the data are prepared, and leaves no trace."""

import pytest
import torch

from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.training.trial import check_generator


class Noisy(torch.nn.Module):
    """Draws random numbers, and returns some frames."""

    def __init__(self, frames):
        super().__init__()
        self.frames = frames

    def forward(self, mag, phase):
        mag = mag * torch.rand_like(mag)
        return mag[:, : self.frames], phase[:, : self.frames]


@pytest.mark.parametrize("training", [True, False])
def test_no_trace(training):
    generator = Noisy(None).train(training)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    check_generator(generator, MagPhaseSTFT())
    assert torch.equal(torch.get_rng_state(), before)
    assert generator.training == training


def test_output_of_another_shape():
    with pytest.raises(ValueError, match="but makes .*1, 3, 201"):
        check_generator(Noisy(3), MagPhaseSTFT())


@pytest.mark.parametrize("n_fft", [200, 512])
def test_transform_of_another_size(n_fft):
    stft = MagPhaseSTFT(n_fft, hop_length=100, win_length=200)
    with pytest.raises(ValueError, match="n_fft of model and transform"):
        check_generator(SEMamba(channels=4, num_blocks=1), stft)
