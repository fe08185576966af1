"""The compiled CPU kernels as PyTorch operators, and the layers on them."""

import contextlib
import itertools
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from speechbrain_semamba.lobes.models.semamba import SEMamba
from speechbrain_semamba.nnet import dense, mamba
from speechbrain_semamba.ops import kernels
from speechbrain_semamba.ops import selective_scan as module
from speechbrain_semamba.ops.causal_conv import causal_conv_silu
from speechbrain_semamba.ops.instance_norm import instance_norm_prelu
from speechbrain_semamba.ops.rms_norm import rms_norm
from speechbrain_semamba.ops.scan import cpu
from speechbrain_semamba.ops.selective_scan import selective_scan
from speechbrain_semamba.processing.lengths import valid_mask

REASON = kernels.why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def normal(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def scan_inputs(batch=3, length=40, dim=37, state=5, grad=True):
    """u, delta, A, B, C, D, z and delta_bias."""
    shapes = {
        "u": (batch, length, dim),
        "delta": (batch, length, dim),
        "A": (dim, state),
        "B": (batch, length, state),
        "C": (batch, length, state),
        "D": (dim,),
        "z": (batch, length, dim),
        "delta_bias": (dim,),
    }
    inputs = [normal(*shape, seed=i) for i, shape in enumerate(shapes.values())]
    inputs[2] = -inputs[2].exp()
    return [x.requires_grad_(grad) for x in inputs]


def conv_inputs(batch=3, length=40, dim=37, width=4, grad=True):
    """x, weight and bias."""
    shapes = (batch, length, dim), (dim, width), (dim,)
    inputs = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    return [x.requires_grad_(grad) for x in inputs]


def norm_inputs(channels=21, frames=27, freq=29, more=3, grad=True):
    """x, weight, bias, slope and seen."""
    shapes = [(2, channels, frames, freq), *3 * [(channels,)]]
    inputs = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    inputs.append(normal(2, more, frames, freq, seed=4) if more else None)
    return [x if x is None else x.requires_grad_(grad) for x in inputs]


def with_gradients(y, inputs):
    """The result of an operator and what autograd makes of it."""
    inputs = [x for x in inputs if x is not None]
    weight = torch.cos(torch.arange(y.numel())).view(y.shape).to(y.dtype)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), inputs)]


def run_scan(reverse=False, lengths=None, batch=3):
    inputs = scan_inputs(batch)
    if lengths is not None:
        lengths = torch.tensor(lengths)
    y = selective_scan(*inputs, lengths=lengths, reverse=reverse, backend="cpu")
    return with_gradients(y, inputs)


def run_conv(reverse=False, width=4, batch=3):
    inputs = conv_inputs(batch, width=width)
    y = causal_conv_silu(*inputs, reverse, "cpu")
    return with_gradients(y, inputs)


def run_norm(frames=None, more=3, channels=21):
    inputs = norm_inputs(channels, more=more)
    frames = None if frames is None else torch.tensor(frames)
    y, mean, inverse = instance_norm_prelu(*inputs, frames, 1e-5)
    return [mean, inverse, *with_gradients(y, inputs)]


def run_states():
    """What only the operator gives: the final state and those between."""
    inputs = scan_inputs(grad=False)
    steps = torch.tensor([40, 17, 0])
    return list(cpu.selective_scan(*inputs, steps, None, True, True))


def run_rms_norm():
    return [rms_norm(normal(3, 40, 37), normal(37, seed=1), 1e-5)]


def run_half():
    u, delta, A, B, C, _, z, _ = scan_inputs(grad=False)
    u, delta, z = (x.bfloat16() for x in (u, delta, z))
    steps = torch.tensor([40, 17, 0])
    x = norm_inputs(grad=False)
    some = u, delta, A, B, C, None, z, None, steps, None
    return [
        *cpu.selective_scan(*some, False, True),
        causal_conv_silu(u, *conv_inputs(grad=False)[1:], backend="cpu"),
        *instance_norm_prelu(x[0].bfloat16(), *x[1:], steps[:2], 1e-5),
        rms_norm(u, A[:, 0], 1e-5),
    ]


