"""``ophtimus batch``: answer a file of questions, several at once, and go on after an interruption.

FILE is JSONL (the key question), CSV (a column named question), or one question a line; everything that
stands beside a question goes to its answer unchanged.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from ophtimus_edge.batch.answering import Outcome
    from ophtimus_edge.batch.journal import Journal
    from ophtimus_edge.batch.questions import QuestionFile, Row
    from ophtimus_edge.batch.records import Recorder
    from ophtimus_edge.cli.batch_progress import BatchProgress
    from ophtimus_edge.engine.messages import Loaded, Sampling
    from ophtimus_edge.models.familiarity import KnownQuestions
    from ophtimus_edge.models.store import ChosenModel

# Between 8 and 16 answers at once a processor gains little more, and each takes its share of the context.
PARALLEL = 8
MOST_PARALLEL = 64
_LARGE = 256 << 20  # bytes that take a moment to read


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "batch",
        help="answer a file of questions, resumable",
        description="Answer a file of questions: JSONL (the key question), CSV (a column named question), or "
        "one question a line. What stands beside a question goes to its answer. Stopped or killed, the same "
        "command goes on.",
        epilog="With --parallel 1 a row gets the same text on the same machine and release however often the "
        "run was stopped. With more at once, what is computed together moves the last digits of the model's "
        "numbers, and a text may come out in other words. In CSV, a cell that a spreadsheet would run as a "
        "formula gets an apostrophe in front, and the column guarded names it.",
    )
    verb.add_argument("file", type=Path, metavar="FILE", help="the questions: .jsonl, .csv, .tsv, .txt")
    verb.add_argument("--out", type=Path, required=True, metavar="FILE",
                      help="the answers: JSON lines, or CSV where the name ends in .csv; must not exist")  # fmt: skip
    verb.add_argument("--parallel", type=int, default=PARALLEL, metavar="N",
                      help=f"questions that are answered at once (default {PARALLEL})")  # fmt: skip
    verb.add_argument("--model", default="", metavar="M", help="an installed model, demo, or a path")
    verb.add_argument("--level", default="", metavar="L", help="a quantization level, such as Q4_K_M")
    verb.add_argument("--role", default="clinical", metavar="R",
                      help="clinical (default), counselling, teaching or free")  # fmt: skip
    verb.add_argument("--max-tokens", type=int, default=1024, metavar="N", help="of an answer (default 1024)")
    verb.add_argument(
        "--temperature", type=float, default=0.0, metavar="T", help="default 0: the likeliest words"
    )
    verb.add_argument("--seed", type=int, metavar="S",
                      help="of every answer; without it each row has its own, drawn and recorded")  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        OphtimusError: the file cannot be read, the output not be written, or a question not be answered.
    """
    import asyncio
    import secrets

    from ophtimus_edge import specialties
    from ophtimus_edge.batch import questions
    from ophtimus_edge.batch.journal import opened, refuse_existing
    from ophtimus_edge.batch.records import Recorder
    from ophtimus_edge.conversation import completes
    from ophtimus_edge.engine.messages import LARGEST_SEED
    from ophtimus_edge.errors import QuestionError, UsageError
    from ophtimus_edge.models import store, withdrawals
    from ophtimus_edge.text import sanitize

    if options.max_tokens < 1 or not 0 <= options.temperature <= 5:
        raise UsageError(
            "--max-tokens is at least 1, and --temperature is between 0 and 5.",
            "See: ophtimus batch --help.",
        )
    if options.seed is not None and not 0 <= options.seed <= LARGEST_SEED:
        raise UsageError(f"--seed is between 0 and {LARGEST_SEED}.", "Leave it out to have one drawn.")
    if not 1 <= options.parallel <= MOST_PARALLEL:
        raise UsageError(f"--parallel is between 1 and {MOST_PARALLEL}.", "Leave it out for a good number.")
    specialties.role_named(options.role)
    refuse_existing(options.out)
    file = questions.examine(options.file)
    for note in _notes(file):
        sys.stderr.write(sanitize(note) + "\n")
    model = store.choose(options.model, options.level)
    withdrawals.refuse(model)  # before anything is written
    completes(model, None, options.role)
    if not model.sha256 and model.path.stat().st_size > _LARGE:
        sys.stderr.write(f"reading {sanitize(model.path.name)} for its SHA-256\n")
    sha256 = model.sha256 or store.sha256_of(model.path)
    settings = _settings(options, file, model, sha256)
    with opened(options.out, settings, file.total, secrets.randbelow(1 << 31)) as journal:
        if not journal.complete:
            recorder = Recorder(model, sha256, options.role)
            asyncio.run(_answer(options, file, model, recorder, journal))
        _write(options.out, file, journal)
        failed = journal.failed
    if failed:
        raise QuestionError(
            f"{failed} of {file.total} questions could not be answered.",
            f"Their rows in {options.out} say why.",
        )


def _notes(file: QuestionFile) -> Iterator[str]:
    from ophtimus_edge.batch.records import ID, carried_name

    if file.encoding == "cp949":
        yield f"{file.path} is not UTF-8; it is read as CP949, which Korean Excel writes."
    renamed = [name for name in file.carried if name != ID and carried_name(name) != name]
    if renamed:
        pairs = ", ".join(f"{name} as {carried_name(name)}" for name in renamed)
        yield f"What the output has names for itself is carried under another name: {pairs}."


