"""Closed lists of words that rows and rules may use, as the contract has them."""

from schemas.vocabulary import AppealKind, ApplicantKind, Disclosure, Medium, Origin, RefusalGround, Urgency, Word


def _words(kind: type[Word]) -> tuple[str, ...]:
    return tuple(str(word.value) for word in kind)


WORDS: dict[str, tuple[str, ...]] = {
    "kind": _words(AppealKind),
    "origin": _words(Origin),
    "medium": _words(Medium),
    "applicant": _words(ApplicantKind),
    "urgency": _words(Urgency),
    "disclosure": _words(Disclosure),
    "ground": _words(RefusalGround),
    "yes_no": ("yes", "no"),
}
