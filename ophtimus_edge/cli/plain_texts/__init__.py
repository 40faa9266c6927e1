"""What the plain mode says, in Korean and English: a TOML file each, with the same keys.

A key ``command_NAME`` holds the words that call a command in that language; all languages' words are
always understood, so that nobody has to know which language the program speaks.
"""

import tomllib
import unicodedata
from functools import cache
from importlib import resources

LANGUAGES = ("en", "ko")
_COMMAND = "command_"


class Sentences:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._sentences = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """A sentence, with its values filled in."""
        return self._sentences[key].format(**values)


@cache
def catalogue(language: str) -> dict[str, str]:
    """All sentences of a language by their key."""
    text = (resources.files(__name__) / f"{language}.toml").read_text(encoding="utf-8")
    return {key: str(sentence) for key, sentence in tomllib.loads(text).items()}


@cache
def commands() -> dict[str, list[str]]:
    """The commands by name, each with the words that call it: English first, then Korean."""
    names = [key.removeprefix(_COMMAND) for key in catalogue("en") if key.startswith(_COMMAND)]
    return {
        name: [word for language in LANGUAGES for word in catalogue(language)[_COMMAND + name].split()]
        for name in names
    }


def command_named(word: str) -> str | None:
    """The command that a word calls; None where it calls none."""
    composed = unicodedata.normalize("NFC", word).lower()  # macOS may send a syllable in its parts
    return next((name for name, words in commands().items() if composed in words), None)
