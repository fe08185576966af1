"""The recurrence of the scan as one operator, which ``torch.export`` keeps.

It would unroll a loop in Python, into a program of one length alone.
"""


def recurrence(u, step, A, B, C, reverse):
    """h = exp(step A) h + step u B, y = C h; only to be traced.

    Arguments
    ---------
    u, step : torch.Tensor
        Input, and step size after the softplus [batch, length, dim].
    A : torch.Tensor
        Decay rates [dim, state], negative.
    B, C : torch.Tensor
        Input and output matrices [batch, length, state].
    reverse : bool
        From the last step to the first.

    Returns
    -------
    torch.Tensor
        Output [batch, length, dim].
    """
    # imports the compiler, which only an export needs
    from torch._higher_order_ops.scan import scan

    # all that a step takes has its shape already: a program that runs a
    # graph for each step pays for every reshaping in it
    inputs = [
        step.unsqueeze(2),
        (step * u).unsqueeze(2),
        B.unsqueeze(3),
        C.unsqueeze(2),
    ]
    inputs = [x.transpose(0, 1) for x in inputs]
    if reverse:
        inputs = [x.flip(0) for x in inputs]
    rate = A.T.contiguous()

    def advance(state, inputs):
        """One step; the state is [batch, state, dim]."""
        step, drive, B, C = inputs
        state = state * (step * rate).exp() + B * drive
        return state, C @ state

    start = u.new_zeros(u.shape[0], *rate.shape)
    y = scan(advance, start, inputs)[1]
    if reverse:
        y = y.flip(0)
    return y.squeeze(2).transpose(0, 1)
