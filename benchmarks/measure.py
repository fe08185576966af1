"""How the benchmarks take their numbers: time, floor, memory, errors."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from typing import Callable

import torch
from torch import nn
from torch.nn.functional import linear

from speechbrain_semamba.nnet.mamba import Mamba
from speechbrain_semamba.nnet.upsample import Upsample
from speechbrain_semamba.ops import kernels
from speechbrain_semamba.processing.precision import why_not_bf16

#: Cores that others may keep busy; more makes times worthless, ratios less so
QUIET = 0.1

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
#: And on a GPU
GPU_DTYPES = {**DTYPES, "fp16": torch.float16}


def conditions():
    """Lines of Markdown that say where and when the numbers were taken."""
    busy = cores_of_others()
    lines = [
        f"- date: {time.strftime('%Y-%m-%d %H:%M %Z')}",
        f"- CPU: {_cpu_name()}, {os.cpu_count()} cores, L2 of {_l2_cache()}",
        f"- PyTorch {torch.__version__}",
        f"- instructions of the compiled kernels: {kernels.instructions()}",
        f"- bfloat16 arithmetic: {'no' if why_not_bf16() else 'yes'}",
        f"- cores that other processes kept busy at the start: {busy:.2f}",
    ]
    if not busy <= QUIET:  # or it is unknown
        lines.append(
            "- **Warning: other processes may run: the ratios can be trusted, "
            "the speeds not**"
        )
    return lines


def cores_of_others(seconds=1.0):
    """How many cores are busy while this process sleeps.

    The load average would not do: it remembers the work of the minutes before,
    which is often the benchmark before this one.
    """
    before = _busy_seconds()
    begin = time.perf_counter()
    time.sleep(seconds)
    return (_busy_seconds() - before) / (time.perf_counter() - begin)


def _busy_seconds():
    """Of all cores since the machine was started; NaN where there is no /proc."""
    with contextlib.suppress(OSError):
        first = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0]
        user, nice, system, _, _, *interrupts = map(int, first.split()[1:9])
        ticks = user + nice + system + sum(interrupts[:2])
        return ticks / os.sysconf("SC_CLK_TCK")
    return float("nan")


def _cpu_name():
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def _l2_cache():
    """Of one core, as Linux tells it."""
    with contextlib.suppress(OSError):
        cache = pathlib.Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
        return cache.read_text().strip()
    return "unknown size"


@contextlib.contextmanager
def progress(what):
    """Says on stderr what was measured, and how long that took."""
    begin = time.perf_counter()
    yield
    took = time.perf_counter() - begin
    log(f"{what}: {took:.1f} s")


def log(text):
    """Tells the user, without touching the tables on stdout."""
    print(text, file=sys.stderr, flush=True)


def seconds_of(function):
    """Time of one call; its result is freed within that time."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def interleaved(variants, repeats):
    """Times of some functions, taken in turns after one warm-up of each.

    In turns, so that a slow phase of the machine hits all alike.
    """
    for function in variants.values():
        function()
    times = {name: [] for name in variants}
    for _ in range(repeats):
        for name, function in variants.items():
            times[name].append(seconds_of(function))
    return times


def ratio(over, under):
    """Median over the rounds of the ratio within a round."""
    return statistics.median(x / y for x, y in zip(over, under))


def relative_error(x, truth):
    """Largest absolute error over the largest absolute value."""
    x, truth = x.double(), truth.double()
    return ((x - truth).abs().max() / truth.abs().max()).item()


@dataclasses.dataclass
class Call:
    """One call of a convolution or linear layer, to be repeated alone."""

    function: Callable
    weights: list
    shape: torch.Size
    output_shape: torch.Size
    input_grad: bool
    weight_grad: bool = dataclasses.field(init=False)

    def __post_init__(self):
        # now: the discriminator's weights are frozen now and then
        self.weight_grad = self.weights[0].requires_grad


def recorded_calls(network, run):
    """The convolutions and linear layers that ``run`` calls in a network.

    The network is for this alone: its upsampling is changed.
    """
    calls = []

    def record(module, inputs, output):
        weights = list(module.parameters())
        shapes = inputs[0].shape, output.shape
        calls.append(Call(module, weights, *shapes, inputs[0].requires_grad))

    def record_step_size(mixer, inputs, output):
        # Mamba applies it as a function, so it has no hook of its own
        weight = mixer.dt_proj.weight
        shapes = (
            torch.Size((*inputs[0].shape[:2], size))
            for size in (mixer.dt_rank, weight.shape[0])
        )
        function = functools.partial(linear, weight=weight)
        calls.append(Call(function, [weight], *shapes, output.requires_grad))

    layers = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    handles = []
    for module in network.modules():
        if isinstance(module, layers):
            handles.append(module.register_forward_hook(record))
        elif isinstance(module, Mamba):
            handles.append(module.register_forward_hook(record_step_size))
    run()
    for handle in handles:
        handle.remove()
    for call in calls:
        if isinstance(call.function, Upsample):
            # PyTorch's transposed convolution is no floor: the same layer as
            # an ordinary convolution takes a fraction of its time
            call.function.backend = "cpu"
    return calls


class Floor:
    """Recorded calls one after another, on contiguous random inputs.

    All inputs are the beginning of one buffer, so that even a long wave
    needs no more memory than its largest layer.
    """

    def __init__(self, calls, precision, backward=False):
        self.calls, self.backward = calls, backward
        sizes = [call.shape.numel() for call in calls]
        sizes += [call.output_shape.numel() for call in calls if backward]
        self.buffer = torch.randn(max(sizes)).to(DTYPES[precision])

    def __call__(self):
        for call in self.calls:
            if self.backward:
                self._forward_and_backward(call)
            else:
                call.function(self._input(call.shape))

    def _input(self, shape):
        return self.buffer[: shape.numel()].view(shape)

    def _forward_and_backward(self, call):
        x = self._input(call.shape).requires_grad_(call.input_grad)
        for weight in call.weights:
            weight.requires_grad_(call.weight_grad)
        y = call.function(x)
        wanted = [t for t in (x, *call.weights) if t.requires_grad]
        torch.autograd.grad(y, wanted, self._input(y.shape))


def peak_gb():
    """Largest memory that this process has held, in GB."""
    # not ru_maxrss where this is to be had: on Linux a new process starts
    # with the ru_maxrss of the one that started it
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def peak_in_fresh_process(script, *arguments):
    """Runs ``script --peak ...``; the GB it prints before and after."""
    return numbers_of_fresh_process(script, "--peak", *arguments)


def numbers_of_fresh_process(script, *arguments):
    """Runs a script; the numbers in the last line that it prints."""
    command = [sys.executable, script, *map(str, arguments)]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return [float(number) for number in output.splitlines()[-1].split()]
