"""
What the audit chain says of the catalogue's life: whose keys hold, which drafts there are, what became of each version.

Nothing of this is kept anywhere else, so nobody can approve, or be an author, without an entry in the chain. An act on
a draft, a key or an old version is signed: over the hash of its entry, which covers who, what, when, why and the entry
before. So a signature stands for one act in one place, and cannot be used a second time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from router.catalogue.keys import is_signed
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
    """The fold. keys: every one that ever was; `key_of` gives the one that holds."""

    keys: list[Key] = field(default_factory=list)
    drafts: dict[str, Head] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)

    def key_of(self, who: str) -> Key | None:
        return next((key for key in self.keys if key.who == who and not key.revoked), None)

    @property
    def in_force(self) -> Version | None:
        return next((version for version in self.versions.values() if version.state == "in_force"), None)

    @property
    def waiting(self) -> Version | None:
        return next((version for version in self.versions.values() if version.state == "waiting"), None)


def lived(entries: Sequence[audit.Entry]) -> Life:
    """The life so far. Raises audit.ChainBroken where an entry lacks the signature that it needs."""
    life = Life()
    for entry in entries:
        if not _may(life, entry):
            raise audit.ChainBroken(f"{entry.stream} {entry.seq}")
        _DO[entry.act](life, entry)
    return life


def _may(life: Life, entry: audit.Entry) -> bool:
    """Whether the entry is an act that we know, signed by whom it names where that is needed."""
    text, signature = audit.signed(entry)
    if entry.act not in _DO:
        return False
    if not signature:
        return entry.act in UNSIGNED or (entry.act == "publish" and not {"draft", "rollback_of"} & entry.facts.keys())
    if entry.act == "key" and not life.keys:
        return entry.who == entry.facts["of"] and is_signed(entry.facts["key"], text, signature)
    key = life.key_of(entry.who)
    return key is not None and is_signed(key.public, text, signature)


def _key(life: Life, entry: audit.Entry) -> None:
    by = entry.who if life.keys else ""
    life.keys.append(Key(entry.facts["of"], entry.facts["key"], entry.at, by))


def _revoke(life: Life, entry: audit.Entry) -> None:
    gone = life.key_of(entry.facts["of"])
    life.keys = [replace(key, revoked=entry.at) if key is gone else key for key in life.keys]
    # who knows who approved with a key that had to be taken away
    for head in life.drafts.values():
        if head.approved_by == entry.facts["of"]:
            life.drafts[head.name] = replace(head, approved_by="", approved_at="")


def _save(life: Life, entry: audit.Entry) -> None:
    facts = entry.facts
    before = life.drafts.get(facts["draft"])
    authors = dict.fromkeys((*(before.authors if before else ()), entry.who))
    life.drafts[facts["draft"]] = Head(
        name=facts["draft"], revision=facts["revision"], base=facts["base"], content=facts["content"], by=entry.who,
        at=entry.at, why=entry.why, basis=facts["basis"], authors=tuple(authors),
    )  # fmt: skip


def _approve(life: Life, entry: audit.Entry) -> None:
    head = life.drafts[entry.facts["draft"]]
    life.drafts[head.name] = replace(head, approved_by=entry.who, approved_at=entry.at)


def _drop(life: Life, entry: audit.Entry) -> None:
    del life.drafts[entry.facts["draft"]]


def _publish(life: Life, entry: audit.Entry) -> None:
    facts = entry.facts
    draft = life.drafts.pop(facts["draft"]) if "draft" in facts else None
    made = Version(
        number=facts["version"], hash=facts["hash"], by=entry.who, at=entry.at, why=entry.why, draft=draft,
        start=facts.get("start", 0), rollback_of=facts.get("rollback_of", 0),
    )  # fmt: skip
    if made.start:
        life.versions[made.number] = replace(made, state="waiting")
    else:
        _end(life, "waiting", "withdrawn")
        _end(life, "in_force", "earlier")
        life.versions[made.number] = made


def _activate(life: Life, entry: audit.Entry) -> None:
    _end(life, "in_force", "earlier")
    _end(life, "waiting", "in_force")


def _withdraw(life: Life, entry: audit.Entry) -> None:
    _end(life, "waiting", "withdrawn")


def _review(life: Life, entry: audit.Entry) -> None:
    number = entry.facts["version"]
    life.versions[number] = replace(life.versions[number], reviewed_by=entry.who, reviewed_at=entry.at)


def _end(life: Life, state: str, after: str) -> None:
    for version in life.versions.values():
        if version.state == state:
            life.versions[version.number] = replace(version, state=after)


_DO: Mapping[str, Callable[[Life, audit.Entry], None]] = {
    "key": _key, "revoke": _revoke, "save": _save, "approve": _approve, "drop": _drop, "publish": _publish,
    "activate": _activate, "lapse": _withdraw, "withdraw": _withdraw, "review": _review,
}  # fmt: skip
