"""A question whether something shall be done, with the careful answer under the cursor."""

from ophtimus_tui.screens.choose import ChooseScreen, Said


class ConfirmScreen(ChooseScreen[bool]):
    """Dismissed with whether it was confirmed; with None by Escape, which confirms nothing.

    Args:
        question, yes, no: give their sentences in the language that is chosen when they are asked.
    """

    def __init__(self, question: Said, yes: Said, no: Said) -> None:
        super().__init__(question, {True: yes, False: no}, at=False)
