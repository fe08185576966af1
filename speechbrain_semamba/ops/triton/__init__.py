"""The kernels of ``csrc`` for NVIDIA's GPUs, in Triton, which torch brings.

Only ``ops.scan.triton`` and ``ops.causal_conv`` import these files, at the
first tensor on a GPU: everything else runs without Triton.

- ``arithmetic``: softplus and sigmoid
- ``tiles``: the states and channels of a program, the steps of an item
- ``scan``: the selective scan
- ``scan_backward``: its gradient
- ``conv``: the causal convolution with its SiLU, and its gradient
"""
