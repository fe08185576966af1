"""Segmental SNR, LLR and WSS, a frame at a time, and what they make.

What the vectorised ones are compared with, in value and in speed: nothing is
shared with them, not even the table of the critical bands' filters.
"""

import math

import numpy as np

#: Centre and width of each critical band in Hz
BANDS = (
    (50, 70), (120, 70), (190, 70), (260, 70), (330, 70), (400, 70), (470, 70),
    (540, 77.3724), (617.372, 86.0056), (703.378, 95.3398), (798.717, 105.411),
    (904.128, 116.256), (1020.38, 127.914), (1148.30, 140.423),
    (1288.72, 153.823), (1442.54, 168.154), (1610.70, 183.457),
    (1794.16, 199.776), (1993.93, 217.153), (2211.08, 235.631),
    (2446.71, 255.255), (2701.97, 276.072), (2978.04, 298.126),
    (3276.17, 321.465), (3597.63, 346.136),
)  # fmt: skip
EPS = np.finfo(float).eps


def frame_pairs(clean, enhanced, rate):
    """Both waves' frames, with a window and without."""
    size = round(30 * rate / 1000)
    hop = size // 4
    steps = np.arange(1, size + 1)
    window = 0.5 * (1 - np.cos(2 * np.pi * steps / (size + 1)))
    for number in range(int(len(clean) / hop - size / hop)):
        place = slice(number * hop, number * hop + size)
        raw = clean[place], enhanced[place]
        yield raw, (window * raw[0], window * raw[1])


def lowest(distances):
    """Mean of the lowest 95 %."""
    return sum(sorted(distances)[: round(0.95 * len(distances))]) / round(
        0.95 * len(distances)
    )


def ssnr(clean, enhanced, rate=16000):
    """Segmental SNR."""
    ratios = []
    for _, (c, e) in frame_pairs(clean, enhanced, rate):
        ratio = np.sum(c**2) / (np.sum((c - e) ** 2) + 1e-10)
        ratios.append(min(max(10 * math.log10(ratio + 1e-10), -10), 35))
    return sum(ratios) / len(ratios)


def prediction(frame, order):
    """Autocorrelation and the filter of the prediction error."""
    size = len(frame)
    lags = [np.dot(frame[: size - k], frame[k:]) for k in range(order + 1)]
    past, error = [], lags[0]
    for i in range(order):
        ahead = sum(past[j] * lags[i - j] for j in range(i))
        reflection = (lags[i + 1] - ahead) / error
        past = [
            *(past[j] - reflection * past[i - 1 - j] for j in range(i)),
            reflection,
        ]
        error *= 1 - reflection**2
    return lags, [1, *(-a for a in past)]


def llr(clean, enhanced, rate=16000):
    """Log-likelihood ratio."""
    order = 16 if rate >= 10000 else 10
    ratios = []
    for raw, (c, e) in frame_pairs(clean + EPS, enhanced + EPS, rate):
        if min(np.ptp(raw[0]), np.ptp(raw[1])) == 0:
            continue
        lags, clean_filter = prediction(c, order)
        _, enhanced_filter = prediction(e, order)
        places = range(order + 1)
        matrix = np.array([[lags[abs(i - j)] for j in places] for i in places])
        energies = [
            np.dot(np.dot(a, matrix), a)
            for a in (enhanced_filter, clean_filter)
        ]
        ratios.append(math.log(energies[0] / energies[1]))
    return lowest(ratios)


def filters(rate, num_bins):
    """The critical bands' filters."""
    table = []
    for centre, width in BANDS:
        middle = math.floor(centre / (rate / 2) * num_bins)
        bins = width / (rate / 2) * num_bins
        gain = math.log(70) - math.log(width)
        bell = [
            math.exp(-11 * ((j - middle) / bins) ** 2 + gain)
            for j in range(num_bins)
        ]
        least = math.exp(-30 / (2 * 2.303))
        table.append(np.array([x if x > least else 0 for x in bell]))
    return table


def band_energies(frame, table):
    """Of a frame, in dB."""
    num_bins = len(table[0])
    power = np.abs(np.fft.fft(frame, 2 * num_bins)[:num_bins]) ** 2
    sums = (np.sum(power * bell) for bell in table)
    return [10 * math.log10(max(x, 1e-10)) for x in sums]


def weights(bands, slopes):
    """Of the slopes of a frame."""
    values = []
    for i, slope in enumerate(slopes):
        n = i
        if slope > 0:
            while n < len(slopes) and slopes[n] > 0:
                n += 1
            peak = bands[n - 1]
        else:
            while n >= 0 and slopes[n] <= 0:
                n -= 1
            peak = bands[n + 1]
        largest = 20 / (20 + max(bands) - bands[i])
        values.append(largest * 1 / (1 + peak - bands[i]))
    return values


def wss(clean, enhanced, rate=16000):
    """Weighted spectral slope distance."""
    size = round(30 * rate / 1000)
    table = filters(rate, 2 ** math.ceil(math.log2(2 * size)) // 2)
    clean, enhanced = ((x + EPS) / 32768 for x in (clean, enhanced))
    distances = []
    for _, pair in frame_pairs(clean, enhanced, rate):
        bands = [band_energies(x, table) for x in pair]
        slopes = [[y - x for x, y in zip(b, b[1:])] for b in bands]
        both = zip(*(weights(*x) for x in zip(bands, slopes)))
        mean = [(x + y) / 2 for x, y in both]
        squares = [(x - y) ** 2 for x, y in zip(*slopes)]
        total = sum(w * x for w, x in zip(mean, squares))
        distances.append(total / sum(mean))
    return lowest(distances)


LITERAL = {"ssnr": ssnr, "llr": llr, "wss": wss}


def rating(name, pesq, llr, wss, ssnr):
    """CSIG, CBAK or COVL."""
    values = {
        "csig": 3.093 - 1.029 * llr + 0.603 * pesq - 0.009 * wss,
        "cbak": 1.634 + 0.478 * pesq - 0.007 * wss + 0.063 * ssnr,
        "covl": 1.594 + 0.805 * pesq - 0.512 * llr - 0.007 * wss,
    }
    return min(max(values[name], 1), 5)
