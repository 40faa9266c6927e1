"""The computer's own clipboard, beside the way through the terminal, which not every terminal allows."""

import pyperclip


def copy(text: str) -> bool:
    """Put a text into the clipboard; whether that worked."""
    try:
        pyperclip.copy(text)
    except pyperclip.PyperclipException:  # no clipboard here: a console, a remote session
        return False
    return True
