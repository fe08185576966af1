"""The scan in a program that ``torch.export`` made."""

import pytest
import torch
from operators import scan_inputs

from speechbrain_semamba.ops.selective_scan import selective_scan


class Scan(torch.nn.Module):
    """The scan as a module; the program has the direction inside."""

    def __init__(self, reverse, ragged):
        super().__init__()
        self.options = {"reverse": reverse}
        if ragged:
            self.options["lengths"] = torch.tensor([0.5, 1.0])

    def forward(self, u, delta, A, B, C, D, z, bias, backend="pytorch"):
        inputs = (u, delta, A, B, C, D, z, bias)
        return selective_scan(*inputs, backend=backend, **self.options)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_one_program_for_any_length(reverse, ragged, strict):
    if not strict and torch.__version__ < (2, 8):
        pytest.skip("torch before 2.8 traces the scan in the strict way alone")
    scan = Scan(reverse, ragged)
    inputs = tuple(scan_inputs(5).values())
    length = torch.export.Dim("length", max=1000)
    shapes = [{1: length} if x.dim() == 3 else None for x in inputs]
    program = torch.export.export(
        scan, inputs, dynamic_shapes=(*shapes, None)[:8], strict=strict
    )
    targets = {str(node.target) for node in program.graph.nodes}
    assert "scan" in targets
    for length in (2, 5, 101):
        inputs = scan_inputs(length).values()
        expected = scan(*inputs, backend="reference")
        torch.testing.assert_close(program.module()(*inputs), expected)
