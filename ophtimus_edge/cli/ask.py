"""``ophtimus ask``: stream an answer, or answer one question a line of standard input."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ophtimus_edge.cli.printers import Printer
    from ophtimus_edge.conversation import Asking, Conversation
    from ophtimus_edge.errors import QuestionError

EXAMPLE = "What is glaucoma?"
_IN_VAIN = 2  # deaths of the engine one after the other, after which it is not tried again


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("ask", help="ask a question", description=__doc__)
    verb.add_argument(
        "question", nargs="?", metavar="QUESTION", help="without it, one a line of standard input"
    )
    verb.add_argument("--model", default="", metavar="M", help="an installed model, demo, or a path")
    verb.add_argument("--level", default="", metavar="L", help="a quantization level, such as Q4_K_M")
    verb.add_argument("--role", default="clinical", metavar="R",
                      help="clinical (default), counselling, teaching or free")  # fmt: skip
    verb.add_argument(
        "--max-tokens", type=int, default=1024, metavar="N", help="of the answer (default 1024)"
    )
    verb.add_argument(
        "--temperature", type=float, default=0.0, metavar="T", help="default 0: the likeliest words"
    )
    verb.add_argument("--seed", type=int, metavar="S", help="drawn and reported where it is not given")
    verb.add_argument("--json", action="store_true", help="one JSON object a question on standard output")


def run(options: argparse.Namespace, example: bool = False) -> None:
    """Run the verb.

    Args:
        options: what :func:`add_parser` describes.
        example: with nothing on standard input, answer an example and say how to ask.

    Raises:
        OphtimusError: a question cannot be answered.
    """
    import asyncio

    from ophtimus_edge import specialties
    from ophtimus_edge.conversation import clean_question
    from ophtimus_edge.engine.messages import LARGEST_SEED
    from ophtimus_edge.errors import UsageError

    if options.max_tokens < 1 or not 0 <= options.temperature <= 5:
        raise UsageError(
            "--max-tokens is at least 1, and --temperature is between 0 and 5.", "See: ophtimus ask --help."
        )
    if options.seed is not None and not 0 <= options.seed <= LARGEST_SEED:
        raise UsageError(f"--seed is between 0 and {LARGEST_SEED}.", "Leave it out to have one drawn.")
    specialties.role_named(options.role)
    if options.question is not None:
        clean_question(options.question)
    asyncio.run(_run(options, example))


async def _run(options: argparse.Namespace, example: bool) -> None:
    from ophtimus_edge import specialties
    from ophtimus_edge.cli.printers import JsonPrinter, TextPrinter
    from ophtimus_edge.conversation import Asking, Conversation
    from ophtimus_edge.engine.client import Engine
    from ophtimus_edge.errors import EngineError, OphtimusError, QuestionError
    from ophtimus_edge.models import store
    from ophtimus_edge.terminal.failures import report

    model = store.choose(options.model, options.level)
    asking = Asking(
        role=options.role, max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed
    )
    failure: OphtimusError | None = None
    deaths = 0  # of the engine, one after the other
    system = "" if model.is_base else specialties.role_named(options.role).system_prompt
    async with Engine() as engine:
        with _load_progress() as show:
            loaded = await engine.load(model, on_progress=show, system=system)
        for reduced in loaded.reduced:
            sys.stderr.write(f"{reduced}\n")
        printer: Printer = JsonPrinter(model, asking.role) if options.json else TextPrinter(model)
        conversation = Conversation(engine, model)
        async for question in _questions(options.question, example):
            try:
                if isinstance(question, QuestionError):
                    raise question
                await _one(conversation, question, asking, printer)
                deaths = 0
            except QuestionError as error:
                # One question of many that cannot be asked must not cost the others their answers.
                if options.question is not None:
                    raise
                failure = failure or QuestionError(
                    "not every question could be answered.", "The lines above say which, and why."
                )
                printer.failed("" if isinstance(question, QuestionError) else question, error)
            except EngineError as error:
                deaths += 1
                if options.question is not None or deaths == _IN_VAIN:
                    raise
                failure = error
                report("ophtimus", error)
    if failure:
        raise failure


async def _one(conversation: Conversation, question: str, asking: Asking, printer: Printer) -> None:
    from ophtimus_edge.conversation import clean_question
    from ophtimus_edge.engine.client import Died
    from ophtimus_edge.engine.messages import Answered, Loading, Piece
    from ophtimus_edge.engine.session import Halted
    from ophtimus_edge.errors import EngineError

    text = clean_question(question)
    printer.begin(text, conversation.unfamiliar(text))
    again = False
    async for event in conversation.ask(text, asking):
        if isinstance(event, Loading) and not again:
            sys.stderr.write("loading the model again\n")
            again = True
        elif isinstance(event, Piece):
            printer.piece(event.text)
        elif isinstance(event, Answered):
            printer.end(event, conversation.engine.expect_loaded())
        elif isinstance(event, Halted):
            sys.stderr.write("the model's process had been stopped by the system; it goes on.\n")
        elif isinstance(event, Died):
            printer.died(event)
            raise EngineError(event.message, event.hint, event.log_lines)


async def _questions(given: str | None, example: bool) -> AsyncIterator[str | QuestionError]:
    from ophtimus_edge.errors import QuestionError
    from ophtimus_edge.terminal import standard_input

    if given is not None:
        yield given
        return
    at_terminal = standard_input.is_terminal()
    if at_terminal and not example:
        sys.stderr.write("One question a line; Ctrl-D ends.\n")
    count = 0
    if not (at_terminal and example):
        async for question in standard_input.lines():
            count += 1
            yield question
    if count == 0:
        if not example:
            raise QuestionError(
                "there is no question on standard input.", f'Ask one, for example: ophtimus ask "{EXAMPLE}"'
            )
        yield EXAMPLE
        sys.stderr.write(
            'Ask your own: ophtimus ask "…", or a question a line: ophtimus ask < questions.txt; '
            "in a terminal, ophtimus opens the app.\n"
        )


@contextlib.contextmanager
def _load_progress() -> Iterator[Any]:
    """Show a bar on standard error while a model loads, where that takes more than half a second."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("loading the model"), BarColumn(), TextColumn("{task.percentage:.0f} %"),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    task = bar.add_task("load", total=1.0)
    timer = threading.Timer(0.5, bar.start)
    timer.start()
    try:
        yield lambda fraction: bar.update(task, completed=fraction)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
