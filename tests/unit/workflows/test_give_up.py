"""A command that was kept aside is given up: refused in its own name, unless it took effect after all."""

from msgspec import Raw
from msgspec.structs import replace

from tests.unit.workflows.small_world import NOW, SmallWorld, told
from workflows import commands as cmd
from workflows import events as ev
from workflows import outbox
from workflows.case import has_seen, stub
from workflows.evolve import fold
from workflows.handle import Step, give_up, step

FACTS = SmallWorld()
CASE = told().submit().held
SAID = cmd.Supplement(
    id="s", case=CASE.id, at=NOW, source="intake.website/0/9", channel="website", ref="r", body=Raw(b"{}")
)


def _given_up(of: cmd.AnyCommand, case: object = CASE) -> Step:
    return give_up(case, cmd.GiveUp(id="g", case=of.case, at=0, of=of), FACTS, NOW)  # type: ignore[arg-type]


def test_a_case_remembers_what_was_given_up() -> None:
    """In its own name, as an event; replayed the case is the same, and a copy finds that it was here."""
    done = _given_up(SAID)
    assert done.record is not None
    assert done.case is not None
    refused = ev.CommandRefused(action="supplement", code="discarded", state=CASE.state, channel="website")
    assert (done.record.cause, done.record.source, done.record.events) == ("s", SAID.source, (refused,))
    assert fold(CASE, done.record) == done.case
    assert step(done.case, SAID, FACTS, NOW).record is None
    assert [(m.to, m.type) for m in done.messages] == [("answers.website", outbox.RECEIPT)]


def test_a_unit_is_refused_its_reply() -> None:
    """Under the task that it named."""
    reply = cmd.Reply(id="y", case=CASE.id, at=NOW, endpoint="desk", task="t", action="sign", body=Raw(b"{}"))
    assert [(m.to, m.type) for m in _given_up(reply).messages] == [("tasks.desk", outbox.REFUSED)]


def test_of_what_took_effect_nothing_is_said() -> None:
    """It was answered then."""
    after = step(CASE, SAID, FACTS, NOW).case
    assert _given_up(SAID, after) == Step(None, after)


def test_of_an_archived_case_nothing_is_claimed() -> None:
    """Its stub knows no more what took effect."""
    after = step(CASE, SAID, FACTS, NOW).case
    assert after is not None
    left = stub(replace(after, state="archived"), NOW)
    assert not has_seen(left, SAID.id)
    assert _given_up(SAID, left) == Step(None, left)
