"""Dynamic mixing: what is drawn, by what, and what comes out of it."""

import csv
import pickle
import random

import numpy as np
import pytest
import soundfile
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_semamba.dataio.mixing import DynamicMixer
from speechbrain_semamba.dataio.recorded_pairs import read_wav
from speechbrain_semamba.dataio.variation import SoundVariation

RATE = 16000
NAMES = [f"a{index}" for index in range(6)]


def write(path, wav):
    soundfile.write(path, np.float32(wav), RATE, subtype="FLOAT")
    return str(path)


def write_list(path, wavs):
    """Writes waves and their list, in SpeechBrain's form."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["ID", "duration", "wav", "wav_format", "wav_opts"])
        for index, wav in enumerate(wavs):
            name = write(path.with_name(f"{path.stem}{index}.wav"), wav)
            rows.writerow([index, len(wav) / RATE, name, "wav", ""])
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Speech, noises of several lengths and two rooms."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for name in NAMES:
        envelope = 1.1 + np.sin(np.arange(20000) / 2000)
        write(folder / f"{name}.wav", 0.05 * envelope * rng.normal(size=20000))
    noises = [
        level * rng.normal(size=samples)
        for level, samples in ((0.1, 40000), (0.001, 3000), (0.5, 30000))
    ]
    write_list(folder / "noise.csv", noises)
    write_list(folder / "long.csv", noises[:1])
    write_list(folder / "short.csv", noises[1:2])
    write_list(folder / "silent.csv", [np.zeros(3000)])
    write_list(folder / "faulty.csv", [np.full(3000, np.nan)])
    write_list(folder / "empty.csv", [])
    # The direct path comes late, once upside down, once after an echo.
    room = rng.normal(size=4000) * np.exp(-np.arange(4000) / 600) * 0.05
    room[:80] *= 0.01
    room[80] = -0.7
    hall = rng.normal(size=30000) * np.exp(-np.arange(30000) / 9000) * 0.02
    hall[300] = 0.3
    write_list(folder / "rir.csv", [room, hall])
    write_list(folder / "room.csv", [room])
    write_list(folder / "hall.csv", [hall])
    return folder


@pytest.fixture
def make(folder):
    """Builds a mixer; lists are given by name."""

    def build(noise="noise", rir=None, **options):
        rir = rir and folder / f"{rir}.csv"
        options = {"segment": 8000, **options}
        return DynamicMixer(folder / f"{noise}.csv", rir, **options)

    return build


def mix(mixer, folder, name="a0", epoch=1):
    return mixer(str(folder / f"{name}.wav"), epoch, name)


def measure_snr(pair):
    noisy, clean = pair.double()
    ratio = clean.square().sum() / (noisy - clean).square().sum()
    return 10 * ratio.log10().item()


def find(wav, part):
    """Place of the best match in a wave, and the correlation there."""
    wav, part = wav.double().numpy(), part.double().numpy()
    products = np.correlate(wav, part)
    sums = np.cumsum(np.concatenate([[0], wav**2]))
    powers = (sums[len(part) :] - sums[: -len(part)]) * (part**2).sum()
    matches = products / np.sqrt(powers)
    return int(matches.argmax()), matches.max()


@pytest.mark.parametrize("rir", [None, "rir"])
def test_snrs_fill_the_range(folder, make, rir):
    mixer = make(rir=rir, snr_low=-2.5, snr_high=7.5, reverb_prob=0)
    snrs = [
        measure_snr(mix(mixer, folder, name, epoch))
        for name in NAMES
        for epoch in range(8)
    ]
    assert -2.6 < min(snrs) < -1.5 and 6.5 < max(snrs) < 7.6
    assert np.mean(snrs) == pytest.approx(2.5, abs=1.5)


@pytest.mark.parametrize("snr", [-20, 0, 7.3, 40])
@pytest.mark.parametrize("noise", ["long", "short"])
def test_measured_snr_is_the_one_asked_for(folder, make, snr, noise):
    mixer = make(noise, snr_low=snr, snr_high=snr)
    assert measure_snr(mix(mixer, folder)) == pytest.approx(snr, abs=0.01)


def test_mixture_holds_target_and_noise(folder, make):
    noise = read_wav(str(folder / "long0.wav"))
    speech = read_wav(str(folder / "a0.wav"))
    mixer, places = make("long"), []
    for epoch in range(4):
        noisy, clean = mix(mixer, folder, epoch=epoch)
        crop, match = find(speech, clean)
        assert match == pytest.approx(1, abs=1e-6)
        place, match = find(noise, noisy - clean)
        assert match == pytest.approx(1, abs=1e-5)
        assert noisy.square().mean().item() == pytest.approx(1, abs=1e-5)
        places += [crop, place]
    assert len(set(places)) == 8


def test_all_noises_are_drawn(folder, make):
    mixer, drawn = make(), set()
    wavs = [read_wav(str(folder / f"noise{index}.wav")) for index in range(3)]
    for epoch in range(16):
        noisy, clean = mix(mixer, folder, epoch=epoch)
        part = (noisy - clean)[:1500]
        drawn |= {i for i, wav in enumerate(wavs) if find(wav, part)[1] > 0.99}
    # The short one's part may lie across its end.
    assert drawn >= {0, 2}


def test_short_noise_is_repeated(folder, make):
    noisy, clean = mix(make("short"), folder)
    noise = noisy - clean
    assert torch.allclose(noise[:5000], noise[3000:], atol=1e-5)
    assert noise[-3000:].abs().max() > 0.01


def test_whole_utterance_and_short_ones(folder, make):
    assert mix(make(segment=None), folder).shape == (2, 20000)
    pair = mix(make(segment=24000.0, snr_low=3, snr_high=3), folder)
    assert pair.shape == (2, 24000)
    assert pair[:, 20000:].abs().max() == 0 and pair[1, 19999] != 0
    assert measure_snr(pair) == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"epoch": 2}, {"utterance": "b"}, {}]
)
def test_each_of_the_three_decides_and_nothing_else(
    folder, make, change, monkeypatch
):
    clean_wav = str(folder / "a0.wav")

    def call(seed=1, epoch=1, utterance="a"):
        # Whole, for the crop would tell them apart already.
        mixer = make(rir="rir", segment=None, seed=seed)
        return mixer(clean_wav, epoch, utterance)

    monkeypatch.setenv("SB_GLOBAL_SEED", "1")
    torch.manual_seed(1)
    random.seed(1)
    first = call()
    monkeypatch.setenv("SB_GLOBAL_SEED", "2")
    torch.manual_seed(2)
    random.seed(2)
    assert torch.equal(first, call(**change)) == (not change)


def test_order_of_calls_is_irrelevant(folder, make):
    mixer, other = make(rir="rir"), make(rir="rir")
    calls = [(name, epoch) for name in NAMES for epoch in (1, 2)]
    pairs = {call: mix(mixer, folder, *call) for call in calls}
    for call in reversed(calls):
        assert torch.equal(mix(other, folder, *call), pairs[call])
    # A copy of one that has been used, as a spawned worker gets it.
    copy = pickle.loads(pickle.dumps(mixer))
    assert torch.equal(mix(copy, folder, *calls[3]), pairs[calls[3]])


class Mixtures(torch.utils.data.Dataset):
    def __init__(self, mixer, folder):
        self.mixer, self.folder = mixer, folder

    def __len__(self):
        return len(NAMES)

    def __getitem__(self, index):
        return mix(self.mixer, self.folder, NAMES[index])


def test_number_of_workers_is_irrelevant(folder, make):
    pairs = []
    for num_workers in (0, 1, 2):
        # Whole utterances: sums over more samples may take more threads.
        dataset = Mixtures(make(rir="rir", segment=None), folder)
        loader = torch.utils.data.DataLoader(
            dataset, num_workers=num_workers, batch_size=1
        )
        pairs.append(torch.cat(list(loader)))
    assert torch.equal(pairs[0], pairs[1]) and torch.equal(pairs[0], pairs[2])


def test_number_of_threads_is_irrelevant(folder, tmp_path, make):
    wav = np.random.default_rng(1).normal(size=200_000)
    path = write(tmp_path / "long.wav", 0.1 * wav)
    mixer, pairs = make(rir="rir", segment=None, reverb_prob=1), []
    num_threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            pairs.append(mixer(path, 1, "a"))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(num_threads)
    assert torch.equal(*pairs)


@pytest.mark.parametrize("noise", ["noise", "empty"])
def test_global_generators_are_left_alone(folder, make, noise):
    states = random.getstate(), np.random.get_state()[1].copy()
    state = torch.get_rng_state()
    mixer = make(noise, rir="rir")
    if noise == "noise":
        mix(mixer, folder)
    else:
        with pytest.raises(ValueError, match="empty.csv lists none: add"):
            mix(mixer, folder)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("rir", ["room", "hall"])
@pytest.mark.parametrize("segment", [8000, None])
def test_target_is_the_direct_path(folder, make, rir, segment):
    # The hall's response is longer than the speech.
    mixer = make(
        rir=rir, segment=segment, snr_low=90, snr_high=90, reverb_prob=1
    )
    noisy, clean = mix(mixer, folder).double().numpy()
    response = read_wav(str(folder / f"{rir}0.wav")).double().numpy()
    direct = abs(response).argmax()
    heard = np.convolve(clean, response / response[direct])
    heard = heard[direct : direct + len(clean)]
    assert np.square(noisy - clean).mean() > 0.01
    assert np.square(noisy - heard).mean() < 1e-8
    # The sign is that of the room.
    dry = mix(make(segment=segment), folder)[1].double().numpy()
    assert np.sign(clean @ dry) == np.sign(response[direct])


def test_snr_counts_the_reverberation(folder, make):
    wet = {"rir": "room", "reverb_prob": 1}
    still = mix(make(**wet, snr_low=120, snr_high=120), folder).double()
    noisy = mix(make(**wet, snr_low=5, snr_high=5), folder).double()
    # One clean file at two levels: brought to that of the second.
    heard = still[0] * noisy[1].norm() / still[1].norm()
    pair = torch.stack([noisy[0], heard])
    assert measure_snr(pair) == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(
    "prob, low, high", [(0, 0, 0), (0.5, 6, 24), (1, 30, 30)]
)
def test_rooms_come_with_their_probability(folder, make, prob, low, high):
    mixer = make(rir="rir", snr_low=60, snr_high=60, reverb_prob=prob)
    pairs = [
        mix(mixer, folder, name, epoch) for name in NAMES for epoch in range(5)
    ]
    wet = sum(bool((p[0] - p[1]).square().mean() > 1e-3) for p in pairs)
    assert low <= wet <= high


@pytest.mark.parametrize("rir", [None, "empty", "rir"])
@pytest.mark.parametrize("silent", ["speech", "noise", "both"])
def test_silence_gives_finite_pairs(folder, tmp_path, make, rir, silent):
    path = str(folder / "a0.wav")
    if silent != "noise":
        path = write(tmp_path / "silence.wav", np.zeros(9000))
    noise = "noise" if silent == "speech" else "silent"
    noisy, clean = make(noise, rir=rir, reverb_prob=1)(path, 1, "a")
    assert noisy.isfinite().all() and clean.isfinite().all()
    assert (clean.abs().max() > 0) == (silent == "noise")
    if silent == "noise" and rir != "rir":
        assert torch.allclose(noisy, clean)


def test_faulty_files_are_named(folder, tmp_path, make):
    for lists in ({"noise": "faulty"}, {"rir": "faulty", "reverb_prob": 1}):
        with pytest.raises(ValueError, match="faulty.*0.wav holds samples"):
            mix(make(**lists), folder)
    path = write(tmp_path / "nan.wav", np.full(100, np.nan))
    with pytest.raises(ValueError, match="nan.wav holds samples that are"):
        make()(path, 1, "a")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"snr_low": 1, "snr_high": 0}, "snr_low may not exceed .* 1 and 0"),
        ({"reverb_prob": 1.5}, "reverb_prob must lie in 0 to 1; found 1.5"),
    ],
)
def test_options_out_of_range(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_yaml_builds_it_before_the_lists_are_there(folder, make):
    mixer = load_hyperpyyaml(
        f"""
        segment_seconds: 0.5
        sample_rate: 16000
        mixer: !new:speechbrain_semamba.dataio.mixing.DynamicMixer
            noise_csv: {folder}/later.csv
            rir_csv: {folder}/rir.csv
            snr_low: -5
            snr_high: 5
            reverb_prob: 0.3
            segment: !ref <segment_seconds> * <sample_rate>
            seed: 3
        """
    )["mixer"]
    path = folder / "later.csv"
    path.write_bytes((folder / "noise.csv").read_bytes())
    other = make(rir="rir", snr_low=-5, snr_high=5, reverb_prob=0.3, seed=3)
    assert torch.equal(mix(mixer, folder), mix(other, folder))


def test_varied_speech_is_the_target(folder, make):
    speech = read_wav(str(folder / "a0.wav"))
    vary = SoundVariation(RATE, 100, 100, room_prob=1)
    mixer = make("long", snr_low=5, snr_high=5, speech_variation=vary)
    pair = mix(mixer, folder)
    assert pair.shape == (2, 8000)
    assert measure_snr(pair) == pytest.approx(5, abs=0.01)
    # coloured and in a room, but at its place
    assert 0.3 < find(speech, pair[1])[1] < 0.999
    assert torch.equal(pair, mix(mixer, folder))
    assert not torch.equal(pair, mix(mixer, folder, epoch=2))


def test_varied_noise_is_what_is_added(folder, make):
    noise = read_wav(str(folder / "long0.wav"))
    speech = read_wav(str(folder / "a0.wav"))
    vary = SoundVariation(RATE, 100, 100, room_prob=0)
    pair = mix(make("long", noise_variation=vary, snr_high=0), folder)
    assert measure_snr(pair) == pytest.approx(0, abs=0.01)
    assert find(speech, pair[1])[1] == pytest.approx(1, abs=1e-6)
    # coloured, but at its place
    assert 0.5 < find(noise, pair[0] - pair[1])[1] < 0.9999


def test_varied_short_utterances_are_filled_with_zeros(folder, make):
    vary = SoundVariation(RATE, 200, 200, room_prob=0)
    pair = mix(make(segment=12000, speech_variation=vary), folder)
    assert pair.shape == (2, 12000)
    assert not pair[:, 10001:].any() and pair[:, 9000:9900].any()
