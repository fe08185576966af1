"""Operators: the selective scan and its neighbours.

- ``selective_scan``: the public scan
- ``backends``: what each of its back ends can do, and which one runs
- ``scan``: the back ends, a file each
- ``causal_conv``: Mamba's depthwise convolution with its SiLU
- ``conv3x3``: the dense block's convolution and the gradient of its weight
- ``instance_norm``: instance normalisation and PReLU in one pass
- ``rms_norm``: root-mean-square normalisation
- ``mamba_mixer``: a forward and a backward Mamba as one kernel
- ``triton``: the kernels of the scan and the convolution for NVIDIA's GPUs
- ``registration``: Python functions as PyTorch operators
- ``arguments``: the structures that the compiled kernels are given
- ``kernels``: the compiled library: loading, calling, instruction set
"""
