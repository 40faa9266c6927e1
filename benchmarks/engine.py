"""The engine beside a bare loop of llama.cpp: speed, waiting, stopping, many at once, scoring.

Every figure is measured in this run, both sides in turn; medians are printed with their spread.

    .venv/bin/python benchmarks/engine.py MODEL_FOLDER_OR_GGUF [--only NAME]… [--rounds 5]

The bars of docs/benchmarks.md are for a Llama of the 1B shape at Q4_K_M on two cores.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ophtimus_edge import specialties
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Piece, Reading, Sampling, Turn
from ophtimus_edge.models import store
from ophtimus_edge.specialties.questions import choice_prompt
from ophtimus_training import primer as primers

HERE = Path(__file__).parent
SYSTEM = specialties.role_named("clinical").system_prompt
QUESTION = "What are the symptoms of acute angle-closure glaucoma, and what is done first?"
FOLLOW_UP = "And in a patient who has only one seeing eye, what changes?"
CONTEXT, WRITE = 8192, 128


def bare(order: dict[str, Any]) -> dict[str, float]:
    """Run benchmarks/bare_loop.py with an order."""
    result = subprocess.run(
        [sys.executable, str(HERE / "bare_loop.py")],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(result.stdout))


def report(what: str, ours: list[float], theirs: list[float], bar: str, unit: str = "") -> None:
    """Print both medians, their spread, and the median of the ratios of the rounds."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(
        f"{what}: {statistics.median(ours):.3f}{unit} ({min(ours):.3f} to {max(ours):.3f}) ÷ "
        f"{statistics.median(theirs):.3f}{unit} ({min(theirs):.3f} to {max(theirs):.3f}) = "
        f"{statistics.median(ratios):.3f} (bar {bar})",
        flush=True,
    )


