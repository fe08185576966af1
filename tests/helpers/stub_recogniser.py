"""A SpeechBrain model that recognises how long a wave is, and no more."""

import torch

from speechbrain_semamba.utils.whole_files import write_text

HYPERPARAMS = """
sample_rate: {rate}
modules:
    encoder: !new:stub_recogniser.Encoder
    decoder: !new:stub_recogniser.Decoder
tokenizer: !new:stub_recogniser.Tokenizer
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
"""


class Encoder(torch.nn.Module):
    def forward(self, wavs, lengths):
        assert wavs.dtype == torch.float32 and lengths.tolist() == [1.0]
        return wavs


class Decoder(torch.nn.Module):
    def forward(self, encoded, lengths):
        return [[wav.numel()] for wav in encoded], None, None, None


class Tokenizer:
    def decode_ids(self, tokens):
        return f"it's {tokens[0]} samples."


def write_recogniser(folder, rate=16000):
    """A model folder of it; its path."""
    write_text(folder / "hyperparams.yaml", HYPERPARAMS.format(rate=rate))
    return folder
