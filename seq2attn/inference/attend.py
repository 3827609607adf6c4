"""What a model looks at while it writes one translation: a map from its words to those of the source."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seq2attn.data.languages import space
from seq2attn.errors import DataError
from seq2attn.inference.words import WordPair, merge_subwords, with_means
from seq2attn.models.maps import AttentionMap, trace_maps
from seq2attn.tables import Table, text_table

if TYPE_CHECKING:
    from seq2attn.inference.model import Model

END = "⟨end⟩"  # stands for the end of a sentence, which is attended to, and attends, as a word does


@dataclass(frozen=True)
class Attended:
    """The attention of the model `name` to a source while it reads a translation of it.

    source, target: their words, or their characters where a language has no spaces; END is the last of each.
    maps: one for each head or hop of each layer, and for the mean of a layer's heads; empty without attention. weights[j, i]
    is the weight of source word i, added up over its subwords, when target word j is written, on average over its subwords:
    a row adds up to 1, or less where attention is local or has a sentinel.
    """

    name: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    maps: tuple[AttentionMap, ...]

    def summarize(self) -> Iterator[AttentionMap]:
        """The maps that a reader looks at first: the mean of a layer's heads instead of each, and all that have none."""
        averaged = {each.layer for each in self.maps if each.part == "all heads"}
        return (each for each in self.maps if each.layer not in averaged or each.part == "all heads")

    def to_json(self) -> dict[str, Any]:
        """One object of `seq2attn attend -o FILE.json`."""
        maps = [{"layer": one.layer, "part": one.part, "weights": one.weights.tolist()} for one in self.maps]
        return {"model": self.name, "source": self.source, "target": self.target, "maps": maps}

    def to_text(self) -> str:
        """A table of percents for each layer, a row for each target word; a dot is less than half a percent."""
        words = " ".join(self.target[:-1])
        parts = [f"{self.name}: {words}"]
        if not self.maps:
            return parts[0] + "\nno attention: the same fixed vector, whatever is written"
        for each in self.summarize():
            rows = tuple(
                (word, *(f"{100 * weight:.0f}" if weight >= 0.005 else "·" for weight in weights))
                for word, weights in zip(self.target, each.weights.tolist(), strict=True)
            )
            parts.append(f"{describe_map(each)}, percent\n{text_table(Table(('', *self.source), rows))}")
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from seq2attn.inference.attention_page import render_fragment

        return render_fragment(self)


def attend(model: "Model", line: str, translation: str | None = None, *, beam: int | None = None) -> Attended:
    """The attention of `model` to `line` while it reads `translation`, or its own one, found with `beam`, if that is None.

    The weights are those of fp32, and are taken before a position is drawn. Raises DataError for a line without words, and
    for one that is longer than the model can read.
    """
    data = model.config.data
    spaces = space(data.source), space(data.target)
    source = _split(line, spaces[0])
    if not source:
        raise DataError("there is no word to attend to", "give a sentence")
    if translation is None:
        (translation,), _ = model.translate_with_remarks([line], beam=beam)
    target = _split(translation, spaces[1])
    pair = WordPair.encode(model.tokenizer, source, target, spaces)
    _check_length("source", pair.source.shape[1], model.config.longest_source)
    _check_length("translation", pair.target.shape[1], model.network.longest_target)
    ended = pair.with_ends(len(source), len(target))
    maps = with_means(trace_maps(model.network.eval(), pair.source, pair.target))
    merged = (each._replace(weights=merge_subwords(each.weights, ended).float()) for each in maps)
    return Attended(str(model.path), (*source, END), (*target, END), tuple(merged))


def describe_map(each: AttentionMap) -> str:
    """Its layer, and its head or hop."""
    return f"layer {each.layer}" + (f", {each.part}" if each.part else "")


def _split(text: str, between: str) -> list[str]:
    return text.split() if between else [character for character in text if not character.isspace()]


def _check_length(side: str, subwords: int, most: int | None) -> None:
    if most is not None and subwords > most:
        raise DataError(
            f"the {side} has {subwords:,} subwords, but this model reads at most {most:,}", "give a shorter one"
        )
