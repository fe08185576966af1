"""Scores of enhanced speech, and how they are shown.

- ``metrics``: PESQ, STOI, SI-SDR of one pair
- ``score_pool``: pairs scored by worker processes
- ``file_scores``: the files of a whole validation or test
- ``enhanced_files``: the enhanced files themselves, on request
- ``reports``: log, table and file of scores
"""
