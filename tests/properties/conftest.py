"""Whatever draws examples here takes its time."""

import tests.unhurried  # noqa: F401
