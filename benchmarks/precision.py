#!/usr/bin/env python3
"""What bfloat16 costs: scores of the test files in both precisions.

> python benchmarks/precision.py --model FOLDER --data_folder FOLDER

The data folder is VoiceBank-DEMAND's, at 16 kHz: clean_testset_wav and
noisy_testset_wav. Prints a Markdown table. bfloat16 computes the same on a
processor without its arithmetic, only slower.
"""

import argparse

from markdown import table
from measure import DTYPES, conditions, relative_error
from networks import inference
from speechbrain.dataio import audio_io
from tqdm import tqdm

from speechbrain_semamba.dataio.pairs import read_pairs
from speechbrain_semamba.evaluation.file_scores import FileScores, means_by_kind
from speechbrain_semamba.evaluation.metrics import METRICS
from speechbrain_semamba.evaluation.score_pool import ScorePool
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, metavar="FOLDER")
    parser.add_argument("--data_folder", required=True, metavar="FOLDER")
    parser.add_argument("--workers", type=int, default=2, help="that score")
    parser.add_argument("--files", type=int, help="take only so many")
    options = parser.parse_args()
    pairs = test_pairs(options.data_folder, options.files)
    enhancer = SEMambaEnhancement.from_hparams(
        source=options.model, run_opts={"device": "cpu", "precision": "fp32"}
    )
    errors = []

    def enhance(pair):
        waves = enhance_both(enhancer, pair)
        errors.append(relative_error(waves["bf16"], waves["fp32"]))
        return waves

    scores = score_table(pairs, enhance, DTYPES, METRICS, options.workers)
    print("\n".join(conditions()))
    print(f"- {len(pairs)} files; the largest difference of a bf16 wave is")
    print(f"  {max(errors):.1e} of the largest sample of the fp32 wave\n")
    print(scores)


def test_pairs(folder, limit=None):
    """The test files of a folder in VoiceBank-DEMAND's layout, by key."""
    halves = (f"{folder}/{half}_testset_wav" for half in ("clean", "noisy"))
    pairs = read_pairs({"test": halves})["test"]
    return dict(list(pairs.items())[:limit])


def score_table(pairs, enhance, kinds, metrics, workers):
    """Mean scores in Markdown, a row a kind.

    ``enhance`` gives for a pair the clean wave and one of each kind.
    """
    pool = ScorePool(num_workers=workers)
    files = FileScores(pool, list(metrics), kinds)
    for key, pair in tqdm(pairs.items(), "enhancing"):
        files.start(key, {}, enhance(pair))
    means = means_by_kind(files.finish(progressbar=True))
    pool.close()
    rows = [
        [kind, *(f"{means[kind][name]:.4f}" for name in metrics)]
        for kind in kinds
    ]
    return table(["precision", *metrics], rows)


def enhance_both(enhancer, pair):
    """The clean wave and the enhanced ones by precision, [samples] each."""
    clean, _ = audio_io.load(str(pair.clean))
    noisy, _ = audio_io.load(str(pair.noisy))
    waves = {"clean": clean[0]}
    for precision in DTYPES:
        with inference(precision):
            waves[precision] = enhancer.enhance_batch(noisy)[0]
    return waves


if __name__ == "__main__":
    main()
