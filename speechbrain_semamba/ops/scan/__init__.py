"""The selective scan, one file a back end.

- ``reference``: the equation as a loop, the yardstick of the tests
- ``pytorch``: serial in time, any device
- ``exported``: what ``torch.export`` makes of it
- ``cpu``: our compiled kernel as a PyTorch operator
- ``triton``: the same operator on CUDA tensors
- ``mamba_ssm``: adapter to the CUDA kernels of the package mamba_ssm
"""
