"""SEMamba speech enhancement for SpeechBrain.

The rooms, in the order in which the data walks through them:

- ``dataio``: files on one side, pairs of waves on the other
- ``processing``: wav <-> (compressed magnitude, phase), levels, lengths
- ``lobes.models``: the generator, and the network that predicts PESQ
- ``nnet``: their layers, and the losses
- ``ops``: the selective scan and its neighbours, a back end a file
- ``csrc``: the compiled kernels
- ``training``: what makes a training run trustworthy
- ``evaluation``: scores of enhanced speech, and how they are shown
- ``checkpoints``: weights on disk, whole or not at all
- ``inference``: trained models at work
- ``pretrained``: models that come with the package
- ``demo``: a page to try models on in a browser
- ``cli``: the command ``semamba``
- ``utils``: ground floor, imports nothing of ours

Each room's ``__init__`` lists its files.
"""

__version__ = "0.1.0"
