"""The short form of a report, and the lines for a terminal: sound tables, fences that hold, true sentences."""

import re
from itertools import pairwise

import msgspec
import pytest
from edge.compare import hostile_reports, korean_reports, reports
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ophtimus_edge.compare.report import markdown, terminal
from ophtimus_edge.models.report import ShownAnswer
from ophtimus_edge.text import sanitize

MADE = {
    "rich": reports.rich,
    "bare": reports.bare,
    "korean": korean_reports.korean,
    "hostile": hostile_reports.hostile,
}


def parsed(written: bytes) -> list[Token]:
    """A document as a reader of CommonMark with GitHub's tables has it."""
    return MarkdownIt("commonmark").enable("table").parse(written.decode())


def fences(written: bytes) -> list[str]:
    return [token.content for token in parsed(written) if token.type == "fence"]


def kinds(written: bytes) -> set[str]:
    tokens = parsed(written)
    return {token.type for token in tokens} | {
        child.type for token in tokens if token.type == "inline" for child in token.children or []
    }


@pytest.mark.parametrize("name", MADE)
def test_every_table_has_a_cell_for_each_column(name: str) -> None:
    rows = 0
    for lines in re.findall(r"(?:^\|.*\n)+", markdown.render(MADE[name]()).decode(), re.MULTILINE):
        widths = [len(re.findall(r"(?<!\\)\|", line)) for line in lines.splitlines()]
        if set(re.sub(r"[|\s-]", "", lines.splitlines()[1])) == set():
            assert len(set(widths)) == 1
            rows += len(widths)
    assert rows >= 8


def test_the_levels_are_read_as_a_table() -> None:
    tokens = parsed(markdown.render(reports.rich()))
    cells = [after.content for token, after in pairwise(tokens) if token.type == "td_open"]
    assert cells[:4] == ["BF16", "14.96 GiB", "is the reference", "60.8 % [58.8, 62.9]"]
    assert "recommended: within tolerance" in cells


def test_words_of_models_and_people_stand_in_fences_to_the_letter() -> None:
    found = fences(markdown.render(reports.rich()))
    for text in (
        reports.DROPS,
        reports.DROPS_THERE,
        reports.DROPS_HERE,
        reports.STEROID_HERE,
        reports.UNSAFE.note,
    ):
        assert f"{text}\n" in found
    assert f"{korean_reports.KOREAN_HERE}\n" in fences(markdown.render(korean_reports.korean()))


def test_hostile_words_break_out_of_no_fence_and_become_no_markup() -> None:
    written = markdown.render(hostile_reports.hostile())
    assert set(fences(written)) == {f"{sanitize(hostile_reports.EVIL_TEXT)}\n"}
    sound = kinds(markdown.render(reports.rich()))
    assert kinds(written) <= sound
    assert not {"html_block", "html_inline", "link_open", "image", "code_inline", "hr"} & sound
    bare = re.sub(r"^(`{3,})text\n.*?\n\1$", "", written.decode(), flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"https?://|www\.", bare)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u2066]", written.decode())


@settings(deadline=None)
@example("`\x1b``")  # two runs of backticks that are one without the code between them
@given(st.text(st.sampled_from("`~\n a|<\\\r\x1b"), max_size=40))
def test_any_answer_stands_in_its_fence(text: str) -> None:
    report = reports.rich()
    shown = report.questions[0]
    answers = [*shown.answers[:2], ShownAnswer(level="Q2_K", text=text)]
    report.questions = [msgspec.structs.replace(shown, answers=answers)]
    found = fences(markdown.render(report))
    assert f"{sanitize(text)}\n" in found
    assert len(found) == 4  # the question, both answers, the unsafe note


def test_the_terminal_says_the_verdict_why_and_where_to_look() -> None:
    text = terminal.summary(reports.rich(), "report/report.html")
    first, *rest = text.splitlines()
    assert first == "verdict  Q4_K_M is the smallest level within tolerance."
    assert all(line.startswith(" " * 9) and len(line) <= 110 for line in rest)
    joined = " ".join(text.split())
    for part in (
        "Accuracy 60.1 % against 60.8 %: at most 1.6 points worse (95 %, 2,140 paired questions, tolerance 2); KL",
        "1 of 120 answers differs in a number or a drug. Q4_K_M is the most faithful level",
        "The answers that differ, side by side: report/report.html#critical",
        "Q2_K: 1 answer confirmed as unsafe",
    ):
        assert part in joined


def test_without_a_recommendation_the_terminal_says_what_was_found_of_each_level() -> None:
    report = reports.rich()
    assert report.verdict is not None
    statement = "No level is shown to be within tolerance."
    report.verdict = msgspec.structs.replace(report.verdict, level="", statement=statement)
    joined = " ".join(terminal.summary(report).split())
    assert joined.startswith(f"verdict {statement}")
    assert "IQ4_XS: open: more has to be measured (about 640 more questions)." in joined
    assert "Q8_0 0, Q4_K_M 1, Q2_K 2: report.html#critical" in joined
    bare = " ".join(terminal.summary(reports.bare()).split())
    assert "Critical differences: not measured" in bare


def test_no_command_reaches_the_terminal() -> None:
    assert sanitize(terminal.summary(hostile_reports.hostile())) == terminal.summary(
        hostile_reports.hostile()
    )
