import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seq2attn.data.cache import cache_folder
from seq2attn.data.sources import JsonLines, Pair, Source, TextFiles, Tsv
from seq2attn.errors import DataError


def text_files(folder: Path, english: bytes | str, german: bytes | str) -> TextFiles:
    for language, content in (("en", english), ("de", german)):
        data = content.encode() if isinstance(content, str) else content
        (folder / f"train.{language}").write_bytes(data)
    return TextFiles(str(folder / "train"), "en", "de")


def failure(source: Source) -> DataError:
    with pytest.raises(DataError) as caught:
        list(source.pairs())
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


class TestTextFiles:
    def test_line_n_of_one_file_pairs_with_line_n_of_the_other(self, tmp_path: Path) -> None:
        source = text_files(tmp_path, "a\nb\n", "x\ny\n")
        assert list(source.pairs()) == [Pair("a", "x", 1), Pair("b", "y", 2)]
        assert source.where(2) == f"{tmp_path / 'train.en'}:2"

    def test_only_a_line_feed_ends_a_line(self, tmp_path: Path) -> None:
        strange = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh"
        source = text_files(tmp_path, f"{strange}\r\nb\r\r\n", "x\ny")
        assert list(source.pairs()) == [Pair(strange, "x", 1), Pair("b\r", "y", 2)]

    def test_a_byte_order_mark_is_no_text_but_at_the_start_of_the_file_only(self, tmp_path: Path) -> None:
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

    def test_text_cannot_move_from_one_side_to_the_other_unnoticed(self, tmp_path: Path) -> None:
        before = text_files(tmp_path, "a\nb\n", "c\n").fingerprint()
        assert text_files(tmp_path, "a\n", "b\nc\n").fingerprint() != before

    def test_misaligned_files_name_both_counts_and_the_line_where_they_part(self, tmp_path: Path) -> None:
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

    def test_a_missing_language_names_the_nearest_file(self, tmp_path: Path) -> None:
        text_files(tmp_path, "a\n", "x\n")
        error = failure(TextFiles(str(tmp_path / "train"), "en", "fr"))
        assert error.message == f"no file {tmp_path / 'train'}.fr (nor train.fr.gz)"
        assert str(tmp_path / "train.") in error.hint

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        error = failure(TextFiles(str(tmp_path / "nowhere" / "train"), "en", "de"))
        assert error.hint == f"there is no folder {tmp_path / 'nowhere'}"

    def test_empty_files_are_refused(self, tmp_path: Path) -> None:
        assert "are empty" in failure(text_files(tmp_path, "", "")).message

    def test_a_damaged_gzip_file_is_named(self, tmp_path: Path) -> None:
        for language in ("en", "de"):
            data = gzip.compress(b"a line of text\n" * 1000)
            (tmp_path / f"train.{language}.gz").write_bytes(data[: len(data) // 2])
        error = failure(TextFiles(str(tmp_path / "train"), "en", "de"))
        assert re.search(r"train\.en\.gz:\d+: cannot be read", error.message)


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

    def test_a_line_with_too_few_columns_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text("a\tx\nb y\n", encoding="utf-8")
        assert failure(Tsv(str(path), 0, 1)).message.startswith(f"{path}:2: no column 1: the line has 1")

    @pytest.mark.parametrize("content", ["", "en\tde\n"])
    def test_a_file_without_pairs_is_refused(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "corpus.tsv"
        path.write_text(content, encoding="utf-8")
        assert failure(Tsv(str(path), "en" if content else 0, 1)).message == f"{path} holds no pairs"

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
            ('{"en": "a", "de": 7}', "field 'de' is of type int, not text", "the fields are en, de"),
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


def test_reading_text_imports_neither_datasets_nor_torch() -> None:
    modules = "seq2attn.data.sources, seq2attn.data.sources_huggingface, seq2attn.data.sources_grammar"
    script = f"import sys, {modules}; assert not {{'datasets', 'torch'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("SEQ2ATTN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "seq2attn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "seq2attn"
