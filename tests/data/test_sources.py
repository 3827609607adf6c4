import bz2
import gzip
import io
import json
import lzma
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from seq2attn.data.sources import JsonLines, Pair, Source, TextFiles, Tsv, TwoFiles
from seq2attn.data.stream import read_windows
from seq2attn.errors import DataError


def text_files(folder: Path, english: bytes | str, german: bytes | str) -> TextFiles:
    for language, content in (("en", english), ("de", german)):
        data = content.encode() if isinstance(content, str) else content
        (folder / f"train.{language}").write_bytes(data)
    return TextFiles(str(folder / "train"), "en", "de")


def compress_zstd(content: bytes) -> bytes:
    return pyarrow.compress(content, codec="zstd", asbytes=True)


def failure(source: Source) -> DataError:
    with pytest.raises(DataError) as caught:
        list(source.pairs())
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


class TestTextFiles:
    def test_lines_of_the_same_number_pair(self, tmp_path: Path) -> None:
        source = text_files(tmp_path, "a\nb\n", "x\ny\n")
        assert list(source.pairs()) == [Pair("a", "x", 1), Pair("b", "y", 2)]
        assert source.locate(2) == f"{tmp_path / 'train.en'}:2"

    def test_only_a_line_feed_ends_a_line(self, tmp_path: Path) -> None:
        strange = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh"
        source = text_files(tmp_path, f"{strange}\r\nb\r\r\n", "x\ny")
        assert list(source.pairs()) == [Pair(strange, "x", 1), Pair("b\r", "y", 2)]

    def test_a_byte_order_mark_is_dropped_at_the_start_only(self, tmp_path: Path) -> None:
        source = text_files(tmp_path, "\ufeffa\n\ufeffb\n", "x\ny\n")
        assert [pair.source for pair in source.pairs()] == ["a", "\ufeffb"]

    def test_empty_lines_keep_their_place(self, tmp_path: Path) -> None:
        source = text_files(tmp_path, "a\n\nc\n", "x\ny\n\n")
        assert list(source.pairs()) == [Pair("a", "x", 1), Pair("", "y", 2), Pair("c", "", 3)]

    def test_gzipped_files_read_alike_and_have_the_same_fingerprint(self, tmp_path: Path) -> None:
        source = text_files(tmp_path, "a\nb\n", "x\ny\n")
        pairs, fingerprint = list(source.pairs()), source.fingerprint()
        for language in ("en", "de"):
            plain = tmp_path / f"train.{language}"
            (tmp_path / f"train.{language}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        assert list(source.pairs()) == pairs
        assert source.fingerprint() == fingerprint

    def test_a_changed_file_has_another_fingerprint(self, tmp_path: Path) -> None:
        before = text_files(tmp_path, "a\n", "x\n").fingerprint()
        assert text_files(tmp_path, "b\n", "x\n").fingerprint() != before

    def test_text_that_changes_sides_changes_the_fingerprint(self, tmp_path: Path) -> None:
        before = text_files(tmp_path, "a\nb\n", "c\n").fingerprint()
        assert text_files(tmp_path, "a\n", "b\nc\n").fingerprint() != before

    def test_misaligned_files_name_counts_and_line(self, tmp_path: Path) -> None:
        lengths = [3, 40, 12, 90, 5, 33, 70, 8, 21, 55] * 5
        english = ["e" * length for length in lengths]
        german = ["d" * (length + 1) for length in lengths]
        del german[23]
        error = failure(text_files(tmp_path, "\n".join(english) + "\n", "\n".join(german) + "\n"))
        assert error.message == f"{tmp_path / 'train.en'} has 50 lines but {tmp_path / 'train.de'} has 49"
        assert error.hint.endswith("near line 24")

    def test_invalid_utf8_names_file_line_and_byte(self, tmp_path: Path) -> None:
        error = failure(text_files(tmp_path, "a\nb\n", b"x\nsch\xf6n\n"))
        assert error.message == f"{tmp_path / 'train.de'}:2: not valid UTF-8 (byte 0xf6 at byte 4 of the line)"

    def test_a_missing_file_names_the_nearest_prefix(self, tmp_path: Path) -> None:
        text_files(tmp_path, "a\n", "x\n")
        for mistake in ("trian", "train.en"):
            error = failure(TextFiles(str(tmp_path / mistake), "en", "de"))
            assert error.message == f"no file {tmp_path / mistake}.en (nor {mistake}.en.gz)"
            assert f"did you mean the prefix {tmp_path / 'train'}?" in error.hint

    def test_a_missing_language_names_the_files_beside_it(self, tmp_path: Path) -> None:
        text_files(tmp_path, "a\n", "x\n")
        error = failure(TextFiles(str(tmp_path / "train"), "en", "fr"))
        assert error.message == f"no file {tmp_path / 'train'}.fr (nor train.fr.gz)"
        assert error.hint.endswith(f"; here are {tmp_path}/train.de, {tmp_path}/train.en")

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        error = failure(TextFiles(str(tmp_path / "nowhere" / "train"), "en", "de"))
        assert error.hint == f"check the path: there is no folder {tmp_path / 'nowhere'}"

    def test_a_relative_path_is_told_from_where_it_is_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for source in (TextFiles("no/train", "en", "de"), Tsv("no/train.tsv", 0, 1)):
            assert failure(source).hint == f"check the path, taken from {tmp_path}: there is no folder no"

    def test_what_is_not_like_it_is_not_suggested(self, tmp_path: Path) -> None:
        text_files(tmp_path, "a\n", "x\n")
        ends = "a prefix is the path without .en and .de"
        for prefix in (tmp_path, tmp_path / "nosuch"):
            assert failure(TextFiles(str(prefix), "en", "de")).hint == f"{ends}; here are {tmp_path}/train"
        (tmp_path / "empty").mkdir()
        hint = failure(TextFiles(str(tmp_path / "empty"), "en", "de")).hint
        assert hint == f"{ends}, but no two files in {tmp_path}/empty have these ends"
        hint = failure(Tsv(str(tmp_path / "x.tsv"), 0, 1)).hint
        assert hint == f"check the path: in {tmp_path} there are train.de, train.en"

    def test_empty_files_are_refused(self, tmp_path: Path) -> None:
        assert "are empty" in failure(text_files(tmp_path, "", "")).message

    def test_a_damaged_gzip_file_is_named(self, tmp_path: Path) -> None:
        for language in ("en", "de"):
            data = gzip.compress(b"a line of text\n" * 1000)
            (tmp_path / f"train.{language}.gz").write_bytes(data[: len(data) // 2])
        error = failure(TextFiles(str(tmp_path / "train"), "en", "de"))
        assert re.search(r"train\.en\.gz:\d+: cannot be read", error.message)


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (gzip.compress, "gzip -dc <"),
        (lzma.compress, "xz -dc <"),
        (bz2.compress, "bzip2 -dc <"),
        (lambda data: b"\x28\xb5\x2f\xfd" + data, "zstd -dc <"),
        (lambda data: b"PK\x03\x04" + data, "unzip -p"),
    ],
)
def test_packed_text_on_standard_input_is_refused(pack: Callable[[bytes], bytes], unpack: str) -> None:
    stream = io.BytesIO(pack(b"ka mi\twa wi\n" * 9))
    with pytest.raises(DataError, match="packed with") as caught:
        list(read_windows(stream, "standard input", "replace"))  # type: ignore[arg-type]  # even so
    assert unpack in caught.value.hint


def test_an_archive_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "pairs").write_bytes(b"PK\x03\x04ka mi\twa wi\n")
    error = failure(Tsv(str(tmp_path / "pairs"), 0, 1))
    assert error.message == f"{tmp_path}/pairs: packed with zip"
    assert error.hint.startswith("unpack it first: unzip -p")


