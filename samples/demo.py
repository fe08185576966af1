"""The main job on the embedded corpus: what ``make demo`` runs.

Trains a small SEMamba for a few minutes on two CPU cores, scores the test
files before and after, and enhances one file with the exported model folder
through SpeechBrain's own pretrained interface, and with the model that comes
with the package.

> python samples/demo.py --out demo
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean

from speechbrain_semamba.dataio.audio_files import read_audio_file
from speechbrain_semamba.evaluation.figures import (
    spectrogram_figure,
    write_figure,
)
from speechbrain_semamba.evaluation.reports import read_scores
from speechbrain_semamba.inference.models import DEFAULT_MODEL, find_model

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "samples" / "voicebank_mini"
RECIPE = ROOT / "recipes" / "VoicebankDEMAND" / "SEMamba"
SAMPLE_RATE = 16000
NOISY = CORPUS / "noisy_testset_wav" / "p257_003.wav"
CLEAN = CORPUS / "clean_testset_wav" / NOISY.name


def train(out):
    """Runs the recipe, from preparation to export."""
    command = [sys.executable, "train.py", "hparams/semamba_mini.yaml"]
    command += [f"--data_folder={CORPUS}", f"--output_folder={out}"]
    print(f"cd {RECIPE.relative_to(ROOT)}\npython", *command[1:], flush=True)
    subprocess.run(command, cwd=RECIPE, check=True)


def enhance(model_folder, enhanced):
    """Enhances the noisy file as any user of SpeechBrain would."""
    from speechbrain.inference.enhancement import WaveformEnhancement

    enhancer = WaveformEnhancement.from_hparams(source=str(model_folder))
    enhancer.enhance_file(str(NOISY), str(enhanced))


def draw(files, picture):
    """Draws audio files of one rate, for each title one, side by side."""
    read = {title: read_audio_file(path) for title, path in files.items()}
    waves = {title: wav[0] for title, (wav, _) in read.items()}
    write_figure(spectrogram_figure(waves, SAMPLE_RATE), picture)


def gains(scores_file):
    """Mean difference of each score, enhanced less noisy.

    Arguments
    ---------
    scores_file : pathlib.Path
        The test_scores.csv that the recipe wrote.

    Returns
    -------
    dict
        Difference by name of the score.
    """
    files = read_scores(scores_file).values()
    names = next(iter(files))["noisy"]
    return {
        name: fmean(f["enhanced"][name] - f["noisy"][name] for f in files)
        for name in names
        if all(name in f["enhanced"] for f in files)
    }


def main():
    """Trains, enhances, says where the files are and what was gained."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="demo", help="folder for all files")
    out = Path(parser.parse_args().out).resolve()
    try:
        train(out)
        enhance(out / "model", out / "enhanced.wav")
        enhance(find_model(DEFAULT_MODEL), out / f"{DEFAULT_MODEL}.wav")
        files = {
            "noisy": NOISY,
            "trained here": out / "enhanced.wav",
            DEFAULT_MODEL: out / f"{DEFAULT_MODEL}.wav",
            "clean": CLEAN,
        }
        draw(files, out / "spectrograms.png")
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on from the checkpoint")
        return 130
    here = Path(os.path.relpath(out))
    print(f"\nnoisy file     {os.path.relpath(NOISY)}")
    print(f"enhanced file  {here / 'enhanced.wav'}")
    print(f"by {DEFAULT_MODEL}  {here / f'{DEFAULT_MODEL}.wav'}")
    print(f"spectrograms   {here / 'spectrograms.png'}")
    print(f"model folder   {here / 'model'}")
    print(
        f"log, scores    {here / 'train_log.txt'}, {here / 'test_scores.csv'}"
    )
    gained = gains(out / "test_scores.csv")
    print("gain of the test files: ", end="")
    print(", ".join(f"{name} {gain:+.3f}" for name, gain in gained.items()))
    # so small a model in so short a time leaves STOI where it was
    if gained["pesq"] < 0.1 or gained["si_sdr"] < 0 or gained["stoi"] < -0.02:
        print("error: enhancement should raise PESQ and SI-SDR, but did not")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
