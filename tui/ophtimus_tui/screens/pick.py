"""A file to be taken in: its path, typed or dragged, or a pick from a stick."""

from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.path_box import PathBox
from ophtimus_tui.widgets.place_tree import Offered, PlaceTree

TakenT = TypeVar("TakenT")


class PickScreen(ModalScreen[TakenT | None], Generic[TakenT]):
    """The box over the tree. What becomes of a path, and of a pick, the screen that builds on this one says."""

    DEFAULT_CSS = """
    PickScreen { align: center middle; }
    PickScreen > Vertical {
        width: 100; max-width: 100%; height: 30; max-height: 100%; border: round $primary;
        background: $surface;
    }
    PickScreen #title { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False, priority=True),
        Binding("f5", "look_again", show=False, priority=True),
        Binding("down", "focus_next", show=False),
    ]

    def __init__(
        self,
        texts: Texts,
        offered: Offered,
        *below: Widget,
        title: str,
        placeholder: str,
        nothing: str,
        take: tuple[str, str],
    ) -> None:
        """Make the screen.

        Args:
            offered: what the tree shows of a folder.
            below: what stands between the tree and the keys.
            title, placeholder, nothing: keys of what is said over the box, in it, and in a folder that has
                nothing to take.
            take: the key of the words for what becomes of the path, and the command that does it.
        """
        super().__init__()
        self._texts = texts
        self._said_title, self._said_placeholder, self._said_take = title, placeholder, take
        self._below = below
        self._title = Static("", id="title", markup=False)
        self._box = PathBox()
        self._tree = PlaceTree(texts, offered, nothing)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """The box, the tree, what stands below it, the keys."""
        with Vertical():
            yield from (self._title, self._box, self._tree, *self._below, self._keys)

    def on_mount(self) -> None:
        """Put the cursor into the box."""
        self.relabel()
        self._box.focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts, (take, command) = self._texts, self._said_take
        self._title.update(texts(self._said_title))
        self._box.placeholder = texts(self._said_placeholder)
        self._tree.relabel()
        self._keys.show(
            [
                (texts("models.key_pick"), "screen.to_tree"), (texts(take), command),
                (texts("models.key_look"), "screen.look_again"), (texts("models.key_close"), "screen.back"),
            ]
        )  # fmt: skip

    def action_to_tree(self) -> None:
        """Give the tree the keys."""
        self._tree.focus()

    def action_look_again(self) -> None:
        """Read anew which sticks there are."""
        self._tree.look_again()

    def action_back(self) -> None:
        """Take nothing."""
        self.dismiss(None)
