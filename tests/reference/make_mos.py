"""Makes mos.json; needs the extra mos, librosa, requests, and tqdm.

python tests/reference/make_mos.py
"""

import json
from pathlib import Path

import distillmos
import librosa
import numpy as np
import soundfile
import torch
from speechmos import dnsmos

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "samples" / "voicebank_mini"
FILES = "p232_001", "p257_003"
#: Ours by the package's name
NAMES = {"sig": "sig_mos", "bak": "bak_mos", "ovrl": "ovrl_mos"}


def read(kind, name):
    """A wave of the corpus in float64."""
    return soundfile.read(CORPUS / f"{kind}_testset_wav" / f"{name}.wav")[0]


def scores(wav, network):
    """All scores of a wave, by the packages."""
    found = dnsmos.run(wav, 16000)
    ours = {name: found[theirs] for name, theirs in NAMES.items()}
    with torch.no_grad():
        distill = network(torch.from_numpy(wav).float()[None])
    ours |= {"p808": found["p808_mos"], "distill": distill}
    return {name: float(value) for name, value in ours.items()}


def levels(wav):
    """Mean level of each mel band, as speechmos makes them of librosa."""
    options = {"sr": 16000, "n_fft": 321, "hop_length": 160, "n_mels": 120}
    power = librosa.feature.melspectrogram(y=wav, **options)
    return librosa.power_to_db(power, ref=np.max).mean(axis=1)


def main():
    """Writes the file beside this one."""
    network = distillmos.ConvTransformerSQAModel().eval()
    waves = {
        f"{kind}_{name}": read(kind, name)
        for name in FILES
        for kind in ("clean", "noisy")
    }
    names = sorted(p.stem for p in (CORPUS / "noisy_testset_wav").iterdir())
    # more seconds than a window has, and than the authors' windows go well
    waves["all"] = np.concatenate([read("noisy", name) for name in names])
    found = {key: scores(wav, network) for key, wav in waves.items()}
    bands = [round(float(x), 6) for x in levels(waves["noisy_p232_001"])]
    path = Path(__file__).with_name("mos.json")
    content = {"scores": found, "log_mel": bands}
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
