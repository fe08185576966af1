"""Trained models at work.

- ``enhancement``: the pretrained interface
"""
