#!/usr/bin/env python3
"""What the Triton kernels take of a GPU, compiled without one.

> python benchmarks/triton_resources.py

The table stands in speechbrain_semamba/ops/README.md.
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

import torch
import triton
from markdown import table
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from speechbrain_semamba.ops import causal_conv
from speechbrain_semamba.ops.scan import triton as scan
from speechbrain_semamba.ops.triton import conv as conv_kernels
from speechbrain_semamba.ops.triton import scan as scan_kernels
from speechbrain_semamba.ops.triton import scan_backward as backward_kernels

TYPES = {
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.int32: "i32",
}
KERNELS = (
    (scan_kernels, "scan_kernel"),
    (backward_kernels, "scan_backward_kernel"),
    (conv_kernels, "conv_kernel"),
    (conv_kernels, "conv_backward_kernel"),
)
CUOBJDUMP = pathlib.Path(triton.__path__[0], "backends/nvidia/bin/cuobjdump")
RESOURCES = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)")


def main():
    """Prints the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--capabilities", nargs="+", type=int, default=[75, 80, 90, 100, 120]
    )
    parser.add_argument("--states", nargs="+", type=int, default=[8, 16])
    parser.add_argument(
        "--types", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"]
    )
    options = parser.parse_args()
    print(f"Triton {triton.__version__}, {ptxas_version()}\n")
    print(resources_table(options))


def resources_table(options):
    """A row for each kernel, for states and a type of data."""
    rows = {}
    for states in options.states:
        for name in options.types:
            dtype = next(k for k, v in TYPES.items() if v == name)
            for kernel, arguments in launches(dtype, states):
                about = kernel.__name__.replace("_kernel", "")
                of_scan = "STATES" in arguments
                key = about, states if of_scan else None, name
                if key not in rows:
                    rows[key] = [
                        resources(kernel, arguments, capability)
                        for capability in options.capabilities
                    ]
    names = ["kernel", "states", "type"]
    names += [f"registers, {x / 10:.1f}" for x in options.capabilities]
    names += ["spilled bytes", "shared bytes", "MUFU", "SHFL"]
    lines = []
    for key, found in rows.items():
        registers, *others = zip(*found)
        lines.append([*key, *registers, *map(max, others)])
    return table(names, lines)


def launches(dtype, states):
    """Each kernel with what it is given by the paper's sizes in training."""
    given = []
    with torch.device("meta"):
        u, z, grad = (torch.empty(4, 100, 256, dtype=dtype) for _ in range(3))
        B, D = torch.empty(4, 100, states), torch.empty(256)
        A, weight = torch.empty(256, states), torch.empty(256, 4)
    inputs = u, u, A, B, B, D, z, D
    originals = [getattr(module, name) for module, name in KERNELS]
    for (module, name), kernel in zip(KERNELS, originals):
        setattr(module, name, _Recorder(kernel, given))
    try:
        _, _, kept = scan.run_scan(*inputs, None, None, False, True)
        scan.run_scan_backward(grad, *inputs, None, kept, False)
        causal_conv.run_triton(u, weight, D, False)
        causal_conv.run_triton_backward(grad, u, weight, D, False)
    finally:
        for (module, name), kernel in zip(KERNELS, originals):
            setattr(module, name, kernel)
    return given


class _Recorder:
    """Stands in for a kernel: keeps what it would be launched with."""

    def __init__(self, kernel, given):
        self.kernel, self.given = kernel, given

    def __getitem__(self, grid):
        return lambda **arguments: self.given.append((self.kernel, arguments))


def resources(kernel, arguments, capability):
    """Registers, spilled bytes, shared bytes, MUFU and SHFL instructions."""
    compiled = triton.compile(
        source_of(kernel, arguments),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": arguments["num_warps"]},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "kernel.cubin")
        path.write_bytes(compiled.asm["cubin"])
        usage, code = dump("-res-usage", path), dump("-sass", path)
    registers, stack, local = map(int, RESOURCES.search(usage).groups())
    count = [
        len(re.findall(rf"\s{name}[. ]", code)) for name in ("MUFU", "SHFL")
    ]
    return registers, stack + local, compiled.metadata.shared, *count


def source_of(kernel, arguments):
    """A kernel for arguments of these types, as a launch makes it."""
    signature, constants, attributes = {}, {}, {}
    for i, parameter in enumerate(kernel.params):
        name, value = parameter.name, arguments[parameter.name]
        divisible = True  # as addresses are
        if parameter.is_constexpr or value is None:
            signature[name], constants[name] = "constexpr", value
            continue
        if isinstance(value, torch.Tensor):
            signature[name] = f"*{TYPES[value.dtype]}"
        else:
            signature[name], divisible = "i32", value % 16 == 0
        if divisible:
            attributes[(i,)] = [["tt.divisibility", 16]]
    return ASTSource(kernel, signature, constants, attributes)


def dump(what, path):
    """What Triton's own cuobjdump says of a compiled kernel."""
    command = [CUOBJDUMP, what, path]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout + run.stderr


def ptxas_version():
    """The assembler's version, which Triton brings."""
    command = [CUOBJDUMP.with_name("ptxas"), "--version"]
    text = subprocess.run(command, capture_output=True, text=True).stdout
    return f"ptxas {re.search(r'V([0-9.]+)', text)[1]}"


if __name__ == "__main__":
    main()
