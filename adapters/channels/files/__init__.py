"""Files of other systems, read as requests: one reader per format, foreign words mapped by tables of the catalogue."""

from adapters.channels.files.appeals import read_appeals
from adapters.channels.files.foreign import Foreign, LineFault, Vocabularies, to_event
from adapters.channels.files.nyc311 import read_nyc311
from adapters.channels.files.slips import read_slips
from adapters.channels.files.vocabulary import read_vocabulary

__all__ = [
    "Foreign",
    "LineFault",
    "Vocabularies",
    "read_appeals",
    "read_nyc311",
    "read_slips",
    "read_vocabulary",
    "to_event",
]
