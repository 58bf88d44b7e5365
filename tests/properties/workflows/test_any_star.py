"""
Three cases that ask each other, leave each other and end, while what they say to each other comes in any order, twice, or late.

Nothing that is said gets lost for ever (delivery is at-least-once), but anything may overtake anything. What must hold:
no case is member and head at once (so no chain and no cycle); while nothing is under way, head and member agree; no member has
two heads; each citizen gets one outcome and never two; the citizen's clock runs until then.

The oracle looks at the messages and at the two sides' own words only.
"""

from collections import Counter
from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Raw, json

from router.delivery.fanout import fan_out
from router.operate.topics import Topics
from schemas.ids import case_id, command_id
from tests.unit.workflows.small_world import NOW, SmallWorld
from workflows import commands as cmd
from workflows import events as ev
from workflows import outbox
from workflows.case import Case, decode, encode
from workflows.evolve import fold
from workflows.folds.stars import star
from workflows.handle import step
from workflows.states import ENDED
from workflows.workdays import DAY, HOUR

REFS = ("w-1", "w-2", "w-3")
IDS = tuple(case_id("website", ref) for ref in REFS)
TOPICS = Topics("p.", 4)
WHICH = st.integers(0, 2)
CENTRE = ("centre", "370100.hotline")


def is_asking(case: Case) -> bool:
    """A head was asked, and has not been heard."""
    return bool(star(case).head) and case.state != "merged" and case.state not in ENDED


