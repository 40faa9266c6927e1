"""Whose settings hold: those of the person whose history is open, over those of the computer."""

from typing import TYPE_CHECKING

import msgspec

from ophtimus_edge import settings
from ophtimus_edge.errors import OwnSettingsError
from ophtimus_edge.settings import Settings

if TYPE_CHECKING:
    from ophtimus_edge.history.profiles import Profile

# What is seen before a history is open. Where there is one person only it stays as they have it.
_SEEN_BEFORE = frozenset({"language", "theme", "role"})


class SetForWhom:
    """The settings of the computer, and over them those of one person or of nobody.

    Args:
        computer: what is set for everybody.
        keeps: whether anything may be written.

    Attributes:
        current: what holds now.
    """

    def __init__(self, computer: Settings, *, keeps: bool) -> None:
        self._computer = self.current = computer
        self._keeps = keeps
        self._profile: Profile | None = None
        self._only_one = False

    @property
    def computer(self) -> Settings:
        """What is set for everybody."""
        return self._computer

    def of(self, profile: "Profile") -> tuple[Settings, OwnSettingsError | None]:
        """What holds while a person's history is open; why it is the computer's where theirs is damaged."""
        try:
            return settings.read_own(profile.settings_file, self._computer), None
        except OwnSettingsError as error:
            return self._computer, error

    def take_up(self, profile: "Profile", own: Settings, *, only_one: bool) -> None:
        """A person's history is open.

        Args:
            own: what :meth:`of` gave.
            only_one: whether nobody else has a history on this computer.
        """
        self._profile, self._only_one, self.current = profile, only_one, own

    def leave(self) -> None:
        """Nobody's history is open."""
        self._profile, self.current = None, self._computer

    def change(self, **changes: object) -> None:
        """Set something, for the person whose history is open, or else for the computer; and keep it.

        Raises:
            OphtimusError: it could not be written; it holds until the app ends.
        """
        profile = self._profile
        self.current = msgspec.structs.replace(self.current, **changes)
        own = {key: value for key, value in changes.items() if profile and key in settings.OWN}
        for_all = {
            key: value
            for key, value in changes.items()
            if key not in own or (self._only_one and key in _SEEN_BEFORE)
        }
        self._computer = msgspec.structs.replace(self._computer, **for_all)
        if not self._keeps:
            return
        if profile and own:
            settings.write_own(profile.settings_file, **own)
        if for_all:
            settings.write(self._computer)

    def keep_for(self, profile: "Profile", history: str) -> None:
        """Set whether a person's conversations are kept, also while their history is not open.

        Raises:
            OphtimusError: it could not be written.
        """
        if self._keeps:
            settings.write_own(profile.settings_file, history=history)
