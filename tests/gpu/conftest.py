"""Tests of the CUDA paths: ``make gpu`` on a machine that has a card."""

import os

import pytest
import torch


def why_skipped():
    """Why there is nothing to be tested here, or None."""
    if not torch.cuda.is_available():
        return "PyTorch finds no CUDA device: make gpu on a machine with one"
    if os.environ.get("TRITON_INTERPRET"):
        return "Triton interprets in this process: make gpu tests the card"
    return None


@pytest.fixture(autouse=True)
def card():
    """A card, which computes convolutions and products in float32 itself."""
    if reason := why_skipped():
        pytest.skip(reason)
    before = (
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
    )
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    yield torch.device("cuda")
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.backends.cuda.matmul.allow_tf32 = before[1]
