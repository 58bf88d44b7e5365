"""The working calendar. (Being written: see the seam.)"""

from msgspec import Struct


class Calendar(Struct, frozen=True):
    id: str
