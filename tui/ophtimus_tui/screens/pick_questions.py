"""Picking a file of essay questions for a blind test: its path, or a pick from a stick."""

from pathlib import Path

from textual import on
from textual.widgets import Input

from ophtimus_tui.screens.pick import PickScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.place_tree import PlaceTree, question_files


class PickQuestionsScreen(PickScreen[Path]):
    """Dismissed with the path of a file, or with None."""

    def __init__(self, texts: Texts) -> None:
        super().__init__(
            texts,
            question_files,
            title="blind.open_title",
            placeholder="quiz.open_placeholder",
            nothing="quiz.tree_empty",
            take=("quiz.key_open", "screen.open"),
        )

    @on(Input.Submitted)
    def action_open(self) -> None:
        """Take what the box names."""
        if self._box.value.strip():
            self.dismiss(self._box.path)

    @on(PlaceTree.Picked)
    def _open_pick(self, picked: PlaceTree.Picked) -> None:
        self.dismiss(picked.path)
