"""Languages by their ISO 639 codes of two and three letters: those written without spaces, and names that are no codes."""

import re

CHINESE = frozenset({"zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"})
JAPANESE = frozenset({"ja", "jpn"})
# others that are written without spaces between words
UNSPACED = frozenset({"th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"})

# a language a line: its codes, then names that are no codes: English ones, and country codes that people write for it
_LANGUAGES = """
    af afr: afrikaans
    am amh: amharic
    ar ara: arabic
    az aze: azerbaijani
    be bel: belarusian
    bg bul: bulgarian
    bn ben: bengali bangla
    bo bod tib: tibetan
    bs bos: bosnian
    ca cat: catalan
    cs ces cze: czech cz
    cy cym wel: welsh
    da dan: danish dk
    de deu ger: german
    dz dzo: dzongkha
    el ell gre: greek gr
    en eng: english
    es spa: spanish castilian
    et est: estonian
    eu eus baq: basque
    fa fas per: persian farsi ir
    fi fin: finnish
    fr fra fre: french
    ga gle: irish
    gl glg: galician
    gu guj: gujarati
    ha hau: hausa
    he heb: hebrew
    hi hin: hindi
    hr hrv: croatian
    hu hun: hungarian
    hy hye arm: armenian
    id ind: indonesian
    ig ibo: igbo
    is isl ice: icelandic
    it ita: italian
    ja jpn: japanese jp jap
    ka kat geo: georgian
    kk kaz: kazakh
    km khm: khmer cambodian kh
    kn kan: kannada
    ko kor: korean kr
    lo lao: laotian
    lt lit: lithuanian
    lv lav: latvian
    mk mkd mac: macedonian
    ml mal: malayalam
    mn mon: mongolian
    mr mar: marathi
    ms msa may: malay malaysian
    mt mlt: maltese
    my mya bur: burmese myanmar mm
    ne nep: nepali
    nl nld dut: dutch flemish
    no nor: norwegian
    pa pan: punjabi panjabi
    pl pol: polish
    ps pus: pashto
    pt por: portuguese
    ro ron rum: romanian
    ru rus: russian
    si sin: sinhala sinhalese
    sk slk slo: slovak
    sl slv: slovenian slovene
    so som: somali
    sq sqi alb: albanian
    sr srp: serbian
    sv swe: swedish
    sw swa: swahili
    ta tam: tamil
    te tel: telugu
    th tha: thai
    tl tgl: tagalog filipino
    tr tur: turkish
    uk ukr: ukrainian ua
    ur urd: urdu
    uz uzb: uzbek
    vi vie: vietnamese vn
    yo yor: yoruba
    yue: cantonese
    zh zho chi cmn: chinese mandarin cn chn hk zhs zht zhcn zhtw
    zu zul: zulu
""".strip().splitlines()
_NAMES = [(codes.split(), names.split()) for codes, names in (line.split(":") for line in _LANGUAGES)]
MEANT = {name: codes[0] for codes, names in _NAMES for name in names}


def guess_code(language: str) -> str | None:
    """The ISO code that is likely meant by a name that is none: `cn`, `german`, `chinese_simplified`; None for any other."""
    words = re.split(r"[-_.]", language.lower())
    return MEANT.get(words[0]) or next((MEANT[word] for word in words if len(word) > 3 and word in MEANT), None)


def spell(language: str) -> set[str]:
    """All codes and names of a language."""
    code = primary(language)
    return {code}.union(*({*codes, *names} for codes, names in _NAMES if code in codes or code in names))


def primary(language: str) -> str:
    """The code without script and region: zh of zh-Hant, pt of pt_BR."""
    return language.replace("_", "-").split("-")[0].lower()


def space(language: str) -> str:
    """What separates two sentences: a space, or nothing in a language written without spaces."""
    return "" if primary(language) in CHINESE | JAPANESE | UNSPACED else " "
