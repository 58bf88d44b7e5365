"""Who is on duty: days, hours over midnight, stand-ins; and what is wrong with a roster."""

import pytest

from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files
from router.catalogue.rosters import Rosters
from router.catalogue.rows import RosterRow
from tests.unit.catalogue.small import small
from tests.unit.workflows.calendar_2026 import ms

HEAD = "id,unit,post,endpoint,role,days,hours,since,until\n"
NIGHTS = RosterRow(id="1", unit="u", post="值班领导", endpoint="desk", days=(1, 2, 3, 4, 5), hours="17:30-08:30")
WEEKEND = RosterRow(id="2", unit="u", post="周末带班领导", endpoint="desk", days=(6, 7))
AWAY = RosterRow(
    id="3", unit="u", post="代班领导", endpoint="hall", role="stand_in", since="2026-09-22", until="2026-09-22"
)


@pytest.mark.parametrize(
    ("at", "post"),
    [
        ("2026-09-18 17:29", ""),
        ("2026-09-18 17:30", "值班领导"),
        ("2026-09-19 08:29", "值班领导"),  # Friday's night goes on into Saturday, before the weekend's
        ("2026-09-19 08:30", "周末带班领导"),
        ("2026-09-21 00:00", ""),  # a Sunday has no night of its own
        ("2026-09-21 23:59", "值班领导"),
        ("2026-09-22 00:00", "代班领导"),
        ("2026-09-22 23:59", "代班领导"),
        ("2026-09-23 08:29", "值班领导"),
        ("2026-09-23 12:00", ""),
    ],
)
def test_who_is_on_duty(at: str, post: str) -> None:
    found = Rosters([NIGHTS, WEEKEND, AWAY]).on_duty("u", ms(at))
    assert (found.post if found else "") == post
    assert Rosters([NIGHTS]).on_duty("another", ms(at)) is None


def test_the_catalogue_answers_by_its_rosters() -> None:
    row = "night,370100.police,值班领导,desk,,1;2,17:30-08:30,,\n"
    facts = from_files(small() | {"rosters/a.csv": (HEAD + row).encode()}).facts()
    found = facts.on_duty("370100.police", ms("2026-09-21 18:00"))
    assert found is not None and found.post == "值班领导"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("a,370100.nobody,x,desk,,,,,", "dangling"),
        ("a,370100.police,x,nowhere,,,,,", "dangling"),
        ("a,370100.police,x,desk,,8,,,", "bad_word"),
        ("a,370100.police,x,desk,,,25:00-26:00,,", "bad_hours"),
        ("a,370100.police,x,desk,,,closed,,", "bad_hours"),
        ("a,370100.police,x,desk,,,,2026-09-31,", "bad_date"),
        ("a,370100.police,x,desk,,,,2026-09-30,2026-09-01", "dates_reversed"),
        ("a,370100.police,x,desk,boss,,,,", "bad_value"),
    ],
)
def test_a_faulty_roster_is_refused_with_its_line(row: str, code: str) -> None:
    with pytest.raises(CatalogueFaulty) as refused:
        from_files(small() | {"rosters/a.csv": f"{HEAD}{row}\n".encode()})
    assert [(f.code, f.file, f.line) for f in refused.value.findings if f.file.startswith("rosters")] == [
        (code, "rosters/a.csv", 2)
    ]
