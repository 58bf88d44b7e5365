"""The places of Shandong: every code once, every parent there, every abolished code with a successor in force."""

import csv
from collections import Counter
from pathlib import Path

import pytest

PLACES = Path(__file__).parents[2] / "catalog" / "places"
Row = dict[str, str]

ABOLISHED = {
    "370125": "370115", "370181": "370114", "370282": "370215", "370634": "370614", "370684": "370614", "371200": "370100",
    "371202": "370116", "371203": "370117", "371523": "371503", "371626": "371681", "371727": "371703", "370802": "370811",
}  # fmt: skip
"""County → what took over, as the approvals of the State Council have it."""

COUNTIES_OF = {
    "370100": 12, "370200": 10, "370300": 8, "370400": 6, "370500": 5, "370600": 11, "370700": 12, "370800": 11,
    "370900": 6, "371000": 4, "371100": 4, "371300": 12, "371400": 11, "371500": 8, "371600": 7, "371700": 9,
}  # fmt: skip


def rows(file: str) -> list[Row]:
    with (PLACES / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def divisions() -> dict[str, Row]:
    found = rows("divisions.csv")
    assert len({row["code"] for row in found}) == len(found)
    return {row["code"]: row for row in found}


def in_force(row: Row) -> bool:
    return not row["valid_to"]


def current(divisions: dict[str, Row], level: str, kind: str = "division") -> list[Row]:
    return [row for row in divisions.values() if row["level"] == level and row["kind"] == kind and in_force(row)]


def test_one_province_sixteen_cities_and_all_counties(divisions: dict[str, Row]) -> None:
    """136 county-level divisions in 16 cities, each city with as many as it has."""
    assert [row["code"] for row in current(divisions, "province")] == ["370000"]
    assert sorted(row["code"] for row in current(divisions, "city")) == sorted(COUNTIES_OF)
    counties = current(divisions, "county")
    assert len(counties) == 136
    assert Counter(row["parent"] for row in counties) == COUNTIES_OF


def test_codes_nest_in_their_parents(divisions: dict[str, Row]) -> None:
    """A code begins with its parent's digits, and a place in force has a parent in force."""
    for code, row in divisions.items():
        assert len(code) == 6 and code.isdigit()
        wanted = {"province": "", "city": f"{code[:2]}0000", "county": f"{code[:4]}00"}[row["level"]]
        assert row["parent"] == wanted
        if wanted and in_force(row):
            assert in_force(divisions[wanted])


def test_abolished_codes_lead_to_codes_in_force(divisions: dict[str, Row]) -> None:
    """Abolished and with a successor are the same rows, and every successor is in force."""
    for row in divisions.values():
        successors = [code for code in row["successors"].split(";") if code]
        assert bool(successors) == (not in_force(row))
        assert all(in_force(divisions[code]) for code in successors)
    assert {code: divisions[code]["successors"] for code in ABOLISHED} == ABOLISHED


def test_an_approval_ends_one_code_on_the_day_it_begins_the_other(divisions: dict[str, Row]) -> None:
    """Old `valid_to` and new `valid_from` are one day wherever the new code was made by that change."""
    for row in divisions.values():
        if row["valid_to"] and row["kind"] == "division" and row["level"] == "county":
            heir = divisions[row["successors"].split(";")[0]]
            assert heir["valid_from"] in ("", row["valid_to"])


def test_names_are_unique_within_a_city(divisions: dict[str, Row]) -> None:
    """Two counties in force of one city never share a name."""
    names = Counter((row["parent"], row["name"]) for row in divisions.values() if in_force(row))
    assert max(names.values()) == 1


def test_functional_zones_are_marked_as_statistical_codes(divisions: dict[str, Row]) -> None:
    """A zone's code is no code of the national standard, and its row says so."""
    zones = [row for row in divisions.values() if row["kind"] == "functional_zone"]
    assert {"371771", "371371", "370171", "370176"} <= {row["code"] for row in zones}
    assert all("统计用区划代码" in row["source"] and row["code"][4] == "7" for row in zones)
    assert not any(row["code"][4] == "7" for row in divisions.values() if row["kind"] == "division")


def test_towns_and_villages_stand_below_places_in_force(divisions: dict[str, Row]) -> None:
    """Nine digits below a county or zone in force, twelve below a listed town; no code twice."""
    towns, villages = rows("towns.csv"), rows("villages.csv")
    listed = {town["code9"] for town in towns}
    assert len(listed) == len(towns) and len({village["code12"] for village in villages}) == len(villages)
    for town in towns:
        assert len(town["code9"]) == 9 and town["code9"][:6] == town["parent"]
        assert in_force(divisions[town["parent"]])
        assert town["kind"] == ("street" if town["code9"][6] == "0" else "town")
    for village in villages:
        assert len(village["code12"]) == 12 and village["code12"][:9] == village["parent"]
        assert village["parent"] in listed
