"""Manifests of VoiceBank-DEMAND for speech enhancement.

The corpus (Valentini-Botinhao 2017, https://doi.org/10.7488/ds/2117) comes
as four folders of 48 kHz files; copies at 16 kHz are common. Both are taken.
The functions stand in the data's order: find, check, split, resample, write.
"""

import hashlib
import json
import logging
import os
import struct
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from speechbrain.dataio import audio_io
from torchaudio.functional import resample
from tqdm import tqdm

logger = logging.getLogger(__name__)

# The "kaiser_best" setting. PESQ depends on the resampler (3.50 and 3.01 were
# reported for one checkpoint), so there is only this one. Whoever changes it
# has to delete the resampled files: nothing in them tells.
RESAMPLER = {
    "resampling_method": "sinc_interp_kaiser",
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "beta": 14.769656459379492,
}
FOLDERS = {"train": "trainset_28spk_wav", "test": "testset_wav"}
VALIDATIONS = ("speakers", "share", "official")
MAX_LISTED = 20

Pair = namedtuple("Pair", "clean noisy frames rate")


def prepare_voicebank(
    data_folder,
    save_folder,
    train_json,
    valid_json,
    test_json,
    sample_rate=16000,
    validation="speakers",
    valid_speakers=("p226", "p287"),
    valid_share=0.05,
    seed=1234,
    num_workers=None,
    skip_prep=False,
):
    """Checks VoiceBank-DEMAND, resamples it if need be, writes manifests.

    If a file has another rate than ``sample_rate``, the whole corpus is put
    into ``save_folder/wav_16k`` (named after the rate) once, as 16-bit WAV
    (float stays float), by ``torchaudio.functional.resample`` with
    sinc_interp_kaiser, lowpass_filter_width 64, rolloff 0.9475937167399596
    and beta 14.769656459379492, known as "kaiser_best". Files that an earlier
    run finished are kept.

    A manifest is a JSON object keyed by utterance id, whose entries hold
    ``noisy_wav`` and ``clean_wav`` (paths below ``{data_root}``) and
    ``length`` (seconds). Nothing is done if ``prepare_options.json`` shows
    that neither options, nor corpus, nor results changed since the last run.

    Arguments
    ---------
    data_folder : str
        Holds clean_trainset_28spk_wav, noisy_trainset_28spk_wav,
        clean_testset_wav and noisy_testset_wav, each with or without "_16k"
        at the end; where both exist, "_16k" is taken for 16 kHz only.
    save_folder : str
        Where resampled files and the record of the options go.
    train_json : str
        Path of the training manifest.
    valid_json : str
        Path of the validation manifest.
    test_json : str
        Path of the test manifest.
    sample_rate : int
        Rate of the files that the manifests name, in Hz.
    validation : str
        What the checkpoint is selected on: "speakers" holds out the training
        utterances of ``valid_speakers``, or a share if no file is theirs;
        "share" holds out a share of the training utterances; "official"
        trains on all of them and selects on the test set.
    valid_speakers : list
        Speakers to hold out: what stands before the "_" of a file's name.
    valid_share : float
        Share of the training utterances to hold out, at least one.
    seed : int
        Chooses which utterances form the share.
    num_workers : int
        Processes that resample; by default, one a core.
    skip_prep : bool
        Whether to look at nothing but the existence of the manifests.

    Returns
    -------
    str
        The data root, to be put in for ``{data_root}``.

    Raises
    ------
    FileNotFoundError
        If a folder is missing, or a manifest under ``skip_prep``.
    ValueError
        If an option is out of range, a split is empty, or files are faulty:
        all of them are named then, and nothing is written.

    Example
    -------
    >>> data_root = prepare_voicebank(  # doctest: +SKIP
    ...     "voicebank", "save", "train.json", "valid.json", "test.json"
    ... )
    >>> train_data = DynamicItemDataset.from_json(  # doctest: +SKIP
    ...     "train.json", replacements={"data_root": data_root}
    ... )
    """
    _check_options(validation, valid_share)
    if isinstance(valid_speakers, str):
        valid_speakers = [valid_speakers]
    data_folder, save_folder = Path(data_folder), Path(save_folder)
    wav_folder = save_folder / f"wav_{sample_rate / 1000:g}k"
    manifests = [Path(path) for path in (train_json, valid_json, test_json)]
    absent = [str(path) for path in manifests if not path.is_file()]
    record = _read_record(save_folder)
    last_root = str(wav_folder if record.get("resampled") else data_folder)
    if skip_prep and absent:
        raise FileNotFoundError(
            "skip_prep=True needs the manifests of an earlier run, but there "
            f"is no {', '.join(absent)}: run once with skip_prep=False."
        )
    if skip_prep:
        return last_root

    folders = _find_folders(data_folder, sample_rate)
    options = {
        "data_folder": str(data_folder),
        "manifests": [str(path) for path in manifests],
        "sample_rate": sample_rate,
        "validation": validation,
        "valid_speakers": list(valid_speakers),
        "valid_share": valid_share,
        "seed": seed,
        "corpus": _fingerprint(folders),
    }
    if not absent and _is_unchanged(record, options, wav_folder):
        logger.info("Skipping preparation, it was completed in a former run.")
        return last_root

    corpus = _check_corpus(data_folder, folders)
    splits = _split(corpus, validation, valid_speakers, valid_share, seed)
    # From here on files change, and the old record must not vouch for them.
    (save_folder / "prepare_options.json").unlink(missing_ok=True)
    root, used_folders = data_folder, []
    rates = {pair.rate for split in splits.values() for pair in split.values()}
    if rates != {sample_rate}:
        splits = _resample_splits(splits, wav_folder, sample_rate, num_workers)
        root = wav_folder
        used_folders = [wav_folder / folder.name for folder in folders]
    for path, (name, split) in zip(manifests, splits.items()):
        _write_manifest(path, name, split, root)
    options["resampled"] = _fingerprint(used_folders)
    _write_json(save_folder / "prepare_options.json", options)
    return str(root)


