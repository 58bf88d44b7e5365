"""
What the audit chain says of the catalogue's life: whose keys hold, which drafts there are, what became of each version.

Nothing of this is kept anywhere else, so nobody can approve, or be an author, without an entry in the chain. An act on
a draft, a key or an old version is signed: over the hash of its entry, which covers who, what, when, why and the entry
before. So a signature stands for one act in one place, and cannot be used a second time. It names the deployment too
(prefix and cluster), so that in a copy of the chain elsewhere it counts for nothing; where a deployment has moved,
somebody says so by an act of his own (`adopt`).

What the tools refuse is refused here too: a chain in which somebody approved what he wrote, whatever wrote it there, is
no chain that anybody acts on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from router.catalogue.keys import is_draft_name, is_name, is_public, is_signed
from router.operate import audit

UNSIGNED = frozenset(["activate", "lapse"])
"""What the engine does when a day has come; a version that was published from a folder is not signed either."""


@dataclass(frozen=True)
class Key:
    """A public key, whose it is, since when, and who vouched for it; empty for the very first."""

    who: str
    public: str
    at: str
    by: str
    revoked: str = ""


@dataclass(frozen=True)
class Head:
    """
    What a draft is now. content: the hash of its files. base: the version that its author started from. authors:
    everybody who saved it, any of its revisions. basis: the document behind it (文号).
    """

    name: str
    revision: int
    base: int
    content: str
    by: str
    at: str
    why: str
    basis: str
    authors: tuple[str, ...]
    approved_by: str = ""
    approved_at: str = ""


@dataclass(frozen=True)
class Version:
    """
    One version, and what became of it. draft: what it was published from, None for a folder. by: who published it.
    start: the instant from which it takes effect, 0 for at once. rollback_of: whose content it is. state: in_force,
    waiting, earlier, withdrawn.
    """

    number: int
    hash: str
    by: str
    at: str
    why: str
    draft: Head | None = None
    start: int = 0
    rollback_of: int = 0
    reviewed_by: str = ""
    reviewed_at: str = ""
    state: str = "in_force"

    @property
    def approved_by(self) -> str:
        return self.draft.approved_by if self.draft else ""

    @property
    def wants_review(self) -> bool:
        """It took effect by the word of one person alone, and nobody has looked at it since."""
        return not self.approved_by and not self.reviewed_by and self.state != "withdrawn"

    @property
    def hands(self) -> frozenset[str]:
        """Who had a hand in it, and so cannot review it."""
        return frozenset((self.by, *(self.draft.authors if self.draft else ())))


@dataclass
class Life:
    """
    The fold. keys: every one that ever was; `key_of` gives the one that holds. revisions: the last number that a draft
    of each name had, those that are gone too: no number is given twice, so that an old folder fits no new draft.
    deployment: where the signatures are from, empty before one said so; unbound: how many did not.
    """

    keys: list[Key] = field(default_factory=list)
    drafts: dict[str, Head] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    deployment: str = ""
    unbound: int = 0

    def key_of(self, who: str) -> Key | None:
        return next((key for key in self.keys if key.who == who and not key.revoked), None)

    def holds(self, who: str, public: str) -> bool:
        """Whether this is the key that is known for this person."""
        key = self.key_of(who)
        return key is not None and key.public == public

    def was_known(self, public: str) -> bool:
        """Whether it is, or ever was, anybody's key: it cannot become a second person's, or hold again."""
        return any(key.public == public for key in self.keys)

    @property
    def in_force(self) -> Version | None:
        return next((version for version in self.versions.values() if version.state == "in_force"), None)

    @property
    def waiting(self) -> Version | None:
        return next((version for version in self.versions.values() if version.state == "waiting"), None)


def lived(entries: Sequence[audit.Entry]) -> Life:
    """The life so far. Raises audit.ChainBroken at an entry that the rules forbid, or that lacks its signature."""
    life = Life()
    for entry in entries:
        add(life, entry)
    return life


def add(life: Life, entry: audit.Entry) -> None:
    """Let the next entry count. Raises audit.ChainBroken as `lived` does."""
    try:
        _need(all(type(value) is _KINDS.get(name, type(value)) for name, value in entry.facts.items()))
        _need(_is_signed(life, entry))
        _bind(life, entry)
        _DO[entry.act](life, entry)
    except (_Forbidden, LookupError, TypeError):  # lacks a fact, or names what is not there
        raise audit.ChainBroken(f"{entry.stream} {entry.seq}") from None


class _Forbidden(Exception):
    """By the rules of the life cycle."""


def _need(condition: bool) -> None:
    if not condition:
        raise _Forbidden


def _is_signed(life: Life, entry: audit.Entry) -> bool:
    """Whether it is signed by whom it names, where that is needed: once there is a key, by every person."""
    text, signature = audit.signed(entry)
    if not signature:
        return entry.act in UNSIGNED or (entry.act in ("publish", "mend") and not life.keys)
    if entry.act == "key" and not life.keys:
        return entry.who == entry.facts["of"] and is_signed(entry.facts["key"], text, signature)
    key = life.key_of(entry.who)
    return key is not None and is_signed(key.public, text, signature)


def _bind(life: Life, entry: audit.Entry) -> None:
    """What is signed was signed here. From the first entry on that says where, all do; those before are only counted."""
    if not audit.signed(entry)[1]:
        return
    where = entry.facts.get("deployment", "")
    _need(where == life.deployment or not life.deployment or (entry.act == "adopt" and bool(where)))
    life.deployment = where
    life.unbound += not where


def _adopt(life: Life, entry: audit.Entry) -> None:
    """The deployment has moved: `_bind` has taken note."""
    _need(bool(entry.facts.get("deployment")) and bool(entry.facts["from"]))


def _key(life: Life, entry: audit.Entry) -> None:
    who, public = entry.facts["of"], entry.facts["key"]
    _need(bool(is_name(who)) and is_public(public) and life.key_of(who) is None and not life.was_known(public))
    life.keys.append(Key(who, public, entry.at, entry.who if life.keys else ""))


def _revoke(life: Life, entry: audit.Entry) -> None:
    of = entry.facts["of"]
    gone = life.key_of(of)
    _need(gone is not None and sum(not key.revoked for key in life.keys) > 1)
    life.keys = [replace(key, revoked=entry.at or "-") if key is gone else key for key in life.keys]
    # who knows who approved with a key that had to be taken away: neither a draft, nor what waits for its day
    for head in life.drafts.values():
        if head.approved_by == of:
            life.drafts[head.name] = _unapproved(head)
    waiting = life.waiting
    if waiting and waiting.draft and waiting.approved_by == of:
        life.versions[waiting.number] = replace(waiting, draft=_unapproved(waiting.draft), state="withdrawn")


def _unapproved(head: Head) -> Head:
    return replace(head, approved_by="", approved_at="")


def _save(life: Life, entry: audit.Entry) -> None:
    facts = entry.facts
    name, revision, base = facts["draft"], facts["revision"], facts["base"]
    _need(is_draft_name(name) and revision == life.revisions.get(name, 0) + 1)
    _need(base in life.versions or (base == 0 and not life.versions))
    before = life.drafts.get(name)
    authors = dict.fromkeys((*(before.authors if before else ()), entry.who))
    life.revisions[name] = revision
    life.drafts[name] = Head(
        name=name, revision=revision, base=base, content=facts["content"], by=entry.who, at=entry.at, why=entry.why,
        basis=facts["basis"], authors=tuple(authors),
    )  # fmt: skip


def _approve(life: Life, entry: audit.Entry) -> None:
    head = _looked_at(life, entry)
    _need(entry.who not in head.authors and head.base == _newest(life))
    life.drafts[head.name] = replace(head, approved_by=entry.who, approved_at=entry.at)


def _drop(life: Life, entry: audit.Entry) -> None:
    _need(life.drafts.pop(entry.facts["draft"]).revision == entry.facts["revision"])


def _publish(life: Life, entry: audit.Entry) -> None:
    facts = entry.facts
    made = Version(
        number=facts["version"], hash=facts["hash"], by=entry.who, at=entry.at, why=entry.why,
        draft=_looked_at(life, entry) if "draft" in facts else None, start=facts.get("start", 0),
        rollback_of=facts.get("rollback_of", 0),
    )  # fmt: skip
    _need(made.number > max(life.versions, default=0))
    if made.draft:
        _need(made.draft.base == _newest(life) and not made.rollback_of)
        del life.drafts[made.draft.name]
    elif made.rollback_of:
        _need(life.versions[made.rollback_of].state in ("earlier", "in_force"))
    else:
        _need(may_be_folder(life) and life.waiting is None)
    if made.start:
        _need(made.start > 0 and bool(made.approved_by) and life.waiting is None)
        life.versions[made.number] = replace(made, state="waiting")
    else:
        _need(bool(made.approved_by or made.why) or not (made.draft or made.rollback_of))
        _end(life, "waiting", "withdrawn")
        _end(life, "in_force", "earlier")
        life.versions[made.number] = made


def may_be_folder(life: Life) -> bool:
    """Whether a folder can be published: not once there is a version and somebody who can sign for drafts."""
    return not (life.keys and life.versions)


def _activate(life: Life, entry: audit.Entry) -> None:
    waiting = _waits(life, entry)
    _need(waiting.hash == entry.facts["hash"] and waiting.draft is not None and waiting.draft.base == _newest(life))
    _end(life, "in_force", "earlier")
    _end(life, "waiting", "in_force")


def _mend(life: Life, entry: audit.Entry) -> None:
    """Its content was written again; the hash says that it is the same."""
    found = life.versions[entry.facts["version"]]
    _need(found.state == "in_force" and found.hash == entry.facts["hash"])


def _withdraw(life: Life, entry: audit.Entry) -> None:
    _waits(life, entry)
    _end(life, "waiting", "withdrawn")


def _review(life: Life, entry: audit.Entry) -> None:
    found = life.versions[entry.facts["version"]]
    _need(found.wants_review and found.hash == entry.facts["hash"] and entry.who not in found.hands)
    life.versions[found.number] = replace(found, reviewed_by=entry.who, reviewed_at=entry.at)


def _looked_at(life: Life, entry: audit.Entry) -> Head:
    """The draft that an entry names, which is still what it says."""
    facts = entry.facts
    head = life.drafts[facts["draft"]]
    _need((head.revision, head.content) == (facts["revision"], facts["content"]))
    return head


def _waits(life: Life, entry: audit.Entry) -> Version:
    """The version that an entry names, which waits for its day."""
    found = life.versions[entry.facts["version"]]
    _need(found.state == "waiting")
    return found


def _newest(life: Life) -> int:
    return life.in_force.number if life.in_force else 0


def _end(life: Life, state: str, after: str) -> None:
    for version in life.versions.values():
        if version.state == state:
            life.versions[version.number] = replace(version, state=after)


_KINDS: Mapping[str, type] = {
    "of": str, "key": str, "draft": str, "revision": int, "base": int, "content": str, "basis": str, "version": int,
    "hash": str, "start": int, "rollback_of": int, "deployment": str, "from": str,
}  # fmt: skip
_DO: Mapping[str, Callable[[Life, audit.Entry], None]] = {
    "key": _key, "revoke": _revoke, "save": _save, "approve": _approve, "drop": _drop, "publish": _publish,
    "activate": _activate, "lapse": _withdraw, "withdraw": _withdraw, "review": _review,
    "adopt": _adopt, "mend": _mend,
}  # fmt: skip
