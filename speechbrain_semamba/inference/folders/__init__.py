"""Runs over many files, by many processes.

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
