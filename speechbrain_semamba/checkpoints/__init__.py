"""Weights on disk.

- ``sums``: whether a checkpoint's files are as they were saved
- ``checkpoint_reader``: finds whole checkpoints, recovers from the best
- ``checkpointer``: saves checkpoints whole, deletes what is not worth keeping
- ``weights``: weights from files, which must fit to be loaded
- ``official_weights``: the official code's weights under our names
- ``parts``: what a model is made of, as the nodes of a yaml say it
- ``model_folder``: what ``from_hparams`` loads, written and proved
- ``export``: makes model folders of runs and of official weights
"""
