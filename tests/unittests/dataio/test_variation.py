"""One recording as many: what is drawn, and that it is what it is said to be."""

import random

import pytest
import torch

from speechbrain_semamba.dataio import variation
from speechbrain_semamba.dataio.variation import SoundVariation
from speechbrain_semamba.utils.seeding import drawing_at

RATE = 16000


def tone(frequency, seconds=2.0):
    return torch.sin(
        2 * torch.pi * frequency * torch.arange(seconds * RATE) / RATE
    )


def peak(wav):
    """Frequency of the strongest partial, in Hz."""
    spectrum = torch.fft.rfft(wav * torch.hann_window(len(wav))).abs()
    return spectrum.argmax().item() * RATE / len(wav)


def impulse(samples=16000):
    wav = torch.zeros(samples)
    wav[0] = 1
    return wav


@pytest.mark.parametrize("speed", [50, 85, 100, 118, 200])
def test_speed_moves_the_pitch(speed):
    vary = SoundVariation(RATE, speed, speed, room_prob=0)
    assert peak(vary(tone(1000), 16000)) == pytest.approx(10 * speed, abs=1)


def test_speeds_fill_the_range():
    vary = SoundVariation(RATE, 80, 120, room_prob=0)
    found = [peak(vary(tone(1000), 16000)) for _ in range(60)]
    assert 799 < min(found) < 850 and 1150 < max(found) < 1201


@pytest.mark.parametrize("room_prob", [0, 1])
@pytest.mark.parametrize("speed", [70, 100, 140])
def test_length_is_the_one_asked_for(speed, room_prob):
    vary = SoundVariation(RATE, speed, speed, room_prob)
    assert vary(torch.randn(40000), 16000).shape == (16000,)
    # 3000 samples are all there is
    assert len(vary(torch.randn(3000), 16000)) in range(
        3000 * 100 // speed, 16001
    )


@pytest.mark.parametrize("speed", [50, 100, 200])
def test_a_recording_of_one_sample_can_be_varied(speed):
    varied = SoundVariation(RATE, speed, speed, room_prob=1)(torch.ones(1), 9)
    assert len(varied) in range(1, 10) and varied.isfinite().all()


def test_part_lies_anywhere():
    ramp = torch.arange(64000.0)
    vary = SoundVariation(RATE, 100, 100, room_prob=0)
    means = [vary(ramp, 16000)[1000:].mean().item() for _ in range(40)]
    assert max(means) > 2 * min(means)


def test_same_place_same_sound():
    vary, wav, made = SoundVariation(RATE), torch.randn(48000), []
    for place in (1, 2, 1):
        with drawing_at("test", place):
            made.append(vary(wav, 16000))
    assert torch.equal(made[0], made[2])
    assert not torch.equal(made[0], made[1])


def test_filter_is_the_one_of_the_formula():
    torch.manual_seed(3)
    found = torch.fft.rfft(variation._colour(impulse()))
    torch.manual_seed(3)
    (r1, r2), (r3, r4) = 3 / 8 * (2 * torch.rand(2, 2) - 1)
    z = torch.exp(1j * torch.pi * torch.arange(8001) / 8000)
    expected = (1 + r1 / z + r2 / z**2) / (1 + r3 / z + r4 / z**2)
    assert torch.allclose(found, expected, atol=1e-4)


def test_no_filter_rings():
    for seed in range(200):
        torch.manual_seed(seed)
        response = variation._colour(impulse())
        assert response[200:].abs().max() < 1e-6
        assert response.abs().max() < 5


def test_room_is_a_direct_path_and_what_decays():
    vary = SoundVariation(RATE)
    for seed in range(50):
        random.seed(seed)
        torch.manual_seed(seed)
        room = vary._draw_room()
        assert room[0] == 1 and not room[1:16].any()
        ratio = -10 * room[1:].square().sum().log10()
        assert -0.01 <= ratio <= 18.01
        early, late = room[1 : len(room) // 2], room[len(room) // 2 :]
        assert late.square().sum() < 0.01 * early.square().sum()


def test_room_is_heard_after_the_sound():
    wav = torch.cat([torch.randn(8000), torch.zeros(8000)])
    tails = [
        SoundVariation(RATE, 100, 100, prob)(wav, 16000)[8200:9000]
        for prob in (0, 1)
    ]
    assert tails[0].abs().max() < 1e-5 < 1e-3 < tails[1].abs().max()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"speed_low": 0}, "speed_low must be a whole number from 1 on"),
        ({"speed_low": 0.9}, "speed_low must be a whole number"),
        ({"speed_low": 40}, "must lie in 50 to 200 percent"),
        ({"speed_high": 201}, "must lie in 50 to 200 percent"),
        ({"speed_low": 120}, "in this order; found 120 and 118"),
        ({"room_prob": 1.1}, "must lie in 0 to 1; found 1.1"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(ValueError, match=message):
        SoundVariation(RATE, **options)
