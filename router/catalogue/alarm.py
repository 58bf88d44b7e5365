"""Emergencies: who takes one before any rule, by emergencies.yaml and the column `emergency` of the categories."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from router.rules.naive import lineage
from workflows.facts import RequestView, Target

if TYPE_CHECKING:
    from router.catalogue.catalogue import Catalogue

LIVE_KINDS = frozenset({"help", "report", "complaint", "other"})
"""Kinds of appeal in which a keyword means that it is burning now, not that somebody asks about fires."""


class Alarm:
    """emergencies.yaml and the `emergency` column of the categories, ready to ask."""

    def __init__(self, catalogue: "Catalogue", parents: Mapping[str, str]) -> None:
        self._by_category: dict[str, Target] = {
            code: Target(function=row.emergency) for code, row in catalogue.categories.items() if row.emergency
        }  # fmt: skip
        self._by_word: dict[str, Target] = {}
        self.by_code: dict[str, Target] = {}
        """who takes what an officer calls so, by the id of the row"""
        self._default: Target | None = None
        for row in catalogue.emergencies.values():
            role: Any = row.role  # the loader has checked it
            target = Target(function=row.receiver_function, role=role)
            self.by_code[row.id] = target
            self._by_category.update(dict.fromkeys(row.categories, target))
            self._by_word.update(dict.fromkeys(row.keywords, target))
            if not (row.categories or row.keywords):
                self._default = target
        for code in parents:  # what a category means, those below it mean where they say nothing else
            above = next((above for above in lineage(parents, code) if above in self._by_category), None)
            if above is not None:
                self._by_category[code] = self._by_category[above]
        words = sorted(self._by_word, key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, words))) if words else None

    def receiver(self, request: RequestView) -> Target | None:
        """Who takes it; None for no emergency."""
        target = self._by_category.get(request.appeal_category or "")
        if target is not None:
            return target
        urgent = request.urgency == "emergency"
        if self._words and (urgent or request.appeal_kind in LIVE_KINDS):
            word = self._words.search(request.title)
            if word:
                return self._by_word[word.group()]
        return self._default if urgent else None
