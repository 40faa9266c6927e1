"""What exports and handouts say around the words of people and models: a TOML file a language, with the same keys."""

import tomllib
from functools import cache
from importlib import resources

LANGUAGES = ("en", "ko")


class Sentences:
    """The sentences of one language.

    Args:
        language: ``en`` or ``ko``; any other reads as ``en``.
    """

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._sentences = catalogue(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """A sentence, with its values filled in."""
        return self._sentences[key].format(**values)

    def known(self, key: str, otherwise: str) -> str:
        """A sentence, or other words where there is none of that key."""
        return self._sentences.get(key, otherwise)


@cache
def catalogue(language: str) -> dict[str, str]:
    """All sentences of a language by their key."""
    text = (resources.files(__name__) / f"{language}.toml").read_text(encoding="utf-8")
    return {key: str(sentence) for key, sentence in tomllib.loads(text).items()}
