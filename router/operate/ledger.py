"""
The ledger: where every input stands, proved from the real topics, set by set.

submitted = open + finished + duplicates + dead letters, each a set of intake offsets
(`topic/partition/offset`), each offset in exactly one of them; supplements, withdrawals and
evaluations that could be read are counted apart (`followups`). What is missing somewhere is
`lost`, what took effect twice is `double`; both name the records they mean.
`balance` is a pure function of what `collect` read (read_committed).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from workflows import events as ev
from workflows.outbox import Message, OutboxRecord

__all__ = ["Delivered", "Gathered", "Ledger", "balance"]

TERMINAL = (ev.CaseClosed, ev.CaseRefused, ev.CaseWithdrawn, ev.CaseArchived)

COUNTED: Mapping[str, type[ev.Event] | tuple[type[ev.Event], ...]] = {
    "returned": ev.LegReturnAsked,
    "returns_accepted": ev.LegReturned,
    "warned": ev.ClockWarned,
    "overdue": ev.ClockOverdue,
    "escalated": ev.CaseEscalated,
    "redirected": ev.EmergencyRedirected,
    "sent_back": ev.LegSentBack,
    "answered_at_once": ev.CaseAnsweredAtOnce,
    "dispatched": ev.LegDispatched,
    "triaged": ev.TriageAsked,
    "not_accepted": ev.CaseRefused,
    "extensions": ev.ExtensionAsked,
    "ruled": ev.CaseRuled,
    "called_back": ev.CalledBack,
    "mergers_proposed": ev.MergeProposed,
    "merged": ev.MergeConfirmed,
}


@dataclass(frozen=True)
class Delivered:
    """A record that left: its topic, the id a receiver dedupes by, the task it opens (or none), a hash of what it says."""

    topic: str
    id: str
    task: str
    digest: str


@dataclass(frozen=True)
class Gathered:
    """
    What the topics hold. An input is named `topic/partition/offset`.

    inputs: every intake record; True for a readable supplement, withdrawal or evaluation.
    replies: every record of the reply topics. dead: the inputs that a dead letter stands for. kept: those that the
    engine could not decide: dead letters too, but once they were written again they have their effect.
    records: `case.events`, in the order of each partition. outbox: `case.outbox`, whole.
    published: what the publisher had acknowledged, when it is known.
    """

    inputs: Mapping[str, bool]
    replies: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    records: Sequence[ev.EventRecord] = ()
    outbox: Sequence[OutboxRecord] = ()
    delivered: Sequence[Delivered] = ()
    published: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ledger:
    """The sets. `lost` and `double` say what is wrong, one text per record; both empty when all is well."""

    open: frozenset[str]
    finished: frozenset[str]
    duplicates: frozenset[str]
    dead_letters: frozenset[str]
    followups: frozenset[str]
    submitted: frozenset[str]
    lost: tuple[str, ...]
    double: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[frozenset[str], ...]:
        return self.open, self.finished, self.duplicates, self.dead_letters

    @cached_property
    def balanced(self) -> bool:
        """Whether the four sets are disjoint, together are all that was submitted, and nothing is lost or double."""
        whole = frozenset().union(*self.parts)
        disjoint = sum(map(len, self.parts)) == len(whole)
        return disjoint and whole == self.submitted and not self.lost and not self.double

    def numbers(self) -> dict[str, int]:
        """The ledger as one flat object of integers."""
        sets = {
            "submitted": self.submitted,
            "open": self.open,
            "finished": self.finished,
            "duplicates": self.duplicates,
            "dead_letters": self.dead_letters,
            "lost": self.lost,
            "double": self.double,
            "followups": self.followups,
        }
        return {name: len(members) for name, members in sets.items()} | dict(self.counts)


def balance(gathered: Gathered) -> Ledger:
    """Put every intake offset into its set and look for what is missing or there twice."""
    fates = _fates(gathered)
    placed = {source: fates.get(source, ()) for source in gathered.inputs}
    followups = frozenset(s for s, is_followup in gathered.inputs.items() if is_followup)
    requests = {s: f for s, f in placed.items() if s not in followups}
    chosen: dict[str, set[str]] = defaultdict(set)
    for source, fate in requests.items():
        chosen[fate[0] if fate else "lost"].add(source)
    return Ledger(
        open=frozenset(chosen["open"]),
        finished=frozenset(chosen["finished"]),
        duplicates=frozenset(chosen["duplicates"]),
        dead_letters=frozenset(chosen["dead_letters"]),
        followups=followups,
        submitted=frozenset(requests),
        lost=tuple(_lost(gathered, placed)),
        double=tuple(_double(gathered, placed)),
        counts=_counts(gathered.records),
    )


def _fates(gathered: Gathered) -> dict[str, tuple[str, ...]]:
    """Each source with every set it stands in; one is right, none is a loss, two are a double."""
    closed = {r.case for r in gathered.records for e in r.events if isinstance(e, TERMINAL)}
    fates: dict[str, list[str]] = defaultdict(list)
    for record in gathered.records:
        if record.source:
            fates[record.source].append(_fate(record, record.case in closed))
    for source in gathered.dead:
        if fates[source] != ["dead_letters"]:
            fates[source].append("dead_letters")
    for source in gathered.kept:
        if not fates[source]:
            fates[source].append("dead_letters")
    return {source: tuple(f) for source, f in fates.items()}


def _fate(record: ev.EventRecord, closed: bool) -> str:
    for event in record.events:
        if isinstance(event, ev.CaseRegistered):
            return "finished" if closed else "open"
        if isinstance(event, ev.DuplicateReceived):
            return "duplicates"
        if isinstance(event, ev.IdReused):
            return "dead_letters"
    return "followups"


def _lost(gathered: Gathered, placed: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Inputs and replies without an effect, holes in a case's history, messages that never left."""
    yield from (f"input {s}: no fate" for s, fate in placed.items() if not fate)
    yield from (f"input {s}: published, not on its topic" for s in gathered.published - gathered.inputs.keys())
    settled = gathered.dead | gathered.kept | {r.source for r in gathered.records}
    yield from (f"reply {s}: no effect" for s in sorted(gathered.replies - settled))
    for case, versions in _versions(gathered.records).items():
        missing = set(range(1, max(versions) + 1)) - versions.keys()
        yield from (f"case {case}: version {v} is missing" for v in sorted(missing))
    left = {(d.topic, d.id) for d in gathered.delivered}
    for record in gathered.outbox:
        yield from (f"message {m.id}: never left to {m.to}" for m in _leaving(record) if (m.to, m.id) not in left)


