"""How long a training step waits for PESQ, at the step times of a GPU.

Use: python benchmarks/pesq_wait.py [--output benchmarks/pesq_wait.md]

The recipe's own step runs with networks that only take time, as a GPU would:
a third of it in the generator's forward pass, the rest in its backward pass,
of which the phase decoder has its share.
What is counted is the time in ``PesqLabels.wait``. The losses and the
discriminator take no time at all, so that nothing hides the scoring: on a GPU
they do, so these are upper bounds.
"""

import argparse
import functools
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import soundfile
import speechbrain as sb
import torch
from markdown import table
from measure import conditions, progress
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.checkpoints import Checkpointer
from torch.utils.flop_counter import FlopCounterMode

from speechbrain_semamba.evaluation.pesq_scores import pesq
from speechbrain_semamba.evaluation.score_pool import ScorePool
from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.processing.spectral import MagPhaseSTFT
from speechbrain_semamba.utils.whole_files import write_text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "recipes" / "VoicebankDEMAND" / "SEMamba"))
from train import SEMambaBrain  # noqa: E402

CORPUS = ROOT / "samples" / "voicebank_mini"
SAMPLES = 32000


class Wait(torch.autograd.Function):
    """Takes time, and another time for its gradient."""

    @staticmethod
    def forward(ctx, x, forward, backward):
        ctx.seconds = backward
        time.sleep(forward)
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        time.sleep(ctx.seconds)
        return gradient, None, None


class WaitingPart(torch.nn.Module):
    """A part of the generator that takes a share of the step's time."""

    def __init__(self, seconds):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.seconds = seconds

    def forward(self, x):
        return Wait.apply(x * self.scale, self.seconds / 3, self.seconds / 1.5)


class WaitingGenerator(torch.nn.Module):
    """In place of the generator.

    Arguments
    ---------
    seconds : float
        Of its forward and backward pass.
    share : float
        That of its phase decoder in them.
    """

    def __init__(self, seconds, share):
        super().__init__()
        self.encoder = WaitingPart((1 - share) * seconds)
        self.phase_decoder = WaitingPart(share * seconds)

    def forward(self, mag, phase, lengths=None):
        features = self.encoder(torch.stack([mag, phase]))
        return features[0], self.phase_decoder(features)[1]


@functools.lru_cache(maxsize=None)
def phase_decoder_share():
    """Share of the phase decoder in the generator's multiplications."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        SEMamba()(*torch.rand(2, 1, 81, 201))
    counts = counter.get_flop_counts()
    part, whole = counts["SEMamba.phase_decoder"], counts["Global"]
    return sum(part.values()) / sum(whole.values())


class WaitingDiscriminator(torch.nn.Module):
    """In place of the discriminator: no time at all."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, mag, mag_hat):
        return (self.scale * mag_hat).mean((1, 2))


class EnoughCores:
    """A pool whose workers have a core each, whatever this machine has."""

    def __init__(self, num_workers, seconds):
        self.seconds = seconds
        self.executor = ThreadPoolExecutor(num_workers)

    def start(self, reference, estimate, metrics=("pesq",), name=""):
        return self.executor.submit(self.score)

    def score(self):
        time.sleep(self.seconds)
        return {"pesq": 2.0}


class WaitingBrain(SEMambaBrain):
    """The recipe's Brain without its losses."""

    def compute_objectives(self, predictions, batch, stage):
        return {"time": (predictions.mag_hat + predictions.phase_hat).mean()}


def make_batch(size):
    """Two seconds each of the embedded corpus, looped if need be."""
    items = []
    for path in sorted((CORPUS / "noisy_testset_wav").glob("*.wav"))[:size]:
        waves = {"id": path.stem}
        for kind in ("noisy", "clean"):
            file = CORPUS / f"{kind}_testset_wav" / path.name
            wav = torch.from_numpy(soundfile.read(file, dtype="float32")[0])
            waves[kind] = wav.repeat(1 + SAMPLES // len(wav))[:SAMPLES]
        items.append(waves)
    return PaddedBatch(items)


def make_brain(pool, seconds, folder):
    """The recipe's Brain with networks that only take time."""
    networks = {
        "generator": WaitingGenerator(seconds, phase_decoder_share()),
        "discriminator": WaitingDiscriminator(),
    }
    weights = "metric magnitude phase complex time consistency".split()
    brain = WaitingBrain(
        modules=networks,
        opt_class=torch.optim.SGD,
        hparams={
            "seed": 1,
            "epoch_counter": SimpleNamespace(current=1),
            "stft": MagPhaseSTFT(),
            "scheduler_class": lambda optimizer: (
                torch.optim.lr_scheduler.ExponentialLR(optimizer, 1.0)
            ),
            "loss_weights": dict.fromkeys(weights, 1.0),
            "ema_decay": 0,
            "score_pool": pool,
            "num_logged_files": 0,
        },
        run_opts={"device": "cpu", "max_grad_norm": 0},
        checkpointer=Checkpointer(folder),
    )
    brain.init_optimizers()
    brain.on_stage_start(sb.Stage.TRAIN)
    return brain


def measure(pool, seconds, batch, rounds):
    """Medians of a step's time and of its wait, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        brain = make_brain(pool, seconds, folder)
        wait, waits, steps = brain.labels.wait, [], []

        def timed(futures):
            begin = time.perf_counter()
            labels = wait(futures)
            waits.append(time.perf_counter() - begin)
            return labels

        brain.labels.wait = timed
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            brain.step += 1
            brain.fit_batch(batch)
            steps.append(time.perf_counter() - begin)
    # the first starts the workers
    return statistics.median(steps[1:]), statistics.median(waits[1:])


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="also write the table to this file")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument(
        "--seconds",
        type=float,
        nargs="+",
        default=[0.2, 0.4, 0.8],
        help="the networks' time in a step",
    )
    options = parser.parse_args()
    where = conditions()
    torch.set_num_threads(1)
    batch = make_batch(options.batch)
    pairs = [x.numpy() for x in (batch.clean.data[0], batch.noisy.data[0])]
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        pesq(*pairs)
        times.append(time.perf_counter() - begin)
    one = statistics.median(times)
    rows = []
    for seconds in options.seconds:
        pools = {
            "4, a core each (simulated)": EnoughCores(4, one),
            "2, on this machine": ScorePool(2),
            "0, inline": ScorePool(0),
        }
        for name, pool in pools.items():
            with progress(f"{seconds} s, {name}"):
                step, wait = measure(pool, seconds, batch, options.rounds)
            rows.append(
                [seconds, name, f"{step:.3f}", f"{1000 * wait:.0f}"]
                + [f"{100 * wait / step:.1f} %"]
            )
    names = ["networks' time (s)", "workers", "step (s)", "wait (ms)", "share"]
    text = "\n".join(
        [
            "# Waiting for PESQ",
            "",
            *where,
            f"- batch {options.batch} x 2 s; one PESQ takes {1000 * one:.0f} ms",
            f"- the phase decoder's share: {100 * phase_decoder_share():.0f} % "
            "of the convolutions and linear layers' multiplications",
            "",
            table(names, rows),
            "",
            "Inline, the step computes PESQ before it goes on: nothing to "
            "wait for, but a longer step.",
            "",
        ]
    )
    print(text)
    if options.output:
        write_text(options.output, text)


if __name__ == "__main__":
    main()
