"""Languages written without spaces, by their ISO 639 codes of two and three letters."""

CHINESE = frozenset({"zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"})
JAPANESE = frozenset({"ja", "jpn"})
# others that are written without spaces between words
UNSPACED = frozenset({"th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"})


def primary(language: str) -> str:
    """The code without script and region: zh of zh-Hant, pt of pt_BR."""
    return language.replace("_", "-").split("-")[0].lower()


def space(language: str) -> str:
    """What separates two sentences: a space, or nothing in a language written without spaces."""
    return "" if primary(language) in CHINESE | JAPANESE | UNSPACED else " "
