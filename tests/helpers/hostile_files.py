"""Audio files that are damaged, or were made to harm, by seed."""

import io
import random
import struct

import numpy as np
import soundfile

FORMATS = ("WAV", "FLAC", "OGG", "MP3", "AIFF", "W64")
RATES = (0, 1, 500, 16000, 44101, 2**31, 2**32 - 1)
CHANNELS = (0, 1, 2, 64, 65, 1025, 65535)
SIZES = (0, 1, 7, 1000, 2**31 - 1, 2**31, 2**32 - 1)


def hostile_file(seed):
    """Ending and bytes of a file; every seed has its own."""
    rng = random.Random(seed)
    kinds = truncated, flipped, lying_header, odd_chunks, random_samples
    return kinds[seed % len(kinds)](rng)


def truncated(rng):
    """A sound file that ends anywhere."""
    ending, content = sound_file(rng)
    return ending, content[: rng.randrange(len(content))]


def flipped(rng):
    """A sound file with wrong bytes, most of them in its header."""
    ending, content = sound_file(rng)
    content = bytearray(content)
    for _ in range(rng.choice((1, 3, 30))):
        reach = rng.choice((64, len(content)))
        content[rng.randrange(min(reach, len(content)))] = rng.randrange(256)
    return ending, bytes(content)


def lying_header(rng):
    """A WAV header of any rate, channels, sizes and block align."""
    samples = rng.randbytes(rng.choice((0, 1, 3, 5000)))
    chunks = wav_format(rng, rng.choice(RATES), rng.choice(CHANNELS))
    chunks += struct.pack("<4sI", b"data", rng.choice(SIZES)) + samples
    return riff(rng, chunks)


def odd_chunks(rng):
    """Chunks of odd lengths, in each other, and without an end."""
    chunks = wav_format(rng)
    names = b"LIST", b"fact", b"smpl", b"cue ", b"bext", b"\0\0\0\0", b"RIFF"
    names += b"PEAK", b"fmt ", b"JUNK", b"data"
    for _ in range(rng.choice((1, 20, 5000))):
        size = rng.choice((0, 1, 3, 7, 24, 2**31, 2**32 - 1))
        content = rng.randbytes(min(size, rng.choice((0, 3, 24))))
        chunks += struct.pack("<4sI", rng.choice(names), size) + content
    chunks += struct.pack("<4sI", b"data", 999) + rng.randbytes(999)
    return riff(rng, chunks)


def random_samples(rng):
    """A good header, and bytes of any value as samples."""
    samples = rng.randbytes(rng.choice((40, 400, 20_000)))
    kind, bits = rng.choice(((1, 8), (1, 16), (1, 24), (3, 32), (3, 64)))
    chunks = wav_format(rng, 16000, 1, kind, bits)
    chunks += struct.pack("<4sI", b"data", len(samples)) + samples
    return riff(rng, chunks)


def sound_file(rng):
    """Ending and bytes of a file of noise that is whole."""
    format = rng.choice(FORMATS)
    shape = rng.choice((1, 100, 9000)), rng.choice((1, 2))
    noise = np.random.default_rng(rng.randrange(99)).uniform(-1, 1, shape)
    file = io.BytesIO()
    soundfile.write(file, noise, 16000, format=format)
    return format.lower(), file.getvalue()


def wav_format(rng, rate=16000, channels=1, kind=None, bits=None):
    """The chunk that says what the samples are like."""
    kind = kind or rng.choice((0, 1, 2, 3, 6, 17, 49, 80, 85, 65534))
    bits = bits or rng.choice((0, 1, 8, 12, 16, 24, 32, 64, 65535))
    align = rng.choice((0, 65535, channels * bits // 8 % 65536))
    fields = kind, channels, rate % 2**32, rate * align % 2**32, align, bits
    return struct.pack("<4sIHHIIHH", b"fmt ", 16, *fields)


def riff(rng, chunks):
    """Ending and bytes of a WAV file of these chunks."""
    size = rng.choice((len(chunks) + 4, 0, 2**32 - 1))
    return "wav", struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + chunks
