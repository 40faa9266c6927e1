"""Take the README's pictures: the real app, the real engine, one question; Textual saves the SVG.

.venv/bin/python docs/make_picture.py
"""

import asyncio
from pathlib import Path

from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.widgets.exchange import Exchange


async def picture(language: str, path: Path) -> None:
    """Ask the example and save the screen when the answer is complete."""
    app = OphtimusApp(store.choose(), language)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("enter")
        answer = ""
        while not answer or app.screen.query_one(Exchange).answer != answer:
            answer = app.screen.query_one(Exchange).answer if app.screen.query(Exchange) else ""
            await asyncio.sleep(1)
        path.write_text(app.export_screenshot(title="ophtimus"), encoding="utf-8")


if __name__ == "__main__":
    folder = Path(__file__).parent
    asyncio.run(picture("en", folder / "app.svg"))
    asyncio.run(picture("ko", folder / "app.ko.svg"))
