"""Tensors in, tensors out; no files.

- ``waves``: what waves and lengths must be like
- ``lengths``: how much of each item of a padded batch counts
- ``precision``: which to compute in; what stays out of half precision
- ``streams``: waves as iterators of blocks
- ``resampling``: the one resampler
- ``levels``: the level of a wav, and of a training pair
- ``spectral``: wav <-> (compressed magnitude, phase)
- ``segments``: segments of training pairs
- ``pcs``: perceptual contrast stretching of a wav
- ``highs``: how much to keep of what lies above the model's band
"""
