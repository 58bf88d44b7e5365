"""Which unit lost the three days? Every working millisecond between receipt and close is charged to exactly one."""

from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CHINA, ms
from tests.unit.workflows.small_world import Told, told
from workflows import events as ev
from workflows.attribution import Ledger, attribute, happened
from workflows.workdays import HOUR

DAY = int(6.5 * HOUR)
CENTRE, URBAN, TOWN = "370100.hotline", "370102.urban", "370102001.town"


def _ledger(t: Told) -> Ledger:
    made = attribute(happened(t.records), CHINA, t.now)
    assert made is not None
    assert sum(share.time for share in made.shares) == made.whole
    return made


def _times(t: Told) -> dict[str, int]:
    return {share.unit: share.time for share in _ledger(t).shares if share.time}


def test_the_units_time_and_the_centres() -> None:
    """A day with the unit, half a day in review."""
    t = told().submit("alone").wait_until("2026-09-20 09:00")
    t.reply("handle", "reply", result="solved", text="x").wait_until("2026-09-20 12:00").reply("review", "pass")
    assert _times(t) == {URBAN: DAY, CENTRE: 3 * HOUR}


def test_a_unit_below_has_it_while_the_one_above_waits() -> None:
    t = told().submit("alone").wait_until("2026-09-18 12:00").reply("handle", "sub_dispatch", units=[TOWN])
    t.wait_until("2026-09-21 09:00").reply("handle", "reply", unit=TOWN, result="solved", text="x")
    t.wait_until("2026-09-21 12:00").reply("handle", "reply", unit=URBAN, result="solved", text="x").reply(
        "review", "pass"
    )
    assert _times(t) == {URBAN: 6 * HOUR, TOWN: DAY + int(3.5 * HOUR)}


def test_a_return_that_was_rejected_was_the_units_time_after_all() -> None:
    def asked() -> Told:
        t = told().submit("alone").wait_until("2026-09-20 09:00").reply("handle", "return", reason="不属本局")
        return t.wait_until("2026-09-21 09:00")

    rejected = asked().reply("decide_return", "reject_return").wait_until("2026-09-22 09:00")
    assert _times(rejected) == {URBAN: 3 * DAY}
    accepted = asked().reply("decide_return", "accept_return").wait_until("2026-09-22 09:00")
    assert _times(accepted) == {URBAN: DAY, CENTRE: 2 * DAY}


def test_what_ran_over_is_charged_as_it_was_held_unless_a_ruling_says_who_pays() -> None:
    t = told().submit("alone").wait_until("2026-09-28 12:00").reply("handle", "reply", result="solved", text="x")
    t.wait_until("2026-09-29 09:00").reply("review", "pass")
    made = _ledger(t)
    assert {share.unit: share.late for share in made.shares} == {URBAN: 3 * HOUR, CENTRE: int(3.5 * HOUR)}
    (citizens,) = [kept for kept in made.kept if not kept.of]
    assert (citizens.promised, citizens.actual, citizens.late) == (ms("2026-09-24 17:00"), t.now, DAY)
    (units,) = [kept for kept in made.kept if kept.of == "1"]
    assert units.late == DAY + 3 * HOUR
    ruled = ev.CaseRuled(leg="1", document="裁〔2026〕3号", by="x", reason="x", lead=URBAN, charged="370102.water")
    records = [*t.records[:-1], replace(t.records[-1], events=(ruled, *t.records[-1].events))]
    charged = attribute(happened(records), CHINA, t.now)
    assert charged is not None
    assert {share.unit: share.late for share in charged.shares if share.late} == {"370102.water": DAY}


def test_an_extension_moves_what_was_promised() -> None:
    t = told().submit("timed").reply("handle", "ask_extension", unit=URBAN, limit="5wd", reason="x")
    t.reply("decide_extension", "grant_extension").wait_until("2026-09-30 09:00")
    assert [kept.late for kept in _ledger(t).kept if kept.of in ("", "1")] == [0, 0]
    undecided = told().submit("timed").reply("handle", "ask_extension", unit=URBAN, limit="5wd", reason="x")
    undecided.wait_until("2026-09-30 09:00")
    assert [kept.late for kept in _ledger(undecided).kept if kept.of in ("", "1")] == [0, 0]
    undecided.reply("decide_extension", "refuse_extension", reason="x")
    assert [kept.late for kept in _ledger(undecided).kept if kept.of in ("", "1")] == [2 * DAY, 3 * DAY]


def test_an_emergency_is_the_receivers() -> None:
    t = told().submit("alone", urgency="emergency").wait_until("2026-09-18 10:00")
    t.reply("confirm_receipt", "confirm_receipt", receipt_no="1")
    assert _times(t) == {"370102.police": HOUR}


def test_of_nothing_there_is_no_ledger() -> None:
    assert attribute([], CHINA, 0) is None
