import csv
import json
import socket
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


class TestLocal:
    @pytest.fixture(autouse=True)
    def no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> NoReturn:
            pytest.fail("local data was looked for on the network")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    @pytest.mark.parametrize("kind", ["parquet", "jsonl", "json", "csv"])
    def test_a_local_folder_or_file_reads_without_network_and_noise(
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
        assert folder.where(2) == f"{path.parent} train, row 2"
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("kind", ["parquet", "jsonl"])
    def test_fields_may_be_nested(self, tmp_path: Path, kind: str) -> None:
        path = write_table(tmp_path / "corpus" / f"train.{kind}", [{"id": 1, "translation": row} for row in ROWS])
        source = HuggingFace(str(path.parent), None, "train", None, "translation.en", "translation.de")
        assert list(source.pairs()) == PAIRS
        error = failure(HuggingFace(str(path.parent), None, "train", None, "en", "de"))
        assert error.message == f"{path.parent} train, row 1: no field 'en'"
        assert "translation.en, translation.de" in error.hint

    def test_the_fingerprint_follows_the_content(self, tmp_path: Path) -> None:
        one, copy, other = (tmp_path / name / "train.jsonl" for name in ("one", "copy", "other"))
        fingerprints = [
            HuggingFace(str(write_table(path, rows)), None, "train", None, "en", "de").fingerprint()
            for path, rows in ((one, ROWS), (copy, ROWS), (other, ROWS[:2]))
        ]
        assert fingerprints[0] == fingerprints[1] != fingerprints[2]

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

    def test_a_missing_local_path_is_not_looked_for_on_the_hub(self, tmp_path: Path) -> None:
        error = failure(HuggingFace(str(tmp_path / "train.csv"), None, "train", None, "en", "de"))
        assert error.message == f"no file {tmp_path / 'train.csv'}"


def test_a_hub_dataset_without_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    error = failure(HuggingFace("nobody/seq2attn-has-no-such-dataset", None, "train", None, "en", "de"))
    assert "the Hugging Face hub cannot be reached" in error.message
    assert "give its folder as the path" in error.hint
