"""The official code's weights: their names and ours, and their sizes."""

import re

OFFICIAL_STFT = {
    "n_fft": 400,
    "hop_length": 100,
    "win_length": 400,
    "compression": 0.3,
}
# Official name and ours, tried in this order, in either direction; {i} stands
# for a number.
GENERATOR_NAMES = (
    ("dense_encoder.dense_conv_1.", "encoder.conv_in."),
    ("dense_encoder.dense_block.dense_block.{i}.", "encoder.dense.layers.{i}."),
    ("dense_encoder.dense_conv_2.", "encoder.downsample."),
    ("TSMamba.{i}.tlinear.", "blocks.{i}.time.projection."),
    ("TSMamba.{i}.flinear.", "blocks.{i}.freq.projection."),
    ("TSMamba.{i}.time_mamba.", "blocks.{i}.time."),
    ("TSMamba.{i}.freq_mamba.", "blocks.{i}.freq."),
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
OFFICIAL, OURS = 0, 1  # columns of these tables


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
        name = _rename(official, OFFICIAL, OURS)
        # of another number of axes it is left to be refused as of no fit
        if name.endswith("projection.weight") and tensor.dim() == 3:
            # transposed convolution of width 1 -> linear layer
            tensor = tensor.squeeze(-1).T.contiguous()
        elif name.endswith("slope"):
            tensor = tensor.squeeze(-1)
        ours[name] = tensor
    return ours


def to_official_generator(weights):
    """A generator's weights under the official names and shapes.

    The inverse of ``from_official_generator``, bit for bit.

    Arguments
    ---------
    weights : dict
        State dict of ``SEMamba``.

    Returns
    -------
    dict
        State dict for the official SEMamba.

    Raises
    ------
    ValueError
        If a name is not one of ``SEMamba``'s.

    Example
    -------
    >>> import torch
    >>> slope = {"mask_decoder.sigmoid.slope": torch.ones(201)}
    >>> {k: v.shape for k, v in to_official_generator(slope).items()}
    {'mask_decoder.lsigmoid.slope': torch.Size([201, 1])}
    """
    official = {}
    for ours, tensor in weights.items():
        if ours.endswith("projection.weight"):
            tensor = tensor.T.unsqueeze(-1).contiguous()
        elif ours.endswith("slope"):
            tensor = tensor.unsqueeze(-1)
        official[_rename(ours, OURS, OFFICIAL)] = tensor
    return official


def _rename(name, source, target):
    """From one column of the tables to the other."""
    for prefix in GENERATOR_NAMES:
        regex = re.escape(prefix[source]).replace(r"\{i\}", r"(\d+)")
        match = re.match(regex, name)
        if match is None:
            continue
        number = match[1] if match.groups() else ""
        rest = name[match.end() :]
        for layer in LAYER_NAMES:
            if rest.startswith(layer[source]):
                rest = layer[target] + rest[len(layer[source]) :]
                break
        return prefix[target].replace("{i}", number) + rest
    whose = "the official SEMamba" if source == OFFICIAL else "the SEMamba"
    raise ValueError(f"{name!r} is no weight of {whose} generator")


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
    channels = _shape(weights, "encoder.conv_in.conv.weight", 4)[0]
    mixer = "blocks.0.time.forward_block.mixer."
    dim, d_state = _shape(weights, mixer + "A_log", 2)
    d_conv = _shape(weights, mixer + "conv1d.weight", 3)[2]
    freq = _shape(weights, "mask_decoder.sigmoid.slope", 1)[0]
    blocks = {int(k.split(".")[1]) for k in weights if k.startswith("blocks.")}
    return {
        "channels": channels,
        "num_blocks": len(blocks),
        "d_state": d_state,
        "d_conv": d_conv,
        "expand": dim // channels,
        "n_fft": 2 * (freq - 1),
    }


def _shape(weights, name, axes):
    """Of a tensor that sizes are read off."""
    no_generator = "not the weights of a SEMamba generator"
    if name not in weights:
        raise ValueError(f"{no_generator}: no {name!r}")
    shape = weights[name].shape
    if len(shape) != axes or 0 in shape:
        raise ValueError(f"{no_generator}: {name!r} of shape {list(shape)}")
    return shape
