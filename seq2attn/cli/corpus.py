"""`seq2attn corpus`: write the embedded English–German corpus to files."""

from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.numbers import parse_whole_numbers
from seq2attn.errors import DataError


def corpus(
    out: Annotated[Path, typer.Argument(help="Folder to write to.", metavar="OUT")],
    pairs: Annotated[int, typer.Option("--pairs", help="Training pairs.")] = 30_000,
    max_words: Annotated[int, typer.Option("--max-words", help="Most English words in a sentence.")] = 50,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives another corpus.")] = 1,
    shares: Annotated[
        str, typer.Option(help="Training pairs by length (3-10, 11-20, … words), in proportion: 15,4,4,4,3.")
    ] = "",
) -> None:
    """Write OUT/{train,validation,test}.{en,de,align,bits}: sentence pairs of a grammar.

    Beside them: word alignments (i-j, counted from 0) and the information of each sentence: −log2 of its probability, in bits.
    """
    from seq2attn.grammar.corpus import generate

    splits = generate(
        pairs=pairs,
        max_words=max_words,
        seed=seed,
        shares=parse_whole_numbers(shares, option="--shares", example="15,4,4,4,3") or None,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        for role, split in splits._asdict().items():
            alignments = [" ".join(f"{i}-{j}" for i, j in pair.alignment) for pair in split]
            files = {
                "en": [pair.source for pair in split],
                "de": [pair.target for pair in split],
                "align": alignments,
                "bits": [f"{pair.bits:.2f}" for pair in split],
            }
            for suffix, lines in files.items():
                text = "".join(f"{line}\n" for line in lines)
                (out / f"{role}.{suffix}").write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"cannot write to {out}: {error.strerror}", "name a folder that can be written to") from error
    for role, split in splits._asdict().items():
        typer.echo(f"{out / role}.{{en,de,align,bits}}: {len(split):,} pairs")
