"""Makes official.pt, the numbers that test_official.py compares with.

    python make_compact.py REFERENCE_FILE

The reference file holds weights, inputs, outputs and a training trace of a
small SEMamba run with the official code in float64; see README.md beside this
script.
"""

import sys
from pathlib import Path

import torch

STRIDE = 16  # of the frames that are kept of a spectrum to compare with
SAMPLES = 8  # of the samples that are kept of the enhanced wave


def compact(full):
    """Drops what follows from the rest, thins what is only compared with.

    Arguments
    ---------
    full : dict
        The reference file's content.

    Returns
    -------
    dict
        The same names. The training batch's spectrum is whole [batch, frames,
        freq]; the others are thinned to [1, frames / STRIDE, freq]. The wave
        is in its 16 bits, and ``noisy_sign`` has the signs of its phase.
    """
    names = "config generator discriminator pesq_labels trace".split()
    kept = {name: full[name] for name in names}
    kept["noisy"] = (full["noisy"] * 2**15).to(torch.int16)
    assert torch.equal(kept["noisy"] / 2**15, full["noisy"])
    kept["noisy_sign"] = full["noisy_pha"].transpose(1, 2).sign().to(torch.int8)
    kept["train_clean"] = full["train_clean"]
    kept["enhanced"] = full["enhanced"][:, ::SAMPLES]
    for name in ("noisy_mag", "noisy_pha", "mag", "pha", "mag_after"):
        kept[name] = full[name].transpose(1, 2)[:, ::STRIDE]
    for name in ("train_noisy_mag", "train_noisy_pha"):
        kept[name] = full[name].transpose(1, 2)
    # no tensor brings the whole storage that it is cut from
    return {
        key: value.contiguous().clone() if torch.is_tensor(value) else value
        for key, value in kept.items()
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    reference = torch.load(sys.argv[1], weights_only=True)
    target = Path(__file__).with_name("official.pt")
    torch.save(compact(reference), target)
    print(target, target.stat().st_size, "bytes")
