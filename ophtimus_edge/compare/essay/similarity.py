"""SemScore: how near two texts are in meaning, as the cosine of their embeddings, by a child process.

A. Aynetdinov and A. Akbik, SemScore: Automated Evaluation of Instruction-Tuned LLMs based on Semantic Textual
Similarity (2024): embeddings of all-mpnet-base-v2. Where a person has no folder of it, all-MiniLM-L6-v2 from the
[essay] extra takes its place, under a name of its own: its numbers are not comparable with published ones.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ophtimus_edge.compare.essay.similarity_messages import (
    LINE_BYTES,
    PAIRS_A_LINE,
    TEXT_CHARACTERS,
    Cosines,
    Pairs,
    Ready,
    Refused,
    Said,
    line,
)
from ophtimus_edge.errors import ComparisonError, MissingExtraError
from ophtimus_edge.text import sanitize

_MODULE = "ophtimus_edge.compare.embedding"
_NOTES = {
    "semscore": "semscore: cosine of all-mpnet-base-v2 embeddings",
    "semscore_minilm": "semscore_minilm: cosine of all-MiniLM-L6-v2 embeddings (mean pooling, normalized); not "
    "comparable with published SemScore, which is all-mpnet-base-v2's",
}
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_REPLY_S = 600.0  # a stick that is read slowly, an old processor: far beyond either
_CLOSE_S = 2.0
_DIED_HINT = "Run the same command to go on; or leave the comparison of meanings out."


class Similarity:
    """An embedding model in a process of its own. Use it as an async context manager.

    Args:
        folder: of all-mpnet-base-v2; None for the all-MiniLM-L6-v2 that comes with the [essay] extra.

    Attributes:
        name: ``semscore`` or ``semscore_minilm``.
        note: what a reader must know of the figures.

    Raises:
        MissingExtraError: on entering: the [essay] extra is not installed.
        ComparisonError: on entering: the folder holds no such model; or the process died.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.name = self.note = ""
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._log: deque[str] = deque(maxlen=5)
        self._drain: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """The child's process; None where there is none."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def cosines(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The cosine of each pair's embeddings, -1 to 1; 0 where one of the texts is empty.

        Raises:
            ComparisonError: the process died, or is closed.
        """
        found = [0.0] * len(pairs)
        asked = [index for index, pair in enumerate(pairs) if all(text.strip() for text in pair)]
        for start in range(0, len(asked), PAIRS_A_LINE):
            places = asked[start : start + PAIRS_A_LINE]
            request = Pairs([(_shown(pairs[place][0]), _shown(pairs[place][1])) for place in places])
            said = await self._exchange(line(request))
            if not isinstance(said, Cosines) or len(said.cosines) != len(places):
                raise await self._ended()
            for place, cosine in zip(places, said.cosines, strict=True):
                found[place] = cosine
        return found

    async def close(self) -> None:
        """End the process; kill it where it does not end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _CLOSE_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._drain is not None:
            await asyncio.wait({self._drain}, timeout=_CLOSE_S)
            self._drain.cancel()

    async def _start(self) -> None:
        # As the engine's worker is started: the same text everywhere, and no module of the working folder.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-X", "utf8", "-s", "-P", "-m", _MODULE,
            *([str(self._folder.absolute())] if self._folder else []),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
            env={**os.environ, **_OFFLINE},
        )  # fmt: skip
        self._drain = asyncio.create_task(self._keep_log(self._process))
        said = await self._exchange(b"")
        if isinstance(said, Refused):
            kind = MissingExtraError if said.kind == "extra" else ComparisonError
            raise kind(sanitize(said.message), said.hint)
        if not isinstance(said, Ready) or said.name not in _NOTES:
            raise await self._ended()
        self.name = said.name
        self.note = f"{_NOTES[self.name]}; the first {said.tokens} tokens of a text count."

    async def _exchange(self, request: bytes) -> Said:
        """Send a line, where there is one, and receive a line.

        Raises:
            ComparisonError: the process died, or says what nobody understands.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ComparisonError("the process that compares meanings is closed.", _DIED_HINT)
        try:
            async with asyncio.timeout(_REPLY_S):
                if request:
                    process.stdin.write(request)
                    await process.stdin.drain()
                received = await process.stdout.readline()
            said: Said = msgspec.json.decode(received, type=Said)
        except TimeoutError:
            await self.close()
            raise ComparisonError(
                f"the process that compares meanings gave no answer within {_REPLY_S:.0f} s.", _DIED_HINT
            ) from None
        except (OSError, ValueError):  # no pipe, a line too long, no message (msgspec's is a ValueError)
            raise await self._ended() from None
        except BaseException:
            await self.close()  # its reply would be taken for the next one's
            raise
        return said

    async def _ended(self) -> ComparisonError:
        """End the process where it has not ended, and say how it did."""
        process = self._process
        await self.close()
        code = process.returncode if process is not None else None
        last = f": {self._log[-1]}" if self._log else ""
        if code is not None and code < 0:
            how = (
                "it was killed, perhaps because the memory ran out"
                if -code == _SIGKILL
                else f"signal {-code}"
            )
        else:
            how = f"code {code}{last}"
        return ComparisonError(f"the process that compares meanings ended ({how}).", _DIED_HINT)

    async def _keep_log(self, process: asyncio.subprocess.Process) -> None:
        """The last lines of what its libraries print."""
        if process.stderr is None:
            return
        with contextlib.suppress(ValueError, OSError):
            while text := await process.stderr.readline():
                if said := sanitize(text.decode("utf-8", "replace")).strip():
                    self._log.append(said[-300:])


_SIGKILL = getattr(signal, "SIGKILL", 9)


def _shown(text: str) -> str:
    """What the model sees of a text: its beginning; half of a surrogate pair cannot travel as UTF-8."""
    return text[:TEXT_CHARACTERS].encode("utf-8", "replace").decode()