class Bench:
    """One model, and the orders for the bare loop on it."""

    def __init__(self, name: str, rounds: int) -> None:
        self.model = store.choose(name)
        self.rounds = rounds

    async def load(self, engine: Engine, sequences: int = 0, system: str = "") -> int:
        """Load it; returns the threads."""
        loaded = await engine.load(self.model, CONTEXT, gpu_layers=0, sequences=sequences, system=system)
        return loaded.threads

    def order(self, threads: int, prompt: list[int], **more: Any) -> dict[str, Any]:
        return {
            "model": str(self.model.path), "context": CONTEXT, "threads": threads, "prompt": prompt, **more
        }  # fmt: skip

    async def speed(self) -> None:
        """Tokens a second through the engine and in the bare loop."""
        ours, theirs = [], []
        turns = [Turn("system", SYSTEM), Turn("user", QUESTION)]
        for _ in range(self.rounds):
            async with Engine() as engine:
                threads = await self.load(engine)
                ids = await engine.render(turns)
                ours.append((await self._answer(engine, turns, WRITE)).tokens_per_s)
            theirs.append(bare(self.order(threads, ids, write=WRITE))["tokens_per_s"])
        report("tokens/s, engine ÷ bare loop", ours, theirs, "≥ 0.97")

    async def app(self) -> None:
        """Tokens a second while the app draws the answer in a terminal of 120 × 32."""
        ours, theirs = [], []
        turns = [Turn("system", SYSTEM), Turn("user", QUESTION)]
        for _ in range(self.rounds):
            result = subprocess.run(
                [sys.executable, str(HERE / "app_stream.py"), str(self.model.path), QUESTION, str(WRITE)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            ours.append(float(result.stdout))
            async with Engine() as engine:
                threads = await self.load(engine)
                ids = await engine.render(turns)
            theirs.append(bare(self.order(threads, ids, write=WRITE))["tokens_per_s"])
        report("tokens/s, app ÷ bare loop", ours, theirs, "≥ 0.90")

    async def second_turn(self) -> None:
        """Time to the first token of a follow-up, and of evaluating its new tokens alone."""
        ours, theirs = [], []
        for _ in range(self.rounds):
            async with Engine() as engine:
                threads = await self.load(engine)
                turns = [Turn("system", SYSTEM), Turn("user", QUESTION)]
                first = await self._answer(engine, turns, 200)
                turns += [Turn("assistant", "…", first.ids), Turn("user", FOLLOW_UP)]
                ids = await engine.render(turns)
                second = await self._answer(engine, turns, 2)
            ours.append(second.ttft_s)
            known = second.reused_tokens
            order = self.order(threads, ids[known:], known=ids[:known])
            theirs.append(bare(order)["seconds"])
        print(f"  the follow-up's prompt has {len(ids)} tokens, {known} of them reused")
        report("time to first token of a second turn ÷ its new tokens alone", ours, theirs, "≤ 1.2", " s")

    async def first_question(self) -> None:
        """Prompt tokens that the first question evaluates after the load."""
        async with Engine() as engine:
            await self.load(engine, system=SYSTEM)
            own = len(await engine.tokenize(QUESTION))
            answered = await self._answer(engine, [Turn("system", SYSTEM), Turn("user", QUESTION)], 2)
        print(
            f"first question: {answered.prompt_tokens - answered.reused_tokens} of {answered.prompt_tokens} prompt "
            f"tokens evaluated; the question itself has {own}, the rest is the template's end (bar: only these)"
        )

    async def cancel(self) -> None:
        """From the cancellation to silence, in three phases."""
        waits: dict[str, list[float]] = {"loading": [], "reading 4,000 tokens": [], "writing": []}
        for _ in range(self.rounds):
            engine = Engine()
            loading = asyncio.create_task(self.load(engine))
            while engine.process_id is None:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.35)  # the imports of the worker: from here on llama.cpp loads
            start = time.monotonic()
            await engine.close()
            waits["loading"].append(time.monotonic() - start)
            await asyncio.gather(loading, return_exceptions=True)
            async with engine:
                await self.load(engine)
                word = await engine.tokenize(" glaucoma")
                long = Turn("user", " glaucoma" * (4000 // len(word)))
                for phase, turn, kind in (
                    ("reading 4,000 tokens", long, Reading),
                    ("writing", Turn("user", QUESTION), Piece),
                ):
                    start = 0.0
                    async for event in engine.answer([turn], Sampling(500, min_tokens=500)):
                        if isinstance(event, kind) and not start:
                            await asyncio.sleep(0.7)
                            start = time.monotonic()
                            await engine.cancel()
                        elif isinstance(event, Answered):
                            assert event.finish_reason == "cancelled"
                            waits[phase].append(time.monotonic() - start)
        for phase, seconds in waits.items():
            print(
                f"cancel to silence, {phase}: {statistics.median(seconds):.3f} s, "
                f"at most {max(seconds):.3f} s (bar ≤ 0.5 s)",
                flush=True,
            )

    async def many(self) -> None:
        """64 questions of the primer, 128 tokens each, for several parallel counts."""
        essays = primers.read(HERE.parent / "training" / "primer").essays[::5][:64]
        conversations = [[Turn("system", SYSTEM), Turn("user", essay.question)] for essay in essays]
        samplings = [Sampling(WRITE, min_tokens=WRITE)] * len(conversations)
        base = 0.0
        for parallel in (1, 2, 4, 8, 16, 32):
            async with Engine() as engine:
                await self.load(engine, sequences=parallel, system=SYSTEM)
                start, tokens = time.monotonic(), 0
                if parallel == 1:
                    for turns in conversations:
                        tokens += (await self._answer(engine, turns, WRITE)).completion_tokens
                else:
                    async for done in engine.answer_many(conversations, samplings, parallel):
                        tokens += done.completion_tokens
                speed = tokens / (time.monotonic() - start)
            base = base or speed
            print(
                f"{parallel:3} at once: {tokens} tokens, {speed:.1f} tokens/s, {speed / base:.2f} times one by one "
                "(bar: the best ≥ 2.0)",
                flush=True,
            )

    async def score(self) -> None:
        """The letters of a multiple-choice question behind its prompt."""
        choices = primers.read(HERE.parent / "training" / "primer").choices
        *_, example, choice = sorted(choices, key=lambda one: len(choice_prompt(one).encode()))
        asked = (
            f"{choice_prompt(example)}\n\n{choice_prompt(choice)}"  # one example, as tests of models do it
        )
        ours, theirs = [], []
        for _ in range(self.rounds):
            async with Engine() as engine:
                threads = await self.load(engine)
                prefix = await engine.render([Turn("system", SYSTEM), Turn("user", asked)])
                options = [await engine.tokenize(letter) for letter in "ABCDE"[: len(choice.options)]]
                start = time.monotonic()
                await engine.score(prefix, options)
                ours.append(time.monotonic() - start)
            theirs.append(bare(self.order(threads, prefix, options=options))["seconds"])
        print(f"  prefix of {len(prefix)} tokens, {len(options)} options")
        report("score of letters ÷ one prompt an option", ours, theirs, "≤ 0.30", " s")

    async def _answer(self, engine: Engine, turns: list[Turn], count: int) -> Answered:
        async for event in engine.answer(turns, Sampling(count, min_tokens=count)):
            if isinstance(event, Answered):
                return event
        raise AssertionError("no answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bench = Bench(options.model, options.rounds)
    parts: list[Callable[[], Coroutine[Any, Any, None]]] = [
        bench.speed, bench.app, bench.second_turn, bench.first_question, bench.cancel, bench.score, bench.many
    ]  # fmt: skip
    for part in parts:
        if not options.only or part.__name__ in options.only:
            asyncio.run(part())


if __name__ == "__main__":
    main()
