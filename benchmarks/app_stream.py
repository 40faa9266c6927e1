"""The app drawing one answer in a pseudo-terminal of 120 × 32; prints its tokens a second.

.venv/bin/python benchmarks/app_stream.py GGUF QUESTION TOKENS
"""

import fcntl
import os
import pty
import struct
import sys
import tempfile
import termios
import threading
from pathlib import Path

from ophtimus_edge import conversation
from ophtimus_edge.engine.messages import Answered, Sampling
from ophtimus_edge.models import store
from ophtimus_tui import serving
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.widgets.ask_box import AskBox

COLUMNS, LINES = 120, 32


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
    model, question, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "speed"
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm-256color"
            child(model, question, tokens, out)
            os._exit(0)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))

        def drink() -> None:
            try:
                while os.read(terminal, 65536):
                    pass
            except OSError:
                pass  # the other side is closed

        threading.Thread(target=drink, daemon=True).start()
        os.waitpid(pid, 0)
        print(out.read_text())


if __name__ == "__main__":
    main()
