"""The scores of enhanced speech, a row a metric.

A score that cannot be computed is NaN, with its reason: counted, never
dropped. The packages that compute the scores are the extra ``eval``, those
that need no clean wave the extra ``mos``; they are imported where used.
"""

import math
from typing import Callable, NamedTuple

import numpy as np

from speechbrain_semamba.evaluation import composite
from speechbrain_semamba.evaluation.distill_mos import distill_mos
from speechbrain_semamba.evaluation.distortion import si_sdr, ssnr
from speechbrain_semamba.evaluation.dnsmos import p808, p835
from speechbrain_semamba.evaluation.intelligibility import estoi, stoi
from speechbrain_semamba.evaluation.likelihood_ratio import llr
from speechbrain_semamba.evaluation.pesq_scores import pesq
from speechbrain_semamba.evaluation.spectral_slope import wss
from speechbrain_semamba.utils.extras import import_extra


class Metric(NamedTuple):
    """A row of ``METRICS`` or ``NO_REFERENCE``.

    Arguments
    ---------
    function : callable
        Maps (clean, enhanced, sample_rate) to a score, or without a clean
        wave (enhanced, sample_rate) to scores by name; see ``unscorable``.
    parts : tuple of str
        The metrics whose values it takes by keyword, so that they are
        computed once although several are made of them.
    unit : str
        Empty where it has none.
    lower_is_better : bool
        As of a distance.
    packages : tuple of str
        What the extra ``mos`` installs for it.
    """

    function: Callable
    parts: tuple[str, ...] = ()
    unit: str = ""
    lower_is_better: bool = False
    packages: tuple[str, ...] = ()


#: In the order of columns
METRICS = {
    "pesq": Metric(pesq),
    "csig": Metric(composite.csig, tuple(composite.CSIG)),
    "cbak": Metric(composite.cbak, tuple(composite.CBAK)),
    "covl": Metric(composite.covl, tuple(composite.COVL)),
    "ssnr": Metric(ssnr, unit="dB"),
    "stoi": Metric(stoi),
    "estoi": Metric(estoi),
    "si_sdr": Metric(si_sdr, unit="dB"),
    "llr": Metric(llr, lower_is_better=True),
    "wss": Metric(wss, lower_is_better=True),
}
_DNSMOS = "speechmos", "onnxruntime"
#: Those that need no clean wave, in the order of columns
NO_REFERENCE = {
    "sig": Metric(p835, packages=_DNSMOS),
    "bak": Metric(p835, packages=_DNSMOS),
    "ovrl": Metric(p835, packages=_DNSMOS),
    "p808": Metric(p808, packages=_DNSMOS),
    "distill": Metric(distill_mos, packages=("distillmos",)),
}
#: All that a table of scores may show; word errors are counted elsewhere
COLUMNS = {
    **METRICS,
    **NO_REFERENCE,
    "wer": Metric(None, unit="%", lower_is_better=True),
}


def check_packages(metrics):
    """Whether there is what scores without a clean wave need.

    Arguments
    ---------
    metrics : list of str
        Keys of ``NO_REFERENCE``, before the work begins.

    Raises
    ------
    ImportError
        If a package is missing; names the extra.

    Example
    -------
    >>> check_packages([])
    """
    for name in metrics:
        for package in NO_REFERENCE[name].packages:
            import_extra(package, "Scores", "mos")


def score(clean, enhanced, sample_rate=16000, metrics=tuple(METRICS)):
    """Several scores of one pair, none computed twice.

    Arguments
    ---------
    clean : numpy.ndarray
        Clean speech [samples]; None if ``metrics`` are ``NO_REFERENCE``.
    enhanced : numpy.ndarray
        Noisy or enhanced speech [samples].
    sample_rate : int
        In Hz.
    metrics : list of str
        Keys of ``METRICS`` and ``NO_REFERENCE``.

    Returns
    -------
    dict
        Score by name; a ``NoScore``, which is NaN, where there is none.

    Example
    -------
    >>> clean = np.sin(np.arange(16000.0))
    >>> score(clean, np.zeros(16000), metrics=["si_sdr"])["si_sdr"].reason
    'silence'
    """
    found = {}

    def find(name):
        if name in NO_REFERENCE and name not in found:
            found.update(NO_REFERENCE[name].function(enhanced, sample_rate))
        if name not in found:
            row = METRICS[name]
            known = {part: find(part) for part in row.parts}
            found[name] = row.function(clean, enhanced, sample_rate, **known)
        return found[name]

    return {name: find(name) for name in metrics}


def mean_scores(scores):
    """Means over files, and how many files have no score.

    Arguments
    ---------
    scores : list of dict
        Score by name, for each file.

    Returns
    -------
    dict
        Mean of each score over the files that have one (NaN if none has),
        and under ``name + "_failed"`` the number of the others, if any.

    Example
    -------
    >>> mean_scores([{"pesq": 2.0}, {"pesq": 3.0}, {"pesq": math.nan}])
    {'pesq': 2.5, 'pesq_failed': 1}
    """
    means = {}
    for name in scores[0] if scores else ():
        values = np.array([s[name] for s in scores])
        known = np.isfinite(values)
        # plain floats: checkpoints cannot hold NumPy's
        means[name] = float(values[known].mean()) if known.any() else math.nan
        if not known.all():
            means[f"{name}_failed"] = int((~known).sum())
    return means
