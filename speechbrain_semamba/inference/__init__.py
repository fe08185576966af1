"""Trained models at work.

- ``settings``: what a user may ask for
- ``windows``: long waves cut into windows, and joined again
- ``pipeline``: from a noisy stream to an enhanced one
- ``jobs``: a file to enhance, and what became of it
- ``files``: files enhanced, one by one or in batches
- ``enhancement``: the pretrained interface
- ``models``: which model a user's word stands for, and loading it
- ``inputs``: what words stand for: files, folders, patterns, pipes
- ``outputs``: what enhanced files are called
- ``obstacles``: what forbids to write them
- ``plans``: which files become which, checked before any work
- ``dealing``: files dealt out to processes, and what each made of them
- ``pipes``: audio through pipes
- ``runs``: a run over many files
- ``showing``: how far it is
- ``summary``: what became of them
"""
