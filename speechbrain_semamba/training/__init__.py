"""What makes a training run trustworthy; the algorithm is in the recipe.

- ``command_line``, ``option_values``: what a run was started with
- ``run_folder``, ``run_record``: its folder is its own, and remembers it
- ``trial``: what a yaml makes, tried before the data are prepared
- ``resumable``: a Brain that can be killed, resumed and shared out
- ``sharding``: files dealt out to the processes
- ``enhanced_batch``: a batch between the generator's output and its update
- ``window``: the batches between two updates, and the updates
- ``split_backward``: a backward pass in two parts
- ``averaging``: exponential moving average of the weights
- ``pesq_labels``: the discriminator's targets, computed meanwhile
- ``running_stats``, ``tensorboard``: what a run shows
- ``stop_signal``: what ends it
"""
