"""The app drawing one answer in a pseudo-terminal of 120 × 32; prints its tokens a second.

.venv/bin/python benchmarks/app_stream.py GGUF QUESTION TOKENS
"""

import sys
import tempfile
from pathlib import Path

from in_terminal import Terminal

from ophtimus_edge import conversation
from ophtimus_edge.engine.messages import Answered, Sampling
from ophtimus_edge.models import store
from ophtimus_tui import serving
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.widgets.ask_box import AskBox


def child(model: str, question: str, tokens: int, out: Path) -> None:
    """Ask one question in the app, and write the speed of its answer to a file."""

    class Forced(conversation.Asking):
        def sampling(self) -> Sampling:
            return Sampling(tokens, min_tokens=tokens)

    serving.Asking = Forced  # every answer of this run has so many tokens
    answer = conversation.Conversation.ask

    async def watched(self: conversation.Conversation, *words: object) -> object:
        async for event in answer(self, *words):  # type: ignore[arg-type]
            yield event
            if isinstance(event, Answered):
                out.write_text(str(event.tokens_per_s))
                app.exit()

    conversation.Conversation.ask = watched  # type: ignore[method-assign, assignment]

    class Asked(OphtimusApp):
        def on_mount(self) -> None:
            super().on_mount()
            self.set_timer(0.3, lambda: self.chat.box.post_message(AskBox.Sent(question)))

    app = Asked(store.choose(model), "en")
    app.run()


def main() -> None:
    model, question, tokens, *result = sys.argv[1:]
    if result:
        child(model, question, int(tokens), Path(result[0]))
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "speed"
        with Terminal([sys.executable, __file__, *sys.argv[1:], str(out)]) as terminal:
            terminal.wait_for_end()
        print(out.read_text())


if __name__ == "__main__":
    main()
