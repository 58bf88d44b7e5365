"""A private key is its owner's: a file that nobody else can read, and that is never written over."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from router.catalogue.keys import KeyFileUnusable, Signer, file_of, is_public, is_signed, load


def test_a_stored_key_signs_as_before(tmp_path: Path) -> None:
    signer = Signer.fresh("王运维")
    file = signer.store(tmp_path / "keys")
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    again = load(tmp_path / "keys", "王运维")
    assert again.public == signer.public and is_signed(signer.public, "text", again.sign("text"))
    with pytest.raises(FileExistsError):
        Signer.fresh("王运维").store(tmp_path / "keys")


def test_a_key_that_holds_no_longer_makes_room_for_a_new_one(tmp_path: Path) -> None:
    """Its file stays, under a name that nobody signs by."""
    old = Signer.fresh("li")
    kept = old.store(tmp_path).read_bytes()
    old.set_aside(tmp_path)
    new = Signer.fresh("li")
    new.store(tmp_path)
    assert load(tmp_path, "li").public == new.public
    (aside,) = [file for file in tmp_path.iterdir() if file.suffix != ".pem"]
    assert aside.read_bytes() == kept and aside.stat().st_mode & 0o777 == 0o600


def test_a_key_that_cannot_be_trusted_is_not_used(tmp_path: Path) -> None:
    """That others can read, that is none, or none of ours."""
    file = Signer.fresh("li").store(tmp_path)
    os.chmod(file, 0o640)
    file_of(tmp_path, "text").write_text("x")
    other = generate_private_key(SECP256R1())
    file_of(tmp_path, "other").write_bytes(
        other.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    for name in ("text", "other"):
        os.chmod(file_of(tmp_path, name), 0o600)
    for who, code in (
        ("li", "open"), ("text", "unreadable"), ("other", "unreadable"), ("nobody", "missing"), ("../li", "missing"),
    ):  # fmt: skip
        with pytest.raises(KeyFileUnusable) as refused:
            load(tmp_path, who)
        assert refused.value.code == code


def test_a_signature_is_of_one_text_by_one_key() -> None:
    signer, other = Signer.fresh("a"), Signer.fresh("a")
    signature = signer.sign("text")
    assert is_signed(signer.public, "text", signature)
    for public, text, signed in (
        (other.public, "text", signature), (signer.public, "texts", signature), (signer.public, "text", "00" + signature[2:]),
        (signer.public, "text", "x"), (signer.public, "text", ""), ("x", "text", signature),
    ):  # fmt: skip
        assert not is_signed(public, text, signed)
    assert is_public(signer.public) and not is_public("") and not is_public("zz" * 32)
