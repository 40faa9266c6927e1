"""The keys of the app, as data: bindings, help and palette are made from them.

No key is a letter by itself: in Hangul mode letter keys send syllables.
"""

from typing import NamedTuple


class Key(NamedTuple):
    """A key.

    Attributes:
        keys: as Textual names them, with commas between several; "" for a command of the palette alone.
        action: of the chat screen; "" where a widget takes the key itself.
        sentence: the key of the sentence that says what it does.
        label: the key of the word under the screen; "" for none.
        in_palette: whether it is a command by itself.
    """

    keys: str
    action: str
    sentence: str
    label: str = ""
    in_palette: bool = True


CHAT: tuple[Key, ...] = (
    Key("enter", "", "keys.send", in_palette=False),
    Key("ctrl+j", "", "keys.new_line", in_palette=False),
    Key("escape", "stop", "keys.stop"),
    Key("up,down", "", "keys.choose", in_palette=False),
    Key("left,right", "", "keys.versions", in_palette=False),
    Key("pageup", "scroll(-1)", "keys.page_up", in_palette=False),
    Key("pagedown", "scroll(1)", "keys.page_down", in_palette=False),
    Key("f1", "help", "keys.help", "keys.f1"),
    Key("f2", "talks", "keys.talks", "keys.f2"),
    Key("f3", "find", "keys.find", "keys.f3"),
    Key("f4", "models", "keys.models", "keys.f4"),
    Key("f5", "again", "keys.again", "keys.f5"),
    Key("f6", "edit", "keys.edit", "keys.f6"),
    Key("f7", "flag", "keys.flag", "keys.f7"),
    Key("f8", "lock", "keys.lock", "keys.f8"),
    Key("f9", "details", "keys.details", "keys.f9"),
    Key("f10", "go_on", "keys.go_on"),
    Key("f12", "roles", "keys.roles", "keys.f12"),
    Key("ctrl+n", "new", "keys.new", "keys.ctrl_n"),
    Key("ctrl+r", "raw", "keys.raw"),
    Key("ctrl+k", "keep", "keys.keep"),
    Key("ctrl+c", "copy", "keys.copy"),
    Key("ctrl+t", "theme", "keys.theme"),
    Key("ctrl+l", "language", "keys.language"),
    Key("ctrl+p", "palette", "keys.palette", "keys.ctrl_p", in_palette=False),
    Key("ctrl+q", "quit", "keys.quit"),
)

APP_ACTIONS = frozenset({"help", "models", "roles", "theme", "language", "palette", "quit", "lock"})
"""The actions of CHAT that are the app's, and not the screen's."""

COMMANDS: tuple[Key, ...] = (
    Key("", "export", "keys.export"),
    Key("", "handout", "keys.handout"),
    Key("", "delete_talk", "keys.delete_talk"),
    Key("", "rename", "keys.rename"),
    Key("", "pin", "keys.pin"),
    Key("", "hold", "keys.hold"),
    Key("", "backup", "keys.backup"),
    Key("", "restore", "keys.restore"),
)
"""Commands of the chat screen that have no key, and stand in the palette."""

TALK_LIST: tuple[Key, ...] = (
    Key("enter", "", "keys.list_open"),
    Key("delete", "delete_talk", "keys.list_delete", "keys.delete"),
    Key("f6", "rename", "keys.list_rename", "keys.f6_name"),
    Key("insert", "pin", "keys.list_pin", "keys.insert"),
    Key("ctrl+k", "hold", "keys.list_hold", "keys.ctrl_k_hold"),
    Key("f2", "talks", "keys.list_leave", "keys.f2_back"),
)
"""The keys of the list of talks."""

EVERYWHERE: tuple[Key, ...] = tuple(
    key for key in CHAT if key.action in {"help", "lock", "theme", "language", "quit"}
)
"""The keys of CHAT that do the same on every screen."""

MODELS: tuple[Key, ...] = (
    Key("up,down", "", "help.models_move"),
    Key("enter", "", "help.models_use"),
    Key("f2", "add", "help.models_add"),
    Key("f6", "verify", "help.models_verify"),
    Key("delete", "remove", "help.models_remove"),
    Key("pageup", "read_on(-1)", "help.models_read_back"),
    Key("pagedown", "read_on(1)", "help.models_read_on"),
    Key("escape", "back", "help.models_back"),
)

QUIZ: tuple[Key, ...] = (
    Key("up,down", "", "help.quiz_move"),
    Key("1", "", "help.quiz_digit"),
    Key("enter", "", "help.quiz_take"),
    Key("f5", "ask_model", "help.quiz_ask"),
    Key("pageup", "scroll(-1)", "help.quiz_page_up"),
    Key("pagedown", "scroll(1)", "help.quiz_page_down"),
    Key("escape", "leave", "help.quiz_leave"),
)

BLIND_TEST: tuple[Key, ...] = (
    Key("1", "vote('a')", "help.blind_a"),
    Key("2", "vote('b')", "help.blind_b"),
    Key("3", "vote('equal')", "help.blind_equal"),
    Key("4", "vote('both_bad')", "help.blind_both_bad"),
    Key("5", "unsafe('a')", "help.blind_unsafe_a"),
    Key("6", "unsafe('b')", "help.blind_unsafe_b"),
    Key("f6", "note", "help.blind_note"),
    Key("left", "move(-1)", "help.blind_before"),
    Key("right", "move(1)", "help.blind_after"),
    Key("tab", "turn(1)", "help.blind_turn"),
    Key("shift+tab", "turn(-1)", "help.blind_turn_back"),
    Key("up,down", "", "help.blind_scroll"),
    Key("ctrl+r", "raw", "help.blind_raw"),
    Key("enter", "result", "help.blind_result"),
    Key("escape", "leave", "help.blind_leave"),
)
"""The keys of the votes of a blind test."""
