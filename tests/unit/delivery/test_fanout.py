"""Each message of an outbox record goes to where it says, once, with what a receiver needs to ignore old ones."""

from msgspec import Raw

from router.delivery.fanout import fan_out
from router.operate.topics import Topics
from schemas.ids import case_id, shard_of
from workflows.outbox import Message, OutboxRecord

CASE = case_id("hotline_12345", "R1")
TOPICS = Topics("p.", 4)


def record(*messages: Message, source: str = "intake.hotline_12345/0/7") -> OutboxRecord:
    return OutboxRecord(
        case=CASE, version=3, at=1_789_693_200_000, source=source, number="370100-260918-0200042-7", messages=messages
    )


def test_a_message_is_a_cloudevent_in_binary_mode() -> None:
    """Type, id, business time in Beijing, the public number, the case as partition key, sequence and version."""
    message = Message(
        to="tasks.desk", key=CASE, id="m1", type="cn.duokua.task.assigned.v1", seq=2, data=Raw(b'{"a":1}')
    )
    (out,) = fan_out(record(message), TOPICS)
    headers = dict(out.headers)

    assert (out.topic, out.key, out.value) == ("p.tasks.desk", CASE.encode(), b'{"a":1}')
    assert headers["ce_subject"] == b"370100-260918-0200042-7"
    assert headers["ce_time"] == b"2026-09-18T09:00:00+08:00"
    assert (headers["ce_id"], headers["ce_sequence"], headers["ce_caseversion"]) == (b"m1", b"2", b"3")
    assert (headers["ce_partitionkey"], headers["content-type"]) == (CASE.encode(), b"application/json")


def test_a_message_to_another_case_is_a_command_in_that_cases_shard() -> None:
    """The one path by which one case touches another: back to case.commands, to the other's partition."""
    other = case_id("hotline_12345", "R2")
    (out,) = fan_out(record(Message(to=f"case:{other}", key=other, id="m1", type="", data=Raw(b"{}"))), TOPICS)

    assert (out.topic, out.partition, out.key) == (TOPICS.commands, shard_of(other, 4), other.encode())


def test_a_dead_letter_names_its_origin() -> None:
    """Stage and place of the original record stand in the headers."""
    message = Message(
        to="dead-letters.engine", key="k", id="m1", type="cn.duokua.dead_letter.written.v1", data=Raw(b"{}")
    )
    (out,) = fan_out(record(message), TOPICS)
    headers = dict(out.headers)

    assert headers["x-stage"] == b"engine"
    assert [headers[f"x-original-{part}"] for part in ("topic", "partition", "offset")] == [
        b"intake.hotline_12345", b"0", b"7",
    ]  # fmt: skip


def test_what_one_message_says_of_itself_the_next_does_not() -> None:
    """What messages of a record share is made once; the origin of a dead letter is not of it."""
    letter = Message(
        to="dead-letters.engine", key="k", id="m1", type="cn.duokua.dead_letter.written.v1", data=Raw(b"{}")
    )
    task = Message(to="tasks.desk", key=CASE, id="m2", type="cn.duokua.task.assigned.v1", seq=1, data=Raw(b"{}"))
    alone = [fan_out(record(one), TOPICS)[0] for one in (letter, task, letter)]

    assert fan_out(record(letter, task, letter), TOPICS) == alone
    assert not [name for name, _ in alone[1].headers if name.startswith("x-")]
