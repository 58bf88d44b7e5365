"""
Keys of people: who acts on drafts and versions signs with a key that only he has (ed25519).

The private key is a file of its owner, readable by nobody else. Which public key is whose stands in the audit chain
(router/catalogue/life.py).
"""

import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

is_name = re.compile(r"\w[\w.@-]{0,63}").fullmatch
"""What a person, or a draft, may be called: it becomes the name of a file and the key of a record."""


def is_draft_name(name: str) -> bool:
    """A name, but none of those that versions are called by."""
    return bool(is_name(name)) and not name.isdecimal() and name != "active"


class KeyFileUnusable(Exception):
    """There is no such key file (`missing`), others may read it (`open`), or it holds no ed25519 key (`unreadable`)."""

    def __init__(self, code: str, file: Path) -> None:
        super().__init__(code)
        self.code, self.file = code, file


class Signer:
    """A person who can sign."""

    def __init__(self, who: str, private: Ed25519PrivateKey) -> None:
        self.who, self._private = who, private

    @classmethod
    def fresh(cls, who: str) -> "Signer":
        """With a new key that is nowhere but in memory."""
        return cls(who, Ed25519PrivateKey.generate())

    @property
    def public(self) -> str:
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, text: str) -> str:
        return self._private.sign(text.encode()).hex()

    def store(self, folder: Path) -> Path:
        """Write the private key, for its owner alone. Raises FileExistsError: a key is never written over."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = file_of(folder, self.who)
        raw = self._private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(raw)
        return file

    def set_aside(self, folder: Path) -> None:
        """Keep the file of a key that holds no longer under a name that no key is looked for, so that a new one can be stored."""
        file = file_of(folder, self.who)
        file.rename(file.with_name(f"{file.name}.revoked-{self.public[:16]}"))


def file_of(folder: Path, who: str) -> Path:
    """Where a person's private key is."""
    return folder / f"{who}.pem"


def load(folder: Path, who: str) -> Signer:
    """The person whose private key lies in `folder`. Raises KeyFileUnusable."""
    file = file_of(folder, who)
    if not is_name(who) or not file.is_file():
        raise KeyFileUnusable("missing", file)
    if file.stat().st_mode & 0o077:
        raise KeyFileUnusable("open", file)
    try:
        private = form.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError):
        raise KeyFileUnusable("unreadable", file) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileUnusable("unreadable", file)
    return Signer(who, private)


def is_public(public: str) -> bool:
    """Whether this is a public key as `Signer.public` says it."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    except ValueError:
        return False
    return True


def is_signed(public: str, text: str, signature: str) -> bool:
    """Whether the holder of this key signed this text."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
