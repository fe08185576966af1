"""PESQ of three files that the shipped model enhances, stored and anew.

To be stored when its weights change:

> python tests/helpers/shipped_scores.py
"""

import json
from pathlib import Path

from speechbrain_semamba.dataio.audio_files import read_audio_file
from speechbrain_semamba.evaluation.pesq_scores import pesq
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement

TESTS = Path(__file__).parents[1]
CORPUS = TESTS.parent / "samples" / "voicebank_mini"
STORED = TESTS / "reference" / "shipped_scores.json"
NAMES = "p232_001.wav", "p232_003.wav", "p257_003.wav"


def pesq_of_files():
    """PESQ of each noisy file, and of what the model makes of it, by name."""
    enhancer = SEMambaEnhancement.from_hparams()
    scores = {}
    for name in NAMES:
        clean, noisy = (
            read_audio_file(CORPUS / f"{kind}_testset_wav" / name)[0][0]
            for kind in ("clean", "noisy")
        )
        waves = {"noisy": noisy, "enhanced": enhancer.enhance_batch(noisy)}
        scores[name] = {
            kind: float(pesq(clean.numpy(), wave.numpy(), 16000))
            for kind, wave in waves.items()
        }
    return scores


if __name__ == "__main__":
    text = json.dumps(pesq_of_files(), indent=1)
    STORED.write_text(text + "\n", encoding="utf-8")
    print(text)
