"""What names a patient, pointed out before a question is sent."""

from textual.app import App

from ophtimus_edge.safety import identifiers
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.texts import Texts


async def sendable(app: App[None], texts: Texts, question: str) -> str | None:
    """A question as it may be sent: asks where it seems to name a patient.

    Has to be called from a worker, since it waits for a person.

    Returns:
        The question as it is, or without what was found in it; None where it shall not be sent.
    """
    found = identifiers.find(question)
    if not found:
        return question
    chosen = await app.push_screen_wait(_screen(texts, question, found))
    if chosen == "remove":
        return identifiers.remove(question, found, texts("chat.removed"))
    return question if chosen == "as it is" else None


def _screen(texts: Texts, question: str, found: list[identifiers.Identifier]) -> ChooseScreen[str]:
    """Names each thing that was found, as it stands in the question."""

    def asked() -> str:
        named = [(texts(f"chat.identifier_{one.kind}"), question[one.start : one.end]) for one in found]
        return texts("chat.identifiers", found="\n".join(dict.fromkeys(map(": ".join, named))))

    return ChooseScreen(
        asked, {"remove": lambda: texts("chat.remove"), "as it is": lambda: texts("chat.send_as_is")}
    )
