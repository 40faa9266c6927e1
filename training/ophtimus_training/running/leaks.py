"""What is evaluated on may not be trained on: a loss or a score of rows that were learned says nothing."""

import hashlib
import re
from collections.abc import Iterable

from ophtimus_edge.errors import TrainingDataError
from ophtimus_training.primer import Exchange

_HINT = "Take those rows out of `data` (ophtimus-train prepare does it), or name other ones in `evaluation`."


def plain(text: str) -> str:
    """A text by which another spelling of it is known: small letters and digits, single spaces."""
    return re.sub(r"\W+", " ", text.casefold()).strip()


def refuse_leaks(
    trained: Iterable[Exchange],
    heldout: Iterable[Exchange],
    trained_texts: Iterable[str] = (),
    heldout_texts: Iterable[str] = (),
) -> None:
    """Refuse held-out questions and texts that are trained on too, whatever their letters' case and punctuation.

    Raises:
        TrainingDataError: there is one.
    """
    known = {plain(exchange.prompt) for exchange in trained}
    asked = list(heldout)
    found = [exchange.prompt for exchange in asked if plain(exchange.prompt) in known]
    if found:
        raise TrainingDataError(
            f"{len(found)} of {len(asked)} questions that are evaluated on are trained on too, "
            f"the first {' '.join(found[0].split())[:60]!r}.",
            _HINT,
        )
    digests = {_digest(text) for text in trained_texts}
    texts = list(heldout_texts)
    count = sum(_digest(text) in digests for text in texts)
    if count:
        raise TrainingDataError(
            f"{count} of {len(texts)} texts that are evaluated on are trained on too.", _HINT
        )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(plain(text).encode(), digest_size=16).digest()
