"""A made-up report with hostile words: scripts, Markdown, terminal sequences, spans that lie outside."""

import msgspec
from edge.compare import reports

from ophtimus_edge.models.formats import UnsafeVote
from ophtimus_edge.models.report import (
    AskedFile,
    CriticalDifference,
    LevelFinding,
    MarkedPassage,
    Part,
    Report,
    ShownAnswer,
    ShownQuestion,
    Tolerances,
    VerdictReport,
)

EVIL = (
    '</pre></style></script><script src="https://x.example/a.js">alert(1)</script>'
    '<img src=x onerror=alert(2)> " onload="alert(3) \' &amp; <!-- ]]>'
)
EVIL_MARKDOWN = (
    "```\n</details>\n# A heading\n\n| a | b |\n|---|---|\n~~~\n````text\n[x](https://x.example) ![y](//z)"
)
EVIL_TERMINAL = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\r\nnext\u202e gnihton\u2066\x00\ud800 0.5\u200f %"
EVIL_TEXT = f"{EVIL}\n{EVIL_MARKDOWN}\n{EVIL_TERMINAL}"


def hostile() -> Report:
    """The rich report with hostile words wherever a file, a model or a person could have written them."""
    report = reports.rich()
    evil = EVIL_TEXT
    found = CriticalDifference(
        question_id=evil,
        kind="drug",
        reference=[reports.passage(evil, "<script")],
        answer=[reports.passage(evil, "![y](//z)"), MarkedPassage(5, 2, "x"), MarkedPassage(-3, 10**9, evil)],
    )
    last = report.levels[-1]
    assert last.mcq is not None
    assert last.mcq.flips is not None
    assert last.essay is not None
    turned = msgspec.structs.replace(last.mcq.flips, lost=[evil, "plain"], won=[evil])
    part = Part(name=evil, questions=3, accuracy=reports.share(0.5, 0.4))
    mcq = msgspec.structs.replace(
        last.mcq, flips=turned, topics=[part], languages=[part], likelihood_after=evil
    )
    unsafe = UnsafeVote(question_id=evil, rater=evil, confirmed=True, note=evil)
    named = f"Q2_K{evil}"
    report.levels[-1] = msgspec.structs.replace(
        last,
        level=named,
        file=evil,
        sha256=evil,
        mcq=mcq,
        essay=msgspec.structs.replace(last.essay, notes=[evil], scores={evil: {evil: reports.share(0.5)}}),
        critical=reports.critical([found]),
        votes=reports.votes(1, 2, [unsafe]),
        files={"mcq": evil},
        reused_from=evil,
        reused=[evil],
    )
    report.notes = [evil]
    report.model = report.version = report.made_at = report.baseline_sha256 = evil
    report.machine = report.tool_versions = report.settings = {evil: evil}
    report.files = [AskedFile(part="mcq", name=evil, sha256=evil, skipped=[evil], remarks=[evil])]
    report.published = {evil: {evil: 0.5}}
    report.changes = [evil]
    report.questions = [
        ShownQuestion(
            question_id=evil,
            question=evil,
            expected=evil,
            answers=[ShownAnswer(level="BF16", text=evil), ShownAnswer(level=named, text=evil)],
        )
    ]
    report.verdict = VerdictReport(
        level=named,
        statement=evil,
        tolerances=Tolerances(),
        findings=[LevelFinding(level=named, finding="unsafe", reasons=[evil])],
        fastest_faithful=evil,
        fastest_statement=evil,
    )
    return report
