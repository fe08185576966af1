"""Word error rates: how much of what is said a recogniser gets wrong."""

import re
from typing import NamedTuple

import numpy as np
from speechbrain.utils.metric_stats import ErrorRateStats

from speechbrain_semamba.evaluation.unscorable import NoScore

#: An apostrophe belongs to a word that it stands within
WORDS = re.compile(r"\w+(?:'\w+)*")


class WordErrors(NamedTuple):
    """Errors of a recogniser in one kind of wave.

    Arguments
    ---------
    rate : float
        Errors in percent of the words said in all files that have a score;
        NaN if none has. It is no mean over files.
    rates : dict
        The same of each file, by id; ``NoScore`` where there is none.
    words : int
        How many were said.
    insertions, deletions, substitutions : int
        The errors.
    """

    rate: float
    rates: dict
    words: int
    insertions: int
    deletions: int
    substitutions: int


def words_of(text):
    """The words of a text, as they are compared.

    In upper case, without punctuation; a hyphen parts words, an apostrophe
    within a word stays. Numbers and abbreviations are left as they are.

    Arguments
    ---------
    text : str
        What was said or recognised.

    Returns
    -------
    list of str
        The words.

    Example
    -------
    >>> words_of("Don't ask 'why', well-known Mr. X!")
    ["DON'T", 'ASK', 'WHY', 'WELL', 'KNOWN', 'MR', 'X']
    """
    return WORDS.findall(text.replace("\u2019", "'").replace("_", " ").upper())


class WordErrorRates:
    """Has a recogniser listen to files, and counts its errors.

    Arguments
    ---------
    recogniser : callable
        Maps a wave [samples] at 16 kHz to a list of words, such as
        ``make_recogniser`` makes.
    transcripts : dict
        The text of each file, by id.
    kinds : list of str
        Which waves to listen to, such as noisy, enhanced and clean.

    Example
    -------
    >>> rates = WordErrorRates(lambda wav: ["CALL"], {"a": "Please call."})
    >>> rates.add("a", {"enhanced": np.zeros(16000)})
    >>> rates.finish()["enhanced"].rate
    50.0
    """

    def __init__(self, recogniser, transcripts, kinds=("enhanced",)):
        self.recogniser = recogniser
        self.said = {key: words_of(text) for key, text in transcripts.items()}
        self.kinds = kinds
        self._stats = {kind: ErrorRateStats() for kind in kinds}
        self._without = {kind: {} for kind in kinds}

    def add(self, key, waves):
        """Listens to the waves of a file.

        Arguments
        ---------
        key : str
            The file's id.
        waves : dict
            Waves [samples] at 16 kHz, numpy.ndarray by kind; one that is
            not among them is passed over.
        """
        for kind in filter(waves.__contains__, self.kinds):
            wav = np.asarray(waves[kind])
            if not self.said[key]:
                self._without[kind][key] = NoScore("no words in its transcript")
            elif not np.isfinite(wav).all():
                self._without[kind][key] = NoScore("not finite")
            else:
                heard = self.recogniser(wav)
                self._stats[kind].append([key], [heard], [self.said[key]])

    def finish(self):
        """Sums up.

        Returns
        -------
        dict
            The ``WordErrors`` of each kind.
        """
        return {kind: self._sum_up(kind) for kind in self.kinds}

    def _sum_up(self, kind):
        stats, rates = self._stats[kind], self._without[kind]
        if not stats.scores:
            nothing = NoScore("no file has a word error rate")
            return WordErrors(nothing, rates, 0, 0, 0, 0)
        found = stats.summarize()
        return WordErrors(
            found["WER"],
            {**rates, **{x["key"]: x["WER"] for x in stats.scores}},
            found["num_scored_tokens"],
            *(found[x] for x in ("insertions", "deletions", "substitutions")),
        )
