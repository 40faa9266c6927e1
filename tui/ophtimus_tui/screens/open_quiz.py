"""Opening a file of questions of one's own: its path, or a pick from a stick."""

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.path_box import PathBox
from ophtimus_tui.widgets.place_tree import PlaceTree, question_files


class OpenQuizScreen(ModalScreen[Path | None]):
    """Dismissed with the path of a file, which the quiz reads, or with None."""

    DEFAULT_CSS = """
    OpenQuizScreen { align: center middle; }
    OpenQuizScreen > Vertical {
        width: 100; max-width: 100%; height: 30; max-height: 100%; border: round $primary;
        background: $surface;
    }
    OpenQuizScreen #title { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False, priority=True),
        Binding("f5", "look_again", show=False, priority=True),
        Binding("down", "focus_next", show=False),
    ]

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._title = Static("", id="title", markup=False)
        self._box = PathBox()
        self._tree = PlaceTree(texts, question_files, "quiz.tree_empty")
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """The box, the tree, the keys."""
        with Vertical():
            yield self._title
            yield self._box
            yield self._tree
            yield self._keys

    def on_mount(self) -> None:
        """Put the cursor into the box."""
        self.relabel()
        self._box.focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._title.update(texts("quiz.open_title"))
        self._box.placeholder = texts("quiz.open_placeholder")
        self._tree.relabel()
        self._keys.show(
            [
                (texts("models.key_pick"), "screen.to_tree"), (texts("quiz.key_open"), "screen.open"),
                (texts("models.key_look"), "screen.look_again"), (texts("models.key_close"), "screen.back"),
            ]
        )  # fmt: skip

    @on(Input.Submitted)
    def action_open(self) -> None:
        """Open what the box names."""
        if self._box.value.strip():
            self.dismiss(self._box.path)

    @on(PlaceTree.Picked)
    def _open_pick(self, picked: PlaceTree.Picked) -> None:
        self.dismiss(picked.path)

    def action_to_tree(self) -> None:
        """Give the tree the keys."""
        self._tree.focus()

    def action_look_again(self) -> None:
        """Read anew which sticks there are."""
        self._tree.look_again()

    def action_back(self) -> None:
        """Open nothing."""
        self.dismiss(None)
