import bz2
import csv
import gzip
import io
import json
import lzma
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pyarrow
import pyarrow.parquet
import pytest

from seq2attn.data.sources import Pair
from seq2attn.data.sources_huggingface import HuggingFace
from seq2attn.errors import DataError

ROWS = [{"en": "Hello", "de": "Hallo"}, {"en": "None", "de": "NA"}, {"en": "12 dogs", "de": "12 Hunde"}]
PAIRS = [Pair("Hello", "Hallo", 1), Pair("None", "NA", 2), Pair("12 dogs", "12 Hunde", 3)]


def failure(source: HuggingFace) -> DataError:
    with pytest.raises(DataError) as caught:
        list(source.pairs())
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


TEXT = [
    {"en": "null", "de": "None"},
    {"en": "NA", "de": "nan"},
    {"en": "00050", "de": "5.00"},
    {"en": "True", "de": "2020-01-01"},
    {"en": "", "de": " 1e5 "},
]
DIGITS = [{"en": "007", "de": "1"}, {"en": "08", "de": "2.50"}]
HALF = [{"en": f"code {number}", "de": "x"} for number in range(12_000)] + [TEXT[2]] * 8_000  # pandas reads 10,000 rows


def zipped(content: bytes, name: str = "train.csv") -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, content)
    return archive.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zip": zipped,
    ".zst": lambda content: pyarrow.compress(content, codec="zstd", asbytes=True),
}