class AnyStar(RuleBasedStateMachine):
    """`under_way`: what cases have said to each other and nobody has heard; `heard`: what may come once more."""

    @initialize(
        kinds=st.lists(st.sampled_from(["help", "help", "help", "complaint", "report"]), min_size=3, max_size=3)
    )
    def begin(self, kinds: list[str]) -> None:
        self.facts, self.now, self.count = SmallWorld(), NOW, 0
        self.cases: dict[str, Case] = {}
        self.requests: dict[str, bytes] = {}
        self.records: dict[str, list[ev.EventRecord]] = {case: [] for case in IDS}
        self.outcomes: Counter[str] = Counter()
        self.under_way: list[cmd.AnyCommand] = []
        self.heard: list[cmd.AnyCommand] = []
        for n, (ref, kind) in enumerate(zip(REFS, kinds, strict=True)):
            body = json.encode(
                {
                    "title": "x",
                    "appeal_kind": kind,
                    "appeal_category": "alone",
                    "urgency": "normal",
                    "place": {"region": "370102"},
                }
            )
            self.requests[IDS[n]] = body
            self.take(
                cmd.Submit(
                    **self.base(IDS[n]), channel="website", ref=ref, request=Raw(body), digest=ref, received_at=NOW,
                    query_code="1", serial=f"020000{n}",
                )
            )  # fmt: skip

    def base(self, case: str) -> dict[str, object]:
        self.count += 1
        return {"id": command_id(case, str(self.count)), "case": case, "at": self.now}

    def take(self, command: cmd.AnyCommand) -> None:
        before = self.cases.get(command.case)
        made = step(before, command, self.facts, self.now, lambda: self.requests[command.case])
        again = step(
            before and decode(encode(before)), command, self.facts, self.now, lambda: self.requests[command.case]
        )
        assert self.written(made.messages) == self.written(again.messages)
        if made.case is not None:
            self.cases[command.case] = made.case
        if made.record is not None:
            self.records[command.case].append(made.record)
        version = made.case.version if made.case else 0
        leaving = fan_out(
            outbox.OutboxRecord(case=command.case, version=version, at=self.now, messages=made.messages), TOPICS
        )
        assert len(leaving) == len(made.messages)
        for message in made.messages:
            if message.to.startswith("case:"):
                self.under_way.append(cmd.decode(message.data))  # type: ignore[arg-type]
                assert self.under_way[-1].case and message.to == f"case:{self.under_way[-1].case}"
            elif message.type == outbox.OUTCOME:
                self.outcomes[command.case] += 1

    @staticmethod
    def written(messages: tuple[outbox.Message, ...]) -> bytes:
        return outbox.encode(outbox.OutboxRecord(case="", version=0, at=0, messages=messages))

    def order(self, case: str, action: cmd.OrderAction, **said: object) -> None:
        endpoint, unit = CENTRE
        body = Raw(json.encode({"officer": "0001", **said}))
        self.take(cmd.Order(**self.base(case), endpoint=endpoint, unit=unit, action=action, body=body))  # type: ignore[arg-type]

    # -- what people do ---------------------------------------------------------------------------

    @rule(member=WHICH, other=st.sampled_from([1, 1, 1, 2, 2, 0]))
    def merge(self, member: int, other: int) -> None:
        self.order(IDS[member], "merge", cases=[IDS[(member + other) % 3]])

    @rule(member=WHICH, other=st.sampled_from([1, 2]))
    def merge_at_once(self, member: int, other: int) -> None:
        """Heard and answered before anything else is."""
        self.merge(member, other)  # type: ignore[call-arg]
        self.newest_is_heard()  # type: ignore[call-arg]
        self.newest_is_heard()  # type: ignore[call-arg]

    @rule(member=WHICH, other=st.sampled_from([1, 2]))
    def two_ask_each_other(self, member: int, other: int) -> None:
        self.merge(member, other)  # type: ignore[call-arg]
        self.merge((member + other) % 3, 3 - other)  # type: ignore[call-arg]

    @rule(member=WHICH)
    def merge_into_nothing(self, member: int) -> None:
        self.order(IDS[member], "merge", cases=["00000000-0000-5000-8000-000000000000"])

    @rule(member=WHICH)
    def unmerge(self, member: int) -> None:
        self.order(IDS[member], "unmerge", text="不是一回事")

    @rule(which=WHICH, really=st.sampled_from([False, False, True]))
    def withdraw(self, which: int, really: bool) -> None:
        if not really:
            return
        self.take(cmd.Withdraw(**self.base(IDS[which]), channel="website", ref=REFS[which], body=Raw(b"{}")))  # type: ignore[arg-type]

    @rule(which=WHICH, urges=st.booleans())
    def say_more(self, which: int, urges: bool) -> None:
        kind = cmd.Urge if urges else cmd.Supplement
        self.take(kind(**self.base(IDS[which]), channel="website", ref=REFS[which], body=Raw(b'{"text":"y"}')))  # type: ignore[arg-type]

    @rule(which=WHICH)
    def work(self, which: int) -> None:
        """Whoever has a task does the next thing towards the end."""
        does: dict[str, tuple[str, dict[str, object]]] = {
            "handle": ("reply", {"result": "solved", "text": "已办"}),
            "review": ("pass", {}),
            "triage": ("dispatch", {"targets": [{"unit": "370102.urban", "part": "lead"}]}),
            "decide_merge": ("reject_merge", {}),
        }
        for task in list(self.cases[IDS[which]].tasks.values()):
            action, said = does[task.kind]
            self.take(
                cmd.Reply(
                    **self.base(IDS[which]), endpoint=task.endpoint, task=task.id, action=action, body=Raw(json.encode(said)),
                )
            )  # fmt: skip

    # -- what the log does ------------------------------------------------------------------------

    @rule(data=st.data())
    def one_is_heard(self, data: st.DataObject) -> None:
        """Any of them: they overtake each other."""
        if self.under_way:
            command = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
            self.heard.append(command)
            self.hear(command)

    @rule()
    def newest_is_heard(self) -> None:
        if self.under_way:
            self.heard.append(self.under_way.pop())
            self.hear(self.heard[-1])

    @rule(data=st.data())
    def one_is_heard_again(self, data: st.DataObject) -> None:
        if self.heard:
            self.hear(data.draw(st.sampled_from(self.heard)))

    def hear(self, command: cmd.AnyCommand) -> None:
        """A command to a case that is not there is answered, and nothing else."""
        if command.case in self.cases:
            self.take(command)
        else:
            made = step(None, command, self.facts, self.now)
            assert made.record is None
            self.under_way += [cmd.decode(message.data) for message in made.messages if message.to.startswith("case:")]  # type: ignore[misc]

    @rule(hours=st.sampled_from([0, 0, 1, 30]))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR
        self.fire()

    def fire(self) -> None:
        for case in IDS:
            held = self.cases[case]
            if held.next_due and held.next_due <= self.now and held.state not in ENDED:
                self.take(cmd.ReachDeadline(id=command_id(case, f"due {held.version}"), case=case, at=self.now))

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def nobody_is_head_and_member(self) -> None:
        for case in self.cases.values():
            held = star(case)
            assert not (held.head and held.members and case.state not in ENDED)
            assert bool(held.head) == (case.state == "merged" or is_asking(case)) or case.state in ENDED

    @invariant()
    def a_report_stays_alone(self) -> None:
        for case in self.cases.values():
            if case.appeal_kind == "report":
                assert not star(case).head and not star(case).members

    @invariant()
    def one_outcome_each_and_the_clock_until_then(self) -> None:
        for name, case in self.cases.items():
            assert self.outcomes[name] == (case.state in ENDED)
            if case.state not in ENDED:
                assert case.clocks["finish/"].running
                assert case.tasks or case.state == "merged"

    @invariant()
    def what_waits_for_an_answer_asks_again(self) -> None:
        for case in self.cases.values():
            asking = [c for c in case.clocks.values() if c.kind == "merge" and c.running]
            assert len(asking) == is_asking(case)
            assert all(clock.marks for clock in asking)

    @invariant()
    def nobody_works_on_what_is_merged_and_somebody_on_all_else(self) -> None:
        """Whoever had the case in hand when it asked has it until the head agrees."""
        for case in self.cases.values():
            if case.state == "merged":
                assert not any(leg.open for leg in case.legs.values()) and not case.tasks
            elif case.state in ("dispatched", "signed", "sub_dispatched"):
                assert any(leg.open for leg in case.legs.values())

    @invariant()
    def a_replay_gives_the_same_bytes(self) -> None:
        for name, records in self.records.items():
            case = None
            for record in records:
                case = fold(case, ev.decode(ev.encode(record)))
            assert case is not None
            assert encode(case) == encode(self.cases[name])

    def teardown(self) -> None:
        """When all is heard and time has passed, both sides agree; and when the heads end, so does everybody."""
        if not hasattr(self, "cases"):
            return
        self.settle()
        for name, case in self.cases.items():
            assert not is_asking(case)
            held = star(case)
            if held.head and case.state == "merged":
                members = star(self.cases[held.head]).members
                assert members[name].asked == held.asked
                assert self.cases[held.head].state not in ENDED
            if case.state not in ENDED:
                assert bool(held.head) == (case.state == "merged")
            if case.state not in ENDED:
                for member in held.members:
                    assert star(self.cases[member]).head == name
        for _ in range(12):
            for which in range(3):
                self.work(which)  # type: ignore[call-arg]
            self.settle()
        assert self.outcomes == dict.fromkeys(IDS, 1)
        assert all(a.version + 1 == b.version for records in self.records.values() for a, b in pairwise(records))

    def settle(self) -> None:
        for _ in range(60):
            while self.under_way:
                command = self.under_way.pop(0)
                self.heard.append(command)
                self.hear(command)
            if not any(map(is_asking, self.cases.values())):
                return
            self.now += DAY
            self.fire()


AnyStar.TestCase.settings = settings(
    max_examples=200, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAnyStar = AnyStar.TestCase
