"""Decontamination: what shares a passage with the data that a model is evaluated on is not trained on.

A passage is a run of 13 words (Brown et al. 2020, appendix C, whose count of tokens this is for words). A run
that stands in more than three rows of the evaluation is a phrase of their kind ("which of the following is the
most appropriate next step in the management of this patient") and counts for nothing. A question with fewer
words is the same where all its words are.
"""

from collections import Counter

from ophtimus_edge.models.contamination import NGRAM, ngram_hashes
from ophtimus_training.examples import Record
from ophtimus_training.preparing.texts import asked, passages, word_ids, words

_MOST_ROWS = 3


class Evaluation:
    """The passages and the questions of the rows that a model is evaluated on."""

    def __init__(self) -> None:
        self.rows = 0
        self._rows_of: Counter[int] = Counter()
        self._place_of: dict[int, str] = {}
        self._questions: dict[tuple[str, ...], str] = {}

    def add(self, record: Record) -> None:
        """Keep a row of the evaluation in mind; one that is known counts once."""
        hashes, question = _hashes(record), tuple(words(asked(record)))
        if question in self._questions and hashes <= self._rows_of.keys():
            return
        self.rows += 1
        self._rows_of.update(hashes)
        for hashed in hashes:
            self._place_of.setdefault(hashed, record.place)
        if question:
            self._questions.setdefault(question, record.place)

    @property
    def phrases(self) -> int:
        """Runs that stand in so many rows that they say nothing."""
        return sum(count > _MOST_ROWS for count in self._rows_of.values())

    def shared(self, record: Record) -> str:
        """What a row for training shares with which row of the evaluation, in words; "" where it shares nothing."""
        same = self._questions.get(tuple(words(asked(record))))
        if same:
            return f"asks the same as {same}"
        found = [hashed for hashed in _hashes(record) if 0 < self._rows_of.get(hashed, 0) <= _MOST_ROWS]
        places = sorted(self._place_of[hashed] for hashed in found)
        return f"shares {len(found)} runs of {NGRAM} words with {places[0]}" if places else ""


def _hashes(record: Record) -> set[int]:
    return {hashed for text in passages(record) for hashed in ngram_hashes(word_ids(words(text)), NGRAM)}
