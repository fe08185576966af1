"""Means and counts of an epoch that a resumed run goes on with."""

import json
import math

from speechbrain.utils.checkpoints import (
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)


@register_checkpoint_hooks
class RunningStats:
    """Means and counts of an epoch that a resumed run goes on with.

    Example
    -------
    >>> stats = RunningStats()
    >>> stats.update({"loss": 2.0})
    >>> stats.update({"loss": 4.0, "pesq": math.nan})
    >>> stats.count("skipped", 1)
    >>> stats.summary()
    {'loss': 3.0, 'pesq': nan, 'skipped': 1}
    """

    def __init__(self):
        self.reset()

    def reset(self):
        """Forgets everything."""
        self._sums, self._weights, self._counts = {}, {}, {}

    def update(self, values, weight=1):
        """Takes values into the means, unless they are not finite.

        Arguments
        ---------
        values : dict
            Floats by name.
        weight : float
            How many they stand for.
        """
        for name, value in values.items():
            known = math.isfinite(value)
            added = (weight * value, weight) if known else (0.0, 0)
            self._sums[name] = self._sums.get(name, 0.0) + added[0]
            self._weights[name] = self._weights.get(name, 0) + added[1]

    def count(self, name, number):
        """Adds to a count, which is shown once it is not 0.

        Arguments
        ---------
        name : str
            What is counted.
        number : int
            How many more there are.
        """
        if number:
            self._counts[name] = self._counts.get(name, 0) + int(number)

    def summary(self):
        """Means, then counts.

        Returns
        -------
        dict
            Numbers by name; NaN where no value was finite.
        """
        means = {
            name: self._sums[name] / weight if weight else math.nan
            for name, weight in self._weights.items()
        }
        return {**means, **self._counts}

    @mark_as_saver
    def _save(self, path):
        state = [self._sums, self._weights, self._counts]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(state, file)

    @mark_as_loader
    def _load(self, path, end_of_epoch):
        del end_of_epoch
        with open(path, encoding="utf-8") as file:
            self._sums, self._weights, self._counts = json.load(file)
