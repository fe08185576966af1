"""Layers, and the losses that train them.

- ``activations``: the sigmoid with a learnable slope
- ``normalization``: instance normalisation that does not see padding
- ``dense``: convolution blocks, and the dense block of dilated ones
- ``encoder``, ``decoders``: a spectrum to features, and back
- ``upsample``: the transposed convolution that doubles the frequencies
- ``mamba``: the Mamba mixer, and its block with a residual
- ``tf_mamba``: Mamba along time and frequency, in both directions
- ``losses``, ``objective``: terms of the training objective, and their sum
- ``gradient``: whether a gradient may be asked for
- ``hooks``: whether anybody watches layers
"""
