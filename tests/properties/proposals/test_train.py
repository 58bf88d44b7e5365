"""A trained model: the same samples make the same file, and the file says what scikit-learn says."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from router.catalogue.load import load
from router.cli.rules import app
from router.proposals import train as training
from router.proposals.model import ModelUnusable, encode, read
from router.proposals.propose import Proposer
from router.proposals.samples import Sample
from router.proposals.scores import Model
from router.proposals.text import grams, told
from router.proposals.train import FEW, TooFewSamples, train

PARENTS = {"A": "", "A1": "A", "A2": "A", "B": "", "C": "", "D": ""}
SAID = {"A1": "路灯不亮 马路 灯杆", "A2": "垃圾 清运 保洁", "B": "工资 拖欠 老板", "C": "学校 补课 老师"}
KEYWORDS = Proposer(PARENTS, [("补课", "C", 2.0), ("工资", "B", 2.0)], None, 0.5, "")


def samples(count: int = 12, of: str = "A1 A2 B C") -> list[Sample]:
    """Messages of a few words of their class and some of any, with what people leave in: a name and a number."""
    dice = random.Random(7)
    noise = [*"请问尽快处理谢谢领导您好", *(word for words in SAID.values() for word in words.split())]
    made = []
    for category in of.split():
        for i in range(count):
            words = dice.choices(SAID[category].split(), k=3) + dice.choices(noise, k=4)
            made.append(Sample(words[0], "".join(words) + f"张{i}丰1380013{i:04}", category, f"{category}{i // 2}"))
    return made


def test_the_same_samples_and_seed_make_the_same_file() -> None:
    """In whatever order they come."""
    one = samples()
    other = list(reversed(one))
    assert encode(train(one, PARENTS, KEYWORDS, 1)) == encode(train(other, PARENTS, KEYWORDS, 1))


def test_the_file_says_what_scikit_learn_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the rounding of coefficients to 16 bits."""
    kept = sorted(samples())
    monkeypatch.setattr(training, "_measured", lambda *_: (1.0, 0.0))
    file = read(encode(train(kept, PARENTS, KEYWORDS, 0)))
    vectorizer = TfidfVectorizer(analyzer=grams, sublinear_tf=True, min_df=training.RARE)
    texts = [told(sample.title, sample.text) for sample in kept]
    oracle = LogisticRegression(C=30, max_iter=1000, random_state=0)
    oracle.fit(vectorizer.fit_transform(texts), [sample.category for sample in kept])
    asked = [*texts[::5], told("老师补课", "收费"), told("", "")]
    expected = oracle.decision_function(vectorizer.transform(asked))
    assert np.allclose([Model(file).logits(text) for text in asked], expected, atol=2e-3)
    parents = {code: parent for code, parent in PARENTS.items() if code != "D"}
    proposed = Proposer(parents, [], file, 0.5, "").propose("老师补课", "收费")
    (likely,) = oracle.predict_proba(vectorizer.transform([told("老师补课", "收费")]))
    assert dict(zip(oracle.classes_, likely, strict=True))[proposed.top[0].category] == pytest.approx(
        proposed.top[0].score, abs=2e-3
    )


