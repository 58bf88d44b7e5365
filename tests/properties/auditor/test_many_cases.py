"""
A shard with many cases, told by a few lines that know nothing of the auditor: it fires what is due in the order of time,
a page at a time; it is down for a while, or holds its deadlines while it takes commands.

Whatever it goes through, the auditor accuses nobody as long as every mark fires; and where the shard's index loses a case,
forgets it for a while, or fires it twice, exactly that case is named.
"""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.auditor.watch import Finding, Sweep, Watch, overdue, take
from schemas.ids import case_id
from tests.unit.workflows.small_world import NOW, Told, told
from workflows import events as ev
from workflows.workdays import DAY, HOUR

GRACE = 60_000
SORTS = ("watched", "street", "call", "unclear", "birth")
FIRING = ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated | ev.EscalationSkipped


class Shard:
    """Cases and what a shard does with them. `lost`: the case that its index has lost; `slow`: until when it forgets it."""

    def __init__(self, seed: int, cases: int) -> None:
        self.random = Random(seed)
        self.now, self.page = NOW, self.random.choice([1, 3, 100])
        self.cases: list[Told] = []
        self.records: list[ev.EventRecord] = []
        self.lost = -1
        self.forgets_until = 0
        for i in range(cases):
            one = told(self.now)
            self.cases.append(one.submit(self.random.choice(SORTS)))
            self._said(i)
            self.now += self.random.randrange(60_000)

    def _said(self, i: int) -> None:
        case = self.cases[i]
        if case.last.record is not None:
            self.records.append(replace(case.last.record, case=case_id("website", f"r{i}")))

    def lives(self, until: int, *, fires: bool = True) -> None:
        """It serves until then; commands come now and then."""
        while self.now < until:
            due = self._due(until) if fires else []
            if not due or self.random.random() < 0.1:
                self.now = max(self.now, min(until, self.now + self.random.randrange(3 * HOUR)))
                self._command()
            for at, i in self._due(max(self.now, due[0][0] if due else 0))[: self.page] if fires else []:
                self.now = max(self.now, at)
                self.cases[i].now = self.now
                self._fire(i)

    def rests(self, until: int) -> None:
        """It is down."""
        self.now = max(self.now, until)

    def _due(self, until: int) -> list[tuple[int, int]]:
        found = [(c.held.next_due, i) for i, c in enumerate(self.cases) if 0 < c.held.next_due <= until]
        return sorted(
            (at, i) for at, i in found if i != self.lost or (self.forgets_until and self.now >= self.forgets_until)
        )

    def _fire(self, i: int) -> None:
        self.cases[i].reach_deadline()
        self._said(i)

    def _command(self) -> None:
        i = self.random.randrange(len(self.cases))
        case = self.cases[i]
        handled = [t for t in case.held.tasks.values() if t.kind == "handle" and t.leg]
        if i != self.lost and handled and self.random.random() < 0.5:
            case.now = self.now
            task = self.random.choice(handled)
            action = self.random.choice(["sign", "note", "reply"])
            case.reply_to(task.id, task.endpoint, action, result="solved", text="已办")  # type: ignore[arg-type]
            self._said(i)


def audited(shard: Shard) -> list[Finding]:
    """All that the auditor says, with a pass at the end."""
    watches: dict[str, Watch | None] = {}
    sweep, found = Sweep(), list[Finding]()
    for record in shard.records:
        taken = take(watches.get(record.case), record, 0, sweep, GRACE)
        watches[record.case], sweep = taken.watch, taken.sweep
        found += taken.findings
    for case, watch in watches.items():
        if watch is not None:
            found += overdue(watch, case, shard.now, sweep, GRACE)[1]
    return found


SEEDS = st.integers(0, 10**9)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(SEEDS)
def test_no_standstill_is_an_accusation(seed: int) -> None:
    shard = Shard(seed, 6)
    for _ in range(6):
        until = shard.now + shard.random.randrange(3 * DAY)
        shard.random.choice([shard.lives, shard.lives, shard.rests, lambda at: shard.lives(at, fires=False)])(until)
    shard.lives(shard.now + 20 * DAY)
    assert audited(shard) == []
    assert sum(isinstance(e, FIRING) for r in shard.records for e in r.events) > 6


@QUICK
@given(SEEDS)
def test_a_case_that_the_index_lost_is_named_and_no_other(seed: int) -> None:
    shard = Shard(seed, 6)
    shard.lost = shard.random.randrange(6)
    shard.lives(shard.now + 20 * DAY)
    found = audited(shard)
    assert {f.case for f in found} == {case_id("website", f"r{shard.lost}")}
    assert {f.kind for f in found} == {"missed"}
    marks = [(f.clock, f.what, f.level, f.at) for f in found]
    assert len(marks) == len(set(marks)), "each once"


@QUICK
@given(SEEDS)
def test_a_case_that_was_forgotten_for_a_while_is_late(seed: int) -> None:
    shard = Shard(seed, 6)
    shard.lost, shard.forgets_until = shard.random.randrange(6), shard.now + 12 * DAY
    shard.lives(shard.now + 20 * DAY)
    found = audited(shard)
    assert {f.case for f in found} == {case_id("website", f"r{shard.lost}")}
    assert {f.kind for f in found} == {"late"}


@QUICK
@given(SEEDS)
def test_what_is_fired_again_is_doubled(seed: int) -> None:
    shard = Shard(seed, 4)
    shard.lives(shard.now + 12 * DAY)
    at = shard.random.choice([i for i, r in enumerate(shard.records) if any(isinstance(e, FIRING) for e in r.events)])
    again = tuple(e for e in shard.records[at].events if isinstance(e, FIRING))
    shard.records.insert(at + 1, replace(shard.records[at], events=again))
    found = [f for f in audited(shard) if f.kind == "doubled"]
    assert len(found) == len(again)
    assert {f.case for f in found} == {shard.records[at].case}
