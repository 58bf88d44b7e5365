"""The time limits that come with the product, held against what is known of each place: written down here once more, by hand."""

from pathlib import Path

import pytest

from router.catalogue.findings import Findings
from router.catalogue.patterns import read_policies
from router.catalogue.reading import read_yaml
from router.operate.settings import CHECKOUT
from workflows.policies import Policy

PLACES = {
    # policy: what the citizen is promised, counted from, to the end of the day or to the minute, how sure
    "guangdong-consult": ("2wd", "next_day", "end_of_day", "B"),
    "guangdong-help": ("10wd", "next_day", "end_of_day", "B"),
    "guangdong-complaint": ("15wd", "next_day", "end_of_day", "B"),
    "beijing-sudden": ("2h", "receipt", "exact", "B"),
    "beijing-utilities": ("24h", "receipt", "exact", "B"),
    "beijing-general": ("7d", "next_day", "end_of_day", "B"),
    "beijing-complex": ("15d", "next_day", "end_of_day", "B"),
    "bengbu-phone": ("5wd", "next_day", "end_of_day", "B"),
    "bengbu-web": ("3wd", "next_day", "end_of_day", "B"),
    "bureau-complaint": ("13wd", "next_day", "end_of_day", "B"),
    "bureau-consult": ("3wd", "next_day", "end_of_day", "B"),
    "red-yellow-help": ("5wd", "next_day", "end_of_day", "C"),
    "shandong-hotline": ("5wd", "next_day", "end_of_day", "B"),
    "shandong-hotline-consult": ("2wd", "next_day", "end_of_day", "C"),
    "shandong-province-complaint": ("15wd", "next_day", "end_of_day", "B"),
    "leader-mailbox": ("7wd", "next_day", "end_of_day", "A"),
    "leader-mailbox-policy": ("3wd", "next_day", "end_of_day", "A"),
    "leader-mailbox-investigate": ("10wd", "next_day", "end_of_day", "A"),
    "leader-mailbox-hard": ("30wd", "next_day", "end_of_day", "A"),
    "shenyang-mailbox": ("3wd", "next_day", "end_of_day", "A"),
    "huaihua-mailbox": ("7d", "next_day", "end_of_day", "B"),
    "enterprise": ("15wd", "next_day", "end_of_day", "A"),
    "enterprise-complex": ("30wd", "next_day", "end_of_day", "A"),
    "enterprise-zaozhuang": ("10wd", "next_day", "end_of_day", "B"),
    "enterprise-zaozhuang-complex": ("25wd", "next_day", "end_of_day", "B"),
    "enterprise-zhuhai-consult": ("2wd", "next_day", "end_of_day", "B"),
    "enterprise-zhuhai": ("4wd", "next_day", "end_of_day", "B"),
    "enterprise-jiangmen": ("7d", "receipt", "exact", "B"),
    "review-rectify": ("5wd", "next_day", "end_of_day", "B"),
    "review-rectify-sichuan": ("15wd", "next_day", "end_of_day", "B"),
    "review-rectify-shanghai": ("5wd", "next_day", "end_of_day", "B"),
    "cannot-do": ("5wd", "next_day", "end_of_day", "A"),
    "cannot-do-special": ("10wd", "next_day", "end_of_day", "B"),
    "cannot-do-should": ("3wd", "next_day", "end_of_day", "B"),
    "cannot-do-impossible": ("2wd", "next_day", "end_of_day", "B"),
    "market-complaint": ("7wd", "next_day", "end_of_day", "B"),
    "market-report": ("15wd", "next_day", "end_of_day", "B"),
}


@pytest.fixture(scope="module")
def policies() -> dict[str, Policy]:
    findings = Findings()
    files = sorted(Path(CHECKOUT, "catalog/policies").glob("*.yaml"))
    documents = [read_yaml(file.name, file.read_bytes(), findings) for file in files]
    rows = {row.id: row for _, row in read_policies([one for one in documents if one], findings)}
    assert not findings.all()
    return rows


@pytest.mark.parametrize("name", PLACES)
def test_a_preset_promises_what_its_place_does(policies: dict[str, Policy], name: str) -> None:
    policy = policies[name]
    (finish,) = [clock for clock in policy.clocks if (clock.of, clock.kind) == ("case", "finish")]
    assert (finish.budget, finish.start, finish.due, policy.grade) == PLACES[name]


def test_every_preset_says_where_it_comes_from(policies: dict[str, Policy]) -> None:
    """So does every extension: whoever copies a limit copies no source."""
    for policy in policies.values():
        assert policy.source, policy.id
        assert policy.extensions is None or policy.extensions.source, policy.id


def test_periods_prescribed_by_law_end_on_no_day_off(policies: dict[str, Policy]) -> None:
    """民法典 art. 203: those in natural days, and no limit of the hotline's own."""
    carried = {
        policy.id
        for policy in policies.values()
        for clock in policy.clocks
        if clock.due == "working_day" or (clock.kind == "statutory" and clock.budget.endswith("0d"))
    }
    assert carried == {"statutory-petition", "statutory-reconsideration", "statutory-people-mediation"}
    dues = {c.due for one in carried for c in policies[one].clocks if c.kind == "statutory"}
    assert dues == {"working_day"}


def test_a_unit_is_done_before_the_citizen_is_promised(policies: dict[str, Policy]) -> None:
    """In the same counting; where the two are counted differently there is nothing to compare here."""
    for policy in policies.values():
        limits = {clock.of: clock.budget for clock in policy.clocks if clock.kind == "finish"}
        if {"case", "leg"} <= limits.keys() and limits["case"].lstrip("0123456789") == limits["leg"].lstrip(
            "0123456789"
        ):
            mine, promised = (int(limits[of].rstrip("dwh")) for of in ("leg", "case"))
            assert mine < promised, policy.id


def test_who_is_called_and_called_back(policies: dict[str, Policy]) -> None:
    """差评 and Jiangmen's enterprises: all are called back; the first call is made within the hour, or on the same day."""
    for name in ("review-rectify", "review-rectify-sichuan", "enterprise-jiangmen"):
        called = policies[name].callback
        assert called is not None and called.percent == 100, name
    again = policies["enterprise-jiangmen"].redo
    assert again is not None and again.who == "up"
    contacts = {
        name: (clock.budget, clock.due)
        for name in ("enterprise-jiangmen", "review-rectify-shanghai")
        for clock in policies[name].clocks
        if clock.kind == "contact"
    }
    assert contacts == {"enterprise-jiangmen": ("60m", "exact"), "review-rectify-shanghai": ("1m", "end_of_day")}


def test_where_no_return_is_allowed(policies: dict[str, Policy]) -> None:
    """差评 and 办不成事 are never returned by who is complained about."""
    for name in (
        "review-rectify",
        "review-rectify-sichuan",
        "review-rectify-shanghai",
        "cannot-do",
        "cannot-do-special",
        "cannot-do-should",
        "cannot-do-impossible",
    ):
        assert not policies[name].returns