def _check_options(validation, valid_share):
    """Raises for an option out of range, warns of a doubtful one."""
    if validation not in VALIDATIONS:
        raise ValueError(
            f"validation must be one of {', '.join(VALIDATIONS)}; "
            f"found {validation!r}."
        )
    if not 0 < valid_share < 1:
        raise ValueError(
            f"valid_share must lie between 0 and 1; found {valid_share!r}."
        )
    if validation == "official":
        logger.warning(
            "validation='official' validates on the test set: the best "
            "checkpoint is chosen on the very files that it is then scored "
            "on. Such scores are optimistic, for comparison with the "
            "published figures only."
        )


def _find_folders(data_folder, sample_rate):
    """Returns [clean train, noisy train, clean test, noisy test]."""
    suffixes = ("_16k", "") if sample_rate == 16000 else ("", "_16k")
    found, missing = [], []
    for stem in FOLDERS.values():
        for name in (f"clean_{stem}", f"noisy_{stem}"):
            paths = [data_folder / (name + suffix) for suffix in suffixes]
            paths = [path for path in paths if path.is_dir()]
            found += paths[:1]
            missing += [] if paths else [name]
    if missing:
        raise FileNotFoundError(
            f"{data_folder} has no folder {', '.join(missing)}; needed are "
            "clean_trainset_28spk_wav, noisy_trainset_28spk_wav, "
            "clean_testset_wav and noisy_testset_wav, each with or without "
            "'_16k' at the end: set data_folder to the folder above them."
        )
    return found


