"""The document that channels and departments read names every type and every code."""

from pathlib import Path

import pytest

from schemas.faults import CODES
from schemas.handling import ReplyAction
from schemas.registry import MODELS
from schemas.vocabulary import ReceiptCode

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", ["contract.md", "contract.zh.md"])
def test_every_word_of_the_contract_is_explained(name: str) -> None:
    """A type, code or action that nobody explains is not published."""
    text = (DOCS / name).read_text(encoding="utf-8")
    words = [*MODELS, *CODES, *(word.value for word in (*ReceiptCode, *ReplyAction))]
    assert [word for word in words if f"`{word}`" not in text] == []
