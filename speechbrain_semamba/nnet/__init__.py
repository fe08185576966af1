"""Layers and losses of SEMamba."""
