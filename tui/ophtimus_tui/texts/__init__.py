"""What the app says, in Korean and English: a TOML file each, with the same keys."""

import os
import tomllib
from importlib import resources

LANGUAGES = ("en", "ko")


class Texts:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        data = (resources.files(__name__) / f"{language}.toml").read_text(encoding="utf-8")
        self._sentences: dict[str, str] = tomllib.loads(data)

    def __call__(self, key: str, **values: object) -> str:
        """A sentence, with its values filled in."""
        return self._sentences[key].format(**values)

    @property
    def keys(self) -> set[str]:
        """The keys that this language has."""
        return set(self._sentences)


def language_of_environment() -> str:
    """Korean where the terminal's locale is, else English."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return "ko" if value.lower().startswith("ko") else "en"
    return "en"
