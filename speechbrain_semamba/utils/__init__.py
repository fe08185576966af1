"""Scores and checkpoints."""