class TestTwoFiles:
    def test_files_of_any_names_pair_line_by_line(self, tmp_path: Path) -> None:
        one, two = tmp_path / "en.train", tmp_path / "de" / "train.txt.gz"
        two.parent.mkdir()
        one.write_text("a\nb\n", encoding="utf-8")
        two.write_bytes(gzip.compress(b"x\ny\n"))
        source = TwoFiles(str(one), str(two), "en", "de")
        assert list(source.pairs()) == [Pair("a", "x", 1), Pair("b", "y", 2)]
        assert source.locate(2) == f"{one}:2"
        assert source.fingerprint() != TwoFiles(str(two), str(one), "en", "de").fingerprint()

    def test_the_same_text_has_the_fingerprint_that_it_has_under_a_prefix(self, tmp_path: Path) -> None:
        prefix = text_files(tmp_path, "a\nb\n", "x\ny\n")
        files = TwoFiles(str(tmp_path / "train.en"), str(tmp_path / "train.de"), "en", "de")
        assert files.fingerprint() == prefix.fingerprint()

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "en.train").write_text("a\n", encoding="utf-8")
        error = failure(TwoFiles(str(tmp_path / "en.train"), str(tmp_path / "de.train"), "en", "de"))
        assert error.message == f"no file {tmp_path / 'de.train'}"


