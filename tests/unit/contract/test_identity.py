"""What is shaped like a person's number is recognised; what machines make up is not mistaken for one."""

import pytest

from schemas.identity import is_uscc, like_personal_data, ref_fault
from schemas.ids import case_id, command_id


@pytest.mark.parametrize(
    "text",
    [
        "13812345678",
        "+8613812345678",
        "86-138-1234-5678",
        "tel:199 0000 1111",
        "GD_13812345678",
        "370102199001011233",
        "37010219900101123x",
        "id/11010119991231777X",
    ],
)
def test_numbers_of_people_are_recognised(text: str) -> None:
    """A mobile or an identity number is recognised, alone or beside other words, whatever its check digit."""
    assert like_personal_data(text)


@pytest.mark.parametrize(
    "text",
    [
        "20260918137123456789",
        "RX-20260918-000123",
        "12812345678",
        "1381234567",
        "370102999901011233",
        "00000000-0000-5000-a000-a13812345678",
        "9f86d081884c7d659a2feaa0c55ad015a13812345678",
        "",
    ],
)
def test_serial_numbers_and_hashes_are_not(text: str) -> None:
    """Longer runs of digits, impossible dates and digits within a word are no person's number."""
    assert not like_personal_data(text)


def test_our_own_ids_never_look_like_people() -> None:
    """No id that we derive is refused when somebody hands it back to us."""
    ids = [case_id("c", str(n)) for n in range(3000)]
    assert not [i for i in ids + [command_id(i, "x") for i in ids] if ref_fault(i)]


@pytest.mark.parametrize("ref", ["", " ", "a b", "a\tb", "a\n", "a\u3000b", "x" * 129, "a\u200b"])
def test_an_id_is_short_printable_and_without_blanks(ref: str) -> None:
    """What cannot be seen or typed cannot be a key."""
    assert ref_fault(ref) == "bad_id"


def test_an_id_may_be_chinese() -> None:
    """Keys are UTF-8: a document number is a fine id."""
    assert ref_fault("鲁热线〔2026〕918号") == ""


def test_uscc_is_checked_to_its_last_character() -> None:
    """A unified social credit code with a wrong check character is none."""
    assert is_uscc("91110000600037341L")
    assert not is_uscc("91110000600037341M")
    assert not is_uscc("")
