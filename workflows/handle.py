"""
The one call the engine makes per command: dedupe, decide, fold, and say what leaves.

SEAM (laid by the lead, for the workflow helper to fill in): the engine calls exactly

    step(case, command, facts, now, request) -> Step

`request` is the body of the case's ServiceRequest (bytes of canonical JSON; None before Submit: then it is `command.request`).
The body is NOT part of `Case` (design D17: it is its own immutable key in `case.state` and is not rewritten with each change);
`Step.record` carries it once in CaseRegistered, and task messages embed it as `msgspec.Raw(request)`.
"""