class TestTsv:
    def test_columns_go_by_index_or_by_header(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text('id\tde\ten\n7\t"x\ta \u2028b\n8\t\tb\n', encoding="utf-8")
        named = [Pair("a \u2028b", '"x', 2), Pair("b", "", 3)]
        assert list(Tsv(str(path), "en", "de").pairs()) == named
        assert list(Tsv(str(path), 2, "de").pairs()) == named
        assert list(Tsv(str(path), 2, 1).pairs()) == [Pair("en", "de", 1), *named]
        assert Tsv(str(path), 2, 1).fingerprint() != Tsv(str(path), 1, 2).fingerprint()

    def test_a_missing_column_names_those_that_exist(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text("en\tde\na\tx\n", encoding="utf-8")
        error = failure(Tsv(str(path), "en", "fr"))
        assert error.message == f"{path}:1: no column 'fr'"
        assert error.hint == "the columns are 'en', 'de'"

    @pytest.mark.parametrize(
        ("line", "columns"), [("a", "column 0 alone"), ("a\tb", "columns 0 and 1"), ("a\tb\tc", "columns 0 to 2")]
    )
    def test_the_columns_that_exist_are_told(self, tmp_path: Path, line: str, columns: str) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text(f"{line}\n", encoding="utf-8")
        assert failure(Tsv(str(path), 0, 3)).message == f"{path}:1: no column 3: the line has {columns}"

    def test_spaces_around_a_name_in_the_header_do_not_matter(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text("ENGLISH \tGERMAN\na\tx\n", encoding="utf-8")
        for name in ("ENGLISH", "ENGLISH "):
            assert list(Tsv(str(path), name, "GERMAN").pairs()) == [Pair("a", "x", 2)]

    def test_a_line_with_too_few_columns_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text("a\tx\nb y\n", encoding="utf-8")
        assert failure(Tsv(str(path), 0, 1)).message.startswith(f"{path}:2: no column 1: the line has column 0 alone")

    @pytest.mark.parametrize("end", ["", "\n", " \n\n"])
    def test_blank_lines_at_the_end_are_no_pairs(self, tmp_path: Path, end: str) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text("a\tx\n" + end, encoding="utf-8")
        assert list(Tsv(str(path), 0, 1).pairs()) == [Pair("a", "x", 1)]

    def test_a_blank_line_between_pairs_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text("a\tx\n\n\nb\ty\n", encoding="utf-8")
        assert failure(Tsv(str(path), 0, 1)).message.startswith(f"{path}:2: no column 1: the line has column 0 alone")

    @pytest.mark.parametrize("content", ["", "en\tde\n"])
    def test_a_file_without_pairs_is_refused(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text(content, encoding="utf-8")
        assert failure(Tsv(str(path), "en" if content else 0, 1)).message == f"{path} holds no pairs"

    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, compress_zstd])
    def test_packed_files_are_read_whatever_they_are_called(
        self, tmp_path: Path, pack: Callable[[bytes], bytes]
    ) -> None:
        content = "".join(f"a {number}\t\u2028x\n" for number in range(1000)).encode()
        path = tmp_path / "corpus.tsv"
        path.write_bytes(content)
        plain = Tsv(str(path), 0, 1)
        pairs, fingerprint = list(plain.pairs()), plain.fingerprint()
        path.write_bytes(pack(content))
        assert list(plain.pairs()) == pairs
        assert plain.fingerprint() == fingerprint
        path.write_bytes(pack(content)[:-30])
        assert re.match(rf"{path}:\d+: cannot be read: ", failure(plain).message)

    def test_a_missing_file_names_the_nearest_one(self, tmp_path: Path) -> None:
        (tmp_path / "corpus.tsv").touch()
        assert failure(Tsv(str(tmp_path / "corpos.tsv"), 0, 1)).hint == f"did you mean {tmp_path / 'corpus.tsv'}?"


class TestJsonLines:
    def write(self, folder: Path, content: str) -> Path:
        path = folder / "corpus.jsonl"
        path.write_text(content, encoding="utf-8")
        return path

    def test_fields_may_be_nested_and_null_is_empty(self, tmp_path: Path) -> None:
        rows = [{"translation": {"en": "a", "de": "x\nz"}}, {"translation": {"en": "b\u2028c", "de": None}}]
        path = self.write(tmp_path, f"{json.dumps(rows[0])}\n\n{json.dumps(rows[1])}\n")
        source = JsonLines(str(path), "translation.en", "translation.de")
        assert list(source.pairs()) == [Pair("a", "x z", 1), Pair("b\u2028c", "", 3)]

    @pytest.mark.parametrize(
        ("line", "message", "hint"),
        [
            ('{"en": "a", "de": ', "not valid JSON", "one whole JSON object"),
            ("[", "not valid JSON", "huggingface"),
            ('[{"en": "a"}]', "not a JSON object but a list", "huggingface"),
            ('{"en": "a", "t": {"fr": "x"}}', "no field 'de'", "the fields are en, t.fr"),
            ('{"en": "a", "de": 7}', "field 'de' is of type int, not text", "within quotes"),
            ('{"en": "a", "de": {"x": "y"}}', "field 'de' is of type dict, not text", "the fields are en, de.x"),
            ('{"en": "a", "de": "x", "de": "y"}', "the key 'de' is there twice", "each key once"),
            ('{"en": "a", "de": "\\ud800"}', "half a surrogate pair", "escape"),
        ],
    )
    def test_a_wrong_line_is_named(self, tmp_path: Path, line: str, message: str, hint: str) -> None:
        path = self.write(tmp_path, f'{{"en": "a", "de": "x"}}\n{line}\n')
        error = failure(JsonLines(str(path), "en", "de"))
        assert error.message.startswith(f"{path}:2: ")
        assert message in error.message
        assert hint in error.hint

    def test_a_file_without_pairs_is_refused(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "\n")
        assert failure(JsonLines(str(path), "en", "de")).message == f"{path} holds no pairs"


def test_a_text_corpus_needs_neither_datasets_nor_torch(tmp_path: Path) -> None:
    source = text_files(tmp_path, "a\nb\n", "x\ny\n")
    script = (
        "import sys, seq2attn.data.sources_huggingface, seq2attn.data.sources_grammar\n"
        "from seq2attn.data.corpus import load_corpus\n"
        "from seq2attn.data.sources import TextFiles\n"
        f"source = {source!r}\n"
        "corpus = load_corpus(source, clean=True, fingerprint=source.fingerprint())\n"
        "assert list(corpus.target) == ['x', 'y']\n"
        "assert not {'datasets', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
