"""A catalogue by what a person calls it: `active`, the number of a version, a folder, or the name of a draft."""

import asyncio
import os
from pathlib import Path
from typing import Any

from router.catalogue import drafts
from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import NotAllowed
from router.catalogue.fetch import fetch_active, fetch_numbered
from router.catalogue.load import from_files, load
from router.operate.topics import Topics

ACTIVE = "active"


class UnknownCatalogue(Exception):
    """Nothing is called that."""


async def named(broker: Any, topics: Topics, name: str) -> Catalogue:
    """
    `active`: the version in force. Digits: that version. A folder that there is, else the draft of that name; a draft
    has version 0. Raises UnknownCatalogue, CatalogueFaulty, pack.VersionUnusable, audit.ChainBroken.
    """
    if name != ACTIVE and not name.isdecimal() and await asyncio.to_thread(os.path.isdir, name):
        return await asyncio.to_thread(load, Path(name))
    present = await broker.topics()
    found: Catalogue | None = None
    if name == ACTIVE:
        found = await fetch_active(broker, topics.catalog) if topics.catalog in present else None
    elif name.isdecimal():
        found = await fetch_numbered(broker, topics.catalog, int(name)) if topics.catalog in present else None
    elif {topics.drafts, topics.audit} <= present.keys():
        found = await _draft(broker, topics, name)
    if found is None:
        raise UnknownCatalogue(name)
    return found


async def _draft(broker: Any, topics: Topics, name: str) -> Catalogue | None:
    try:
        return from_files((await drafts.fetch(broker, topics, name)).files)
    except NotAllowed:
        return None
