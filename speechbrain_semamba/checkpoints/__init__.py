"""Weights on disk.

- ``sums``: whether a checkpoint's files are as they were saved
- ``checkpoint_reader``: finds whole checkpoints, recovers from the best
- ``checkpointer``: saves checkpoints whole, deletes what is not worth keeping
- ``weights``: weights from files, which must fit to be loaded
- ``official_weights``: names and shapes of the official code's and of ours
- ``official_config``: the official code's config.yaml and our arguments
- ``parts``: what a model is made of, as the nodes of a yaml say it
- ``model_card``: the README.md of a model folder
- ``card``: its templates
- ``run_facts``: what a run folder tells of a training
- ``model_folder``: what ``from_hparams`` loads, written and proved
- ``export``: makes model folders of training runs
- ``official_models``: makes model folders of official weights, and the reverse
- ``onnx_file``: a generator as a program that needs no PyTorch
"""
