"""What counts as a labelled message: what people decided, never what was only proposed."""

from collections.abc import Iterator

import pytest

from router.proposals.samples import Decided, LineUnreadable, Sample, of_file
from tests.unit.workflows.small_world import Told, told
from workflows.proposals import Proposal

PROPOSED = Proposal(by="model", version="1/a", threshold=0.5, category="street", score=0.9)


def labelled(*cases: Told) -> dict[str, str]:
    decided = Decided()
    for case in cases:
        for record in case.records:
            decided.take(record)
    samples: Iterator[Sample] = decided.samples()
    return {sample.title: sample.category for sample in samples}


def test_the_dispatchers_word_is_a_label() -> None:
    t = told().submit("", title="甲", proposal=Proposal(by="model", version="1/a", threshold=0.5))
    assert labelled(t) == {}
    t.reply("triage", "dispatch", targets=[{"unit": "370102.water"}], category="street")
    assert labelled(t) == {"甲": "street"}


def test_a_proposal_is_no_label() -> None:
    """Routed by it, handled, and never objected to: a model must not learn from itself."""
    assert labelled(told().submit("", proposal=PROPOSED)) == {}


def test_what_the_channel_said_is_a_label_until_a_unit_returns_it() -> None:
    t = told().submit("alone", title="甲")
    assert labelled(t) == {"甲": "alone"}
    t.reply("handle", "return", reason="不属本局职责")
    assert labelled(t) == {"甲": "alone"}
    t.reply("decide_return", "accept_return")
    assert labelled(t) == {}
    t.reply("triage", "dispatch", targets=[{"unit": "370102.water"}], category="street")
    assert labelled(t) == {"甲": "street"}


def test_a_file_of_others() -> None:
    lines = [
        '{"title": "甲", "content": "乙", "category": "城建", "user": "A1"}', "",
        '{"title": "丙", "text": "丁", "category": "C02"}', '{"title": "戊", "category": null}',
    ]  # fmt: skip
    assert list(of_file(lines, {"城建": "C01"})) == [
        Sample("甲", "乙", "C01", "A1"), Sample("丙", "丁", "C02", "line 3"),
    ]  # fmt: skip
    for bad in ("[1]", "{", "[" * 100_000, r'{"text": "\ud800", "category": "C01"}'):
        with pytest.raises(LineUnreadable, match="2"):
            list(of_file(["", bad], {}))
