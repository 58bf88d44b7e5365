"""Vocabularies: two columns, the foreign word and ours; kept in the catalogue and edited by people who do not program."""

import csv
from pathlib import Path


def read_vocabulary(path: Path) -> dict[str, str]:
    """Foreign word → our word or code. A file that is not there knows no word; blank translations are left out."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {
            row[0].strip(): row[1].strip() for row in list(csv.reader(lines))[1:] if len(row) > 1 and row[1].strip()
        }
