"""A long list that streams into the app while somebody types: the processor's share, and how keys are kept waiting.

    .venv/bin/python benchmarks/answer_stream.py [--items 100] [--rate 50]

A scripted source writes a medical list of nested items, numbers and bold at so many tokens a second into
an answer; a key goes to the text box below it every 90 ms. Measured are the processor time of the app's
process and the time from a key to the drawing that shows it, headless and in a pseudo-terminal of
120 × 32.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from in_terminal import COLUMNS, LINES, Terminal
from textual import events
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import TextArea

from ophtimus_tui.widgets.answer import Answer

KEY_S = 0.09
CPU_BAR, WAIT_BAR_MS = 0.20, 50


def medical_list(items: int) -> str:
    """A list as models write it."""
    lines = ["## Angle closure: what to look for", ""]
    for number in range(1, items + 1):
        lines.append(
            f"{number}. **Intraocular pressure (IOP)** above {20 + number % 40} mmHg in the affected eye, with "
            "corneal oedema and a mid-dilated pupil; 안압이 높으면 **즉시** 의뢰한다."
        )
        if number % 3 == 0:
            lines += ["   - *timolol* 0.5 %, **1 drop** twice a day", "   - refer the same day"]
    return "\n".join(lines) + "\n"


class Streaming(App[None]):
    """One answer that grows, and a box that is typed into."""

    CSS = "VerticalScroll { height: 1fr; } TextArea { height: 5; }"

    def __init__(self, text: str, rate: float, out: Path) -> None:
        super().__init__()
        self._source = re.findall(r"\s*\S{1,8}", text)
        self._rate = rate
        self._out = out
        self._posted: list[float] = []
        self._waits: list[float] = []

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Answer()
        yield TextArea()

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).anchor()
        self.query_one(TextArea).focus()
        self.run_worker(self._run())

    def _display(self, screen: Any, renderable: Any) -> None:
        box = self.query_one(TextArea)
        drawn = box in screen._dirty_widgets  # the set of this drawing; the screen empties it afterwards
        super()._display(screen, renderable)
        if drawn:
            now = time.perf_counter()
            while len(self._waits) < min(len(box.text), len(self._posted)):
                self._waits.append(now - self._posted[len(self._waits)])

    async def _run(self) -> None:
        await asyncio.sleep(0.5)
        answer = self.query_one(Answer)
        begun, busy = time.perf_counter(), time.process_time()
        typing = self.run_worker(self._type())
        for number, token in enumerate(self._source):
            await asyncio.sleep(max(0, begun + number / self._rate - time.perf_counter()))
            answer.add(token)
        typing.cancel()
        answer.finish()
        await asyncio.sleep(0.3)
        share = (time.process_time() - busy) / (time.perf_counter() - begun)
        result = {
            "share": share,
            "waits": self._waits,
            "tokens": len(self._source),
            "rows": answer.size.height,
        }
        self._out.write_text(json.dumps(result))
        self.exit()

    async def _type(self) -> None:
        while True:
            await asyncio.sleep(KEY_S)
            self._posted.append(time.perf_counter())
            self.post_message(events.Key("x", "x"))


def streaming(arguments: argparse.Namespace, out: Path) -> Streaming:
    return Streaming(medical_list(arguments.items), arguments.rate, out)


def headless(arguments: argparse.Namespace, out: Path) -> None:
    async def run() -> None:
        app = streaming(arguments, out)
        async with app.run_test(size=(COLUMNS, LINES)):
            while app.is_running:
                await asyncio.sleep(0.2)

    asyncio.run(run())


def in_terminal(arguments: argparse.Namespace, out: Path) -> None:
    command = [sys.executable, __file__, "--child", str(out)]
    command += [f"--{name}={getattr(arguments, name)}" for name in ("items", "rate")]
    with Terminal(command) as terminal:
        terminal.wait_for_end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--rate", type=float, default=50, help="tokens a second")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        streaming(arguments, Path(arguments.child)).run()
        return
    for name, way in (("headless", headless), ("terminal", in_terminal)):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "result.json"
            way(arguments, out)
            result = json.loads(out.read_text())
        waits = sorted(1000 * wait for wait in result["waits"])
        p95 = waits[int(0.95 * (len(waits) - 1))]
        print(
            f"{name}: {result['tokens']} tokens, {result['rows']} rows, {len(waits)} keys\n"
            f"  processor: {result['share']:.1%} of one core (bar ≤ {CPU_BAR:.0%})\n"
            f"  key to drawing: p50 {statistics.median(waits):.1f} ms, p95 {p95:.1f} ms, most {waits[-1]:.1f} ms "
            f"(bar p95 ≤ {WAIT_BAR_MS} ms)",
            flush=True,
        )


if __name__ == "__main__":
    main()
