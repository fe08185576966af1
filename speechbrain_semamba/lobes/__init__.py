"""Whole networks, in ``models``."""
