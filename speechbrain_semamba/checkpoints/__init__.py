"""Weights on disk.

- ``sums``: whether a checkpoint's files are as they were saved
- ``checkpointer``: checkpoints that are whole, or passed over
- ``weights``: the official weights under our names, strict loading
- ``model_folder``: what ``from_hparams`` loads
"""
