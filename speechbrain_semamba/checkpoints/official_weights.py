"""The official code's weights: their names and ours, and their sizes."""

import re

OFFICIAL_STFT = {
    "n_fft": 400,
    "hop_length": 100,
    "win_length": 400,
    "compression": 0.3,
}
# Official name -> ours, tried in this order; {i} stands for a number.
GENERATOR_NAMES = (
    ("dense_encoder.dense_conv_1.", "encoder.conv_in."),
    ("dense_encoder.dense_block.dense_block.{i}.", "encoder.dense.layers.{i}."),
    ("dense_encoder.dense_conv_2.", "encoder.downsample."),
    ("TSMamba.{i}.time_mamba.", "blocks.{i}.time."),
    ("TSMamba.{i}.freq_mamba.", "blocks.{i}.freq."),
    ("TSMamba.{i}.tlinear.", "blocks.{i}.time.projection."),
    ("TSMamba.{i}.flinear.", "blocks.{i}.freq.projection."),
    ("mask_decoder.dense_block.dense_block.{i}.", "mask_decoder.dense.layers.{i}."),
    ("mask_decoder.mask_conv.0.", "mask_decoder.upsample."),
    ("mask_decoder.mask_conv.1.", "mask_decoder.squeeze.conv."),
    ("mask_decoder.mask_conv.2.", "mask_decoder.squeeze.norm."),
    ("mask_decoder.mask_conv.3.", "mask_decoder.squeeze.activation."),
    ("mask_decoder.mask_conv.4.", "mask_decoder.conv_out."),
    ("mask_decoder.lsigmoid.", "mask_decoder.sigmoid."),
    ("phase_decoder.dense_block.dense_block.{i}.", "phase_decoder.dense.layers.{i}."),
    ("phase_decoder.phase_conv.", "phase_decoder.upsample."),
    ("phase_decoder.phase_conv_r.", "phase_decoder.conv_real."),
    ("phase_decoder.phase_conv_i.", "phase_decoder.conv_imag."),
)  # fmt: skip
# What may follow the prefixes above: positions in a Sequential.
LAYER_NAMES = (
    ("forward_blocks.0.", "forward_block."),
    ("backward_blocks.0.", "backward_block."),
    ("0.", "conv."),
    ("1.", "norm."),
    ("2.", "activation."),
)


def from_official_generator(weights):
    """The official generator's weights under our names and shapes.

    Arguments
    ---------
    weights : dict
        State dict of the official SEMamba.

    Returns
    -------
    dict
        State dict for ``SEMamba``.

    Raises
    ------
    ValueError
        If a name is not one of the official generator's.

    Example
    -------
    >>> import torch
    >>> slope = {"mask_decoder.lsigmoid.slope": torch.ones(201, 1)}
    >>> {k: v.shape for k, v in from_official_generator(slope).items()}
    {'mask_decoder.sigmoid.slope': torch.Size([201])}
    """
    ours = {}
    for official, tensor in weights.items():
        name = _rename(official)
        if name.endswith("projection.weight"):
            # transposed convolution of width 1 -> linear layer
            tensor = tensor.squeeze(-1).T.contiguous()
        elif name.endswith("slope"):
            tensor = tensor.squeeze(-1)
        ours[name] = tensor
    return ours


def _rename(official):
    for pattern, ours in GENERATOR_NAMES:
        regex = re.escape(pattern).replace(r"\{i\}", r"(\d+)")
        match = re.match(regex, official)
        if match is None:
            continue
        name = ours.replace("{i}", match[1] if match.groups() else "")
        rest = official[match.end() :]
        for position, layer in LAYER_NAMES:
            if rest.startswith(position):
                rest = layer + rest[len(position) :]
                break
        return name + rest
    raise ValueError(
        f"{official!r} is no weight of the official SEMamba generator"
    )


def generator_sizes(weights):
    """Arguments of the ``SEMamba`` that a state dict belongs to.

    Arguments
    ---------
    weights : dict
        State dict of ``SEMamba`` under our names.

    Returns
    -------
    dict
        Keyword arguments; ``beta`` and ``backend`` leave no trace in the
        weights and are not among them.

    Raises
    ------
    ValueError
        If the weights are not those of a SEMamba.

    Example
    -------
    >>> from speechbrain_semamba.lobes.models.semamba import SEMamba
    >>> sizes = dict(channels=8, num_blocks=1, d_state=4, n_fft=200)
    >>> generator_sizes(SEMamba(**sizes).state_dict())
    {'channels': 8, 'num_blocks': 1, 'd_state': 4, 'd_conv': 4, 'expand': 4, 'n_fft': 200}
    """
    mixer = "blocks.0.time.forward_block.mixer."
    try:
        channels = weights["encoder.conv_in.conv.weight"].shape[0]
        dim, d_state = weights[mixer + "A_log"].shape
        d_conv = weights[mixer + "conv1d.weight"].shape[-1]
        freq = weights["mask_decoder.sigmoid.slope"].shape[0]
    except KeyError as error:
        raise ValueError(
            f"not the weights of a SEMamba generator: no {error.args[0]!r}"
        ) from error
    blocks = {int(k.split(".")[1]) for k in weights if k.startswith("blocks.")}
    return {
        "channels": channels,
        "num_blocks": len(blocks),
        "d_state": d_state,
        "d_conv": d_conv,
        "expand": dim // channels,
        "n_fft": 2 * (freq - 1),
    }
