"""No corpus breaks the loader: any bytes are read as pairs or refused by file and line, and any text can be learned from."""

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2attn.data.corpus import load_corpus
from seq2attn.data.encoded import encode_corpus
from seq2attn.data.sources import JsonLines, Source, TextFiles, Tsv
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError
from seq2attn.tokens import PAD
from tests.examples import examples

HOSTILE = [
    *(
        "\x00",
        "a\x00b",
        "\u2028",
        "a\u2028b\u2029c",
        "\x85",
        "\x0b\x0c",
        "a\rb",
        "\r",
        "\t",
        "   ",
        "\u3000",
        "\ufeffa",
    ),
    *("<s>", "</s>", "<unk> <pad>", "▁", "▁▁a", "<0x0A>", "|||", "\\", '"', "%s {x} ${y}", "../../etc/passwd", "'; --"),
    *(
        "👨‍👩‍👧",
        "🙂" * 50,
        "שלום עולם",
        "مرحبا",
        "\u202eabc",
        "ａｂｃ",
        "漢字かな",
        "e\u0301",
        "\U0010ffff",
        "\ufffd",
        "Ω≈ç√∫",
    ),
    *("a" * 20_000, "a " * 5_000, "ab" + " " * 1_000 + "c", "1 2 3", "-", "..."),
]
PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\t", b" ", b"a b", b"\xff", b"\xef\xbb\xbf", b"\x00", b"\xe2\x80\xa8", b'{"en": "a"}']
)
BYTES = st.lists(PIECES | st.binary(max_size=6), max_size=12).map(b"".join)
hostile = examples(100)


def pairs_or_refusal(source: Source, file: Path) -> int | None:
    """How many pairs there are; None if the source was refused, with the file's name."""
    refusal, found = None, []
    try:
        found = list(source.pairs())
    except DataError as error:
        refusal = error.message
    if refusal is not None:
        assert file.name in refusal
        assert "\n" not in refusal
        return None
    assert [pair.line for pair in found] == sorted({pair.line for pair in found})
    assert not any("\n" in pair.source + pair.target for pair in found)
    return len(found)


@given(source=BYTES, target=BYTES)
@hostile
def test_any_bytes_in_text_files_are_pairs_or_refused(source: bytes, target: bytes, tmp_path: Path) -> None:
    (tmp_path / "train.en").write_bytes(source)
    (tmp_path / "train.de").write_bytes(target)
    count = pairs_or_refusal(TextFiles(str(tmp_path / "train"), "en", "de"), tmp_path / "train.")
    lines = {len(text.removesuffix(b"\n").split(b"\n")) if text else 0 for text in (source, target)}
    assert count is None or {count} == lines


@given(content=BYTES)
@hostile
def test_any_bytes_in_one_file_are_pairs_or_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "pairs.any"
    file.write_bytes(content)
    pairs_or_refusal(Tsv(str(file), 0, 1), file)
    pairs_or_refusal(Tsv(str(file), "a b", "a"), file)
    pairs_or_refusal(JsonLines(str(file), "en", "en"), file)


@given(
    row=st.recursive(
        st.none() | st.booleans() | st.floats(allow_subnormal=False) | st.text(max_size=4),
        lambda own: st.lists(own) | st.dictionaries(st.sampled_from(["en", "de", "x"]), own),
    )
)
@hostile
def test_any_json_is_pairs_or_refused(row: object, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    pairs_or_refusal(JsonLines(str(file), "en", "x.de"), file)


def test_hostile_text_is_learned_from_encoded_and_batched(tmp_path: Path) -> None:
    for language, lines in (("en", HOSTILE), ("de", HOSTILE[1:] + HOSTILE[:1])):
        (tmp_path / f"train.{language}").write_bytes("".join(f"{line}\n" for line in lines).encode())
    source = TextFiles(str(tmp_path / "train"), "en", "de")
    corpus = load_corpus(source, clean=True, fingerprint=source.fingerprint())
    assert 25 < len(corpus.source) <= len(HOSTILE)
    for algorithm in ("bpe", "unigram"):
        tokenizer = Tokenizer.train(
            list(corpus.source) * 5,
            list(corpus.target) * 5,
            vocab_size=340,
            algorithm=algorithm,
            joint=True,
            byte_fallback=True,
            character_coverage=1.0,
            folder=tmp_path / algorithm,
        )
        encoded = encode_corpus(corpus, tokenizer, max_length=500)
        assert len(encoded) > 25
        batch = encoded.batch(np.arange(len(encoded)))
        assert (batch.source != PAD).sum(1).tolist() == encoded.source_lengths.tolist()
        decoded = tokenizer.decode_target(batch.target.tolist())
        assert len(decoded) == len(encoded)
        assert not any("\n" in line for line in decoded)