#: Each gives results and gradients of one operator
RUNS = {
    "scan": run_scan,
    "reverse scan": lambda: run_scan(True),
    "ragged scan": lambda: run_scan(False, [0.5, 1.0, 0.05]),
    "ragged reverse scan": lambda: run_scan(True, [0.5, 1.0, 0.05]),
    "scan of many": lambda: run_scan(batch=kernels.GROUPS + 7),
    "states": run_states,
    "conv": run_conv,
    "reverse conv": lambda: run_conv(True, 2),
    "conv of many": lambda: run_conv(batch=kernels.GROUPS + 7),
    "norm": run_norm,
    "norm of one": lambda: run_norm(more=0, channels=1),
    "ragged norm": lambda: run_norm([11, 27]),
    "rms norm": run_rms_norm,
    "all in bfloat16": run_half,
}
EACH = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def assert_identical(ours, expected):
    assert len(ours) == len(expected)
    for x, y in zip(ours, expected):
        assert not y.isnan().any()
        assert torch.equal(x, y)


# ---- what PyTorch expects of an operator


OPERATORS = (
    "selective_scan",
    "selective_scan_backward",
    "causal_conv_silu",
    "causal_conv_silu_backward",
    "instance_norm_prelu",
    "instance_norm_prelu_backward",
    "rms_norm",
)


def operator_samples():
    """Names of operators, and arguments for them."""
    for grad, reverse in itertools.product((False, True), repeat=2):
        tensors = scan_inputs(2, 20, 5, 3, grad)
        yield "selective_scan", (*tensors, None, None, reverse, True)
        yield "causal_conv_silu", (*conv_inputs(2, 5, 3, 3, grad), reverse)
    for grad in (False, True):
        *few, _, _, _ = scan_inputs(2, 20, 5, 3, grad)
        steps = torch.tensor([20, 3])
        some = (*few, None, None, None, steps, normal(2, 3, 5))
        yield "selective_scan", (*some, False, True)
        frames = torch.tensor([3, 2])
        for channels in (1, 3):
            tensors = norm_inputs(channels, 3, 4, 2, grad)
            yield "instance_norm_prelu", (*tensors, frames, 1e-5)
            alone = (*tensors[:-1], None, None)
            yield "instance_norm_prelu", (*alone, 1e-5)
    half = [x.bfloat16() for x in conv_inputs(2, 5, 3, 3, False)]
    yield "causal_conv_silu", (*half, False)
    yield "rms_norm", (normal(2, 5, 7), normal(7), 1e-5)
    yield "rms_norm", (normal(2, 7, 5).bfloat16().mT, normal(7), 1e-5)
    yield from backward_samples()


def backward_samples():
    tensors = scan_inputs(2, 20, 5, 3, False)
    y, _, states = cpu.selective_scan(*tensors, None, None, False, True)
    given = (y, *tensors, None, states, False)
    yield "selective_scan_backward", given
    few = (*tensors[:5], None, None, None, torch.tensor([20, 3]))
    yield "selective_scan_backward", (y, *few, states, True)
    half = (y.bfloat16(), tensors[0].bfloat16(), *tensors[1:])
    yield "selective_scan_backward", (*half, None, states, False)
    x, *weights = conv_inputs(2, 5, 3, 3, False)
    yield "causal_conv_silu_backward", (x, x, *weights, True)
    yield "causal_conv_silu_backward", (x.bfloat16(),) * 2 + (*weights, True)
    for channels, frames in ((3, None), (1, torch.tensor([3, 2]))):
        tensors = norm_inputs(channels, 3, 4, 2, False)
        y, mean, inverse = instance_norm_prelu(*tensors, frames, 1e-5)
        rest = (frames, mean, inverse, 1e-5)
        given = (y, *tensors[:-1], *rest)
        yield "instance_norm_prelu_backward", given


@pytest.mark.parametrize("name", OPERATORS)
def test_opcheck(name):
    """Schema, shapes without data, autograd, and tracing with gradients."""
    operator = getattr(torch.ops.semamba, name).default
    samples = [x for other, x in operator_samples() if other == name]
    assert samples
    for arguments in samples:
        result = torch.library.opcheck(operator, arguments)
        assert len(result) == 4 and set(result.values()) == {"SUCCESS"}


def test_every_operator_is_checked():
    names = torch._C._dispatch_get_all_op_names()
    ours = {x.partition("::")[2] for x in names if x.startswith("semamba::")}
    assert ours == set(OPERATORS)


def test_compiled_block_is_the_same():
    torch.manual_seed(0)
    block = mamba.MambaBlock(8, d_state=4, expand=2, backend="cpu")
    x = normal(2, 9, 8).requires_grad_()
    inputs = [x, *block.parameters()]
    torch._dynamo.reset()
    fast = torch.compile(block, fullgraph=True, backend="aot_eager")
    for ours, expected in zip(
        with_gradients(fast(x), inputs), with_gradients(block(x), inputs)
    ):
        torch.testing.assert_close(ours, expected)


