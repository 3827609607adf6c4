import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from seq2attn.data.cache import build_once, cache_folder
from seq2attn.errors import DataError

BUILDER = """
import sys, time
from pathlib import Path
from seq2attn.data.cache import build_once

def write(aside):
    (aside / "part").write_text("begun")
    print("begun", flush=True)
    time.sleep(60)

build_once(Path(sys.argv[1]), write)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    built: list[Path] = []

    def write(aside: Path) -> None:
        built.append(aside)
        (aside / "content").write_text("whole", encoding="utf-8")

    for _ in range(2):
        assert build_once(tmp_path / "cache" / "key", write) == tmp_path / "cache" / "key"
    assert len(built) == 1
    assert names(tmp_path / "cache") == ["key"]


def test_builders_at_once_end_with_one_whole_folder(tmp_path: Path) -> None:
    together = threading.Barrier(2)

    def write(aside: Path) -> None:
        together.wait(timeout=10)  # both have begun: neither finds the other's folder
        (aside / "content").write_text("whole", encoding="utf-8")

    folder = tmp_path / "built"
    threads = [threading.Thread(target=build_once, args=(folder, write)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert names(tmp_path) == ["built"]
    assert (folder / "content").read_text(encoding="utf-8") == "whole"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def write(aside: Path) -> None:
        (aside / "part").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"cannot write to the cache folder .*: No space left on device"):
        build_once(tmp_path / "key", write)
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_the_next_build_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILDER, str(tmp_path / "key")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as builder:
        try:
            assert builder.stdout is not None
            assert builder.stdout.readline() == "begun\n"
            build_once(tmp_path / "while it lives", lambda aside: None)
            left = [path for path in tmp_path.iterdir() if path.is_dir() and path.name.startswith("key.")]
            assert [names(path) for path in left] == [["part"]]
        finally:
            builder.kill()
            builder.wait(timeout=30)
    build_once(tmp_path / "after", lambda aside: None)
    assert names(tmp_path) == ["after", "while it lives"]


def test_folders_without_a_lock_go_after_a_day(tmp_path: Path) -> None:
    for name, hours in (("old", 25), ("new", 23)):
        (tmp_path / f"key.{name}").mkdir()
        os.utime(tmp_path / f"key.{name}", (0, time.time() - 3600 * hours))
    build_once(tmp_path / "other", lambda aside: None)
    assert names(tmp_path) == ["key.new", "other"]


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("SEQ2ATTN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "seq2attn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "seq2attn"
