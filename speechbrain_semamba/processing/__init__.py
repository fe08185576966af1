"""Tensors in, tensors out; no files.

- ``waves``: what waves and lengths must be like
- ``lengths``: how much of each item of a padded batch counts
- ``precision``: which to compute in; what stays out of half precision
- ``resampling``: the one resampler
- ``spectral``: wav <-> (compressed magnitude, phase); the level of a wav
- ``segments``: level and crop of a training pair
- ``pcs``: perceptual contrast stretching of a wav
"""
