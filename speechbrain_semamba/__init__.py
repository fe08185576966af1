"""SEMamba speech enhancement for SpeechBrain.

The files, in the order in which the data walks through them:

- ``processing.lengths``, ``processing.precision``: sizes, masks, dtypes
- ``processing.spectral``: wav <-> (compressed magnitude, phase)
- ``processing.segments``: level and crop of training pairs
- ``processing.pcs``: perceptual contrast stretching of a wav
- ``processing.resampling``: the one resampler
- ``ops``: the selective scan, its back ends, the other compiled operators
- ``csrc``: the compiled kernels
- ``nnet``: activations, normalisation, dense block, upsampling, Mamba, losses
- ``lobes.models.semamba``: the generator, and wav -> (wav, spectrum)
- ``lobes.models.metric_discriminator``: the network that predicts PESQ
- ``inference.enhancement``: the pretrained interface
- ``utils.pairs``: clean and noisy folders -> checked pairs of files
- ``utils.resampled_files``: resampled copies of files, in parallel
- ``utils.extras``: packages that only some need
- ``utils.metrics``, ``utils.score_pool``: PESQ, STOI, SI-SDR, in parallel
- ``utils.reports``, ``utils.tensorboard``: what a run shows
- ``utils.audio_files``: audio files in and out
- ``utils.checkpoints``: official weights under our names, strict loading
- ``utils.model_folder``: training runs and official weights -> model folders
- ``cli``: ``semamba enhance | export | convert | info``
"""

__version__ = "0.1.0"
