"""Typing in the app while an answer streams into it: from a key to its drawing, and the app's processor time.

    .venv/bin/python benchmarks/app_typing.py [GGUF] [--items 100] [--rate 50] [--tokens 400]

Two sources, one after the other: a script that writes a medical list of so many items at so many tokens a second in
place of the engine's answer, and, where a model is named, the real worker with it. All else is the app: the chat
screen in a pseudo-terminal of 120 × 32, the draft kept on disk. A syllable that stands nowhere else is typed every
90 ms; its drawing is what the terminal gets. The processor time is the app's process's own, from the first piece
of the answer to the last. The script is written once more with nobody typing: the processor time of streaming alone.
"""

import argparse
import asyncio
import gc
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from answer_stream import CPU_BAR, KEY_S, WAIT_BAR_MS, medical_list
from in_terminal import Terminal

from ophtimus_edge import conversation, settings
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Piece, Sampling
from ophtimus_edge.models import store
from ophtimus_tui import app as app_module
from ophtimus_tui import serving

QUESTION = "What is a cataract?"
FIRST_SYLLABLE = 0xAC01  # 각; of its row only those that the list does not use are typed


class Scripted(Engine):
    """The engine, but for its answers."""

    tokens: list[str]
    rate: float

    async def answer(self, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        """The list, so many tokens a second."""
        began = time.perf_counter()
        for number, token in enumerate(self.tokens):
            await asyncio.sleep(max(0, began + number / self.rate - time.perf_counter()))
            yield Piece(0, token, number + 1)
        yield Answered(0, "stop", 0, 20, 0, len(self.tokens), 0.1, time.perf_counter() - began)


def child(arguments: argparse.Namespace) -> None:
    """The app, which writes to a file when its answer begins and ends, and what it took."""
    out = Path(arguments.child)
    ask = conversation.Conversation.ask

    async def watched(self: conversation.Conversation, *words: Any) -> AsyncGenerator[Any, None]:
        times: dict[str, float] = {}
        async for event in ask(self, *words):
            if isinstance(event, Piece) and not times:
                times = {"cpu": time.process_time(), "clock": time.perf_counter()}
                out.with_suffix(".begun").touch()
            yield event
            if isinstance(event, Answered):
                clock, cpu = time.perf_counter() - times["clock"], time.process_time() - times["cpu"]
                out.write_text(
                    json.dumps({"share": cpu / clock, "tokens": event.completion_tokens, "s": clock})
                )

    conversation.Conversation.ask = watched  # type: ignore[method-assign, assignment]
    if arguments.model:

        class Forced(conversation.Asking):
            def sampling(self) -> Sampling:
                return Sampling(arguments.tokens, min_tokens=arguments.tokens)

        serving.Asking = Forced  # type: ignore[misc]  # every answer of this run has so many tokens
    else:
        Scripted.tokens, Scripted.rate = (
            re.findall(r"\s*\S{1,8}", medical_list(arguments.items)),
            arguments.rate,
        )
        app_module.Engine = Scripted  # type: ignore[misc]
    gc.disable()  # as ophtimus_edge.cli.app does
    chosen = settings.Settings(language="en", first_start_done=settings.FIRST_START)
    app_module.OphtimusApp(store.choose(arguments.model or store.DEMO), "en", chosen).run()


def measure(
    arguments: argparse.Namespace, model: str, *, types: bool = True
) -> tuple[dict[str, float], list[float]]:
    """What the app's process took, and the seconds from each key to its drawing."""
    script = medical_list(arguments.items)
    syllables = iter(chr(code) for code in range(FIRST_SYLLABLE, 0xD7A3) if chr(code) not in script)
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "result.json"
        command = [sys.executable, __file__, model, "--child", str(out)]
        command += [f"--{name}={getattr(arguments, name)}" for name in ("items", "rate", "tokens")]
        with Terminal(command, OPHTIMUS_HOME=home) as terminal:
            terminal.wait("ready", seconds=300)
            terminal.write(QUESTION)
            terminal.wait(QUESTION[-1])
            terminal.write("\r")
            while not out.with_suffix(".begun").exists():
                time.sleep(0.01)
            waits = []
            while not out.exists():
                if not types:
                    time.sleep(KEY_S)
                    continue
                position = len(terminal.seen)
                syllable = next(syllables)
                typed = terminal.write(syllable)
                waits.append(terminal.wait(syllable, position, 10) - typed)
                time.sleep(max(0, typed + KEY_S - time.perf_counter()))
            return json.loads(out.read_text()), waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--rate", type=float, default=50, help="tokens a second of the script")
    parser.add_argument("--tokens", type=int, default=400, help="of the model's answer")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return
    for types in (False, True):
        for name, model in (("script", ""), ("model", arguments.model)):
            if name == "model" and not model:
                break
            result, waits = measure(arguments, model, types=types)
            print(
                f"{name}: {result['tokens']} tokens, {result['tokens'] / result['s']:.1f} a second, "
                f"{len(waits)} keys\n"
                f"  processor: {result['share']:.1%} of one core"
                + ("" if types else f" (bar ≤ {CPU_BAR:.0%})"),
                flush=True,
            )
            if types:
                waits = sorted(1000 * wait for wait in waits)
                p95 = waits[int(0.95 * (len(waits) - 1))]
                print(
                    f"  key to drawing: p50 {statistics.median(waits):.1f} ms, p95 {p95:.1f} ms, "
                    f"most {waits[-1]:.1f} ms (bar p95 ≤ {WAIT_BAR_MS} ms)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