def test_a_category_with_few_samples_counts_as_the_one_above_and_without_one_not_at_all() -> None:
    few = [sample for sample in samples(of="A1") if int(sample.who[2:]) < (FEW - 1) // 2]
    file = train([*few, *samples(of="A2 B"), *samples(2, of="C")], PARENTS, KEYWORDS, 0)
    assert set(file.classes) == {"A2", "B"} if len(few) < FEW else {"A1", "A2", "B"}
    both = train([*few, *[s._replace(category="A") for s in few], *samples(of="B")], PARENTS, KEYWORDS, 0)
    assert set(both.classes) == {"A", "B"}
    assert both.samples == {"A": 2 * len(few), "B": 12}


def test_two_categories_are_needed() -> None:
    for given in ([], samples(of="A1"), samples(3), samples(of="A1") + samples(2, of="B")):
        with pytest.raises(TooFewSamples):
            train(given, PARENTS, KEYWORDS, 0)


def test_what_one_person_wrote_of_themselves_is_not_in_the_file() -> None:
    """No n-gram is longer than two characters, all digits are one, and what stands in few messages is left out."""
    file = train([*samples(), Sample("魑魅", "魑魅魍魉13800138000", "B", "B99")], PARENTS, KEYWORDS, 0)
    assert max(map(len, file.grams)) <= 2
    assert not [gram for gram in file.grams if any(c.isdigit() and c != "0" for c in gram)]
    assert not {"魑", "魑魅", "魉"} & set(file.grams)


def test_what_nobody_has_labelled_can_still_be_proposed() -> None:
    """A class without samples is known by its keywords alone."""
    file = train(samples(), PARENTS, KEYWORDS, 0)
    words = [("燃气", "D", 10.0), ("漏气", "D", 10.0), ("燃气漏气", "D", 10.0)]
    loud = Proposer(PARENTS, words, read(encode(file)), 0.5, "")
    assert loud.propose("燃气漏气", "").top[0].category in ("D", *file.classes)
    assert loud.propose("燃气漏气", "").by == "model"


@pytest.mark.parametrize(
    "spoil",
    [
        {"format": 2}, {"classes": ["A1"]}, {"classes": ["A1", "A1", "B", "C"]}, {"idf": "AAAA"}, {"coefficients": ""},
        {"grams": []}, {"intercepts": [1]}, {"unheard": 1}, {"step": "1"}, {"sharpness": None},
        {"sharpness": 1e308}, {"step": 1e300}, {"keyword_weight": -0.5}, {"intercepts": [1e308] * 4},
    ],
    ids=str,
)  # fmt: skip
def test_a_spoilt_file_is_refused(spoil: dict[str, object]) -> None:
    whole = json.loads(encode(train(samples(), PARENTS, KEYWORDS, 0)))
    with pytest.raises(ModelUnusable):
        read(json.dumps(whole | spoil).encode())


# -- the command ----------------------------------------------------------------------------------------


def written(tmp_path: Path) -> Path:
    code = {"A1": "C0107", "A2": "C0105", "B": "C0501", "C": "C0801"}
    file = tmp_path / "samples.jsonl"
    lines = [
        json.dumps({"title": s.title, "text": s.text, "category": code[s.category], "user": s.who}) for s in samples()
    ]
    file.write_text("\n".join([*lines, '{"title": "x", "category": "unheard-of"}']), "utf-8")
    return file


def test_the_command_writes_a_model_that_the_catalogue_takes(tmp_path: Path) -> None:
    out = tmp_path / "model.json"
    ran = CliRunner().invoke(app, ["train", str(written(tmp_path)), "--out", str(out), "--json"])
    assert ran.exit_code == 0, ran.output
    told_of = json.loads(ran.stdout.splitlines()[-1])
    assert told_of["samples"] == {"C0105": 12, "C0107": 12, "C0501": 12, "C0801": 12}
    assert read(out.read_bytes()).classes == ("C0105", "C0107", "C0501", "C0801")


def test_the_command_judges_without_writing(tmp_path: Path) -> None:
    out = tmp_path / "model.json"
    ran = CliRunner().invoke(app, ["train", str(written(tmp_path)), "--evaluate", "1", "--out", str(out), "--json"])
    assert ran.exit_code == 0, ran.output
    assert not out.exists()
    judged = json.loads(ran.stdout.splitlines()[-1])
    assert judged["samples"] == {"C01": 24, "C05": 12, "C08": 12}
    assert judged["ways"]["both"]["accuracy"] > 0.6
    assert sum(judged["routes"].values()) == pytest.approx(1, abs=0.01)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"title": "甲"}\n{', "utf-8")
    for arguments, code in ((["train"], 2), (["train", str(tmp_path / "none")], 2), (["train", str(bad)], 1)):
        assert CliRunner().invoke(app, arguments).exit_code == code
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", "utf-8")
    for more in ([], ["--evaluate", "1"]):
        assert CliRunner().invoke(app, ["train", str(empty), *more]).exit_code == 1


def test_the_shipped_words_know_their_own_categories() -> None:
    """Half of the names of leaves lead to their first level: a sign of life, not a measure."""
    catalogue = load(Path(__file__).resolve().parents[3] / "catalog")
    assert catalogue.proposer is not None
    leaves = [row for code, row in catalogue.categories.items() if len(code) == 7]
    right = [catalogue.proposer.propose(row.name, "").top[0].category == row.code[:3] for row in leaves]
    assert sum(right) > len(right) / 2
