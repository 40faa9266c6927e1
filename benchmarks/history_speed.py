"""The history on disk: how long a commit, a long talk and a search among a hundred thousand messages take.

    .venv/bin/python benchmarks/history_speed.py [--messages 100000]

Messages of 300 characters, half Korean and half English, with words as frequent as in running text (Zipf);
some stand in every second message, some in one of thousands. Measured is the median and the longest of
several runs, beside the bar.
"""

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ophtimus_edge.history import search
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Provenance, Talk, new_talk

KEY = bytes(range(32))
HOW = Provenance(
    model="bench", version="1", level="Q4_K_M", sha256="", role="clinical", temperature=0.0, seed=0
)
CHARACTERS, OF_A_TALK, LONG_TALK = 300, 40, 2000
VOCABULARY = 20_000
SEARCH_BAR_MS, OPEN_BAR_MS, COMMIT_BAR_MS = 50, 500, 10


class Writer:
    """Messages of words as frequent as in running text."""

    def __init__(self) -> None:
        self._drawn = random.Random(7)  # noqa: S311
        letters, syllables = "etaoinshrdlucmfwypvbgk", [chr(0xAC00 + 28 * at) for at in range(399)]
        self.english = self._words(letters, 2, 10)
        self.korean = self._words(syllables, 1, 5)
        self._weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(VOCABULARY)))
        self._number = 0

    def _words(self, signs: str | list[str], shortest: int, longest: int) -> list[str]:
        return [
            "".join(self._drawn.choices(signs, k=self._drawn.randint(shortest, longest)))
            for _ in range(VOCABULARY)
        ]

    def message(self) -> str:
        self._number += 1
        korean = self._number % 2 == 0
        words = ["안압이" if korean else "pressure"]
        if self._number % 1000 == 4:
            words.append("백내장수술")
        if self._number % 5000 == 7:
            words.append("endophthalmitis")
        vocabulary = self.korean if korean else self.english
        words += self._drawn.choices(vocabulary, cum_weights=self._weights, k=CHARACTERS // 4)
        return " ".join(words)[:CHARACTERS]


def talk_of(writer: Writer, messages: int) -> Talk:
    talk = new_talk()
    for _ in range(messages // 2):
        reply = talk.begin_reply(talk.ask(writer.message()), HOW)
        reply.text, reply.ids, reply.finish = writer.message(), list(range(100)), "stop"
    return talk


def report(name: str, run: Callable[[], object], bar_ms: float, times: int = 9) -> None:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        run()
        took.append(1000 * (time.perf_counter() - begun))
    verdict = "" if max(took) <= bar_ms else "  ABOVE THE BAR"
    print(
        f"  {name:<44} {statistics.median(took):8.1f} ms, longest {max(took):8.1f} ms (bar ≤ {bar_ms} ms){verdict}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    arguments = parser.parse_args()
    writer = Writer()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), KEY)
        begun = time.perf_counter()
        for _ in range(arguments.messages // OF_A_TALK):
            store.begin(talk_of(writer, OF_A_TALK))
        long_talk = talk_of(writer, LONG_TALK)
        store.begin(long_talk)
        store.close()
        seconds = time.perf_counter() - begun
        size = (Path(folder) / "history.db").stat().st_size / (1 << 20)
        print(
            f"{arguments.messages + LONG_TALK:,} messages written in {seconds:.0f} s, {size:.0f} MiB",
            flush=True,
        )

        begun = time.perf_counter()
        store = Store(Path(folder), KEY)
        print(f"opened in {1000 * (time.perf_counter() - begun):.0f} ms", flush=True)
        asked = {
            "rare, Korean": "백내장", "rare, English": "endophthalmitis", "rare, the beginning": "endoph",
            "none": "존재하지않는말", "every second message": "pressure", "every second, Korean": "안압",
            "two words of every second": f"pressure {writer.english[0]}", "the most frequent": writer.english[0],
            "the most frequent, Korean": writer.korean[0], "one syllable": writer.korean[0][0],
            "one letter": "e", "two letters": "th", "rare and frequent": "endophthalmitis pressure",
            "four frequent": " ".join(writer.english[:4]),
        }  # fmt: skip
        for kind, words in asked.items():
            found = len(store.search(words))
            assert all(search.phrases(words)) or not found
            report(
                f"search, {kind} ({found} hits shown)", lambda words=words: store.search(words), SEARCH_BAR_MS
            )
        report("list of all talks", store.heads, OPEN_BAR_MS)
        report(f"opening a talk of {LONG_TALK} messages", lambda: store.open(long_talk.id), OPEN_BAR_MS)

        talk = new_talk()
        store.begin(talk)

        def ask() -> None:
            question = talk.ask(writer.message())
            store.keep_question(talk, question)
            grow(0)

        def grow(characters: int) -> None:
            question = talk.questions[-1]
            reply = question.reply or talk.begin_reply(question, HOW)
            reply.text += writer.message()[:characters] + "."
            store.keep_reply(talk, question, reply)

        report("commit: a question and the begun answer", ask, 2 * COMMIT_BAR_MS, 50)
        report("commit: a growing answer", lambda: grow(CHARACTERS), COMMIT_BAR_MS, 50)
        last = long_talk.ask(writer.message())
        store.keep_question(long_talk, last)
        reply = long_talk.begin_reply(last, HOW)
        report(
            "commit: an answer in the long talk",
            lambda: store.keep_reply(long_talk, last, reply),
            2 * COMMIT_BAR_MS,
            50,
        )
        begun = time.perf_counter()
        store.delete([long_talk.id])
        print(f"  deleting a talk for good: {time.perf_counter() - begun:.1f} s", flush=True)
        store.close()


if __name__ == "__main__":
    main()