def test_no_gradient_of_the_initial_state():
    initial = normal(3, 5, 37).requires_grad_()
    with pytest.raises(RuntimeError, match="no gradient for its initial"):
        cpu.selective_scan(*scan_inputs(), None, initial, False, True)


def test_gradient_without_kept_states_is_an_error():
    """In a process of its own, which must not crash."""
    code = """if True:
        import torch
        from speechbrain_semamba.ops.scan import cpu
        x = torch.ones(1, 20, 5, requires_grad=True)
        rates, B = -torch.ones(5, 3), torch.ones(1, 20, 3)
        inputs = x, x, rates, B, B, None, None, None, None, None
        y, _, _ = cpu.selective_scan(*inputs, False, False)
        y.sum().backward()
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60
    )
    assert done.returncode == 1, done.returncode
    assert b"keep_states" in done.stderr


def test_double_gradient_is_an_error():
    inputs = scan_inputs()
    y = selective_scan(*inputs, backend="cpu")
    (grad,) = torch.autograd.grad(
        y.square().sum(), inputs[:1], create_graph=True
    )
    with pytest.raises(RuntimeError, match="selective_scan_backward"):
        grad.sum().backward()


def wrong_sizes():
    """Operators with one tensor whose size does not fit the others."""
    conv, norm = conv_inputs(grad=False), norm_inputs(grad=False)

    def convolve(*inputs):
        return causal_conv_silu(*inputs, backend="cpu")

    def normalize(*inputs):
        return instance_norm_prelu(*inputs, None, 1e-5)

    def root(x, weight):
        return rms_norm(x, weight, 1e-5)

    yield convolve, [conv[0], conv[1][:-1], conv[2]]
    yield convolve, [conv[0], conv[1], conv[2][:-1]]
    for i, name in enumerate(("weight", "bias", "slope"), 1):
        wrong = [*norm[:i], norm[i][:-1], *norm[i + 1 :]]
        yield pytest.param(normalize, wrong, id=f"norm-{name}")
    seen = norm[4]
    yield normalize, [*norm[:4], seen[:1]]
    yield normalize, [*norm[:4], seen[:, :, :-1]]
    yield normalize, [*norm[:4], seen[..., :-1]]
    yield root, [normal(2, 3, 4), normal(3)]


@pytest.mark.parametrize("function, inputs", wrong_sizes())
def test_wrong_size_is_an_error(function, inputs):
    """Not a read beyond the end of a tensor."""
    with pytest.raises((RuntimeError, ValueError)):
        function(*inputs)


def test_nothing_to_do():
    """No items, or no steps."""
    for batch, length in ((0, 4), (2, 0)):
        for run, inputs in (
            (selective_scan, scan_inputs(batch, length, 5)),
            (causal_conv_silu, conv_inputs(batch, length, 5)),
        ):
            y = run(*inputs, backend="cpu")
            assert y.shape == (batch, length, 5)
            y, *gradients = with_gradients(y, inputs)
            for x, grad in zip(inputs, gradients):
                assert grad.shape == x.shape and not grad.any()
        assert rms_norm(y, normal(5), 1e-5).shape == y.shape


# ---- the choice of the back end


@pytest.fixture
def uncached():
    functions = (kernels.library, module._choose)
    for function in functions:
        function.cache_clear()
    yield
    for function in functions:
        function.cache_clear()


def test_unknown_instruction_set():
    before = kernels.instructions()
    with pytest.raises(ValueError, match="'nonsense' is not available"):
        kernels.use_instructions("nonsense")
    assert kernels.instructions() == before


@pytest.mark.parametrize("name", ["plain", "nonsense"])
def test_instruction_set_from_the_environment(name):
    """In a process of its own: it holds for all of one."""
    code = "from speechbrain_semamba.ops import kernels as k; "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(k.instructions())"],
        env={**os.environ, "SEMAMBA_INSTRUCTIONS": name},
        capture_output=True,
        text=True,
    )
    if name == "plain":
        assert done.stdout.strip() == "plain"
    else:
        assert done.returncode != 0
        last = done.stderr.strip().splitlines()[-1]
        assert "SEMAMBA_INSTRUCTIONS must be one of" in last
        assert "'nonsense'" in last


def test_back_end_by_name_says_why_not(monkeypatch, uncached):
    monkeypatch.setattr(kernels, "why_not", lambda: "no compiled kernels: rain")
    with pytest.raises(RuntimeError, match="'cpu' cannot run on cpu: .* rain"):
        selective_scan(*scan_inputs(), backend="cpu")
    with pytest.raises(RuntimeError, match="rain"):
        causal_conv_silu(*conv_inputs(), backend="cpu")
    assert module.choose_backend("cpu") == "pytorch"


def test_reasons(monkeypatch, tmp_path, uncached):
    library, error = tmp_path / "kernels.so", tmp_path / "kernels.error"
    monkeypatch.setattr(kernels, "LIBRARY", library)
    monkeypatch.setattr(kernels, "BUILD_ERROR", error)
    assert "they were not built; install a C++" in kernels.find_problem()
    error.write_text("the compiler failed (rain)\n")
    assert "kernels: the compiler failed (rain); inst" in kernels.find_problem()
    library.write_bytes(b"no library")
    assert "do not load (" in kernels.find_problem()


def test_not_for_other_devices():
    assert "on the CPU" in cpu.why_not("cuda")
    assert "on the CPU" in cpu.why_not("meta")


# ---- threads, processes and memory


@contextlib.contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@EACH
def test_same_for_any_number_of_threads(run):
    with threads(1):
        expected = run()
    for count in (2, 3):
        with threads(count):
            assert_identical(run(), expected)


def test_two_calls_at_a_time():
    """The interpreter's lock is released while a kernel runs."""
    runs = [RUNS["ragged scan"], RUNS["ragged norm"]] * 8
    with threads(2), ThreadPoolExecutor(2) as pool:
        expected = [run() for run in runs]
        for ours, alone in zip(pool.map(lambda run: run(), runs), expected):
            assert_identical(ours, alone)


