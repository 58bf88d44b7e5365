"""
Examples are drawn without a stopwatch: on a busy machine a test must not fail for the time that it takes.

Hypothesis itself does so only where CI is set.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried",
    settings.default,
    deadline=None,
    suppress_health_check=[*settings.default.suppress_health_check, HealthCheck.too_slow],
)
settings.load_profile("unhurried")
