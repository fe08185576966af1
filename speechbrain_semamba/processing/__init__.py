"""Tensors in, tensors out; no files.

- ``lengths``: SpeechBrain's relative lengths as sizes and as masks
- ``precision``: which to compute in; what stays out of half precision
- ``resampling``: the one resampler
- ``spectral``: wav <-> (compressed magnitude, phase); the level of a wav
- ``segments``: level and crop of a training pair
- ``pcs``: perceptual contrast stretching of a wav
"""
