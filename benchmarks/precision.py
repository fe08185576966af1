"""What bfloat16 costs: scores of the test files in both precisions.

> python benchmarks/precision.py --model FOLDER --data_folder FOLDER

The data folder is VoiceBank-DEMAND's, at 16 kHz: clean_testset_wav and
noisy_testset_wav. Prints a Markdown table.
"""

import argparse

import torch
from speechbrain.dataio import audio_io
from tqdm import tqdm

from speechbrain_semamba.dataio.pairs import read_pairs
from speechbrain_semamba.evaluation.metrics import METRICS, mean_scores
from speechbrain_semamba.evaluation.score_pool import ScorePool
from speechbrain_semamba.inference.enhancement import SEMambaEnhancement


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data_folder", required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    folder = options.data_folder
    halves = [f"{folder}/{half}_testset_wav" for half in ("clean", "noisy")]
    pairs = read_pairs({"test": halves})["test"].values()
    pool = ScorePool(num_workers=options.workers)
    print(f"{len(pairs)} files\n")
    print(f"| precision | {' | '.join(METRICS)} |\n|{'---|' * 4}")
    for precision in ("fp32", "bf16"):
        enhancer = SEMambaEnhancement.from_hparams(
            source=options.model, run_opts={"precision": precision}
        )
        clean, enhanced = [], []
        for pair in tqdm(pairs, desc=precision):
            wav, _ = audio_io.load(str(pair.clean))
            noisy, _ = audio_io.load(str(pair.noisy))
            clean.append(wav[0].numpy())
            enhanced.append(enhancer.enhance_batch(noisy)[0].numpy())
        means = mean_scores(pool.run(clean, enhanced, METRICS, "scores"))
        values = " | ".join(f"{means[name]:.4f}" for name in METRICS)
        print(f"| {precision} | {values} |", flush=True)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
