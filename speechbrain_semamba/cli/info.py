"""Says what is installed, what this machine has, and what runs here."""


def add_arguments(parser):
    """Declares what the command line may say."""
    del parser  # it takes none


def run(options):
    """Runs the command; see the top of this file."""
    import platform

    import soundfile
    import speechbrain
    import torch

    from speechbrain_semamba import __version__
    from speechbrain_semamba.inference.models import pretrained_names
    from speechbrain_semamba.ops import kernels
    from speechbrain_semamba.ops.backends import BACKENDS, choose_backend
    from speechbrain_semamba.processing.precision import why_not_bf16

    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"speechbrain-semamba {__version__}")
    print(f"speechbrain {speechbrain.__version__}")
    print(f"torch {torch.__version__}, Python {platform.python_version()}")
    print(
        f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}"
    )
    print(f"device {device}, {torch.get_num_threads()} threads")
    for number in range(torch.cuda.device_count()):
        print(f"device cuda:{number}: {torch.cuda.get_device_name(number)}")
    print(f"processor: {torch.backends.cpu.get_cpu_capability()}")
    for row in BACKENDS.values():
        place = row.device or device
        print(f"scan {row.name}: {row.why_not(place) or 'ready'}")
        if row.fused_mixer is not None:
            reason = row.why_not_fused(place)
            print(f"scan {row.name}, fused mixer: {reason or 'ready'}")
    if kernels.why_not() is None:
        print(f"instructions of the CPU kernels: {kernels.instructions()}")
    try:
        chosen = choose_backend(device).name
    except ValueError as error:  # SEMAMBA_BACKEND asks for it
        chosen = f"none, {error}"
    print(f"scan auto on {device}: {chosen}")
    print(why_not_bf16(device) or f"bf16 on {device}: ready")
    print(
        f"models: {', '.join(pretrained_names()) or 'none ships with this version'}"
    )
