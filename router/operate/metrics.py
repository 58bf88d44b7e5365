"""
Every metric of Duokua, in one list: name, help, labels from closed sets only.

Never a case, a person or a place finer than a county in a label.
"""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

RECEIVED = Counter(
    "duokua_events_received",
    "Records read from channels, by CloudEvents type; `unreadable` where refused.",
    ["channel", "type"],
)
REPLIES = Counter("duokua_replies_received", "Records read from endpoints of units.", ["endpoint"])
DEAD_LETTERS = Counter("duokua_dead_letters", "Records written to a dead-letter topic.", ["stage", "reason"])

OPINIONS = Counter(
    "duokua_opinions",
    "Questions to a platform of others; `asked`: category | answer, `outcome`: heard | late | failed | resting.",
    ["asked", "outcome"],
)

RECORDS_GONE = Counter(
    "duokua_records_gone", "Records that were gone from the log before this role had read them.", ["topic"]
)
INPUT_AGE = Gauge(
    "duokua_input_age_seconds",
    "How old the oldest record of the last batch was when it was read; 0 when none waits.",
    ["role"],
)

COMMANDS_BEHIND = Gauge(
    "duokua_commands_behind", "Offsets of the commands that a shard of this process has not read yet.", ["shard"]
)
COMMANDS = Counter("duokua_commands", "Commands decided by the engine.", ["kind", "outcome"])
TRANSACTIONS = Counter("duokua_transactions", "Transactions of the engine.", ["outcome"])
COMMIT_SECONDS = Histogram(
    "duokua_commit_seconds", "From the first record of a batch sent to its transaction committed.", buckets=SECONDS
)
BATCH_COMMANDS = Histogram(
    "duokua_batch_commands", "Commands in one transaction.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 400, 800)
)
SHARDS_SET = Gauge("duokua_shards", "Shards of this deployment, as set.")
SHARDS = Gauge("duokua_shards_owned", "Shards that this process serves.")
TAKEOVERS = Counter("duokua_takeovers", "Shards taken over, by why.", ["reason"])
TAKEOVER_SECONDS = Histogram(
    "duokua_takeover_seconds", "From the assignment of a shard to its first command.", buckets=SECONDS
)
RESTORED = Counter("duokua_restored_records", "Changelog records read at take-over.")
RESTORE_BEHIND = Gauge(
    "duokua_restore_behind_records",
    "Offsets of the changelog that a shard being taken over has yet to read.",
    ["shard"],
)
LACKS_ROOM = Gauge(
    "duokua_lacks_room", "1 while a shard commits nothing because the disk of its state has no room.", ["shard"]
)
TIMER_LAG = Gauge(
    "duokua_timer_lag_seconds", "How long the earliest unfired deadline is past due (business time).", ["shard"]
)
FIRING_HELD = Gauge(
    "duokua_firing_held", "1 while deadlines are held because the clock is not to be trusted.", ["shard"]
)
PARKED = Gauge(
    "duokua_cases_parked", "Cases whose commands are kept aside until their letters are dealt with.", ["shard"]
)
COUNTED_LETTERS = Gauge(
    "duokua_dead_letters_counted", "Dead letters by our fault that count against the limit of the shard.", ["shard"]
)
CATALOGUE = Gauge("duokua_catalogue_version", "The catalogue version in force.", ["shard"])
CATALOGUE_FOLLOWED = Gauge(
    "duokua_catalogue_followed", "The catalogue version that a process goes by which has no shards.", ["role"]
)
CATALOGUE_LATE = Gauge(
    "duokua_catalogue_late_seconds", "How long the version that waits for its day is past it (business time)."
)

REBASED = Counter("duokua_rebased_cases", "Cases whose clocks were re-based on a calendar published anew.", ["shard"])
REBASE_SHARE = Gauge(
    "duokua_rebase_share",
    "How much of its cases a shard has looked through for clocks to re-base; 1 when it has all.",
    ["shard"],
)
NOT_REBASED = Gauge(
    "duokua_cases_not_rebased",
    "Cases whose clocks could not be re-based; their deadlines are held and tried again.",
    ["shard"],
)

OF_A_SHARD = (
    COMMANDS_BEHIND, RESTORE_BEHIND, LACKS_ROOM, TIMER_LAG, FIRING_HELD, PARKED, COUNTED_LETTERS, CATALOGUE,
    REBASE_SHARE, NOT_REBASED,
)  # fmt: skip
"""What a process says of the shards it has; of those it had it must say nothing any more."""

DELIVERED = Counter("duokua_messages_delivered", "Messages fanned out.", ["family"])
HELD = Gauge("duokua_messages_held", "Messages of the outbox that wait for a topic that does not exist.", ["topic"])

PROJECTED = Counter("duokua_projected_records", "Records of the log written to the read model.", ["topic"])
PROJECTOR_UNREADABLE = Counter(
    "duokua_projector_unreadable", "Records that this projector cannot read and passed over.", ["topic"]
)
PROJECTOR_BEHIND = Gauge(
    "duokua_projector_behind_records", "Offsets of the log that the read model does not reflect yet.", ["topic"]
)
PROJECTOR_UNANSWERED = Counter(
    "duokua_projector_unanswered", "Times the log did not say how far delivery, and the projector, are."
)

SIMILAR_FOUND = Counter(
    "duokua_similar_found", "What the similar role said to cases: repeat, alike, group, burst.", ["what"]
)
SIMILAR_KEPT = Gauge("duokua_similar_kept", "Requests of the window that new ones are compared with.")
SIMILAR_UNREADABLE = Counter("duokua_similar_unreadable", "Records that the similar role cannot read and passed over.")
SIGHTED = Counter("duokua_insights_sighted", "Registered cases counted into windows.")
SURGES = Counter("duokua_insights_surges", "Surges announced.")
INSIGHTS_UNREADABLE = Counter(
    "duokua_insights_unreadable", "Records that insights cannot read and passed over.", ["stage"]
)

AUDIT_FIRED = Counter("duokua_audit_fired", "Warnings, due times and escalations that the auditor saw fire.")
AUDIT_FINDINGS = Counter(
    "duokua_audit_findings",
    "Marks of clocks that did not fire as announced: missed | doubled | early | late.",
    ["kind"],
)
AUDIT_REPAIRS = Counter("duokua_audit_repairs", "Cases that the auditor asked a shard to look at.")
AUDIT_CASES = Gauge("duokua_audit_cases", "Cases whose clocks the auditor watches.")
AUDIT_UNFIRED = Gauge(
    "duokua_audit_unfired", "Cases of which something is overdue and has not fired, whoever is to blame."
)
AUDIT_PASSED = Gauge(
    "duokua_audit_passed_timestamp_seconds",
    "When the last complete pass ended: all read, all that is overdue looked at.",
)
AUDIT_BEHIND = Gauge("duokua_audit_behind_records", "Offsets of the log that the auditor has not read yet.")
AUDIT_UNREADABLE = Counter("duokua_audit_unreadable", "Records that the auditor cannot read and passed over.")

SHADOWED = Counter(
    "duokua_shadow_requests", "Requests that a draft decided beside the rules in force; `same`: yes | no.", ["same"]
)
SHADOW_DIFFERENCES = Counter(
    "duokua_shadow_differences",
    "In what the draft decided otherwise: outcome, function, unit, others, clocks, urgency, text. A request may count for several.",
    ["what"],
)
SHADOW_UNREADABLE = Counter("duokua_shadow_unreadable", "Registrations that the shadow cannot read and passed over.")
