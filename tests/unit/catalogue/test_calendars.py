"""The national calendar is the State Council's notices, day for day; a published calendar keeps its meaning."""

import datetime
from collections.abc import Mapping

import chinese_calendar
import pytest

from router.catalogue.calendars import named, retained
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files
from tests.unit.catalogue.shandong import shandong
from tests.unit.catalogue.small import edited, small, unchanged
from workflows.calendars import Calendar

NOON = 12 * 3600 * 1000
DAY = 24 * 3600 * 1000
EPOCH = datetime.date(1970, 1, 1)


@pytest.fixture(scope="module")
def office() -> Calendar:
    return shandong().facts().calendar("370102")


def works(calendar: Calendar, day: datetime.date) -> bool:
    """Whether anybody works on this day: its working time from midnight to midnight."""
    midnight = (day - EPOCH).days * DAY - 8 * 3600 * 1000
    return calendar.consumed(midnight, midnight + DAY, "wh") > 0


@pytest.mark.parametrize("year", range(2020, 2027))
def test_every_day_is_as_the_notices_say(office: Calendar, year: int) -> None:
    """2020 to 2026, worked weekends and the prolonged spring festival of 2020 included."""
    first = datetime.date(year, 1, 1)
    days = [first + datetime.timedelta(n) for n in range((datetime.date(year + 1, 1, 1) - first).days)]
    assert [d for d in days if works(office, d) != chinese_calendar.is_workday(d)] == []


def test_2026_has_248_working_days(office: Calendar) -> None:
    first = datetime.date(2026, 1, 1)
    assert sum(works(office, first + datetime.timedelta(n)) for n in range(365)) == 248


def test_the_horizon_is_the_last_published_day(office: Calendar) -> None:
    """A due date beyond it may still move."""
    last = (datetime.date(2026, 12, 24) - EPOCH).days * DAY + NOON - 8 * 3600 * 1000
    assert not office.add(last, "5wd").provisional
    assert office.add(last, "7wd").provisional


def carried(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """As the publisher carries the calendars of a version on."""
    return {
        f"calendars/retained/{name}.json": retained(layers)
        for name, layers in from_files(files).calendar_layers.items()
    }


def test_a_name_never_means_another_calendar() -> None:
    """A changed day makes another name; the old name is answered from what the publisher carried on."""
    old = unchanged()
    changed = edited("calendars/days.yaml", "2026-09-20", "2026-09-27")
    before, after = old.facts().calendar("370102"), from_files(changed).facts().calendar("370102")
    assert before.id != after.id
    both = from_files(changed | carried(small()))
    assert both.facts().calendar_named(before.id) == before
    assert both.facts().calendar("370102").id == after.id


def test_a_carried_calendar_that_was_tampered_with_is_a_finding() -> None:
    files = small() | {"calendars/retained/office@00000000.json": b"[]"}
    with pytest.raises(CatalogueFaulty) as refused:
        from_files(files)
    assert [finding.file for finding in refused.value.findings] == ["calendars/retained/office@00000000.json"]


def test_a_calendar_of_an_older_release_keeps_its_name() -> None:
    """Running clocks ask for it by that name: what layers learn to say later is not in it where they do not say it."""
    assert sorted(unchanged().calendars) == ["office@81ba0548", "yi@d69fb480"]


def test_a_unit_may_have_its_own_calendar() -> None:
    """The department's layer holds for its units alone; everybody else keeps the calendar of the place."""
    own = {"calendars/hall.yaml": b"id: hall\nparent: office\nweekend: [7]\nunits: [370102.licence]\n"}
    facts = from_files(small() | own).facts()
    hall = facts.calendar_of("370102.licence")
    assert hall and hall.id.startswith("hall@") and facts.calendar_named(hall.id) is hall
    saturday = datetime.date(2026, 9, 26)
    assert works(hall, saturday) and not works(facts.calendar("370102"), saturday)
    assert facts.calendar_of("370102.roads") is None


def test_two_calendars_for_one_unit_are_refused() -> None:
    layer = b"id: %s\nparent: office\nunits: [370102.licence]\n"
    with pytest.raises(CatalogueFaulty) as refused:
        from_files(small() | {f"calendars/{name}.yaml": layer % name.encode() for name in ("hall", "window")})
    assert [(finding.code, finding.file) for finding in refused.value.findings] == [
        ("duplicate_id", "calendars/window.yaml")
    ]


def test_the_name_says_which_layer() -> None:
    layers = unchanged().calendar_layers
    assert sorted(name.partition("@")[0] for name in layers) == ["office", "yi"]
    assert all(named(stack) == name for name, stack in layers.items())