def _list_audio(folder):
    """Returns the directory entries of a folder's audio files.

    Names that start with a dot are no speech: macOS puts such files into
    archives, and unfinished files carry such names here.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [
            entry
            for entry in entries
            if entry.name.lower().endswith((".wav", ".flac"))
            and not entry.name.startswith(".")
        ]


def _fingerprint(folders):
    """Returns {folder name: [files, bytes, newest modification time]}."""
    prints = {}
    for folder in folders:
        stats = [entry.stat() for entry in _list_audio(folder)]
        size = sum(stat.st_size for stat in stats)
        newest = max((stat.st_mtime_ns for stat in stats), default=0)
        prints[folder.name] = [len(stats), size, newest]
    return prints


def _read_record(save_folder):
    """Returns what the last run recorded; nothing if that is unreadable."""
    try:
        record = json.loads((save_folder / "prepare_options.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_unchanged(record, options, wav_folder):
    """Whether options, corpus and resampled files are those of the record."""
    resampled = record.get("resampled", {})
    found = _fingerprint([wav_folder / name for name in resampled])
    return {**options, "resampled": found} == record


def _check_corpus(data_folder, folders):
    """Returns {set: {id: Pair}}, or raises one error that names all faults."""
    corpus, faults = {}, []
    for name, halves in zip(FOLDERS, (folders[:2], folders[2:])):
        clean, noisy = (_read_headers(folder, faults) for folder in halves)
        if not clean and not noisy:
            faults.append(f"{halves[0]}: no .wav or .flac file")
        for key in sorted(clean.keys() ^ noisy.keys()):
            faults.append(f"{halves[key in clean] / key}: missing")
        corpus[name] = {}
        for key in sorted(clean.keys() & noisy.keys()):
            (clean_path, header), (noisy_path, other) = clean[key], noisy[key]
            if header is None or other is None:
                continue
            shape = header.frames, header.sample_rate
            if shape != (other.frames, other.sample_rate):
                faults.append(
                    f"{noisy_path}: {other.frames} samples at "
                    f"{other.sample_rate} Hz, but its clean half has "
                    f"{header.frames} at {header.sample_rate} Hz"
                )
            corpus[name][key] = Pair(clean_path, noisy_path, *shape)
    if faults:
        more = len(faults) - MAX_LISTED
        raise ValueError(
            f"{data_folder} has {len(faults)} faults. Each file needs another "
            "half of the same name, rate and length, both mono and readable: "
            "mend these pairs or remove both halves. Nothing was written.\n"
            + "\n".join(faults[:MAX_LISTED])
            + (f"\n... and {more} more" if more > 0 else "")
        )
    return corpus


def _read_headers(folder, faults):
    """Returns {stem: (path, header or None)} and adds what is wrong."""
    paths = sorted(Path(entry.path) for entry in _list_audio(folder))
    results = _map_threads(_read_header, paths, f"Checking {folder.name}")
    headers = {}
    for path, (header, fault) in zip(paths, results):
        if path.stem in headers:
            fault = f"same name as {headers[path.stem][0].name}"
        if fault:
            faults.append(f"{path}: {fault}")
        headers[path.stem] = path, header
    return headers


def _read_header(path):
    """Returns (header, None), or (None, what is wrong with the file)."""
    try:
        header = audio_io.info(path)
        if header.frames == 0:
            return None, "empty (0 samples)"
        if header.channels != 1:
            return None, f"not mono ({header.channels} channels)"
        missing = _count_missing_bytes(path)
        if missing:
            return None, f"unreadable (truncated by {missing} bytes)"
        if header.format == "FLAC":
            # Its header cannot tell whether the end is there.
            audio_io.load(path, frame_offset=header.frames - 1, num_frames=1)
    except (RuntimeError, OSError) as error:
        reason = getattr(error.__cause__, "error_string", error)
        return None, f"unreadable ({reason})"
    return header, None


def _count_missing_bytes(path):
    """Returns how many bytes of its samples a WAV file lacks.

    libsndfile takes a truncated WAV file for a shorter one without a word.
    """
    with open(path, "rb") as file:
        is_riff = file.read(12).startswith(b"RIFF")
        while is_riff and len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                end = file.tell() + length
                # Who writes into a pipe puts a huge length: unknown.
                is_known = length < 0x7FFF0000
                return max(0, end - os.path.getsize(path)) * is_known
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0


def _map_threads(function, items, desc):
    """Maps in threads, in order; shows a bar if it takes over a second."""
    with ThreadPoolExecutor() as pool:
        results = pool.map(function, items)
        return list(tqdm(results, desc, len(items), delay=1))


def _split(corpus, validation, valid_speakers, valid_share, seed):
    """Returns {"train", "valid", "test": {id: Pair}}, none of them empty."""
    train, valid = corpus["train"], {}
    if validation == "speakers":
        keys = [key for key in train if _get_speaker(key) in valid_speakers]
        valid = {key: train[key] for key in keys}
        if not valid:
            logger.warning(
                "No training file's name starts with one of the speakers %s; "
                "taking a share instead.",
                ", ".join(valid_speakers),
            )
    if validation != "official" and not valid:
        # Ranked by hash, which no version of Python or numpy changes.
        ranked = sorted(
            train,
            key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest(),
        )
        count = max(1, round(valid_share * len(ranked)))
        valid = {key: train[key] for key in sorted(ranked[:count])}
        logger.info(
            "Held out for validation: %d of %d training utterances, drawn "
            "with seed %s.",
            count,
            len(ranked),
            seed,
        )
    rest = {key: pair for key, pair in train.items() if key not in valid}
    if not rest:
        raise ValueError(
            f"Training needs an utterance, but all {len(valid)} are held out "
            "for validation: change valid_speakers or lower valid_share."
        )
    return {
        "train": rest,
        "valid": valid or corpus["test"],
        "test": corpus["test"],
    }


def _get_speaker(key):
    """Returns what stands before the "_" of an id; None without a "_"."""
    return key.split("_")[0] if "_" in key else None


def _resample_splits(splits, wav_folder, sample_rate, num_workers):
    """Makes the files that are not there yet and returns the new splits."""
    jobs, new_splits = {}, {}
    for name, split in splits.items():
        new_splits[name] = {}
        for key, pair in split.items():
            # torchaudio rounds the length up.
            frames = -(-pair.frames * sample_rate // pair.rate)
            targets = []
            for source in (pair.clean, pair.noisy):
                target = wav_folder / source.parent.name / f"{key}.wav"
                jobs[target] = (source, target, frames, sample_rate)
                targets.append(target)
            new_splits[name][key] = Pair(*targets, frames, sample_rate)
    done = _map_threads(_is_resampled, list(jobs.values()), "Looking for files")
    todo = [job for job, is_done in zip(jobs.values(), done) if not is_done]
    logger.info(
        "Resampling to %d Hz with %s: %d files, %d more are done already.",
        sample_rate,
        RESAMPLER,
        len(todo),
        sum(done),
    )
    if todo:
        _run_jobs(todo, num_workers)
    return new_splits


def _is_resampled(job):
    """Whether the target is there, whole, and made from this very source.

    A resampled file carries the time of its source, so that one made from
    another copy of the corpus does not count. FAT rounds to 2 seconds.
    """
    source, target, frames, sample_rate = job
    if not target.is_file():
        return False
    header, fault = _read_header(target)
    return (
        fault is None
        and (header.frames, header.sample_rate) == (frames, sample_rate)
        and abs(target.stat().st_mtime - source.stat().st_mtime) <= 2
    )


def _run_jobs(jobs, num_workers):
    """Resamples files in parallel processes."""
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise ImportError(
            "Resampling needs joblib, which is missing: "
            'pip install "speechbrain-semamba[train]"'
        ) from error
    for folder in {target.parent for _, target, _, _ in jobs}:
        folder.mkdir(parents=True, exist_ok=True)
    parallel = Parallel(
        n_jobs=-1 if num_workers is None else max(1, num_workers),
        backend="loky",
        return_as="generator_unordered",
    )
    results = parallel(delayed(_resample_file)(*job) for job in jobs)
    num_clipped = sum(tqdm(results, "Resampling", len(jobs)))
    if num_clipped:
        logger.warning("Clipped at full scale: %d files.", num_clipped)


def _resample_file(source, target, frames, sample_rate):
    """Resamples one file and returns whether samples had to be clipped."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    unfinished = target.with_name(f".{target.stem}.{os.getpid()}.wav")
    try:
        wav, rate = audio_io.load(source, dtype=torch.float32)
        wav = resample(wav, rate, sample_rate, **RESAMPLER)
        subtype, is_clipped = "FLOAT", False
        if audio_io.info(source).subtype not in ("FLOAT", "DOUBLE"):
            wav = (wav * 2**15).round()
            limited = wav.clamp(-(2**15), 2**15 - 1)
            subtype, is_clipped = "PCM_16", not torch.equal(wav, limited)
            wav = limited.to(torch.int16)
        audio_io.save(unfinished, wav, sample_rate, subtype=subtype)
        stat = source.stat()
        os.utime(unfinished, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
        torch.set_num_threads(num_threads)
    return is_clipped


def _write_manifest(path, name, split, root):
    """Writes one manifest and logs its pairs, hours and speakers."""
    entries = {}
    for key, pair in sorted(split.items()):
        noisy, clean = (
            "{data_root}/" + path.relative_to(root).as_posix()
            for path in (pair.noisy, pair.clean)
        )
        length = pair.frames / pair.rate
        entries[key] = {
            "noisy_wav": noisy,
            "clean_wav": clean,
            "length": length,
        }
    _write_json(path, entries)
    hours = sum(entry["length"] for entry in entries.values()) / 3600
    # Names other than VoiceBank's may carry no speakers.
    speakers = {_get_speaker(key) for key in entries} - {None}
    told = f", {len(speakers)} speakers" if speakers else ""
    logger.info("%s: %d pairs, %.2f hours%s", name, len(entries), hours, told)


def _write_json(path, content):
    """Writes JSON such that the path never holds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
