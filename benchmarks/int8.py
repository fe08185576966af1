#!/usr/bin/env python3
"""Whether int8 would pay: the layers' speed, and what it costs in quality.

> python benchmarks/int8.py --data_folder FOLDER

PyTorch's dynamic int8 linear layers against float32 and bfloat16 ones, at the
sizes of the full model, and from this the most that the whole model could gain;
scores of a trained model, the shipped one by default, with its linear layers and
convolutions rounded to int8, weights by output channel, inputs by tensor. The
data folder is VoiceBank-DEMAND's, at 16 kHz. Prints Markdown.
"""

import argparse
import warnings
from statistics import median

import torch
from markdown import table
from measure import conditions, interleaved, ratio
from networks import Enhancement, noise
from precision import score_table, test_pairs
from torch import nn
from torch.nn.functional import linear
from torch.profiler import ProfilerActivity, profile

from speechbrain_semamba.dataio.audio_files import read_audio_file
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement
from speechbrain_semamba.inference.models import DEFAULT_MODEL

#: Rows, inputs and outputs of the full model's large linear layers
LAYERS = {
    "in_proj": (16000, 64, 512),
    "x_proj": (16000, 256, 36),
    "out_proj": (16000, 256, 64),
    "projection of a pair": (16000, 128, 64),
}
METRICS = ["pesq", "stoi", "si_sdr"]
STEPS = 127
#: Share of matrix products in a fused mixer's time, by its prototype's profile
PRODUCTS = 0.45


def speed_section(repeats):
    """How fast the layers are, and what the model could gain."""
    rows, gains = [], []
    for name, (size, inputs, outputs) in LAYERS.items():
        times = interleaved(variants(size, inputs, outputs), repeats)
        work = size * inputs * outputs / 1e9
        speeds = [work / median(times[kind]) for kind in times]
        gains.append(ratio(times["fp32"], times["int8"]))
        rows.append([name, *speeds, gains[-1]])
    share = share_of_mixers()
    gain = 1 / (1 - share * PRODUCTS * (1 - 1 / max(gains)))
    names = ["layer", "fp32", "bf16", "int8", "int8 / fp32"]
    return f"""## Linear layers in PyTorch, one thread, GMAC/s

{table(names, rows)}

The fused mixers take {share:.2f} of the full model's time in float32, and matrix
products about {PRODUCTS:.2f} of theirs. If these became as much faster as the best
row, the model would be {gain:.2f} times faster; with the convolutions untouched.
"""


def variants(size, inputs, outputs):
    """The same linear layer in three types."""
    x, weight = torch.randn(size, inputs), torch.randn(outputs, inputs)
    half = x.bfloat16(), weight.bfloat16()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch plans to move these
        rounded = torch.quantize_per_channel(
            weight,
            weight.abs().amax(1) / STEPS,
            torch.zeros(outputs, dtype=torch.long),
            axis=0,
            dtype=torch.qint8,
        )
        packed = torch.ops.quantized.linear_prepack(rounded, None)
    return {
        "fp32": lambda: linear(x, weight),
        "bf16": lambda: linear(*half),
        "int8": lambda: torch.ops.quantized.linear_dynamic(x, packed, False),
    }


def share_of_mixers():
    """Share of the full model's time, in float32, that its mixers take."""
    run = Enhancement("full", "cpu", "fp32", noise(1))
    run()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    times = {x.key: x.self_cpu_time_total for x in profiler.key_averages()}
    return times["semamba::mamba_pair"] / sum(times.values())


def quality_section(model, folder, workers, limit):
    """Scores of a model as it is and rounded to int8."""
    pairs = test_pairs(folder, limit)
    models = {}
    for kind in ("fp32", "int8"):
        models[kind] = SEMambaEnhancement.from_hparams(model)
    round_layers(models["int8"])

    def enhance(pair):
        noisy, clean = (read_audio_file(x)[0] for x in (pair.noisy, pair.clean))
        waves = {k: m.enhance_batch(noisy)[0] for k, m in models.items()}
        return {"clean": clean[0], **waves}

    return f"""## A trained model rounded to int8, {len(pairs)} files

{score_table(pairs, enhance, models, METRICS, workers)}
"""


def round_layers(model):
    """Rounds weights in place, and inputs whenever a layer is called."""
    layers = nn.Linear, nn.Conv2d, nn.ConvTranspose2d
    for layer in model.modules():
        if isinstance(layer, layers):
            axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
            others = [i for i in range(layer.weight.dim()) if i != axis]
            layer.weight.data = rounded(layer.weight.data, others)
            layer.register_forward_pre_hook(lambda _, x: (rounded(x[0]),))


def rounded(x, dims=None):
    """The nearest of the 255 values that the largest one spans."""
    dims = list(range(x.dim())) if dims is None else dims
    step = x.abs().amax(dims, keepdim=True).clamp_min(1e-12) / STEPS
    return (x / step).round() * step


def main():
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="FOLDER")
    parser.add_argument("--data_folder", metavar="FOLDER")
    parser.add_argument("--workers", type=int, default=2, help="that score")
    parser.add_argument("--files", type=int, help="take only so many")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(*conditions(), "", sep="\n")
    with torch.inference_mode():
        print(speed_section(options.repeats))
    if options.data_folder:
        how = options.workers, options.files
        print(quality_section(options.model, options.data_folder, *how))


if __name__ == "__main__":
    main()
