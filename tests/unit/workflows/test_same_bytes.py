"""A case that was put away and read again says the same as one that never was."""

from msgspec import json

from tests.unit.workflows.small_world import Told, told
from workflows import commands as cmd
from workflows.case import decode, encode


def supplemented(put_away: bool) -> Told:
    """A request that does not say how urgent it is, and more of it: whoever handles it is told again."""
    case = told().submit("street")
    if put_away:
        case.case = decode(encode(case.held))
    return case.follow_up(cmd.Supplement, text="灯杆也歪了")


def test_a_task_is_worded_alike() -> None:
    live, again = supplemented(put_away=False), supplemented(put_away=True)
    assert live.last.messages
    assert json.encode(again.last.messages) == json.encode(live.last.messages)
