"""Trained models at work.

- ``settings``: what a user may ask for
- ``windows``: long waves cut into windows, and joined again
- ``pipeline``: from a noisy stream to an enhanced one
- ``jobs``: a file to enhance, and what became of it
- ``files``: files enhanced, one by one or in batches
- ``enhancement``: the pretrained interface
- ``models``: which model a user's word stands for, and loading it
- ``folders``: runs over many files, by many processes
"""
