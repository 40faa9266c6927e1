"""How answers leave ``ophtimus ask``: as text for people, or as JSON for programs."""

import re
import sys
import threading
from typing import Any, Protocol

import msgspec

from ophtimus_edge.engine.client import Died
from ophtimus_edge.engine.messages import Answered, Loaded
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models import store
from ophtimus_edge.models.familiarity import Familiarity
from ophtimus_edge.safety import emergencies
from ophtimus_edge.specialties.questions import NOT_REVIEWED
from ophtimus_edge.text import sanitize

DEMONSTRATION = f"DEMONSTRATION MODEL · not for clinical use · {NOT_REVIEWED}"
_HANGUL = re.compile("[가-힣]")
UNFAMILIAR = "not among the questions this demonstration knows"


class Printer(Protocol):
    """Told of a question, then of its answer's pieces, then of its end."""

    def begin(self, question: str, unfamiliar: Familiarity | None) -> None:
        """A question is asked; ``unfamiliar`` where a demonstration does not know it."""

    def piece(self, text: str) -> None:
        """The answer goes on."""

    def end(self, answered: Answered, loaded: Loaded) -> None:
        """The answer is at its end; ``loaded`` is what it was computed with."""

    def died(self, died: Died) -> None:
        """The engine ended in the middle of the answer."""

    def failed(self, question: str, error: OphtimusError) -> None:
        """The question could not be asked."""


class TextPrinter:
    """Answers for people."""

    def __init__(self, model: store.ChosenModel) -> None:
        self._model = model

    def begin(self, question: str, unfamiliar: Familiarity | None) -> None:
        """Say which question follows, and what must be known before its answer."""
        sys.stdout.write(f"> {question}\n")
        language = "ko" if _HANGUL.search(question) else "en"
        for rule in emergencies.match(question):
            sys.stdout.write(f"[▲ {rule.title.of(language)} · {rule.review}]\n{rule.notice.of(language)}\n")
        if self._model.demonstration:
            sys.stdout.write(f"[{DEMONSTRATION}]\n")
        if unfamiliar:
            sys.stdout.write(f"[{UNFAMILIAR}; three that it knows:\n")
            sys.stdout.writelines(f"   {known}\n" for known in unfamiliar.nearest)
            sys.stdout.write(" what follows may be made up]\n")
        sys.stdout.flush()

    def piece(self, text: str) -> None:
        """Pass a piece on."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def end(self, answered: Answered, _loaded: Loaded) -> None:
        """Say how the answer ended."""
        sys.stdout.write("\n\n")
        sys.stdout.flush()
        finish = {"stop": "complete", "length": "cut short at the token limit"}.get(
            answered.finish_reason, answered.finish_reason
        )
        sys.stderr.write(
            f"{self._model.name} {self._model.level} · {finish} · {answered.completion_tokens} tokens"
            f" · {answered.tokens_per_s:.1f} tokens/s\n"
        )

    def died(self, died: Died) -> None:
        """End the line: what was written stays on the screen."""
        sys.stdout.write("\n\n")
        sys.stdout.flush()

    def failed(self, question: str, error: OphtimusError) -> None:
        """Say why there is no answer."""
        asked, message, hint = (
            " ".join(sanitize(text).split()) for text in (question[:60], error.message, error.hint)
        )
        sys.stderr.write(f"{asked}: {message}\n{' ' * 4}{hint}\n")


class JsonPrinter:
    """One JSON object a question, as the command-line contract has it."""

    def __init__(self, model: store.ChosenModel, role: str) -> None:
        self._model = model
        self._role = role
        self._question = ""
        self._notices: list[str] = []
        self._known: list[str] = []
        self._pieces: list[str] = []
        self._sha256 = ""
        self._unreadable: OphtimusError | None = None
        # A daemon: Ctrl+C must not wait for a large file to be hashed.
        self._hashing = threading.Thread(target=self._hash, daemon=True)
        self._hashing.start()

    def begin(self, question: str, unfamiliar: Familiarity | None) -> None:
        """Say which question follows, and what must be known before its answer."""
        self._question, self._pieces = question, []
        self._notices = [f"emergency: {rule.title.en}" for rule in emergencies.match(question)]
        self._notices += [DEMONSTRATION] if self._model.demonstration else []
        self._known = unfamiliar.nearest if unfamiliar else []
        if unfamiliar:
            self._notices.append(UNFAMILIAR)

    def piece(self, text: str) -> None:
        """Pass a piece on."""
        self._pieces.append(text)

    def end(self, answered: Answered, loaded: Loaded) -> None:
        """Say how the answer ended."""
        self._hashing.join()
        if self._unreadable:
            raise self._unreadable
        self._write(
            {
                "question": self._question,
                "answer": "".join(self._pieces),
                "finish_reason": answered.finish_reason,
                "model": {
                    "name": self._model.name,
                    "version": self._model.version,
                    "file": sanitize(self._model.path.name),
                    "sha256": self._sha256,
                    "level": self._model.level,
                },
                "role": self._role,
                "seed": answered.seed,
                "prompt_tokens": answered.prompt_tokens,
                "reused_tokens": answered.reused_tokens,
                "completion_tokens": answered.completion_tokens,
                "load_s": round(loaded.seconds, 4),
                "ttft_s": round(answered.ttft_s, 4),
                "tokens_per_s": round(answered.tokens_per_s, 2),
                "engine": {
                    "build": loaded.build,
                    "device": loaded.device,
                    "gpu_layers": loaded.gpu_layers,
                    "threads": loaded.threads,
                    "slice": loaded.slice,
                    "context": loaded.context,
                },
                "notices": self._notices,
                "known_questions": self._known,
            }
        )

    def died(self, died: Died) -> None:
        """Give what was written, and say why there is no more."""
        self._write(
            {
                "question": self._question,
                "answer": "".join(self._pieces),
                "finish_reason": "failed",
                "error": died.message,
                "hint": died.hint,
            }
        )

    def failed(self, question: str, error: OphtimusError) -> None:
        """Say why there is no answer."""
        self._write(
            {"question": sanitize(question), "error": sanitize(error.message), "hint": sanitize(error.hint)}
        )

    def _hash(self) -> None:
        try:
            self._sha256 = self._model.sha256 or store.sha256_of(self._model.path)
        except OphtimusError as error:
            self._unreadable = error

    def _write(self, record: dict[str, Any]) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
        sys.stdout.buffer.flush()
