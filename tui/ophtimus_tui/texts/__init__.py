"""What the app says, in Korean and English: a folder each, with a TOML file for each screen and the same keys.

A sentence is named by its file and its key, such as ``chat.ready``. Korean sentences are written as a
Korean clinic would say them; a catalogue's test asks that no key is missing in either language.
"""

import tomllib
from importlib import resources

from ophtimus_edge.settings import language_of_environment

__all__ = ["LANGUAGES", "Texts", "language_of_environment"]

LANGUAGES = ("en", "ko")


class Texts:
    """The sentences of the language that is chosen; all screens of an app share one."""

    def __init__(self, language: str) -> None:
        self._catalogues = {name: _read(name) for name in LANGUAGES}
        self.language = language
        self._keys = {said: key for catalogue in self._catalogues.values() for key, said in catalogue.items()}

    def __call__(self, key: str, **values: object) -> str:
        """A sentence in the chosen language, with its values filled in."""
        return self._catalogues[self.language][key].format(**values)

    def anew(self, sentence: str) -> str:
        """A sentence without values that was said in either language, in the one that is spoken now.

        Any other text stays as it is.
        """
        key = self._keys.get(sentence)
        return self._catalogues[self.language][key] if key else sentence

    def switch(self, language: str) -> None:
        """Speak another language from now on; what is on a screen already, its screen writes anew."""
        self.language = language

    def keys(self, language: str) -> set[str]:
        """The keys that a language has."""
        return set(self._catalogues[language])


def _read(language: str) -> dict[str, str]:
    folder = resources.files(__name__) / language
    return {
        f"{entry.name.removesuffix('.toml')}.{key}": sentence
        for entry in sorted(folder.iterdir(), key=lambda found: found.name)
        for key, sentence in tomllib.loads(entry.read_text(encoding="utf-8")).items()
    }
