"""What every event has in common."""

from msgspec import Struct


class Event(
    Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type", tag=lambda name: name + ".v1"
):
    """Base of all events; the tag on the wire is `<Name>.v1`. (No event can be part of a cycle: nothing for the collector.)"""
