"""What is proposed for a message: the same for the same words, as deep as it is sure, whatever the message is."""

from math import exp

import pytest

from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files
from router.proposals.propose import LOUDNESS, Proposer
from router.proposals.text import KEPT, fold, told
from tests.unit.catalogue.small import FILES

PARENTS = {"A": "", "A1": "A", "A11": "A1", "A2": "A", "B": "", "C": ""}
WORDS = [("路灯", "A11", 3.0), ("道路", "A1", 2.0), ("停水", "B", 2.0), ("树", "A2", 3.0)]


def proposer(threshold: float = 0.5) -> Proposer:
    return Proposer(PARENTS, WORDS, None, threshold, "1/abc")


def test_keywords_make_their_category_likelier_by_their_weight() -> None:
    """Softmax over the first level, by hand: 停水 makes B exp(2 × loudness) times as likely as A and C."""
    said = proposer().propose("小区停水", "")
    odds = exp(2 * LOUDNESS)
    assert [(g.category, g.score) for g in said.top] == [
        ("B", pytest.approx(odds / (odds + 2), abs=1e-4)),
        ("A", pytest.approx(1 / (odds + 2), abs=1e-4)),
        ("C", pytest.approx(1 / (odds + 2), abs=1e-4)),
    ]
    assert (said.category, said.score, said.by, said.version) == ("B", said.top[0].score, "dictionary", "1/abc")


def test_as_deep_as_it_is_sure() -> None:
    assert proposer(0.6).propose("道路和路灯", "").category == "A11"
    assert proposer(0.9).propose("道路和路灯", "").category == "A"
    assert proposer(0.6).propose("树挡了路灯", "").category == "A"  # in A for sure, but which part of it?
    assert proposer(0.99).propose("道路和路灯", "").category == ""


def test_without_a_known_word_nothing_is_proposed() -> None:
    said = proposer().propose("你好", "在吗")
    assert (said.category, said.score, len(said.top)) == ("", 0.0, 3)


def test_width_case_and_blanks_do_not_matter_and_no_word_runs_over_two_lines() -> None:
    assert proposer().propose("停 水", "") == proposer().propose("停水", "")
    assert fold("ＷＩＦＩ 138\n0531") == "wifi0"
    assert proposer().propose("停", "水").category == ""


POISON = ["", "\0" * 100, "💧🚰" * 500, "停水" * 500_000, "\u202e停水", "a\u0301" * 5000, "ﷺ" * 3000, "٣" * 50]


@pytest.mark.parametrize("text", POISON, ids=range(len(POISON)))
def test_poison_is_survived(text: str) -> None:
    """And costs no more than its beginning."""
    assert len(told(text, text)) <= 2 * KEPT + 1
    assert proposer().propose(text, text) == proposer().propose(text, text)


# -- in the catalogue -------------------------------------------------------------------------------------


def small(**more: str) -> dict[str, bytes]:
    return {name: text.lstrip().encode() for name, text in {**FILES, **more}.items()}


KEYWORDS = "proposals/keywords/words.csv"


@pytest.mark.parametrize(
    ("rows", "code", "line"),
    [
        ("路灯,NOWHERE,2", "dangling", 2),
        ("路灯,{c},2\n路灯,{c},1", "duplicate_id", 3),
        ("ＷＩＦＩ,{c},2\nwifi,{c},1", "bad_spoken", 3),
        ("110,{c},2", "bad_spoken", 2),
        ("路灯,{c},0", "bad_weight", 2),
        ("路灯,{c},nan", "bad_weight", 2),
        ("路灯,{c},loud", "bad_value", 2),
    ],
)
def test_a_faulty_word_is_named_with_its_line(rows: str, code: str, line: int) -> None:
    category = next(iter(from_files(small()).categories))
    with pytest.raises(CatalogueFaulty) as faulty:
        from_files(small(**{KEYWORDS: "keyword,category,weight\n" + rows.replace("{c}", category) + "\n"}))
    assert (code, KEYWORDS, line) in {(f.code, f.file, f.line) for f in faulty.value.findings}


@pytest.mark.parametrize("data", ["", "{}", "[1]", '{"format": 1}', "\x00", "[" * 100_000])
def test_a_file_that_is_no_model_is_refused(data: str) -> None:
    with pytest.raises(CatalogueFaulty) as faulty:
        from_files(small(**{"proposals/model.json": data}))
    assert "bad_model" in {f.code for f in faulty.value.findings}


def test_a_catalogue_without_words_proposes_nothing_and_one_with_words_names_its_version() -> None:
    bare = from_files(small())
    assert bare.proposer is None
    category = next(iter(bare.categories))
    spoken = from_files(small(**{KEYWORDS: f"keyword,category\n路灯,{category}\n"}), 7)
    assert spoken.proposer is not None
    assert spoken.proposer.propose("路灯", "").version == f"7/{spoken.hash[:12]}"