def _leaving(record: OutboxRecord) -> Iterator[Message]:
    """The messages that must be seen on a topic of their own (a case's message to a case is a command)."""
    yield from (m for m in record.messages if not m.to.startswith("case:"))


def _double(gathered: Gathered, placed: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Inputs and replies with two effects, cases registered twice, versions and tasks that are there twice."""
    yield from (f"input {s}: {' and '.join(fate)}" for s, fate in placed.items() if len(fate) > 1)
    sources = Counter(r.source for r in gathered.records if r.source in gathered.replies)
    yield from (f"reply {s}: took effect {n} times" for s, n in sources.items() if n > 1)
    registered = Counter(r.case for r in gathered.records for e in r.events if isinstance(e, ev.CaseRegistered))
    yield from (f"case {c}: registered {n} times" for c, n in registered.items() if n > 1)
    for case, versions in _versions(gathered.records).items():
        yield from (f"case {case}: version {v} is there {n} times" for v, n in versions.items() if n > 1)
    yield from _contradictions(gathered.delivered)


def _contradictions(delivered: Iterable[Delivered]) -> Iterator[str]:
    """One id with two contents, one task at two endpoints: what a receiver cannot take as one."""
    contents: dict[str, set[str]] = defaultdict(set)
    places: dict[str, set[str]] = defaultdict(set)
    for record in delivered:
        contents[record.id].add(record.digest)
        if record.task:
            places[record.task].add(record.topic)
    yield from (f"message {i}: {len(c)} contents" for i, c in contents.items() if len(c) > 1)
    yield from (f"task {t}: on {len(p)} topics" for t, p in places.items() if len(p) > 1)


def _versions(records: Iterable[ev.EventRecord]) -> dict[str, Counter[int]]:
    versions: dict[str, Counter[int]] = defaultdict(Counter)
    for record in records:
        versions[record.case][record.version] += 1
    return versions


def _counts(records: Iterable[ev.EventRecord]) -> dict[str, int]:
    seen = [e for r in records for e in r.events]
    counts = {name: sum(isinstance(e, kind) for e in seen) for name, kind in COUNTED.items()}
    return counts | {"sub_dispatched": sum(isinstance(e, ev.LegDispatched) and bool(e.parent) for e in seen)}
