"""
Who writes to a shard: channels through intake, units through their replies, the publisher, whoever sends rubbish, and the
operator who has dead letters written again, or gives them up.

Intake and delivery are at-least-once: the same command may be on the log twice, anywhere later. Replies are made from what
the engine committed to its outbox.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from aiokafka import TopicPartition

from router.engine.store import SHARD_KEY
from router.operate.letters import DeadLetter, Retry, retry_headers
from router.operate.topics import Topics
from schemas.ids import case_id, command_id, shard_of
from tests.simulation.broker import Broker, Entry
from tests.unit.workflows.small_world import COUNTY, ROUTES
from workflows import commands as cmd
from workflows import outbox

CATEGORIES = (*ROUTES, "unclear")
CHANNEL = "website"
GIVEN_UP = 0.3
OF_A_COPY = 0.4
"""Of the letters that the operator does; and of those he has written again that he gives up under a copy's letter."""
ORDERS: tuple[tuple[str, str, cmd.OrderAction], ...] = (
    ("370100.hotline", "centre", "urge"),
    ("370100.watch", "watch", "supervise"),
    ("370100.watch", "watch", "lift"),
    ("370100.mayor", "mayor", "instruct"),
)
ORDER = {"officer": "0001", "reason": "listed", "text": "请报送", "post": "分管副市长"}
BODY: dict[str, dict[str, Any]] = {
    "reply": {"result": "resolved", "text": "已修复", "contacted": True},
    "return": {"reason": "不属于本单位"},
    "send_back": {"reason": "未办好"},
    "reject_return": {"reason": "属于本单位"},
    "reject_refusal": {"reason": "应当受理"},
    "dispatch": {"targets": [{"unit": "370102.urban", "part": "lead"}]},
    "sub_dispatch": {"units": ["370102001.town"]},
    "confirm_receipt": {"receipt_no": "110-1"},
    "report": {"text": "已到现场"},
    "reject_report": {"reason": "不具体"},
}
"""What goes with an action; some of it is not allowed where it arrives, which is an answer too."""


