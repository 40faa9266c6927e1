"""The keys of the chat screen, as data: its bindings, its help and its palette are made from them.

No key is a letter by itself: in Hangul mode letter keys send syllables. F3, F7 and F8 are kept free for
finding, flagging and locking.
"""

from typing import NamedTuple


class Key(NamedTuple):
    """A key.

    Attributes:
        keys: as Textual names them, with commas between several.
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
    Key("f4", "models", "keys.models", "keys.f4"),
    Key("f5", "again", "keys.again", "keys.f5"),
    Key("f6", "edit", "keys.edit", "keys.f6"),
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
