"""WordNet for METEOR, where a person has put it: without it METEOR matches words and stems only.

nltk looks for ``corpora/wordnet`` in the folders of NLTK_DATA and in its usual places. PyPI does not carry it. On
Debian the package wordnet-base has 13 of the 15 files that nltk wants, under /usr/share/wordnet; ``lexnames`` (45
lines, listed in the manual page lexnames(5WN)) and an empty ``index.sense`` complete them.
"""

import warnings
from typing import Any, NamedTuple

from ophtimus_edge.text import sanitize


class WordNet(NamedTuple):
    """What METEOR finds synonyms in.

    Attributes:
        reader: for nltk: one without any synonym where there is no WordNet.
        matches: what METEOR matches with it, in words for the report.
    """

    reader: Any
    matches: str


class _NoSynonyms:
    def synsets(self, word: str) -> list[object]:
        """None of any word."""
        return []


def find_wordnet() -> WordNet:
    """WordNet as nltk finds it; where it is missing or not complete, METEOR's note says so.

    nltk must be installed.
    """
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    try:
        folder = nltk.data.find("corpora/wordnet")
    except LookupError:
        try:
            folder = nltk.data.find("corpora/wordnet.zip/wordnet/")  # as nltk's own downloader leaves it
        except LookupError:
            return WordNet(_NoSynonyms(), "exact + stem")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the other languages, which are not asked for
            return WordNet(WordNetCorpusReader(folder, None), "exact + stem + WordNet")
    except (OSError, LookupError, ValueError, AssertionError) as error:
        reason = sanitize(" ".join(str(error).split()))[:200] or type(error).__name__
        return WordNet(
            _NoSynonyms(), f"exact + stem; the WordNet in {sanitize(str(folder))} cannot be read: {reason}"
        )
