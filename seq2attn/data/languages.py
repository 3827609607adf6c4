"""Languages by their ISO 639 codes of two and three letters: those written without spaces, and names that are no codes."""

CHINESE = frozenset({"zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"})
JAPANESE = frozenset({"ja", "jpn"})
# others that are written without spaces between words
UNSPACED = frozenset({"th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"})

# country codes and English names that people write for a language
_MEANT = {
    "cn": "zh",
    "jp": "ja",
    "kr": "ko",
    "cz": "cs",
    "dk": "da",
    "gr": "el",
    "ua": "uk",
    "vn": "vi",
    "ir": "fa",
    "arabic": "ar",
    "chinese": "zh",
    "czech": "cs",
    "dutch": "nl",
    "english": "en",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "greek": "el",
    "hindi": "hi",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "thai": "th",
    "turkish": "tr",
    "vietnamese": "vi",
}
_HEADERS = frozenset({"source", "target", "src", "tgt", "trg", "sentence", "translation", "text", "input", "output"})


def guess_code(language: str) -> str | None:
    """The ISO code that is likely meant by a name that is none, such as `cn` or `german`; None for any other name."""
    return _MEANT.get(primary(language))


def is_header(cell: str, languages: tuple[str, str]) -> bool:
    """Whether a table's cell reads like the name of a column: one of the two languages, another one, or "source"."""
    name = cell.strip().lower()
    return name in _HEADERS or name in _MEANT or name in {language.lower() for language in languages}


def primary(language: str) -> str:
    """The code without script and region: zh of zh-Hant, pt of pt_BR."""
    return language.replace("_", "-").split("-")[0].lower()


def space(language: str) -> str:
    """What separates two sentences: a space, or nothing in a language written without spaces."""
    return "" if primary(language) in CHINESE | JAPANESE | UNSPACED else " "
