"""Make a small synthetic corpus in the layout of VoiceBank-DEMAND.

The speech comes from flite and espeak-ng, the noise from numpy. The same
seed with the same synthesisers and libraries gives the same bytes:

> python samples/make_mini_corpus.py --out samples/voicebank_mini
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy.signal import resample_poly, welch

RATE = 16000
FRAME = RATE // 50
MARGIN = 0.1
PEAK = 0.5
# -70 dB: a recording is never digitally silent, and exact zeros have no
# phase for a model to learn.
FLOOR = 3e-4
CEILING = 0.95

SNRS = {"train": (0, 5, 10, 15), "test": (2.5, 7.5, 12.5, 17.5)}
FOLDERS = {"train": "trainset_28spk", "test": "testset"}


def flite(voice, stretch=1.0):
    """Command line of one flite voice."""
    return ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}"]


def espeak(voice, pitch=50, speed=160):
    """Command line of one espeak-ng voice."""
    return ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed)]


# VoiceBank's speaker ids, each with a voice of the same sex as that speaker.
VOICES = {
    "p226": flite("awb"),
    "p287": espeak("en-gb-x-rp+m3", 45, 160),
    "p227": flite("kal16", 1.05),
    "p228": flite("slt", 1.05),
    "p230": espeak("en-gb+f2", 55, 160),
    "p243": espeak("en-us+m7", 40, 155),
    "p244": espeak("en-gb-scotland+f4", 60, 150),
    "p254": espeak("en-gb-scotland", 35, 155),
    "p232": flite("rms", 0.9),
    "p257": espeak("en-us+f5", 50, 150),
}
# None of these is a target voice, so babble never holds the target itself.
BABBLE_VOICES = (
    espeak("en-029", 45, 170),
    espeak("en-us-nyc+f3", 55, 165),
    espeak("en-gb-x-gbclan+m1", 40, 150),
    espeak("en-gb-x-gbcwmd+f1", 50, 175),
    espeak("en-us+m4", 60, 160),
    espeak("en-gb+klatt4", 50, 155),
)
SENTENCES = Path(__file__).resolve().parent / "sentences.txt"


def read_sentences():
    """Read what is said: one name and text a line."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def make_plan(names):
    """Give each file a noise and an SNR.

    Arguments
    ---------
    names : iterable of str
        File names such as p226_001, 24 of training and 8 of test.

    Returns
    -------
    list of tuple
        One (split, name, noise, SNR in dB) a file.
    """
    # Every noise meets either the two outer or the two inner SNRs, so all
    # four noises have the same mean SNR even in a set of eight files.
    eight = [(0, 0), (1, 3), (2, 1), (3, 2), (0, 3), (1, 0), (2, 2), (3, 1)]
    grid = [(n, (n + shift) % 4) for shift in range(4) for n in range(4)]
    conditions = [("train", n, s) for n, s in eight + grid]
    conditions += [("test", n, s) for n, s in eight]
    noises = list(MAKERS)
    return [
        (split, name, noises[n], SNRS[split][s])
        for name, (split, n, s) in zip(names, conditions)
    ]


