"""
One record from outside becomes one command, or one refusal. Pure: bytes, what is known, and the time.

`translate` answers every record, whatever its bytes are, and never raises: a channel's mistake delays
nobody else. Everything that leaves from here is derived from the record's place in the log, so that doing
a record twice writes the same again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import Any, Literal, Protocol, cast

import msgspec
from msgspec import Raw

from schemas import registry, times
from schemas.cloudevents import Event, Header, canonical, decode, digest, named_channel, unpack
from schemas.faults import Fault, InvalidMessage, fault
from schemas.fields import CODE_PATTERN, UUID_PATTERN
from schemas.handling import OrderAction, ReplyAction
from schemas.identity import ref_fault
from schemas.ids import case_id, command_id, shard_of
from schemas.order import Order
from schemas.request import Evaluation, ServiceRequest
from schemas.task import Reply
from schemas.validation import read, suggestion
from workflows import commands
from workflows.case import KEPT_MS
from workflows.proposals import QUESTION, Found, Proposal

AHEAD_MS = 5 * 60 * 1000
"""How far ahead of our clock a sender's may be."""


_is_id = re.compile(UUID_PATTERN).search
_is_code = re.compile(CODE_PATTERN).search
_ACTIONS = frozenset(word.value for word in ReplyAction)
_ORDERS = frozenset(word.value for word in OrderAction)


