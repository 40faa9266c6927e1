"""Every fault of a row of tokens has a row here that has it, beside one that has none; and the figures are right."""

from collections import Counter
from typing import get_args

import pytest

from ophtimus_training.auditing.faults import WORDS, Fault, Marks, Seen, of_document, of_exchange, of_window
from ophtimus_training.auditing.tally import lengths_of
from ophtimus_training.rows import IGNORED as X

BOS, END, HEAD = 100, 101, 102
MARKS = Marks(bos=BOS, end=END, ends=2, headers=HEAD, vocabulary=200)
IDS = [BOS, HEAD, 1, END, HEAD, 2, 3, END]
LABELS = [X, X, X, X, X, 2, 3, END]
EXCHANGES: dict[Fault, tuple[list[int], list[int]]] = {
    "double_bos": ([BOS, *IDS], [X, *LABELS]),
    "no_bos": (IDS[1:], LABELS[1:]),
    "no_end": (IDS[:-1], LABELS[:-1]),
    "end_inside": ([*IDS[:6], END, *IDS[6:]], [*LABELS[:6], END, *LABELS[6:]]),
    "nothing_learned": (IDS, [X] * len(IDS)),
    "nothing_masked": (IDS, IDS),
    "overlong": (IDS[:2] + [1] * 20 + IDS[2:], LABELS[:2] + [X] * 20 + LABELS[2:]),
}
WINDOWS: dict[Fault, list[int]] = {
    "double_bos": [1, 2, BOS, BOS, 3],
    "chat_in_text": [BOS, HEAD, 1],
    "foreign_tokens": [BOS, 200],
    "overlong": [1] * 17,
}
DOCUMENTS: dict[Fault, list[list[int]]] = {
    "double_bos": [[BOS, BOS, 1, 2]],
    "no_bos": [[1, 2, 3]],
    "chat_in_text": [[BOS, HEAD, 1]],
    "end_inside": [[BOS, 1, END, 2]],
    "nothing_learned": [[BOS]],
    "overlong": [[BOS, *[1] * 17]],
}


def test_a_sound_row_has_no_fault() -> None:
    assert of_exchange(Seen(IDS, LABELS), MARKS, 16) == []
    assert Seen(IDS, LABELS).learned == 3
    assert of_window([BOS, 1, 2, BOS, 3], MARKS, 16) == []
    assert of_document([Seen(ids, ids) for ids in ([BOS, 1, 2], [2, 3, END])], MARKS, 16) == []


@pytest.mark.parametrize("fault", EXCHANGES)
def test_a_faulty_exchange_has_its_fault_alone(fault: Fault) -> None:
    assert of_exchange(Seen(*EXCHANGES[fault]), MARKS, 16) == [fault]


@pytest.mark.parametrize("fault", WINDOWS)
def test_a_faulty_window_has_its_fault_alone(fault: Fault) -> None:
    assert of_window(WINDOWS[fault], MARKS, 16) == [fault]


@pytest.mark.parametrize("fault", DOCUMENTS)
def test_a_faulty_text_has_its_fault_alone(fault: Fault) -> None:
    assert of_document([Seen(ids, ids) for ids in DOCUMENTS[fault]], MARKS, 16) == [fault]


def test_every_fault_is_planted_here_or_by_the_command() -> None:
    assert {*EXCHANGES, *WINDOWS, *DOCUMENTS, "refused"} == set(get_args(Fault)) == set(WORDS)


def test_lengths_are_counted_right() -> None:
    lengths = lengths_of(Counter(range(1, 101)), 80)
    assert (lengths.median, lengths.percentile_95, lengths.longest) == (50, 95, 100)
    assert [(one.low, one.high, one.rows) for one in lengths.histogram] == [
        *((1 + at, at + 10, 10) for at in range(0, 80, 10)), (81, 0, 20),
    ]  # fmt: skip
    empty = lengths_of(Counter(), 3)
    assert (empty.median, empty.longest, sum(one.rows for one in empty.histogram)) == (0, 0, 0)
    assert [(one.low, one.high) for one in empty.histogram] == [(1, 1), (2, 2), (3, 3), (4, 0)]
