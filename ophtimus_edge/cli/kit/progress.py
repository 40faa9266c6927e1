"""How far a long job with a kit is: a bar on standard error in a terminal, one line elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from ophtimus_edge.terminal.saying import say


@contextlib.contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many bytes of how many are done.

    Args:
        what: is done, such as "reading eye-clinic 1.2.0".
    """
    if not sys.stderr.isatty():
        say(what)
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from ophtimus_edge.text import sanitize

    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True),
        TimeRemainingColumn(compact=True), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bars:
        task = bars.add_task(escape(sanitize(what)), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