class Channel(Protocol):
    """What a row of the catalogue says of a channel; the last three stand where a request does not say so itself."""

    @property
    def id(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def medium(self) -> str: ...
    @property
    def default_kind(self) -> str: ...


class Directory(Protocol):
    """What intake asks of the catalogue in force."""

    @property
    def channels(self) -> Mapping[str, Channel]: ...
    @property
    def endpoints(self) -> Mapping[str, object]: ...
    def has_region(self, code: str) -> bool: ...


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same from record to record: the catalogue in force and three settings."""

    directory: Directory
    prefix: str
    shards: int
    secret: bytes
    propose: Callable[[str, str], Proposal | None] | None = None
    """What a request is about by its title and text, where it does not say so; None where nobody knows."""
    find: Callable[[str, str, int], Found | None] | None = None
    """What may answer a question of this title and text at this time; None where nothing does."""


class Record(Protocol):
    """A record as the log gives it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...


class Accepted(msgspec.Struct, frozen=True):
    """A command for a shard; extension attributes of the event travel on as headers."""

    case: str
    partition: int
    command: bytes
    type: str
    headers: list[Header]
    free: commands.Submit | None = None
    """The command itself, where what it is about is only guessed at"""


class Rejected(msgspec.Struct, frozen=True):
    """
    A refusal: whom it answers, under which id, and why.

    door: `channel` | `endpoint`; name: which. ref: the channel's own id, else topic-partition-offset.
    case_id, task_id, action: of a reply, where they could be read; unit: of an order, in place of a task.
    ordered: whether it was meant as an order.
    """

    door: Literal["channel", "endpoint"]
    name: str
    ref: str
    fault: Fault
    case_id: str = ""
    task_id: str = ""
    action: str = ""
    unit: str = ""
    ordered: bool = False


def translate(record: Record, known: Known, now: int) -> Accepted | Rejected:
    """The command that `record` stands for, or why there is none. Never raises for anything a sender wrote."""
    family, name = _door(record, known)
    try:
        if family == "intake":
            return _from_channel(record, name, known, now)
        return _from_endpoint(record, name, known, now)
    except InvalidMessage as error:
        return rejected(record, known, error)


def _door(record: Record, known: Known) -> tuple[str, str]:
    """`intake` or `replies`, and of whom: the topic says it, as only its owner may write there."""
    family, _, name = record.topic.removeprefix(known.prefix).partition(".")
    return family, name


def source_of(record: Record) -> str:
    """The record's place in the log, by which commands and the ledger name it."""
    return f"{record.topic}/{record.partition}/{record.offset}"


def place_of(record: Record) -> str:
    """The same as a key, for a record that has no usable id."""
    return f"{record.topic}-{record.partition}-{record.offset}"


# -- from a channel ------------------------------------------------------------------------------


def _from_channel(record: Record, name: str, known: Known, now: int) -> Accepted:
    event = decode(record.value, record.headers)
    channel = known.directory.channels.get(name)
    if channel is None:
        raise InvalidMessage([fault("unknown_channel")], event.id)
    _check_event(event, registry.FROM_CHANNELS, now)
    _check_source(event, name, known)
    if event.type == registry.REQUEST_SUBMITTED:
        return _submit(record, event, channel, known, now)
    return _follow_up(record, event, name, known, now)


def _submit(record: Record, event: Event, channel: Channel, known: Known, now: int) -> Accepted:
    request = read(ServiceRequest, event.data, event.id)
    received_at = _checked(request, event.id, known, now)
    case = case_id(channel.id, event.id)
    source = source_of(record)
    body = canonical(event.data)
    # The hash is of what the channel said: what its row adds may change between two tries of the same request.
    command = commands.Submit(
        id=command_id(case, source),
        case=case,
        at=now,
        source=source,
        channel=channel.id,
        ref=event.id,
        request=Raw(completed(event.data, body, channel)),
        digest=digest(body),
        received_at=received_at,
        query_code=query_code(known.secret, case),
        proposal=_proposal(request, channel, known, now) if known.propose and _says_nothing(request) else None,
    )
    accepted = _accepted(case, commands.encode(command), event, known)
    return msgspec.structs.replace(accepted, free=command) if command.proposal else accepted


def _proposal(request: ServiceRequest, channel: Channel, known: Known, now: int) -> Proposal | None:
    """What it is about, and of a question what may answer it."""
    proposal = known.propose(request.title, request.text) if known.propose else None
    if proposal and known.find and (request.appeal_kind or channel.default_kind) == QUESTION:
        found = known.find(request.title, request.text, now)
        return msgspec.structs.replace(proposal, answer=found) if found else proposal
    return proposal


def _says_nothing(request: ServiceRequest) -> bool:
    """Whether what it is about stands in its words alone, and somebody has yet to act on it."""
    return not (request.appeal_category or request.matter_code or request.one_thing or request.direct_answer)


def completed(data: Mapping[str, Any], body: bytes, channel: Channel) -> bytes:
    """The request with what the channel's row says where the request itself does not."""
    row = {"appeal_kind": channel.default_kind or "other", "medium": channel.medium, "origin": channel.origin}
    missing = {name: word for name, word in row.items() if word and data.get(name) is None}
    return canonical({**data, **missing}) if missing else body


def _checked(request: ServiceRequest, ref: str, known: Known, now: int) -> int:
    """When the request was received; raises for times and places that cannot be."""
    faults: list[Fault] = []
    received_at = now if request.received_at is None else times.milliseconds(request.received_at)
    if received_at > now + AHEAD_MS:
        faults.append(fault("time_ahead", "/data/received_at"))
    if received_at < now - KEPT_MS:
        faults.append(fault("too_old", "/data/received_at"))
    if request.occurred_at is not None and times.milliseconds(request.occurred_at) > now + AHEAD_MS:
        faults.append(fault("time_ahead", "/data/occurred_at"))
    if request.place is not None and not known.directory.has_region(request.place.region):
        faults.append(fault("unknown_region", "/data/place/region"))
    if request.received_region is not None and not known.directory.has_region(request.received_region):
        faults.append(fault("unknown_region", "/data/received_region"))
    if faults:
        raise InvalidMessage(faults, ref)
    return received_at


def _follow_up(record: Record, event: Event, channel: str, known: Known, now: int) -> Accepted:
    model = read(registry.FROM_CHANNELS[event.type], event.data, event.id)
    case = case_id(channel, event.subject)
    common = _common(record, event, case, now) | {"channel": channel, "ref": event.subject}
    command: commands.AnyCommand
    if isinstance(model, Evaluation):
        if model.token is not None and not compare_digest(
            model.token.encode(), query_code(known.secret, case).encode()
        ):
            raise InvalidMessage([fault("wrong_token", "/data/token")], event.subject)
        command = commands.Evaluate(**common, grade=model.grade)
    elif event.type == registry.REQUEST_WITHDRAWN:
        command = commands.Withdraw(**common)
    elif event.type == registry.REQUEST_URGED:
        command = commands.Urge(**common)
    elif event.type == registry.REQUEST_OBJECTED:
        command = commands.AskReview(**common)
    else:
        command = commands.Supplement(**common)
    return _accepted(case, commands.encode(command), event, known)


# -- from a unit -----------------------------------------------------------------------------------


def _from_endpoint(record: Record, name: str, known: Known, now: int) -> Accepted:
    event = decode(record.value, record.headers)
    if name not in known.directory.endpoints:
        raise InvalidMessage([fault("unknown_endpoint")], event.id)
    _check_event(event, registry.FROM_UNITS, now)
    if event.type == registry.ORDER_GIVEN:
        return _order(record, event, name, known, now)
    reply = read(Reply, event.data, event.id)
    command = commands.Reply(
        **_common(record, event, reply.case_id, now),
        endpoint=name,
        task=reply.task_id,
        action=cast(commands.ReplyAction, reply.action.value),
    )
    return _accepted(reply.case_id, commands.encode(command), event, known)


def _order(record: Record, event: Event, name: str, known: Known, now: int) -> Accepted:
    """Whether the unit speaks through this door is the engine's to say, by the catalogue in force when it decides."""
    order = read(Order, event.data, event.id)
    command = commands.Order(
        **_common(record, event, order.case_id, now),
        endpoint=name,
        unit=order.unit,
        action=cast(commands.OrderAction, order.action.value),
    )
    return _accepted(order.case_id, commands.encode(command), event, known)


# -- what both have in common ------------------------------------------------------------------------


def _common(record: Record, event: Event, case: str, now: int) -> dict[str, Any]:
    """What every command but the first of its case is made of: its id, its place in the log, all that was said."""
    source = source_of(record)
    return {
        "id": command_id(case, source),
        "case": case,
        "at": now,
        "source": source,
        "body": Raw(canonical(event.data)),
    }


def _check_event(event: Event, taken: Mapping[str, object], now: int) -> None:
    faults = []
    if event.type not in taken:
        faults.append(fault("unknown_type", "/type", *suggestion(event.type, taken)))
    if event.time is not None and event.time > now + AHEAD_MS:
        faults.append(fault("time_ahead", "/time"))
    if faults:
        raise InvalidMessage(faults, event.id)


def _check_source(event: Event, channel: str, known: Known) -> None:
    """A source need not name a channel; one that does must name the channel of the topic."""
    named = named_channel(event.source)
    if named and named != channel:
        code = "wrong_channel" if named in known.directory.channels else "unknown_channel"
        raise InvalidMessage([fault(code, "/source")], event.id)


def _accepted(case: str, command: bytes, event: Event, known: Known) -> Accepted:
    headers = [(f"ce_{name}", text.encode()) for name, text in event.extensions.items()]
    return Accepted(case, shard_of(case, known.shards), command, event.type, headers)


def query_code(secret: bytes, case: str) -> str:
    """Six digits with which a citizen may ask after the case: keyed, so that nobody can derive it from the number."""
    mac = _keyed(secret).copy()
    mac.update(case.encode())
    return f"{int.from_bytes(mac.digest()) % 1_000_000:06d}"


@lru_cache(1)
def _keyed(secret: bytes) -> blake2b:
    """BLAKE2b as a MAC (RFC 7693): one pass, where an HMAC takes four. A key has at most 64 bytes, a secret any number."""
    return blake2b(key=sha256(secret).digest(), person=b"query", digest_size=8)


def rejected(record: Record, known: Known, error: InvalidMessage) -> Rejected:
    """The refusal of `record`, under the best id that can be had."""
    family, name = _door(record, known)
    door: Literal["channel", "endpoint"] = "channel" if family == "intake" else "endpoint"
    ref = error.ref or usable_key(record.key) or place_of(record)
    return Rejected(door, name, ref, error.first, **(_of_unit(record) if door == "endpoint" else {}))


def usable_key(key: bytes | None) -> str:
    """The record's key, which should be the channel's own id, where it may be used as one."""
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return ""
    return "" if ref_fault(text) else text


def _of_unit(record: Record) -> dict[str, Any]:
    """Case, task or unit, and action of a faulty message as far as they can be read, so that the unit knows which one is meant."""
    try:
        attributes, data = unpack(record.value, record.headers)
    except InvalidMessage:
        return {}
    ordered = attributes.get("type") == registry.ORDER_GIVEN
    said = data if isinstance(data, dict) else {}
    ids = {name: text for name in ("case_id", "task_id") if isinstance(text := said.get(name), str) and _is_id(text)}
    action, unit = said.get("action"), said.get("unit")
    known = isinstance(action, str) and action in (_ORDERS if ordered else _ACTIONS)
    return {
        **ids,
        "action": action if known else "",
        "unit": unit if ordered and isinstance(unit, str) and _is_code(unit) else "",
        "ordered": ordered,
    }
