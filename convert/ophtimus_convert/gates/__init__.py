"""Gates: what a converted model must show before it is put in its place.

Each looks at the written files, through the engine that clinics use, and compares them with what
transformers makes of the checkpoint. A gate that cannot be run says why and does not count as passed.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path

from ophtimus_convert.blueprint import Blueprint
from ophtimus_convert.display import Display
from ophtimus_convert.gates.answers import answers
from ophtimus_convert.gates.ending import end
from ophtimus_convert.gates.finding import Finding, GateError, Subject
from ophtimus_convert.gates.logits import logits
from ophtimus_convert.gates.preparation import Preparation
from ophtimus_convert.gates.rope import rope
from ophtimus_convert.gates.tokens import template, tokens
from ophtimus_edge.errors import ConversionError, OphtimusError

__all__ = ["NAMES", "Preparation", "begin"]
_STUMBLED = "Report this with the checkpoint's config.json and tokenizer_config.json."
NAMES = ("tokens", "template", "end", "rope", "logits", "answers")
_GATES: dict[str, Callable[[Subject], Awaitable[Finding]]] = {
    "tokens": tokens,
    "template": template,
    "end": end,
    "rope": rope,
    "logits": logits,
    "answers": answers,
}


def begin(
    blueprint: Blueprint,
    files: dict[str, Path],
    skip: frozenset[str],
    long: bool,
    preparation: Preparation,
    display: Display,
) -> "Future[dict[str, str]]":
    """Run the gates over written files, beside what is still done with them.

    Args:
        files: by level.
        skip: names of gates to leave out.
        preparation: begun before the files were written.
        long: let the logits gate read a prompt longer than the original context, which takes minutes.

    Returns:
        What each gate came to, by name: a sentence that begins with passed, skipped or not run. Or a
        ConversionError, where a gate failed, that names it and says what it found.
    """
    results: Future[dict[str, str]] = Future()

    def work() -> None:
        try:
            results.set_result(asyncio.run(_run(Subject(blueprint, files, long, preparation), skip, display)))
        except BaseException as error:
            results.set_exception(error)

    # A daemon: Ctrl+C must not wait for it.
    threading.Thread(target=work, daemon=True).start()
    return results


async def _run(subject: Subject, skip: frozenset[str], display: Display) -> dict[str, str]:
    results = {}
    async with subject:
        for done, name in enumerate(NAMES):
            display.show("gates", "gates", done, len(NAMES), name)
            if name in skip:
                results[name] = "skipped by --skip-gate"
                continue
            try:
                finding = await _GATES[name](subject)
            except Exception as failure:  # a gate that stumbles over a model has not passed it
                hint = failure.hint if isinstance(failure, OphtimusError | GateError) else _STUMBLED
                said = failure.message if isinstance(failure, OphtimusError) else str(failure)
                raise ConversionError(
                    f"the {name} gate failed: {said.rstrip('. ')}.",
                    f"{hint} The files are kept: --skip-gate {name} would put them in place unproven.",
                ) from failure
            results[name] = str(finding)
        display.show("gates", "gates", len(NAMES), len(NAMES), "")
    return results
