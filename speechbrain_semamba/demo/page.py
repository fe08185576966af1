"""The demo page, as visitors see it."""

from speechbrain_semamba.utils.extras import import_extra

#: Files are deleted when they are that old, looked for that often, in seconds
KEEP, LOOK = 1800, 300
#: Visitors that may wait; one is served at a time
QUEUE = 16


def make_page(enhance, note=""):
    """Builds the page.

    Arguments
    ---------
    enhance : UploadEnhancer
        Does the work; ``models`` are offered.
    note : str
        Markdown to show at the top.

    Returns
    -------
    gradio.Blocks
        To be launched.

    Raises
    ------
    ImportError
        If gradio is missing; names the extra.
    """
    gradio = import_extra("gradio", "Demo pages", "demo")

    def press(path, model, pcs):
        if path is None:
            raise gradio.Error("upload or record something first")
        try:
            enhanced = enhance(path, model, pcs)
        except ValueError as error:
            raise gradio.Error(str(error), print_exception=False) from error
        return enhanced.path, enhanced.figure, enhanced.note

    with gradio.Blocks(
        title="SEMamba",
        analytics_enabled=False,
        delete_cache=(LOOK, KEEP),
    ) as page:
        gradio.Markdown(f"# SEMamba speech enhancement\n\n{note}")
        with gradio.Row():
            noisy = gradio.Audio(
                label="noisy",
                sources=["upload", "microphone"],
                type="filepath",
                buttons=["download"],  # and not the hub's "share"
                elem_id="noisy",
            )
            enhanced = gradio.Audio(
                label="enhanced",
                type="filepath",
                interactive=False,
                buttons=["download"],
                elem_id="enhanced",
            )
        with gradio.Row(equal_height=True):
            model = gradio.Dropdown(enhance.models, label="model")
            pcs = gradio.Checkbox(label="perceptual contrast stretching")
            button = gradio.Button("Enhance", variant="primary")
        took = gradio.Markdown(elem_id="took")
        picture = gradio.Plot(label="spectrograms", elem_id="picture")
        button.click(press, [noisy, model, pcs], [enhanced, picture, took])
    return page.queue(max_size=QUEUE, default_concurrency_limit=1)
