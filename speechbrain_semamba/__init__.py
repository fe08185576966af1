"""SEMamba speech enhancement for SpeechBrain.

The files, in the order in which the data walks through them:

- ``processing.lengths``, ``processing.precision``: sizes, masks, dtypes
- ``processing.spectral``: wav <-> (compressed magnitude, phase)
- ``processing.segments``: level and crop of training pairs
- ``processing.mixing``: training pairs of speech, noise and rooms, mixed anew
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
- ``utils.manifests``, ``utils.prepare_record``: manifests, not written in vain
- ``utils.text_files``: text files that are never half-written
- ``utils.extras``, ``utils.workers``: packages that only some need; processes
- ``utils.metrics``, ``utils.score_pool``: PESQ, STOI, SI-SDR, in parallel
- ``utils.reports``: log, table and file of scores
- ``utils.audio_files``: audio files in and out
- ``utils.checkpoints``: official weights under our names, strict loading
- ``utils.checkpointer``, ``utils.checkpoint_sums``: checkpoints that are whole
- ``utils.main_process``: work of one process whose failure all hear of
- ``utils.model_folder``: training runs and official weights -> model folders
- ``training.pair_reader``: what a dataset calls for each item
- ``training.pesq_labels``, ``training.file_scores``: scores while others run
- ``training.split_backward``, ``training.averaging``: gradients, averages
- ``training.distributed``, ``training.seeding``: processes that agree
- ``training.running_stats``, ``training.tensorboard``: what a run shows
- ``training.nonfinite``, ``training.stop_signal``: what may end it
- ``training.resumable``: a Brain that can be killed, resumed and shared out
- ``training.window``: its updates, a window of batches at a time
- ``cli``: ``semamba enhance | export | convert | info``
"""

__version__ = "0.1.0"
