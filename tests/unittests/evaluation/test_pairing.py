"""Which files belong together."""

import pytest

from speechbrain_semamba.evaluation.pairing import pair_files


def make_folders(root, **names):
    for folder, files in names.items():
        for name in files.split():
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return {folder: root / folder for folder in names}


def test_names_pair_whatever_their_ending(tmp_path):
    folders = make_folders(
        tmp_path,
        clean="p1/a.wav p1/b.c.wav p2/a.WAV",
        enhanced="p2/a.flac p1/a.wav p1/b.c.flac notes.txt",
    )
    files, missing = pair_files(folders)
    assert list(files) == ["p1/a", "p1/b.c", "p2/a"]
    assert files["p2/a"] == {
        "clean": tmp_path / "clean/p2/a.WAV",
        "enhanced": tmp_path / "enhanced/p2/a.flac",
    }
    assert missing == {"clean": [], "enhanced": []}


def test_what_is_missing_is_named_on_every_side(tmp_path):
    folders = make_folders(
        tmp_path, clean="a.wav b.wav c.wav", enhanced="a.wav b.wav d.wav",
        noisy="b.wav c.wav d.wav",
    )  # fmt: skip
    files, missing = pair_files(folders)
    assert list(files) == ["b"]
    assert missing == {
        "clean": ["d"],
        "enhanced": ["c"],
        "noisy": ["a"],
    }


@pytest.mark.parametrize(
    "clean, enhanced, message",
    [
        ("a.wav", "a.wav a.flac", "a name is one file's"),
        ("a.wav", "a_enh.wav", r"'a' \(clean\), 'a_enh' \(enhanced\); rename"),
        ("a.wav", "a.txt", "the folder of enhanced files, .*, holds no .wav"),
    ],
)
def test_nothing_to_pair(clean, enhanced, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        pair_files(make_folders(tmp_path, clean=clean, enhanced=enhanced))