class Scans(torch.utils.data.Dataset):
    """Items that are scanned in the process that loads them."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        inputs = scan_inputs(1 + index, grad=False)
        return os.getpid(), selective_scan(*inputs, backend="cpu")


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(),
    reason="this system cannot fork",
)
def test_forked_worker_after_threads_in_the_parent():
    """The workers have none of the parent's threads, and wait for none."""
    dataset = Scans()
    with threads(2):
        expected = [y for _, y in (dataset[i] for i in range(len(dataset)))]
        loader = DataLoader(
            dataset,
            batch_size=None,
            num_workers=2,
            timeout=60,
            multiprocessing_context="fork",
        )
        loaded = list(loader)
    workers = {process for process, _ in loaded}
    assert len(workers) == 2 and os.getpid() not in workers
    assert_identical([y for _, y in loaded], expected)


@pytest.fixture
def poison(monkeypatch):
    """Fills memory that is not initialised with NaN, within a context."""

    @contextlib.contextmanager
    def poisoned():
        with monkeypatch.context() as patch:
            patch.setattr(
                torch.utils.deterministic, "fill_uninitialized_memory", True
            )
            before = torch.are_deterministic_algorithms_enabled()
            torch.use_deterministic_algorithms(True)
            try:
                yield
            finally:
                torch.use_deterministic_algorithms(before)

    return poisoned


def test_poison_poisons(poison):
    x = torch.zeros(2, 3, 4, 5)
    before = torch.are_deterministic_algorithms_enabled()
    with poison():
        for fresh in (
            x.new_empty(6),
            x.new_empty(6, dtype=torch.float64),
            x.bfloat16().new_empty(6),
            torch.empty_like(x, memory_format=torch.channels_last),
            torch.empty((1, 2, 3, 4), memory_format=torch.channels_last),
        ):
            assert fresh.isnan().all()
    assert torch.are_deterministic_algorithms_enabled() == before


@EACH
def test_every_result_is_written(run, poison):
    expected = run()
    with poison():
        assert_identical(run(), expected)


# ---- the layers


def build(cls, *args, **kwargs):
    """In float64, with every parameter away from its initial value."""
    torch.manual_seed(0)
    net = cls(*args, **kwargs).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return net


def features(*shape):
    return normal(*shape, seed=1, dtype=torch.float64)


def pair(cls, *args, **kwargs):
    """The same layer on the compiled kernels and in PyTorch."""
    return [build(cls, *args, backend=x, **kwargs) for x in ("cpu", "pytorch")]


