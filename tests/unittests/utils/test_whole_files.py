"""Files and folders that are whole, or as they were."""

import threading

import pytest
from forks import end_of, fork, kill_me
from odd_names import ODD_NAMES

from speechbrain_semamba.utils import whole_files
from speechbrain_semamba.utils.whole_files import (
    remove_leftovers,
    whole_file,
    whole_folder,
    write_text,
)


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_error_leaves_what_was_there(whole, tmp_path):
    path = tmp_path / "a.txt"
    if whole is whole_folder:
        path.mkdir()
        (path / "old").touch()
    else:
        path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        with whole(path) as partial:
            file = partial / "new" if partial.is_dir() else partial
            file.write_text("half")
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [path]
    if whole is whole_folder:
        assert [file.name for file in path.iterdir()] == ["old"]
    else:
        assert path.read_text() == "old"


def test_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "model"
    for name in ("first", "second"):
        with whole_folder(path) as partial:
            (partial / name).touch()
    assert [file.name for file in path.iterdir()] == ["second"]
    assert list(path.parent.iterdir()) == [path]


def test_partial_file_keeps_the_ending_and_is_hidden(tmp_path):
    with whole_file(tmp_path / "a.flac") as partial:
        partial.touch()
        assert partial.suffix == ".flac" and partial.name[0] == "."


def test_longest_name_that_the_system_takes(tmp_path):
    path = tmp_path / ("a" * 251 + ".txt")
    write_text(path, "whole")
    assert path.read_text() == "whole"


def test_threads_that_write_one_name(tmp_path):
    """None fails, and the file is what one of them wrote."""
    path, texts, errors = tmp_path / "a.txt", [c * 9999 for c in "abcd"], []
    start = threading.Barrier(len(texts))

    def write(text):
        start.wait()
        try:
            for _ in range(50):
                write_text(path, text)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[x]) for x in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_that_the_file_system_takes(name, tmp_path):
    """Also one of the greatest length, to which nothing can be added."""
    write_text(tmp_path / f"{name}.txt", "whole")
    for _ in range(2):
        with whole_folder(tmp_path / name) as partial:
            (partial / "a.txt").touch()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{name}.txt", name}


def test_name_of_a_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        write_text(tmp_path, "a file")
    assert not list(tmp_path.iterdir())


def test_leftovers_of_the_dead_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"

    def die_amid(machine):
        monkeypatch.setattr(whole_files.socket, "gethostname", lambda: machine)
        with whole_file(path) as partial:
            partial.touch()
            kill_me()

    for machine in ("here", "elsewhere"):
        assert end_of(fork(die_amid, machine)) == -9
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(whole_files.socket, "gethostname", lambda: "here")
    (tmp_path / ".partial-notes.txt").touch()
    with whole_file(path) as partial:
        partial.touch()
        remove_leftovers(tmp_path)
        # its own, the other machine's, and what only looks like it
        assert len(list(tmp_path.iterdir())) == 3
    assert path.exists()