def synthesise(command, text):
    """Speak a text.

    Arguments
    ---------
    command : list of str
        The synthesiser and its voice options.
    text : str
        What to say.

    Returns
    -------
    numpy.ndarray
        Speech at 16 kHz with short margins of silence.
    """
    with tempfile.TemporaryDirectory() as folder:
        wav = str(Path(folder) / "speech.wav")
        if command[0] == "flite":
            command = command + ["-t", text, "-o", wav]
        else:
            command = command + ["-w", wav, text]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        speech, rate = sf.read(wav)
    divisor = np.gcd(rate, RATE)
    return trim(resample_poly(speech, RATE // divisor, rate // divisor))


def frame_power(signal):
    """Mean power of each 20 ms frame."""
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    return np.mean(frames**2, axis=1)


def trim(speech):
    """Leave MARGIN seconds around what is within 40 dB of the loudest."""
    power = frame_power(speech)
    loud = np.flatnonzero(power > 1e-4 * power.max())
    margin = int(MARGIN * RATE)
    stop = (loud[-1] + 1) * FRAME + 2 * margin
    return np.pad(speech, margin)[loud[0] * FRAME : stop]


def active_rms(speech):
    """RMS of the frames within 30 dB of the loudest one.

    This is a simplification of the active speech level of ITU-T P.56: the
    gate is fixed and has no hangover.
    """
    power = frame_power(speech)
    return np.sqrt(np.mean(power[power > 1e-3 * power.max()]))


def rms(signal):
    """Root mean square."""
    return np.sqrt(np.mean(signal**2))


def make_clean(command, sentence, rng):
    """Speak a sentence at about the same peak, over a faint floor."""
    speech = synthesise(command, sentence)
    level = PEAK * 10 ** (rng.uniform(-2, 2) / 20)
    speech = speech * (level / np.max(np.abs(speech)))
    return speech + FLOOR * rng.standard_normal(len(speech))


def make_babble(streams, length, rng):
    """Sum the voices, each from another place of its text."""
    total = np.zeros(length)
    for stream in streams:
        part = np.roll(stream, rng.integers(len(stream)))[:length]
        total += part * 10 ** (rng.uniform(-3, 3) / 20)
    return total


def make_ssn(spectrum, length, rng):
    """Filter white noise to the long-term spectrum of speech."""
    white = np.fft.rfft(rng.standard_normal(length))
    places = np.linspace(0, 1, len(white))
    shape = np.interp(places, np.linspace(0, 1, len(spectrum)), spectrum)
    return np.fft.irfft(white * shape, length)


def make_hum(_, length, rng):
    """50 Hz mains with harmonics up to 2 kHz over faint white noise."""
    time = np.arange(length) / RATE
    mains = rng.uniform(49.9, 50.1)
    total = np.zeros(length)
    for k in range(1, 41):
        gain = rng.uniform(0.5, 1) * k**-1.2
        phase = rng.uniform(0, 2 * np.pi)
        total += gain * np.sin(2 * np.pi * k * mains * time + phase)
    return total + 0.2 * rms(total) * rng.standard_normal(length)


def make_clicks(_, length, rng):
    """About five knocks a second, each a decaying tone, over faint noise."""
    total = np.zeros(length)
    for start in rng.integers(length, size=max(1, 5 * length // RATE)):
        time = np.arange(length - start) / RATE
        tone = np.sin(2 * np.pi * rng.uniform(200, 3000) * time)
        decay = np.exp(-time / rng.uniform(0.002, 0.02))
        total[start:] += rng.uniform(0.3, 1) * tone * decay
    return total + 0.05 * rms(total) * rng.standard_normal(length)


MAKERS = {
    "babble": make_babble,
    "ssn": make_ssn,
    "hum": make_hum,
    "clicks": make_clicks,
}


def mix(clean, noise, snr):
    """Add noise to speech at an SNR against the active speech level.

    Arguments
    ---------
    clean : numpy.ndarray
        Speech.
    noise : numpy.ndarray
        Noise of the same length.
    snr : float
        Signal-to-noise ratio in dB.

    Returns
    -------
    tuple of numpy.ndarray
        Clean and noisy speech, turned down together if they would clip.
    """
    gain = active_rms(clean) / rms(noise) / 10 ** (snr / 20)
    noisy = clean + gain * noise
    scale = min(1.0, CEILING / np.max(np.abs(noisy)))
    return scale * clean, scale * noisy


def write_wav(path, signal):
    """Write 16-bit PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = np.round(signal * 32767).astype(np.int16)
    sf.write(path, pcm, RATE, subtype="PCM_16")


def make_corpus(out, seed):
    """Make every pair and the two logs.

    Arguments
    ---------
    out : pathlib.Path
        The corpus folder.
    seed : int
        Seed of all noises and levels.
    """
    texts = read_sentences()
    streams = {}
    for split in SNRS:
        text = texts.pop(f"babble_{split}")
        voices = [synthesise(command, text) for command in BABBLE_VOICES]
        streams[split] = [voice / active_rms(voice) for voice in voices]
    plan = make_plan(texts)
    # A generator for each file, so that one file does not shift the next.
    rngs = [np.random.default_rng([seed, i]) for i in range(len(plan))]
    cleans = [
        make_clean(VOICES[name[:4]], texts[name], rng)
        for (_, name, _, _), rng in zip(plan, rngs)
    ]
    # From the training set alone, which is all a user may know of a test.
    train = [c for c, row in zip(cleans, plan) if row[0] == "train"]
    spectrum = np.sqrt(welch(np.concatenate(train), RATE, nperseg=512)[1])
    logs = {split: [] for split in SNRS}
    for (split, name, kind, snr), clean, rng in zip(plan, cleans, rngs):
        source = {"babble": streams[split], "ssn": spectrum}.get(kind)
        pair = mix(clean, MAKERS[kind](source, len(clean), rng), snr)
        for side, signal in zip(("clean", "noisy"), pair):
            folder = f"{side}_{FOLDERS[split]}_wav"
            write_wav(out / folder / f"{name}.wav", signal)
        logs[split].append(f"{name} {kind} {snr}")
        print(f"{logs[split][-1]} dB, {len(clean) / RATE:.2f} s")
    for split, lines in logs.items():
        log = out / f"log_{FOLDERS[split]}.txt"
        log.write_text("\n".join(lines) + "\n")


def main():
    """Read the command line and make the corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parent / "voicebank_mini"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--seed", type=int, default=1234)
    args = parser.parse_args()
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise SystemExit(f"{args.out} is not an empty folder")
    for program in ("flite", "espeak-ng"):
        if shutil.which(program) is None:
            raise SystemExit(f"install the Debian package {program}")
    make_corpus(args.out, args.seed)
    size = sum(p.stat().st_size for p in args.out.rglob("*") if p.is_file())
    print(f"{args.out}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
