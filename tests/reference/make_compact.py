"""Makes official.pt, the numbers that test_official.py compares with.

    python make_compact.py REFERENCE_FILE

The reference file holds weights, inputs, outputs and a training trace of a
small SEMamba run with the official code; see README.md beside this script.
"""

import sys
from pathlib import Path

import torch

STRIDE = 4  # keep every fourth frame of a spectrum


def compact(full):
    """Drops what follows from the rest, thins what is large.

    Arguments
    ---------
    full : dict
        The reference file's content.

    Returns
    -------
    dict
        The same names; spectra are [1, frames / STRIDE, freq] and the
        complex spectrum, which follows from magnitude and phase, is left out.
    """
    kept = {k: v for k, v in full.items() if k != "com"}
    for name in ("noisy", "clean", "train_noisy", "train_clean"):
        kept[name] = full[name].clone()  # not the storage that it is cut from
    for name in ("noisy_mag", "noisy_pha", "mag", "pha", "mag_after"):
        thin = full[name].transpose(1, 2)[:, ::STRIDE]
        kept[name] = thin.contiguous()
    return kept


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    reference = torch.load(sys.argv[1], weights_only=True)
    target = Path(__file__).with_name("official.pt")
    torch.save(compact(reference), target)
    print(target, target.stat().st_size, "bytes")