@pytest.mark.parametrize(
    "batch, ragged, width",
    [(1, False, 4), (1, True, 4), (3, False, 5), (3, True, 4)],
)
def test_slices_of_tf_mamba(monkeypatch, batch, ragged, width):
    """Some sequences at a time, and a rest; all at once with gradients.

    A width of 5 is one that the compiled convolution does not have.
    """
    ours, plain = pair(mamba.TFMamba, 3, d_state=4, d_conv=width)
    x, lengths = features(batch, 3, 7, 5), None
    if ragged:
        lengths = torch.tensor([5, 7, 1])[:batch] / 7
        x = x * valid_mask(lengths, 7)[:, None, :, None]
    expected = plain(x, lengths)
    torch.testing.assert_close(ours(x, lengths), expected)
    calls = []
    ours.time.register_forward_hook(lambda *call: calls.append(call))
    bytes_of_two = 2 * 7 * (4 * 3) * 8
    for size, count in ((1, 5), (bytes_of_two, 3)):
        monkeypatch.setattr(mamba, "SLICE", size)
        calls.clear()
        for mode in (torch.inference_mode, torch.no_grad):
            with mode():
                torch.testing.assert_close(ours(x, lengths), expected)
        assert len(calls) == 2 * batch * count


def padded(sizes, channels, freq):
    """Features of 9 frames, and which frames count."""
    x = features(3, channels, 9, freq)
    if sizes is None:
        return x, None
    valid = valid_mask(torch.tensor(sizes) / 9, 9)[:, None, :, None].double()
    return x * valid, valid


@pytest.mark.parametrize("valid", [None, (9, 4, 1)])
def test_dense_block(monkeypatch, valid):
    ours, plain = pair(dense.DenseBlock, 5, 3)
    x, valid = padded(valid, 5, 6)
    results = []
    for net in (ours, plain):
        inputs = [x.clone().requires_grad_(), *net.parameters()]
        results.append(with_gradients(net(inputs[0], valid), inputs))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected)
    for tile in (1, 4, 64):
        monkeypatch.setattr(dense, "TILE", tile, raising=False)
        with torch.inference_mode():
            torch.testing.assert_close(ours(x, valid), results[1][0])


@pytest.mark.parametrize(
    "conv",
    [
        lambda: nn.Conv2d(4, 6, 1),
        lambda: nn.Conv2d(4, 6, (1, 3), stride=(1, 2)),
        lambda: nn.ConvTranspose2d(4, 6, (1, 3), stride=(1, 2)),
        lambda: nn.Conv2d(4, 1, 1),
    ],
    ids=["joined", "down", "up", "to one"],
)
@pytest.mark.parametrize("valid", [None, (9, 4, 1)])
def test_conv_block(conv, valid):
    x, valid = padded(valid, 4, 7)
    results = []
    for backend in ("cpu", "pytorch"):
        torch.manual_seed(1)
        net = build(dense.ConvBlock, conv(), backend)
        inputs = [x.clone().requires_grad_(), *net.parameters()]
        y = net(inputs[0], valid, join=net.conv.stride == (1, 1))
        results.append(with_gradients(y, inputs))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected)


def generators():
    """On the compiled kernels and in PyTorch, with the same weights."""
    for backend in ("cpu", "pytorch"):
        torch.manual_seed(0)
        yield SEMamba(channels=8, num_blocks=1, backend=backend).eval()


def spectrum(batch, frames):
    mag = normal(batch, frames, 201).abs()
    return mag, normal(batch, frames, 201, seed=1).clamp(-3, 3)


@pytest.mark.parametrize("lengths", [None, (1.0, 0.4)])
def test_generator(lengths):
    """The phase is compared as a complex number, which has no jump.

    It is less exact where its real and imaginary parts are nearly zero.
    """
    lengths = None if lengths is None else torch.tensor(lengths)
    noisy = spectrum(2, 10)
    ours, plain = generators()
    with torch.no_grad():
        mag, phase = plain(*noisy, lengths)
    wave = torch.polar(mag, phase)
    for mode in (torch.enable_grad, torch.inference_mode):
        with mode():
            found, phase = (x.detach() for x in ours(*noisy, lengths))
        assert (found - mag).abs().max() < 1e-4 * mag.max()
        error = torch.polar(found, phase) - wave
        assert error.abs().max() < 1e-4 * mag.max()


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_generator_under_autocast(mode):
    noisy = spectrum(2, 10)
    ours, _ = generators()
    with mode():
        expected = ours(*noisy)[0].detach()
        with torch.autocast("cpu", torch.bfloat16):
            y = ours(*noisy)
    assert all(x.isfinite().all() for x in y)
    error = (y[0].float() - expected).norm() / expected.norm()
    assert 0 < error < 5e-2
