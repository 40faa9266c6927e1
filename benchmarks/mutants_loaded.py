"""Changed model files that pass the header check, loaded by the sandboxed worker: what becomes of them, and how soon.

    .venv/bin/python benchmarks/mutants_loaded.py [--mutants 2000] [--seed 5]

Of the demonstration model (Q4_K_M), changed in its header and now and then in its weights. Each that the check lets
through is loaded and asked for two tokens. Counted: answers, refusals by the worker, ends of the worker's process.
Where the process ended by itself, the time is from its end, as the system tells it, to the typed error here.
Anything but the typed errors ends the benchmark with a traceback; so does a worker that is left over.
"""

import argparse
import asyncio
import collections
import contextlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from gguf_mutants import changed_bytes

from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Sampling, Turn
from ophtimus_edge.errors import EngineError, InvalidModelError
from ophtimus_edge.locations import demo_folder
from ophtimus_edge.models import gguf, store

QUESTION = [Turn("system", "You are an expert."), Turn("user", "What is glaucoma?")]
BAR_S = 2.0


class Watch:
    """Notes the moment at which an engine's process ends, whoever ends it."""

    def __init__(self, engine: Engine) -> None:
        self.ended = 0.0
        self._engine = engine
        self._task = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (pid := self._engine.process_id) is None:
            await asyncio.sleep(0.001)
        opened = os.pidfd_open(pid)
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(opened, over.set)
        try:
            await over.wait()
            self.ended = time.perf_counter()
        finally:
            loop.remove_reader(opened)
            os.close(opened)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ProcessLookupError):
            await self._task


async def one(path: Path) -> tuple[str, float]:
    """What becomes of a file, and the seconds from the end of its process to the error; 0 where none ended."""
    try:
        model = store.choose(str(path))
    except InvalidModelError:
        return "refused by the header check", 0.0
    async with Engine() as engine:
        watch = Watch(engine)
        died = False
        try:
            await engine.load(model)
            async for event in engine.answer(QUESTION, Sampling(2)):
                died = isinstance(event, Died)
                if isinstance(event, Answered):
                    return "answered", 0.0
        except (InvalidModelError, EngineError) as error:
            now, process_ended = time.perf_counter(), isinstance(error, EngineError)
        else:
            now, process_ended = time.perf_counter(), died
        finally:
            await watch.stop()
    if not process_ended:
        return "refused by the worker", 0.0
    return "process ended", now - watch.ended if watch.ended else 0.0


async def run(count: int, seed: int) -> None:
    source = demo_folder() / "Ophtimus-Demo-Q4_K_M.gguf"
    data, end = source.read_bytes(), gguf.read_header(source).data_offset
    draw = random.Random(seed)  # noqa: S311
    found: collections.Counter[str] = collections.Counter()
    delays: list[float] = []
    loaded = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.gguf"
        while loaded < count:
            changed = bytearray(data)
            for _ in range(draw.choice((1, 1, 4))):
                at = draw.randrange(end if draw.random() < 0.8 else len(data) - 8)
                change = changed_bytes(draw)
                changed[at : at + len(change)] = change
            path.write_bytes(changed)
            what, delay = await one(path)
            found[what] += 1
            delays += [delay] if what == "process ended" else []
            loaded += what != "refused by the header check"
            if loaded and loaded % 100 == 0:
                print(f"{loaded} of {count}", file=sys.stderr)
    left = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    assert not left, left
    print(
        f"{count:,} changed files that pass the check, seed {seed}; this process is alive, no worker is left"
    )
    for what, number in found.most_common():
        print(f"  {what}: {number:,}")
    if delays:
        print(f"  from a process's end to the typed error: longest {max(delays):.3f} s (bar {BAR_S:g} s)")
    else:
        print("  no process ended by itself")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(run(options.mutants, options.seed))


if __name__ == "__main__":
    main()