def _settings(
    options: argparse.Namespace, file: QuestionFile, model: ChosenModel, sha256: str
) -> dict[str, str]:
    """Whatever decides the text of the answers, by the name that a person gives it."""
    from hashlib import sha256 as hashed

    from ophtimus_edge import specialties

    template = f"{model.template.date}\n{model.template.text}" if model.template else ""
    prompt = specialties.role_named(options.role).system_prompt
    return {
        "file of questions": file.sha256,
        "model": sha256,
        "chat template": hashed(template.encode()).hexdigest(),
        "system prompt": hashed(prompt.encode()).hexdigest(),
        "--role": options.role,
        "--max-tokens": str(options.max_tokens),
        "--temperature": str(options.temperature),
        "--seed": "" if options.seed is None else str(options.seed),
        "--parallel": str(options.parallel),
    }


async def _answer(
    options: argparse.Namespace, file: QuestionFile, model: ChosenModel, recorder: Recorder, journal: Journal
) -> None:
    from contextlib import aclosing

    from ophtimus_edge import specialties
    from ophtimus_edge.batch import answering, questions
    from ophtimus_edge.cli.batch_progress import BatchProgress
    from ophtimus_edge.conversation import completes
    from ophtimus_edge.engine.client import Engine
    from ophtimus_edge.errors import EngineError
    from ophtimus_edge.models.familiarity import read_known_questions

    known = read_known_questions(model.known_questions) if model.known_questions else None
    system = "" if model.is_base else specialties.role_named(options.role).system_prompt
    async with Engine() as engine:
        with BatchProgress(journal.done, file.total) as progress:
            loaded = await engine.load(
                model, on_progress=progress.loading, sequences=options.parallel, system=system
            )
            progress.loaded()
            for sentence in [*loaded.reduced, *_too_small(loaded, options)]:
                progress.note(sentence)
            _compare_machines(loaded, journal, progress)
            left = (row for row in questions.rows(file) if not journal.has(row.number))
            plain = completes(model, loaded, options.role)

            def on_death(error: EngineError) -> None:
                progress.note(f"{error.message} The rows without an answer are asked again.")

            sampling = _sampling_of(options, journal.seed)
            stream = answering.answers(
                engine, left, options.role, sampling, options.parallel, plain=plain, on_death=on_death
            )
            try:
                async with aclosing(stream) as outcomes:
                    async for outcome in outcomes:
                        _keep(outcome, recorder, journal, known, model.demonstration)
                        progress.answered(journal.done, journal.failed)
            finally:
                if journal.done and not journal.complete:
                    progress.note(
                        f"{journal.done} of {file.total} rows are kept; run the same command to go on."
                    )


def _too_small(loaded: Loaded, options: argparse.Namespace) -> Iterator[str]:
    """The context has room for the longest answers that may come: say so where that leaves places empty."""
    fit = max(1, (loaded.context - loaded.warmed) // options.max_tokens)
    if fit < options.parallel:
        yield (
            f"The context of {loaded.context} tokens has room for {fit} of {options.parallel} answers of up to "
            f"{options.max_tokens} tokens at once; a smaller --max-tokens is faster."
        )


def _compare_machines(loaded: Loaded, journal: Journal, progress: BatchProgress) -> None:
    """Say so where the rows that are there were computed in another way: their texts may differ."""
    machine = f"{loaded.build}, {loaded.device}, {loaded.threads} threads, context {loaded.context}"
    before = journal.begin_run(machine)
    if before and before != machine:
        progress.note(f"The rows so far were computed with {before}; it goes on with {machine}.")


def _sampling_of(options: argparse.Namespace, drawn: int) -> Callable[[Row], Sampling]:
    """A row's seed: the given one, as for ``ask``; else its own, so that equal questions get other answers."""
    from ophtimus_edge.engine.messages import Sampling

    def sampling(row: Row) -> Sampling:
        seed = options.seed
        if seed is None:
            seed = (drawn + row.number) % (1 << 31) if options.temperature > 0 else 0
        return Sampling(max_tokens=options.max_tokens, temperature=options.temperature, seed=seed)

    return sampling


def _keep(
    outcome: Outcome, recorder: Recorder, journal: Journal, known: KnownQuestions | None, demonstration: bool
) -> None:
    from ophtimus_edge.batch.records import encoded
    from ophtimus_edge.cli.printers import DEMONSTRATION, UNFAMILIAR
    from ophtimus_edge.errors import QuestionError

    if outcome.finished is None:
        error = outcome.error or QuestionError("there is no answer.", "Ask it again.")
        record = recorder.refused(outcome.row, outcome.asked, error)
    else:
        notices, nearest = [DEMONSTRATION] if demonstration else [], list[str]()
        familiarity = known.compare(outcome.asked) if known and demonstration else None
        if familiarity and not familiarity.familiar:
            notices.append(UNFAMILIAR)
            nearest = familiarity.nearest
        record = recorder.answered(outcome.row, outcome.asked, outcome.finished, notices, nearest)
    journal.add(outcome.row.number, encoded(record), failed=outcome.finished is None)


def _write(out: Path, file: QuestionFile, journal: Journal) -> None:
    """Put the output in its place, and say what it holds."""
    from ophtimus_edge.batch import records, spreadsheet

    guarded = 0

    def as_lines(lines: Iterator[bytes], stream: TextIO) -> None:
        for line in lines:
            stream.write(line.decode("utf-8") + "\n")

    def as_table(lines: Iterator[bytes], stream: TextIO) -> None:
        nonlocal guarded
        names = spreadsheet.columns(records.carried_names(file), records.ID in file.carried)
        guarded = spreadsheet.write(lines, names, file.delimiter or ",", stream)

    if out.suffix.lower() == ".csv":
        journal.finish(as_table, spreadsheet.ENCODING)
    else:
        journal.finish(as_lines, "utf-8")
    sys.stderr.write(f"{file.total - journal.failed} of {file.total} questions answered: {out}\n")
    if guarded:
        sys.stderr.write(
            f"{guarded} cells that a spreadsheet could have run begin with an apostrophe now; the column "
            "guarded names them.\n"
        )
