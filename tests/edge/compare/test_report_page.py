"""The page of a comparison: everything that was found, to the letter, and nothing that a reader runs or loads."""

import copy
import html.parser
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from edge.compare import hostile_reports, korean_reports, reports

from ophtimus_edge.compare.report import markdown, page
from ophtimus_edge.models.report import Report, ShownAnswer
from ophtimus_edge.text import sanitize

MADE = {
    "rich": reports.rich,
    "bare": reports.bare,
    "korean": korean_reports.korean,
    "hostile": hostile_reports.hostile,
}
VOID = {"meta", "br", "hr", "link", "img", "input"}


class Page(html.parser.HTMLParser):
    """What a page holds: its tags and attributes, the texts of its <pre> and <mark>, and what it shows."""

    def __init__(self, written: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.languages: list[str | None] = []
        self.marks: list[str] = []
        self.links: dict[str, list[str]] = {}  # by the id of the section they stand in
        self.shown = ""
        self._open: list[str] = []
        self._sections: list[str] = []
        self.feed(written.decode())
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        known = dict(attrs)
        if tag == "section":
            self._sections.append(known["id"] or "")
        if tag == "a":
            self.links.setdefault(self._sections[-1] if self._sections else "", []).append(
                known["href"] or ""
            )
        if tag not in VOID:
            self._open.append(tag)
        if tag == "pre":
            self.texts.append("")
            self.languages.append(known.get("lang"))
        if tag == "mark":
            self.marks.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "section":
            self._sections.pop()
        if tag == "pre":
            self.texts[-1] = self.texts[-1].removeprefix("\n")  # as a browser does

    def handle_data(self, data: str) -> None:
        if "pre" in self._open:
            self.texts[-1] += data
        if "mark" in self._open:
            self.marks[-1] += data
        if "style" not in self._open:
            self.shown += data

    def values(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


@pytest.mark.parametrize("name", MADE)
def test_the_page_loads_nothing_runs_nothing_and_its_links_lead_somewhere(name: str) -> None:
    written = page.render(MADE[name]())
    found = Page(written)
    assert not {"script", "img", "link", "iframe", "object", "embed", "form", "base", "use", "image"} & set(
        found.tags
    )
    names = {key for key, _ in found.attributes}
    assert not {"src", "srcset", "action", "data", "style", "xlink:href"} & names
    assert not [key for key in names if key.startswith("on")]
    assert "default-src 'none'; style-src 'unsafe-inline'" in found.values("content")
    assert not re.search(rb"url\(|@import", written)
    ids = Counter(found.values("id"))
    assert set(ids.values()) == {1}
    assert all(link.startswith("#") and link[1:] in ids for link in found.values("href"))
    for reference in found.values("aria-labelledby"):
        assert set(reference.split()) <= set(ids)


def test_words_of_people_and_models_stand_to_the_letter() -> None:
    found = Page(page.render(reports.rich()))
    for question in reports.questions():
        for text in (question.question, *(answer.text for answer in question.answers)):
            assert not text or text in found.texts
    # In the pair of the level that differs, and among all answers.
    assert found.texts.count(reports.DROPS_HERE) == 2
    assert reports.UNSAFE.note in found.texts


def test_hostile_words_are_shown_and_are_nothing_else() -> None:
    found = Page(page.render(hostile_reports.hostile()))
    shown = sanitize(hostile_reports.EVIL_TEXT)
    assert found.texts
    assert set(found.texts) == {shown}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", found.shown)
    lost = len(hostile_reports.EVIL_TEXT.replace("\r\n", "\n")) - len(shown)
    assert f"{lost} control characters in this text cannot be shown." in found.shown
    assert "cannot be shown" not in Page(page.render(reports.rich())).shown


def test_each_difference_is_marked_where_it_stands_and_linked_from_the_table() -> None:
    report = reports.rich()
    found = Page(page.render(report))
    wanted = [
        passage.text
        for level in report.levels
        if level.critical
        for difference in level.critical.differences
        for passage in (*difference.reference, *difference.answer)
    ]
    legend = ["figure", "eye", "negation", "drug"]
    assert sorted(found.marks) == sorted([*legend, *wanted])
    assert "#critical-6" in found.links["levels"]
    assert {"#critical-6-1", "#critical-6-2", "#critical-4-1"} <= set(found.links["critical"])
    assert "#critical-6-1" in found.links["answers"]
    assert "#question-1" in found.links["votes"]


def test_passages_that_overlap_or_are_not_there_change_no_letter() -> None:
    report = reports.rich()
    last = report.levels[-1]
    assert last.critical is not None
    answer = reports.DROPS_HERE
    overlapping = [
        reports.passage(answer, "0.5 % drops in the left"),
        reports.passage(answer, "left eye twice"),
    ]
    elsewhere = msgspec.structs.replace(overlapping[0], start=3, end=20)
    difference = msgspec.structs.replace(last.critical.differences[0], answer=[*overlapping, elsewhere])
    critical = msgspec.structs.replace(last.critical, differences=[difference])
    report.levels[-1] = msgspec.structs.replace(last, critical=critical)
    found = Page(page.render(report))
    assert found.texts.count(answer) == 2
    assert {"0.5 % drops in the ", "left", " eye twice"} <= set(found.marks)
    assert "not at its place in the answer" in found.shown


def test_two_files_of_one_level_are_told_apart() -> None:
    report = reports.rich()
    last = msgspec.structs.replace(report.levels[-1], level="BF16")
    report.levels = [last]
    shown = report.questions[0]
    answers = [
        ShownAnswer(level="BF16", text=reports.DROPS_THERE),
        ShownAnswer(level="BF16", text=reports.DROPS_HERE),
    ]
    report.questions = [msgspec.structs.replace(shown, answers=answers)]
    whole = Page(page.render(report))
    assert f"BF16 · {last.file}" in whole.shown
    assert [text for text in whole.texts if text == reports.DROPS_HERE] == [reports.DROPS_HERE] * 2
    assert "right eye" in whole.marks
    assert "left eye" in whole.marks
    report.questions = [msgspec.structs.replace(shown, answers=answers[:1])]
    assert "This answer is not kept in this report." in Page(page.render(report)).shown


def test_korean_words_are_named_as_korean_and_other_languages_as_not_measured() -> None:
    found = Page(page.render(korean_reports.korean()))
    assert dict(zip(found.texts, found.languages, strict=True))[korean_reports.KOREAN_HERE] == "ko"
    assert "not measured in English" in found.shown
    assert "not measured in Korean" not in found.shown
    rich = Page(page.render(reports.rich()))
    assert "not measured in Korean" in rich.shown
    assert set(rich.languages) == {None}


def test_the_page_prints_on_a4_light_and_is_dark_where_a_screen_is() -> None:
    written = page.render(reports.rich()).decode()
    assert "size: A4" in written
    assert re.search(r"@media print \{\s*:root \{ color-scheme: light;", written)
    assert "prefers-color-scheme: dark" in written


# What need not be seen by itself: a statement says it, the marks are where they are, or it is the same elsewhere.
UNSEEN = re.compile(
    r"schema_version|fastest_faithful|\.text_sha256|reliability\.\d+\.(low|high)|files\.\d+\.(part|embedded)"
    r"|finding$|kind$|questions\.\d+\.answers|counts\.\w+|question_id|verdict\.level|\.level$|findings"
    r"|verdict\.sha256|beside_sha256"  # of files that the table of files has
)
SHORT = re.compile(r"reliability|questions\.\d+|essay\.(questions|cut_short)|(start|end)$")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The single values of a document, and every statistic as one."""
    if isinstance(value, dict) and value.keys() != {"value", "low", "high"}:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    elif value is not None:
        yield path, value


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Report:
    copied = copy.deepcopy(document)
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return msgspec.convert(copied, Report)


def other(value: Any) -> Any:
    if isinstance(value, dict):
        return {"value": value["value"] * 0.5, "low": value["low"] * 0.5, "high": value["high"] * 0.75}
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value * 0.5 + 0.013 if isinstance(value, float) else value * 2 + 1
    return f"{value}, other"


def test_everything_that_a_report_holds_is_shown() -> None:
    report = reports.rich()
    report.levels = report.levels[-1:]
    document = msgspec.to_builtins(report)
    turned = document["levels"][0]["mcq"]["flips"]
    turned["lost"], turned["won"] = turned["lost"][:2], turned["won"][:2]
    report = msgspec.convert(document, Report)
    whole, brief = page.render(report), markdown.render(report)
    hidden, left_out, looked = [], [], 0
    for path, value in leaves(document):
        name = ".".join(map(str, path))
        if UNSEEN.search(name):
            continue
        looked += 1
        different = changed(document, path, other(value))
        hidden += [name] if page.render(different) == whole else []
        if not SHORT.search(name):
            left_out += [name] if markdown.render(different) == brief else []
    assert looked > 250
    assert (hidden, left_out) == ([], [])


OPTIONAL = [
    "speed", "divergence", "mcq", "essay", "critical", "votes", "mcq.accuracy", "mcq.unparsed", "mcq.fallback",
    "mcq.consistent", "mcq.flips", "divergence.ln_ppl_correlation", "essay.cut_short", "votes.preferred",
]  # fmt: skip


@pytest.mark.parametrize("part", OPTIONAL)
def test_what_was_not_measured_is_said_to_be_so(part: str) -> None:
    document = msgspec.to_builtins(reports.rich())
    without = changed(document, ("levels", 5, *part.split(".")), None)
    before, after = (Page(page.render(one)).shown.count("not measured") for one in (reports.rich(), without))
    assert after > before
    if part != "essay.cut_short":  # the short form leaves it out
        counts = [markdown.render(one).count(b"not measured") for one in (reports.rich(), without)]
        assert counts[1] > counts[0]


def test_a_report_of_nothing_says_so_of_every_part() -> None:
    found = Page(page.render(reports.bare()))
    parts = [
        "Speed and memory",
        "Divergence from the reference",
        "Multiple-choice questions",
        "Essay questions",
    ]
    for part in [*parts, "Critical differences", "Blind votes"]:
        assert f"{part}: not measured." in found.shown
    assert "No verdict" in found.shown
    assert "svg" not in found.tags
    assert "critical" in found.values("id")


def test_a_demonstration_and_the_programs_own_questions_are_warned_of() -> None:
    report = reports.rich()
    assert "Demonstration model" not in Page(page.render(report)).shown
    assert report.verdict is not None
    report.demonstration = True
    report.verdict = msgspec.structs.replace(report.verdict, only_embedded=True)
    found = Page(page.render(report)).shown
    assert "not for clinical use" in found
    assert "Nothing is recommended from these alone" in found
    assert "recommended: within" not in found


CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


def opened(path: Path, folder: Path) -> tuple[str, set[str]]:
    """A page as Chromium has it, and the addresses that the page asked the network for."""
    log = folder / "net.json"
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *quiet,
            f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, encoding="utf-8", timeout=110, check=True,
    )  # fmt: skip
    text = log.read_text("utf-8")
    try:
        events = json.loads(text)["events"]
    except json.JSONDecodeError:  # a log that was not closed
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    # What the browser asks for itself (the time, its word lists) has no origin; what a page asks for has one.
    asked = [
        event["params"]
        for event in events
        if event.get("params", {}).get("initiator", "not an origin") != "not an origin"
    ]
    return done.stdout, {one["url"] for one in asked}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on this machine")
@pytest.mark.parametrize("name", ["rich", "hostile"])
def test_chromium_shows_the_table_and_the_plots_and_asks_the_network_for_nothing(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(page.render(MADE[name]()))
    shown, asked = opened(path, tmp_path)
    assert asked == set()
    found = re.search(r'<section id="levels">.*?</table>', shown, re.DOTALL)
    assert found
    assert found[0].count("<tr>") == 8
    assert len(re.findall(r'<svg [^>]*class="plot"', shown)) >= 8


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on this machine")
def test_a_page_that_asks_the_network_is_seen_to_do_so(tmp_path: Path) -> None:
    path = tmp_path / "other.html"
    path.write_text('<img src="http://127.0.0.1:9/a.png"><iframe src="http://127.0.0.1:9/b"></iframe>')
    _, asked = opened(path, tmp_path)
    assert asked == {"http://127.0.0.1:9/a.png", "http://127.0.0.1:9/b"}
