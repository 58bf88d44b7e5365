"""Made-up stretches of the log for the read model's tests: a case that goes through everything worth showing."""

from dataclasses import dataclass

from msgspec import Raw

from router.operate.topics import Topics
from workflows import events as ev
from workflows import outbox
from workflows.facts import Reason

NINE = 1_789_693_200_000  # Friday 2026-09-18 09:00 +08:00
HOUR = 3_600_000
MARKS = (
    ev.Mark(at=NINE + 40 * HOUR, what="warn"),
    ev.Mark(at=NINE + 50 * HOUR, what="due"),
    ev.Mark(at=NINE + 50 * HOUR, what="escalate", level=1, who="superior", step="urge"),
)
SECRET = "13800001111 张三 住在幸福路"
TOPICS = Topics("duokua.", 4)
EVENTS, OUTBOX = TOPICS.events, TOPICS.outbox


@dataclass(frozen=True)
class Read:
    """A record as a reader gives it."""

    offset: int
    value: bytes


def registered(case: str, number: str, channel: str = "website", ref: str = "r-1", **more: str) -> ev.CaseRegistered:
    return ev.CaseRegistered(
        channel=channel,
        ref=ref,
        number=number,
        query_code="QUERYCODE",
        digest="d" * 64,
        request=Raw(f'{{"text":"{SECRET}"}}'.encode()),
        received_at=NINE,
        centre="371700.centre",
        centre_endpoint="desk",
        appeal_kind="help",
        region=more.get("region", "371702"),
        calendar="cn",
        category=more.get("category", "0203"),
    )


def record(case: str, version: int, *happened: ev.AnyEvent, at: int = 0, number: str = "370000-1") -> ev.EventRecord:
    return ev.EventRecord(
        case=case,
        version=version,
        at=at or NINE + version * HOUR,
        cause=f"cause-{version}",
        number=number,
        catalogue=1,
        events=happened,
    )


def whole_life(case: str = "case-1", number: str = "370000-1", ref: str = "r-1") -> list[ev.EventRecord]:
    """Registered, routed, dispatched, signed, returned, dispatched anew, signed, warned, overdue, escalated, replied, sent back, passed, closed."""
    leg = ev.LegDispatched(
        leg="l1",
        task="t1",
        unit="371702.urban",
        unit_name="牡丹区城管局",
        endpoint="desk",
        part="lead",
        function="urban-management",
    )
    anew = ev.LegDispatched(
        leg="l2",
        task="t2",
        unit="371702.water",
        unit_name="牡丹区水务局",
        endpoint="water",
        part="lead",
        function="water",
    )
    below = ev.LegDispatched(
        leg="l3", task="t3", unit="371702001.station", unit_name="西城街道", endpoint="desk", part="sub", parent="l2"
    )
    finish = ev.ClockStarted(
        kind="finish", of="", policy="sd-hotline", calendar="cn@1", budget="5wd", start="next_day", anchor=NINE, due=NINE + 26 * HOUR,
        marks=MARKS,
    )  # fmt: skip
    why = (Reason(column="category", value="0203", cell="02"), Reason(column="words_any", value=SECRET, cell="积水"))
    steps: list[tuple[ev.AnyEvent, ...]] = [
        (
            registered(case, number, ref=ref),
            ev.CaseRouted(rule="water", number=40, catalogue=1, outcome="dispatch", policy="sd-hotline", why=why),
            ev.CaseAccepted(by="rule"),
            leg,
            finish,
        ),
        (ev.LegSigned(leg="l1"),),
        (ev.LegReturnAsked(leg="l1", task="t9", endpoint="desk", reason=SECRET, proposed="371702.water"),),
        (ev.LegReturned(leg="l1"), anew),
        (ev.LegSigned(leg="l2"),),
        (below,),
        (
            ev.CaseSupplemented(body=Raw(f'{{"text":"{SECRET}"}}'.encode())),
            ev.ClockRebased(
                kind="finish",
                of="",
                reason="new_calendar",
                calendar="cn",
                calendar_before="cn@1",
                before=NINE + 26 * HOUR,
                due=NINE + 50 * HOUR,
                provisional=True,
            ),
        ),
        (ev.ClockWarned(kind="finish", of="", due=NINE + 50 * HOUR, unit="371702.water", endpoint="water"),),
        (
            ev.ClockOverdue(kind="finish", of="", due=NINE + 50 * HOUR, unit="371702.water", endpoint="water"),
            ev.CaseEscalated(kind="finish", of="", level=1, unit="371700.water", endpoint="desk", what="urge"),
        ),
        (
            ev.LegReplied(
                leg="l2", result="solved", text=SECRET, contacted=True, basis=SECRET, task="t10", endpoint="desk"
            ),
            ev.ClockStopped(kind="finish", of="", consumed=60 * HOUR, met=False),
        ),
        (ev.LegSentBack(leg="l2", reason=SECRET, round=1), ev.ClockResumed(kind="finish", of="")),
        (
            ev.LegReplied(leg="l2", result="solved", text=SECRET),
            ev.ClockStopped(kind="finish", of="", consumed=70 * HOUR, met=False),
        ),
        (ev.LegReviewPassed(leg="l2"), ev.CaseClosed(reason="solved", result=SECRET)),
    ]
    return [record(case, version, *happened, number=number) for version, happened in enumerate(steps, 1)]


def handed_out(case: str = "case-1") -> list[outbox.OutboxRecord]:
    """What the engine hands out for the first two records of `whole_life`."""
    task = outbox.Message(
        to="tasks.desk", key=case, id="m1", type="cn.duokua.task.assigned.v1", seq=1, data=Raw(f'"{SECRET}"'.encode())
    )
    receipt = outbox.Message(
        to="answers.website", key="r-1", id="m2", type="cn.duokua.receipt.issued.v1", seq=1, data=Raw(b"{}")
    )
    decide = outbox.Message(
        to="tasks.desk", key=case, id="m3", type="cn.duokua.task.assigned.v1", seq=2, data=Raw(b"{}")
    )
    return [
        outbox.OutboxRecord(case=case, version=1, at=NINE + HOUR, messages=(task, receipt)),
        outbox.OutboxRecord(case=case, version=2, at=NINE + 2 * HOUR, messages=(decide,)),
    ]


def read(records: list[ev.EventRecord], first: int = 0) -> list[Read]:
    """The records as they lie in one partition of `case.events`."""
    return [Read(first + i, ev.encode(r)) for i, r in enumerate(records)]


def read_outbox(records: list[outbox.OutboxRecord], first: int = 0) -> list[Read]:
    return [Read(first + i, outbox.encode(r)) for i, r in enumerate(records)]
