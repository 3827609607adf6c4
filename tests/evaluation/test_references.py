"""References that BLEU cannot be trusted with are told."""

import pytest

from seq2attn.evaluation.bleu import Bleu
from seq2attn.evaluation.references import describe_references, describe_tokenized, describe_unsplit


@pytest.mark.parametrize(
    ("tokenized", "raw", "says"),
    [
        (100, 5000, "100 of 5,100 references"),
        (80, 120, "80 of 200 references"),
        (8, 8, "8 of 16 references"),
        (49, 151, None),
        (5, 4, None),
        (0, 50, None),
    ],
)
def test_references_that_look_tokenized_are_told(tokenized: int, raw: int, says: str | None) -> None:
    remark = describe_tokenized(["Das ist gut ."] * tokenized + ["Das ist gut."] * raw, "de")
    assert (remark is None) if says is None else (remark is not None and remark.startswith(says))


@pytest.mark.parametrize(
    ("line", "language", "is_tokenized"),
    [
        ("Is it good ?", "en", True),
        ("Good !", "en", True),
        ('" Good . "', "en", True),
        ("Est-ce bon ?", "fr", False),
        ("C'est bon .", "fr", True),
        ("这 很 好 。", "zh", True),
        ("这很好。", "zh", False),
        ("यह अच्छा है ।", "hi", True),
        ("it &apos;s good", "en", True),
        ("she lo@@ oks", "en", True),
        ("she loo@@", "en", True),
        ("▁it ▁is", "en", True),
        ("well @-@ known", "en", True),
        ("It is good.", "en", False),
        ("mail me@@home.org & wait ...", "en", False),
        ("mail me@home.org & wait...", "en", False),
    ],
)
def test_what_tokenizers_leave_is_seen(line: str, language: str, is_tokenized: bool) -> None:
    assert (describe_tokenized([line] * 10, language) is not None) == is_tokenized


CHINESE = "我今天在学校，看见了你的老师。"
JAPANESE = "私は昨日、図書館で新しい本を読みました。"
THAI = "ผมไปโรงเรียนทุกวัน และอ่านหนังสือที่นั่น"


@pytest.mark.parametrize(
    ("line", "bleu", "better"),
    [
        (CHINESE, Bleu("cn"), "zh"),
        (CHINESE, Bleu("zh", tokenize="intl"), "zh"),
        ("你好吗", Bleu("mandarin"), "zh"),
        (JAPANESE, Bleu("jap"), "ja-mecab"),
        (THAI, Bleu("en"), "char"),
        (THAI, Bleu("zh"), "char"),
        ("ខ្ញុំទៅសាលារៀន", Bleu("khmer"), "char"),
        ("ခင်ဗျားဘယ်သွားမလဲ", Bleu("burmese"), "char"),
        ("བཀྲ་ཤིས་བདེ་ལེགས།", Bleu("tibetan"), "char"),
        ("ຂ້ອຍໄປໂຮງຮຽນທຸກມື້", Bleu("de"), "char"),
        (CHINESE, Bleu("zh"), None),
        (CHINESE, Bleu("cn", tokenize="char"), None),
        (THAI, Bleu("th"), None),
        ("我 今天 在 学校", Bleu("cn"), None),  # split already
        ("ผม ไป โรงเรียน ทุกวัน", Bleu("en"), None),
        ("저는 학교에 갑니다.", Bleu("ko"), None),
        ("He said 你好 and went away.", Bleu("en"), None),
    ],
    ids=str,
)
def test_references_that_bleu_does_not_split_are_told(line: str, bleu: Bleu, better: str | None) -> None:
    remark = describe_unsplit([line] * 3 + [""], bleu)
    if better is None:
        assert remark is None
    else:
        assert remark is not None
        assert remark.startswith("3 of 4 references have no spaces")
        assert f"evaluation.tokenize: {better} (--tokenize {better})" in remark
        assert describe_references([line] * 3, bleu)


def test_what_is_said_of_unsplit_references_helps() -> None:
    near = CHINESE.replace("你", "他")
    assert Bleu("cn").score([near], [CHINESE]).bleu == 0
    assert Bleu("cn", tokenize="zh").score([near], [CHINESE]).bleu > 50