def write_rows(path: Path, rows: list[dict[str, str]], separator: str = ",") -> Path:
    """CSV or TSV, packed as the name says."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PACK[path.suffix if path.suffix in PACK else ""](text.getvalue().encode()))
    return path


def read(path: Path, split: str = "train", source: str = "en", target: str = "de") -> list[dict[str, str]]:
    pairs = HuggingFace(str(path), None, split, None, source, target).pairs()
    return [{"en": pair.source, "de": pair.target} for pair in pairs]


class TestText:
    """Text stays text."""

    @pytest.mark.parametrize("packed", sorted(PACK))
    @pytest.mark.parametrize("rows", [TEXT, DIGITS, HALF], ids=["words", "digits", "half"])
    def test_csv_is_read_as_it_stands(self, tmp_path: Path, packed: str, rows: list[dict[str, str]]) -> None:
        path = write_rows(tmp_path / "corpus" / f"train.csv{packed}", rows)
        assert read(path) == rows
        assert read(path.parent) == rows

    @pytest.mark.parametrize("split", ["train", "validation", "test"])
    def test_every_split_is_read_as_it_stands(self, tmp_path: Path, split: str) -> None:
        for name in ("train", "validation", "test"):
            write_rows(tmp_path / "corpus" / f"{name}.csv.gz", TEXT)
        assert read(tmp_path / "corpus", f"{split}[1:3]") == TEXT[1:3]

    @pytest.mark.parametrize("packed", ["", ".gz"])
    def test_quotes_in_tsv_are_text(self, tmp_path: Path, packed: str) -> None:
        content = b'en\tde\n"\t5"\n"a"\tNA\n00050\tnull\n'
        path = tmp_path / f"train.tsv{packed}"
        path.write_bytes(PACK[packed](content))
        assert read(path) == [{"en": '"', "de": '5"'}, {"en": '"a"', "de": "NA"}, {"en": "00050", "de": "null"}]

    def test_the_settings_of_a_dataset_card_are_kept(self, tmp_path: Path) -> None:
        folder = write_rows(tmp_path / "corpus" / "pairs.csv", TEXT, ";").parent
        card = '---\nconfigs:\n- config_name: default\n  data_files: "pairs.csv"\n  sep: ";"\n---\n'
        (folder / "README.md").write_text(card)
        assert read(folder) == TEXT

    @pytest.mark.parametrize(
        ("name", "content", "rows"),
        [
            ("train.csv", "en,de\na\rb,c\nd,e\n", [("a b", "c"), ("d", "e")]),
            ("train.tsv", "en\tde\na\rb\tc\r\nd\te\n", [("a b", "c"), ("d", "e")]),
            ("train.csv", "en,de\ra,b\rc,d\r", [("a", "b"), ("c", "d")]),  # an old Mac's
            ("train.csv", "en, de\na, b\n\n  \nc,\n", [("a", " b"), ("c", "")]),
            ("train.csv", 'en,de\n"a\r\nb","c ""d"""\n"e" f,g " h', [("a b", 'c "d"'), ("e f", 'g " h')]),
            ("train.csv", f"en,de\n{'x' * 200_000},y\n", [("x" * 200_000, "y")]),
            ("train.jsonl", '\ufeff\n{"en": "2020-01-01", "de": "a"}\n\n', [("2020-01-01", "a")]),
            ("train.json", '[{"en": "2020-01-01", "de": "10:30"}]', [("2020-01-01", "10:30")]),
            ("train.json", ' \n[{"en": "a",\n"de": null}\n]\n', [("a", "")]),
            ("train.json", '{\n"en": "a", "de": "b"\n}\n{\n"en": "c", "de": "d"}', [("a", "b"), ("c", "d")]),
        ],
    )
    def test_untyped_files_are_read_to_the_letter(
        self, tmp_path: Path, name: str, content: str, rows: list[tuple[str, str]]
    ) -> None:
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        assert [(row["en"], row["de"]) for row in read(tmp_path / name)] == rows

    @pytest.mark.parametrize(
        ("name", "content", "message", "hint"),
        [
            ("train.csv", "en,de\nWell, a,b\n", ":2: 3 cells for 2 columns", "quote one that holds ,"),
            ("train.csv", "en,de\na,b\n\nc,d,\n", ":4: 3 cells for 2 columns", "for each column"),
            ("train.csv", 'en,de\n"a\nb",c\nd\n', ":4: 1 cell for 2 columns", "be it empty"),
            ("train.tsv", "en\tde\na\tb\t\n", ":2: 3 cells for 2 columns", "single tabs"),
            ("train.csv", 'en,de\na,b\nc,"d\ne,f\n', ":3: a quote is opened and never closed", "twice"),
            ("train.csv", "en;de\na;b\n", ":1: no column 'en'", "the columns are 'en;de'"),
            ("train.csv", "", ": no header", "names the columns"),
            ("train.csv", "en,de\n", " holds no rows", "split"),
            ("train.csv", b"en,de\na,\xe4\n", ":2: not valid UTF-8 (byte 0xe4 at byte 3", "convert"),
            ("train.csv", "en,de\na,b\n".encode("utf-16"), ":1: not valid UTF-8 (byte 0xff at byte 1", "convert"),
            ("train.csv.gz", gzip.compress(b"en,de\n" * 9, mtime=0)[:-9], ": cannot be read: ", "check the file"),
            ("train.jsonl", b'{"en": "a", "de": "\xe4"}\n', ":1: not valid UTF-8 (byte 0xe4 at byte 20", "convert"),
            ("train.jsonl", '{"en": "a", "de": "b"}\n{"en": ', ":2: not valid JSON", "one array"),
            ("train.jsonl", '{"en": "a", "de": "b", "de": "c"}\n', "the key 'de' is there twice", "each key once"),
            ("train.jsonl", '{"en": "a", "de": "\\ud800"}\n', ":1: field 'de' holds half a surrogate pair", "repair"),
            ("train.jsonl", '{"en": "a", "de": "b"}\n{"en": "a"}\n', ":2: no field 'de'", "the fields are en"),
            ("train.jsonl", '{"en": "a", "de": "b"}\nnull\n', ":2: not a JSON object but a NoneType", "en, de"),
            ("train.json", '[{"en": "a", "de": "b"},\n{"en": "c", "de": 5}]', ":1, row 2: field 'de' is of", "quotes"),
            ("train.json", '[{"en": "a", "de": "b"},\n\n{', ":3: not valid JSON: ", "one array"),
        ],
    )
    def test_what_cannot_be_read_is_named(
        self, tmp_path: Path, name: str, content: str | bytes, message: str, hint: str
    ) -> None:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        error = failure(HuggingFace(str(tmp_path / name), None, "train", None, "en", "de"))
        assert error.message.startswith(str(tmp_path / name))
        assert message in error.message
        assert hint in error.hint

    @pytest.mark.parametrize(
        ("card", "content", "rows"),
        [
            ("column_names: [en, de]", "a,b\n", [("a", "b")]),
            ("encoding: latin-1", b"en,de\n\xe4,b\n", [("ä", "b")]),
            ("field: data", '{"data": [{"en": "a", "de": "b"}]}', [("a", "b")]),
            ("comment: '#'", "en,de\na,b\n", None),
        ],
    )
    def test_the_settings_of_a_dataset_card_are_kept_or_refused(
        self, tmp_path: Path, card: str, content: str | bytes, rows: list[tuple[str, str]] | None
    ) -> None:
        folder = tmp_path / "corpus"
        folder.mkdir()
        name = "pairs.json" if "field" in card else "pairs.csv"
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        header = f"---\nconfigs:\n- config_name: default\n  data_files: {name}\n  {card}\n---\n"
        (folder / "README.md").write_text(header, encoding="utf-8")
        (folder / "other.parquet").touch()  # the card says which files there are
        if rows is None:
            error = failure(HuggingFace(str(folder), None, "train", None, "en", "de"))
            assert "sets comment in a way that is not supported" in error.message
        else:
            assert [(row["en"], row["de"]) for row in read(folder)] == rows

    @pytest.mark.parametrize("other", ["train-b.jsonl", "train-b.tsv", "train-b.parquet"])
    def test_files_of_several_formats_are_refused(self, tmp_path: Path, other: str) -> None:
        folder = tmp_path / "corpus"
        write_table(folder / "train-a.csv", [{"en": "a", "de": "b"}])
        write_table(folder / other, [{"en": "c", "de": "d"}])
        error = failure(HuggingFace(str(folder), None, "train", None, "en", "de"))
        assert "files of several formats: CSV (train-a.csv) and " in error.message
        assert f"({other})" in error.message

    def test_splits_of_several_formats_are_read_by_file(self, tmp_path: Path) -> None:
        folder = tmp_path / "corpus"
        write_table(folder / "train.csv", [{"en": "a", "de": "b"}])
        write_table(folder / "test.jsonl", [{"en": "c", "de": "d"}])
        error = failure(HuggingFace(str(folder), None, "train", None, "en", "de"))
        assert (error.hint, "several formats" in error.message) == ("name the file itself as the path", True)
        assert read(folder / "train.csv") == [{"en": "a", "de": "b"}]

    def test_only_the_split_asked_for_is_read(self, tmp_path: Path) -> None:
        folder = tmp_path / "corpus"
        write_table(folder / "train.jsonl", [{"en": "a", "de": "b"}])
        write_table(folder / "test.jsonl", [{"en": "no translation"}])
        assert read(folder, "train[:1]+train") == [{"en": "a", "de": "b"}] * 2
        assert "test.jsonl:1: no field 'de'" in failure(HuggingFace(str(folder), None, "all", None, "en", "de")).message

    def test_one_column_may_be_both_sides(self, tmp_path: Path) -> None:
        folder = tmp_path / "corpus"
        assert read(write_table(folder / "train.csv", [{"en": "a", "de": "b"}]), target="en") == [
            {"en": "a", "de": "a"}
        ]

    def test_later_parquet_files_may_have_other_columns(self, tmp_path: Path) -> None:
        folder = tmp_path / "corpus"
        write_table(folder / "train-0.parquet", [{"en": "a", "de": "b", "old": 1}])
        write_table(folder / "train-1.parquet", [{"new": 1, "en": "c", "de": "d"}])
        assert read(folder) == [{"en": "a", "de": "b"}, {"en": "c", "de": "d"}]
        write_table(folder / "train-2.parquet", [{"en": "c", "fr": "d"}])
        error = failure(HuggingFace(str(folder), None, "train", None, "en", "de"))
        assert error.message.endswith("no field 'de' in one of the files")
        assert error.hint == "the fields are en, fr"

    @pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
    def test_text_of_typed_formats_is_read_as_it_stands(self, tmp_path: Path, kind: str) -> None:
        assert read(write_table(tmp_path / f"train.{kind}", TEXT)) == TEXT

    def test_parquet_categories_are_text(self, tmp_path: Path) -> None:
        words = pyarrow.array(["00050", None, "null"]).dictionary_encode()
        path = tmp_path / "train.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"en": words, "de": words}), path)
        assert [row["en"] for row in read(path)] == ["00050", "", "null"]

    @pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
    @pytest.mark.parametrize("value", [50, 5.0, True], ids=str)
    @pytest.mark.parametrize("before", [[], TEXT], ids=["alone", "in a later file"])
    def test_numbers_are_refused(self, tmp_path: Path, kind: str, value: object, before: list[dict[str, str]]) -> None:
        if before:
            write_table(tmp_path / "corpus" / f"train-0.{kind}", before)
        folder = write_table(tmp_path / "corpus" / f"train-1.{kind}", [{"en": value, "de": "x"}]).parent
        error = failure(HuggingFace(str(folder), None, "train", None, "en", "de"))
        assert "field 'en' is of type" in error.message
        assert ("write the column as text" if kind == "parquet" else "within quotes") in error.hint

    def test_numbers_beside_text_in_json_are_refused(self, tmp_path: Path) -> None:
        path = write_table(tmp_path / "train.jsonl", [*TEXT, {"en": 5, "de": "x"}])
        assert "'en'" in failure(HuggingFace(str(path), None, "train", None, "en", "de")).message

    def test_a_missing_column_names_those_that_exist(self, tmp_path: Path) -> None:
        error = failure(HuggingFace(str(write_rows(tmp_path / "train.csv", TEXT)), None, "train", None, "en", "fr"))
        assert error.message.endswith("train.csv:1: no column 'fr'")
        assert error.hint == "the columns are 'en', 'de'"


