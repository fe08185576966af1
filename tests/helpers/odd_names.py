"""Names that a file system takes, and what desktops and notebooks leave."""

import shutil

#: Of files and folders, without an ending, which something on the way might
#: take for more than a name; the last are as long as a name with one can be
ODD_NAMES = [
    "{data_root}",
    "{",
    "{}",
    "}{0!r:>9}",
    "$data_folder",
    "*[a-z]?",
    "-rf --seed=2",
    "two\nlines",
    "a 'b' \"c\" \\",
    "~",
    "%s",
    "#hash: [1, 2]",
    "\u00e4\u4e2d\U0001f600",
    "x" * 251,
    "x." + "n" * 249,
]
#: What a desktop leaves in folders
LEFT = (".DS_Store", "Thumbs.db", "desktop.ini", "._x.wav", "._x.ckpt")


def litter(folder):
    """Leaves files and copies in a folder and in all folders in it.

    A notebook's server copies what it opens into ``.ipynb_checkpoints``.
    """
    inside = [path for path in folder.rglob("*") if path.is_dir()]
    for place in [folder, *inside]:
        files = [path for path in place.iterdir() if path.is_file()]
        copies = place / ".ipynb_checkpoints"
        copies.mkdir()
        for file in files[:1]:
            shutil.copy(file, copies / f"{file.stem}-checkpoint{file.suffix}")
        for name in LEFT:
            (place / name).write_bytes(b"\0\5\x16\7")
