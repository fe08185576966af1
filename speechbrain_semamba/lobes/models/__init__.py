"""The networks, built by a yaml.

- ``semamba``: the generator; SEMambaEnhancer, wav -> (wav, spectrum)
- ``metric_discriminator``: predicts PESQ
"""