class TestFingerprint:
    def of(self, path: Path, source: str = "en", target: str = "de") -> str:
        return HuggingFace(str(path), None, "train", None, source, target).fingerprint()

    def test_it_follows_the_text_alone(self, tmp_path: Path) -> None:
        same = {
            self.of(write_rows(tmp_path / "one" / "train.csv", TEXT)),
            self.of(write_rows(tmp_path / "two" / "train.csv.gz", [{"id": "1", **row} for row in TEXT])),
            self.of(write_table(tmp_path / "three" / "train.jsonl", [dict(row) for row in TEXT])),
        }
        (tmp_path / "four").mkdir()
        table = pyarrow.Table.from_pylist(TEXT)
        pyarrow.parquet.write_table(table, tmp_path / "four" / "train.parquet", row_group_size=2)
        same.add(self.of(tmp_path / "four"))
        shutil.move(tmp_path / "four", tmp_path / "five")
        same.add(self.of(tmp_path / "five"))
        assert len(same) == 1
        others = [[*TEXT[:2], TEXT[3]], [{"en": "a", "de": "bc"}], [{"en": "ab", "de": "c"}], TEXT[::-1]]
        different = {self.of(write_rows(tmp_path / f"other{i}.csv", rows)) for i, rows in enumerate(others)}
        different.add(self.of(tmp_path / "one", "de", "en"))
        assert len(different - same) == 5

    def test_texts_that_run_together_differ(self, tmp_path: Path) -> None:
        rows = [[{"en": "ab", "de": "x"}, {"en": "c", "de": "x"}], [{"en": "a", "de": "x"}, {"en": "bc", "de": "x"}]]
        one, two = (self.of(write_rows(tmp_path / f"{i}.csv", table)) for i, table in enumerate(rows))
        assert one != two

    def test_it_is_the_same_in_another_process(self, tmp_path: Path) -> None:
        path = write_rows(tmp_path / "train.csv", TEXT)
        script = (
            "from seq2attn.data.sources_huggingface import HuggingFace\n"
            f"print(HuggingFace({str(path)!r}, None, 'train', None, 'en', 'de').fingerprint())"
        )
        command = [sys.executable, "-c", script]
        result = subprocess.run(command, check=True, timeout=120, capture_output=True, text=True)
        assert result.stdout.strip() == self.of(path)

    def test_it_reads_no_row_by_itself(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_rows(tmp_path / "train.csv", TEXT)
        monkeypatch.setattr(HuggingFace, "pairs", lambda _: pytest.fail("the rows were read one by one"))
        assert len(self.of(path)) == 64

    def test_that_of_0_1_0_is_kept(self) -> None:
        folder = Path(__file__).parent.parent / "released" / "0.1.0"
        data = json.loads((folder / "stopped/huggingface/manifest.json").read_text(encoding="utf-8"))["data"]
        for split in ("train", "validation"):
            source = HuggingFace(str(folder / "corpus_csv"), None, split, None, "en", "de")
            assert source.fingerprint_of_0_1_0() == data[split]["fingerprint"] != source.fingerprint()


class TestSaved:
    def save(self, folder: Path) -> Path:
        import datasets

        rows = datasets.Dataset.from_list(TEXT)
        datasets.disable_progress_bars()
        rows.save_to_disk(str(folder / "one [split]"), num_shards=2)
        datasets.DatasetDict({"train": rows, "test": rows.select([2, 0])}).save_to_disk(str(folder / "splits"))
        datasets.enable_progress_bars()
        return folder

    def test_what_save_to_disk_wrote_is_read(self, tmp_path: Path) -> None:
        folder = self.save(tmp_path)
        assert read(folder / "one [split]", "validation[1:]") == TEXT[1:]
        assert read(folder / "splits", "train") == TEXT
        assert read(folder / "splits", "test") == [TEXT[2], TEXT[0]]
        error = failure(HuggingFace(str(folder / "splits"), None, "validation", None, "en", "de"))
        assert "['train', 'test']" in error.message or "['test', 'train']" in error.message


class TestLocal:
    @pytest.fixture(autouse=True)
    def no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> NoReturn:
            pytest.fail("local data was looked for on the network")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    @pytest.mark.parametrize("kind", ["parquet", "jsonl", "json", "csv"])
    def test_local_data_needs_no_network_and_prints_nothing(
        self, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        path = write_table(tmp_path / "corpus" / f"train.{kind}", ROWS)
        write_table(tmp_path / "corpus" / f"validation.{kind}", ROWS[:1])
        folder = HuggingFace(str(path.parent), None, "train", None, "en", "de")
        assert list(folder.pairs()) == PAIRS
        assert list(HuggingFace(str(path.parent), None, "validation", None, "en", "de").pairs()) == PAIRS[:1]
        file = write_table(tmp_path / "corpus" / f"one file [1].{kind}", ROWS)
        assert list(HuggingFace(str(file), None, "test", None, "en", "de").pairs()) == PAIRS
        assert list(HuggingFace(str(path.parent), None, "train[1:]", None, "de", "en").pairs()) == [
            Pair("NA", "None", 1),
            Pair("12 Hunde", "12 dogs", 2),
        ]
        assert folder.locate(2) == f"{path.parent} train, row 2"
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("kind", ["parquet", "jsonl"])
    def test_fields_may_be_nested(self, tmp_path: Path, kind: str) -> None:
        path = write_table(tmp_path / "corpus" / f"train.{kind}", [{"id": 1, "translation": row} for row in ROWS])
        source = HuggingFace(str(path.parent), None, "train", None, "translation.en", "translation.de")
        assert list(source.pairs()) == PAIRS
        error = failure(HuggingFace(str(path.parent), None, "train", None, "en", "de"))
        place = f"{path.parent} train, row 1" if kind == "parquet" else f"{path}:1"
        assert error.message == f"{place}: no field 'en'"
        assert "translation.en, translation.de" in error.hint

    def test_missing_values_are_empty_and_line_breaks_spaces(self, tmp_path: Path) -> None:
        path = write_table(tmp_path / "corpus" / "train.parquet", [{"en": "a\r\nb", "de": None}])
        assert list(HuggingFace(str(path), None, "train", None, "en", "de").pairs()) == [Pair("a b", "", 1)]

    def test_an_unknown_split_or_config_names_those_that_exist(self, tmp_path: Path) -> None:
        folder = str(write_table(tmp_path / "corpus" / "train.csv", ROWS).parent)
        assert "['train']" in failure(HuggingFace(folder, None, "test", None, "en", "de")).message
        assert "['default']" in failure(HuggingFace(folder, "de-en", "train", None, "en", "de")).message

    def test_a_dataset_that_needs_a_script_is_explained(self, tmp_path: Path) -> None:
        (tmp_path / "corpus").mkdir()
        (tmp_path / "corpus" / "corpus.py").touch()
        error = failure(HuggingFace(str(tmp_path / "corpus"), None, "train", None, "en", "de"))
        assert "needs a loading script" in error.message
        assert "parquet" in error.hint

    def test_a_damaged_file_is_explained(self, tmp_path: Path) -> None:
        path = tmp_path / "train.parquet"
        path.write_text("not parquet")
        assert "Parquet magic bytes not found" in failure(HuggingFace(str(path), None, "t", None, "en", "de")).message

    def test_missing_local_paths_do_not_reach_the_hub(self, tmp_path: Path) -> None:
        error = failure(HuggingFace(str(tmp_path / "train.csv"), None, "train", None, "en", "de"))
        assert error.message == f"no file {tmp_path / 'train.csv'}"


def test_a_hub_dataset_without_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    error = failure(HuggingFace("nobody/seq2attn-has-no-such-dataset", None, "train", None, "en", "de"))
    assert "the Hugging Face hub cannot be reached" in error.message
    assert "give its folder as the path" in error.hint
