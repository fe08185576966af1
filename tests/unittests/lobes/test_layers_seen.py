"""Who watches the layers sees all of them, with the back end "pytorch"."""

import pytest
import torch
from torch import nn

from speechbrain_semamba.lobes.models.semamba import SEMamba, SEMambaEnhancer

SIZES = {"channels": 4, "num_blocks": 1, "d_state": 2, "expand": 2}
LAYERS = nn.Conv1d, nn.Conv2d, nn.Linear, nn.PReLU, nn.RMSNorm


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SEMamba(**SIZES, backend="pytorch").eval()


def noise(samples=1600):
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(1))


def layers_with_weights(model):
    """Those that hold weights themselves, beside Mamba's own A and D."""
    return {
        name
        for name, module in model.named_modules()
        if list(module.parameters(recurse=False))
        and type(module).__name__ != "Mamba"
    }


@pytest.mark.parametrize("lengths", [None, torch.tensor([1.0])])
@pytest.mark.parametrize("gradient", [True, False])
def test_hooks_see_every_layer(model, lengths, gradient):
    seen = set()
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: seen.add(name))
    with torch.set_grad_enabled(gradient):
        SEMambaEnhancer(model)(noise(), lengths)
    assert layers_with_weights(model) <= seen


def test_same_as_without_modules(model):
    """The layers called as modules, against the compiled or plain operators."""
    other = SEMamba(**SIZES)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        ours, theirs = (SEMambaEnhancer(m)(noise())[0] for m in (model, other))
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_step_size_stays_float32_under_autocast(model):
    kinds = set()
    model.blocks[0].time.forward_block.mixer.dt_proj.register_forward_hook(
        lambda module, given, result: kinds.add(result.dtype)
    )
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        SEMambaEnhancer(model)(noise())
    assert kinds == {torch.float32}


def test_quantised_layers_run(model):
    """PyTorch's dynamic quantisation puts modules in the place of modules."""
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})
    kinds = {type(m).__module__ for m in quantised.modules()}
    assert "torch.ao.nn.quantized.dynamic.modules.linear" in kinds
    with torch.no_grad():
        before, after = (
            SEMambaEnhancer(m)(noise())[0] for m in (model, quantised)
        )
    error = (after - before).norm() / before.norm()
    assert 0 < error < 0.1


def test_generator_on_meta_gives_shapes(model):
    mag, phase = model.to("meta")(*torch.empty(2, 1, 5, 201, device="meta"))
    assert mag.shape == phase.shape == (1, 5, 201) and mag.is_meta
