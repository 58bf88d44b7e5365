"""
Numbers that stand for people and enterprises: recognised, so that they never become a key.

Keys, topic names, labels and logs carry no personal data (design §4). A channel's own id becomes
a key; so an id that is shaped like a mobile or an identity number is refused.
"""

import re

from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError

# Flanked by anything but letters and digits: a run inside a UUID or a longer serial number is no phone number.
_MOBILE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}(?![0-9A-Za-z])")
_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-8][0-9]{16}[0-9Xx](?![0-9A-Za-z])")


def like_personal_data(text: str) -> bool:
    """
    Whether `text` holds something shaped like a mobile number (1[3-9] and nine digits) or a resident identity number.

    The check digit of an identity number is not asked: a mistyped one is as personal, and a channel whose
    serial numbers look so should learn it from the first message, not from every eleventh.
    """
    if len(text) < 11:
        return False
    if _MOBILE.search(text):
        return True
    return _IDENTITY.search(text) is not None and any(map(_has_birth_date, _IDENTITY.findall(text)))


def ref_fault(ref: str) -> str:
    """Why `ref` cannot serve as a channel's id and record key: `bad_id`, `id_like_personal_data`, or "" if it can."""
    if not (0 < len(ref) <= 128 and ref.isprintable() and " " not in ref):
        return "bad_id"
    return "id_like_personal_data" if like_personal_data(ref) else ""


def _has_birth_date(number: str) -> bool:
    try:
        return 1900 <= ric.get_birth_date(number).year < 2100
    except ValidationError:
        return False


def is_uscc(text: str) -> bool:
    """Whether `text` is a valid unified social credit code (GB 32100: 18 characters with a check character)."""
    return len(text) == 18 and bool(uscc.is_valid(text))
