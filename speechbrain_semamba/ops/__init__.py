"""Operators: the selective scan and its neighbours.

- ``selective_scan``: the public scan, and which back end it takes
- ``scan``: its back ends
- ``causal_conv``: Mamba's depthwise convolution with its SiLU
- ``instance_norm``: instance normalisation and PReLU in one pass
- ``rms_norm``: root-mean-square normalisation
- ``kernels``: the compiled library: loading, arguments, instruction set
- ``registration``: Python functions as PyTorch operators
"""
