"""Take the README's pictures: the real app, the real engine, one question, the models; Textual saves the SVGs.

.venv/bin/python docs/make_picture.py
"""

import asyncio
import os
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from ophtimus_edge.models import store
from ophtimus_edge.settings import FIRST_START, Settings
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.widgets.exchange import Exchange


async def pictures(language: str, ending: str, folder: Path) -> None:
    """Ask the example and save the screen when the answer is complete, then the models' when they were tried out."""
    chosen = Settings(language=language, first_start_done=FIRST_START)
    app = OphtimusApp(store.choose(), language, chosen)
    async with app.run_test(size=(100, 30)) as pilot:
        while app.people.opened is None:  # the history
            await asyncio.sleep(0.1)
        await pilot.press("enter")
        answer = ""
        while not answer or app.screen.query_one(Exchange).answer != answer:
            answer = app.screen.query_one(Exchange).answer if app.screen.query(Exchange) else ""
            await asyncio.sleep(1)
        _save(app, folder / f"app{ending}.svg")
        await pilot.press("f4")
        await _stands_still(app, pilot)
        _save(app, folder / f"models{ending}.svg")


async def _stands_still(app: OphtimusApp, pilot: Pilot[None]) -> None:
    before = ""
    for _ in range(30):
        await pilot.pause(3)  # longer than one model takes to be tried out
        now = app.export_screenshot()
        if now == before:
            return
        before = now


def _save(app: OphtimusApp, path: Path) -> None:
    path.write_text(app.export_screenshot(title="ophtimus"), encoding="utf-8")


if __name__ == "__main__":
    for language, ending in (("en", ""), ("ko", ".ko")):
        with tempfile.TemporaryDirectory() as home:
            os.environ["OPHTIMUS_HOME"] = home
            asyncio.run(pictures(language, ending, Path(__file__).parent))