class People:
    """`later(seconds, call)` lets something happen; everything else is drawn from `random`."""

    def __init__(
        self, broker: Broker, topics: Topics, random: Random, later: Callable[[float, Callable[[], None]], None]
    ) -> None:
        self._broker, self._topics, self._random, self._later = broker, topics, random, later
        self._refs = 0
        self._records = 0
        self._version = 1
        self._read = dict.fromkeys(range(topics.shards), 0)
        self._retried: set[tuple[int, int]] = set()
        self.sent = 0
        self.poison = self.deadline_poison = 0.0
        self.curses: dict[str | bytes, str] = {}
        """What the core fails at (`fault`) or dies of (`kill`): ids of commands, `deadline/<case>`, values that cannot even be read."""
        self.mended: set[str | bytes] = set()

    # -- channels --

    def arrive(self) -> None:
        """One thing comes in."""
        draw = self._random.random()
        if draw < 0.62 or not self._refs:
            self._submit(f"r{self._refs}")
            self._refs += 1
        elif draw < 0.72:
            self._submit(f"r{self._random.randrange(self._refs)}", again=self._random.random() < 0.5)
        elif draw < 0.88:
            self._follow_up()
        elif draw < 0.92:
            self._publish()
        else:
            self._rubbish()

    def _submit(self, ref: str, again: bool = False) -> None:
        case, source = case_id(CHANNEL, ref), self._source()
        category = Random(ref).choice(CATEGORIES)
        request: dict[str, Any] = {
            "title": "路灯不亮", "text": "again" if again else "", "appeal_kind": "help", "appeal_category": category,
            "place": {"region": COUNTY}, "urgency": "emergency" if ref.endswith("7") else "normal",
        }  # fmt: skip
        if ref[-1] in "05":
            request["direct_answer"] = {"text": "已解释"}
        body = msgspec.json.encode(request)
        self._send(
            cmd.Submit(
                id=command_id(case, source), case=case, at=self._broker.time_ms(), source=source, channel=CHANNEL,
                ref=ref, request=msgspec.Raw(body), digest=f"{ref}-{again}", received_at=self._broker.time_ms(),
                query_code="012345",
            )
        )  # fmt: skip

    def _follow_up(self) -> None:
        """More about a case: sometimes one that is not there yet, or never will be."""
        ref = f"r{self._random.randrange(self._refs + 2)}"
        case, source = case_id(CHANNEL, ref), self._source()
        base: dict[str, Any] = {"id": command_id(case, source), "case": case, "at": self._broker.time_ms()}
        base |= {"source": source, "channel": CHANNEL, "ref": ref, "body": msgspec.Raw(b'{"text":"x"}')}
        kind = self._random.choice((cmd.Supplement, cmd.Supplement, cmd.Urge, cmd.Withdraw, cmd.Evaluate, None))
        if kind is None:
            self._order(case)
            return
        if kind is cmd.Evaluate:
            base |= {"grade": 4, "body": msgspec.Raw(b'{"grade":4}')}
        self._send(kind(**base))

    def _order(self, case: str) -> None:
        """By an office that may, of a case that may be there or not."""
        unit, endpoint, action = self._random.choice(ORDERS)
        source = self._source("replies")
        self._send(
            cmd.Order(
                id=command_id(case, source), case=case, at=self._broker.time_ms(), source=source, endpoint=endpoint, unit=unit,
                action=action, body=msgspec.Raw(msgspec.json.encode(ORDER)),
            )
        )  # fmt: skip

    def _publish(self) -> None:
        self._version += 1
        order = cmd.ActivateCatalogue(id=f"v{self._version}", version=self._version, hash=f"h{self._version}")
        for shard in range(self._topics.shards):
            self._put(shard, SHARD_KEY, msgspec.json.encode(order))

    def _rubbish(self) -> None:
        case = case_id(CHANNEL, f"r{self._random.randrange(self._refs + 1)}")
        shard = self._random.randrange(self._topics.shards)
        what = self._random.choice((b"\xff{", b"", b'{"kind":"submit"}', b"[]"))
        self._put(shard, self._random.choice((case.encode(), SHARD_KEY, None)), what)

    # -- units --

    def read_tasks(self) -> None:
        """Take what was committed since, and answer some of it, some time."""
        for shard, position in self._read.items():
            tp = TopicPartition(self._topics.outbox, shard)
            found, self._read[shard] = self._broker.fetch(tp, position, 10_000)
            for entry in found:
                for message in outbox.decode(entry.value or b"").messages:
                    if message.type == "cn.duokua.task.assigned.v1":
                        self._take(message)

    def _take(self, message: outbox.Message) -> None:
        task = msgspec.json.decode(message.data)
        if task["allowed"] and self._random.random() < 0.7:
            after = self._random.choice((0.1, 60.0, 90_000.0)) * self._random.random()
            self._later(after, self._answer(message.to, task))

    def _answer(self, to: str, task: dict[str, Any]) -> Callable[[], None]:
        action = self._random.choice(task["allowed"])
        endpoint = to.removeprefix("tasks.")
        if self._random.random() < 0.05:
            endpoint = "elsewhere"

        def send() -> None:
            case, source = task["case_id"], self._source("replies")
            body = {"case_id": case, "task_id": task["task_id"], "action": action, **BODY.get(action, {})}
            self._send(
                cmd.Reply(
                    id=command_id(case, source), case=case, at=self._broker.time_ms(), source=source, endpoint=endpoint,
                    task=task["task_id"], action=action, body=msgspec.Raw(msgspec.json.encode(body)),
                )
            )  # fmt: skip

        return send

    # -- the operator --

    def redrive(self) -> None:
        """
        Have the letters of parked cases written again in their order, some given up, and the cases released: `duokua
        dead-letters retry` and `discard`.
        """
        for shard in range(self._topics.shards):
            for case, letters in self._letters(shard).items():
                newest = letters[max(letters)]
                if all(letter.action and not letter.source.startswith("deadline/") for letter in letters.values()):
                    self._write_again(shard, letters, newest.faults)
                    release = cmd.Release(
                        id=command_id(case, f"release/{max(letters)}"), case=case, at=self._broker.time_ms(), letters=newest.parked
                    )  # fmt: skip
                    self._put(shard, case.encode(), msgspec.json.encode(release))

    def _letters(self, shard: int) -> dict[str, dict[int, DeadLetter]]:
        """By case the letters of its last parking, by their place."""
        found: dict[str, dict[int, DeadLetter]] = {}
        for entry in self._broker.partitions[TopicPartition(self._topics.outbox, shard)].visible():
            for message in outbox.decode(entry.value or b"").messages:
                if message.type == outbox.DEAD_LETTER:
                    letter = msgspec.json.decode(message.data, type=DeadLetter)
                    if letter.parked == 1:
                        found[letter.case] = {}
                    if letter.parked:
                        found[letter.case][entry.offset] = letter
        return found

    def _write_again(self, shard: int, letters: dict[int, DeadLetter], faults: int) -> None:
        tp = TopicPartition(self._topics.commands, shard)
        entries = {entry.offset: entry for entry in self._broker.partitions[tp].visible()}
        for at, letter in sorted(letters.items(), key=lambda item: _place(item[1].root or item[1].source)):
            if (shard, at) not in self._retried:
                self._retried.add((shard, at))
                first, draw = entries[_place(letter.source)], self._random.random()
                if draw < GIVEN_UP:
                    self._give_up(shard, at, letter, first)
                    continue
                retry = Retry(f"engine/{shard}/{at}", letter.root or letter.source, faults)
                self._put(shard, first.key, first.value or b"", tuple(retry_headers(retry)))
                if draw < GIVEN_UP + OF_A_COPY:
                    self._give_up(shard, at, letter, first)

    def _give_up(self, shard: int, at: int, letter: DeadLetter, entry: Entry) -> None:
        """Without looking whether a copy waits under another letter: it must hold without that, too."""
        of: cmd.AnyCommand = cmd.decode(entry.value or b"")  # type: ignore[assignment]
        cause = command_id(letter.case, f"give_up/{at}")
        order = cmd.GiveUp(id=cause, case=letter.case, at=0, source=letter.source, of=of)
        self._put(shard, letter.case.encode(), cmd.encode(order))

    # -- to the log --

    def _source(self, kind: str = "intake") -> str:
        self._records += 1
        return f"{kind}.{CHANNEL}/0/{self._records}"

    def _send(self, command: Any) -> None:
        """To its shard; sometimes to another one as well, sometimes again later."""
        value, shard = msgspec.json.encode(command), shard_of(command.case, self._topics.shards)
        if self.poison and self._random.random() < self.poison:
            where, how = self._random.choice(
                ((command.id, "fault"), (command.id, "fault"), (command.id, "kill"), (value, "kill"))
            )
            self.curses[where] = how
        if self.deadline_poison and self._random.random() < self.deadline_poison:
            self.curses.setdefault(f"deadline/{command.case}", self._random.choice(("fault", "kill")))
        key = command.case.encode()
        if self._random.random() < 0.03:
            self._put((shard + 1) % self._topics.shards, key, value)
        self._put(shard, key, value)
        if self._random.random() < 0.1:
            self._later(
                self._random.choice((0.01, 5.0, 50_000.0)) * self._random.random(), lambda: self._put(shard, key, value)
            )

    def _put(self, shard: int, key: bytes | None, value: bytes, headers: tuple[Any, ...] = ()) -> None:
        self.sent += 1
        self._broker.append(TopicPartition(self._topics.commands, shard), [(key, value)], headers=headers)


def _place(source: str) -> int:
    return int(source.rpartition("/")[2])
