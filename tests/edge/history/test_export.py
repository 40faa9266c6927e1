"""Exports: every word as it was written, where it is from, and nothing that a reader runs."""

import html
import html.parser
import re
import subprocess
import sys

import pytest
from histories import talk_of
from hypothesis import given, settings
from talks import AT, HOW, talk_with, talks

from ophtimus_edge.errors import UsageError
from ophtimus_edge.history.export import FORMATS, file_name, render, table
from ophtimus_edge.history.talk import Flag, Provenance, Talk
from ophtimus_edge.history.texts import catalogue

ANSWER = "# Not a heading\n\n- 0.5 % twice a day <b>&amp;\n```\n**bold** | cell |\n```\n   end"
FLAG = Flag(kind="unsafe", correction="Give 0.25 %, not 0.5 %.", at=AT)


class Words(html.parser.HTMLParser):
    """What a page shows: the texts of its <pre>, what is struck through, and every tag."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.struck: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta"}:
            self._open.append(tag)
        if tag == "pre":
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "pre":
            self.texts[-1] = self.texts[-1].removeprefix("\n")  # as a browser does
            self.struck += [self.texts[-1]] if "del" in self._open else []

    def handle_data(self, data: str) -> None:
        if "pre" in self._open:
            self.texts[-1] += data


def fenced(markdown: str) -> list[str]:
    """The texts in the fences of a document, by the rule of CommonMark."""
    found, inside, fence = list[str](), list[str](), ""
    for line in markdown.split("\n"):
        if not fence and (opened := re.fullmatch("(`{3,})text", line)):
            fence, inside = opened[1], []
        elif fence and re.fullmatch(f" {{0,3}}`{{{len(fence)},}}[ \t]*", line):
            found.append("\n".join(inside))
            fence = ""
        elif fence:
            inside.append(line)
    assert not fence
    return found


def wanted(talk: Talk) -> list[str]:
    """Every word of people and models on the path, in order."""
    texts = []
    for question in talk.path():
        texts.append(question.text)
        if question.reply:
            texts += [question.reply.text] if question.reply.text else []
            flag = question.reply.flag
            texts += [flag.correction] if flag and flag.correction else []
    return texts


@settings(max_examples=25, deadline=None)
@given(talks())
def test_every_word_of_the_path_stands_in_markdown_as_it_was_written(talk: Talk) -> None:
    assert fenced(render([talk], "md").decode()) == wanted(talk)


def test_a_control_code_between_backticks_does_not_close_the_fence() -> None:
    talk = talk_of("`\x1b``", "An answer.")
    assert fenced(render([talk], "md").decode()) == ["```", "An answer."]


@settings(max_examples=25, deadline=None)
@given(talks())
def test_every_word_of_the_path_stands_in_html_as_it_was_written(talk: Talk) -> None:
    page = render([talk], "html").decode()
    words = Words(page)
    notices = ["\n".join(one.reply.notices) for one in talk.path() if one.reply and one.reply.notices]
    assert sorted(words.texts) == sorted([*wanted(talk), *notices])
    flagged = [one.reply for one in talk.path() if one.reply and one.reply.flag]
    assert words.struck == [reply.text for reply in flagged if reply.text]


@settings(max_examples=25, deadline=None)
@given(talks())
def test_every_word_of_the_path_can_be_read_back_from_csv_and_no_cell_runs(talk: Talk) -> None:
    content = render([talk], "csv")
    rows = table.read(content)
    path = talk.path()
    assert [row["Question"] for row in rows] == [question.text for question in path]
    assert [row["Answer"] for row in rows] == [one.reply.text if one.reply else "" for one in path]
    assert [row["Conversation"] for row in rows] == [talk.title for _ in path]
    assert content.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "＝", " ="])
def test_a_cell_that_a_spreadsheet_would_run_is_guarded_and_named(start: str) -> None:
    text = f'{start}HYPERLINK("http://x.example","click")'
    talk = talk_with(text, text)
    talk.title = "titled"
    content = render([talk], "csv").decode("utf-8-sig")
    assert content.count(f"\"'{start}HYPERLINK") == 2
    assert content.rstrip().rsplit(",", 1)[1].split(" | ") == ["Question", "Answer"]
    (row,) = table.read(render([talk], "csv"))
    assert row["Answer"] == text
    (plain,) = table.read(render([talk_with("What is glaucoma?", "A disease - of the eye")], "csv"))
    assert plain["Answer"] == "A disease - of the eye"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_each_answer_has_where_it_is_from_and_that_it_is_no_advice(kind: str, language: str) -> None:
    talk = talk_with("q", ANSWER, notices=["a notice of the app"], note="the engine ended", dropped=["gone"])
    plain = talk_with("q", "x")
    page = html.unescape(render([talk], kind, language, AT).decode("utf-8-sig"))
    for value in (HOW.model, HOW.level, HOW.sha256, "4711", "0.7", "a notice of the app"):
        assert value in page.replace("\\_", "_")
    assert "the engine ended" in page
    assert "09:41:07" in page
    assert catalogue(language)["not_advice"] in page
    if kind != "json":
        assert catalogue(language)["dropped"].split("{")[0] in page
        assert catalogue(language)["dropped"].split("{")[0] not in render([plain], kind, language).decode()


@pytest.mark.parametrize("kind", ["md", "html", "csv"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_flagged_answer_is_labelled_with_its_correction_and_a_sound_one_is_not(
    kind: str, language: str
) -> None:
    label = catalogue(language)["flag_unsafe"]
    flagged = render([talk_with("q", ANSWER, flag=FLAG)], kind, language).decode("utf-8-sig")
    assert label in flagged
    assert FLAG.correction in flagged
    assert label not in render([talk_with("q", ANSWER)], kind, language).decode("utf-8-sig")


def test_a_flagged_answer_is_struck_through_in_markdown() -> None:
    flagged = render([talk_with("q", "wrong words", flag=FLAG)], "md").decode()
    assert "<del>\n\n```text\nwrong words\n```\n\n</del>" in flagged
    assert "<del>" not in render([talk_with("q", "right words")], "md").decode()


@pytest.mark.parametrize("kind", ["md", "html", "csv"])
def test_the_demonstrations_answers_say_so(kind: str) -> None:
    how = Provenance(
        model="Ophtimus-Demo", version="1", level="Q4_K_M", sha256="", role="free", temperature=0, seed=0
    )
    warning = catalogue("en")["demonstration"]
    talk = talk_with("q", "a", provenance=how)
    assert warning in render([talk], kind).decode("utf-8-sig")
    assert warning not in render([talk_with("q", "a")], kind).decode("utf-8-sig")


def test_other_versions_and_branches_are_said_to_be_there() -> None:
    talk = talk_with("one", "first")
    one = talk.questions[0]
    talk.begin_reply(one, HOW).text = "other"
    talk.ask("one, edited", instead_of=one)
    talk.show_branch(talk.questions[1], -1)
    page = render([talk], "md").decode()
    assert "Question 1 · branch 1 of 2" in page
    assert "Answer · version 2 of 2" in page
    assert "first" not in page
    (row,) = table.read(render([talk], "csv"))
    assert (row["Branch"], row["Answer version"]) == ("1 of 2", "2 of 2")
    everything = render([talk], "json").decode()
    assert all(word in everything for word in ("first", "other", "one, edited"))


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    evil = '</pre><script src="http://x.example/a.js"></script><img src=x onerror=alert(1)> " onload="x'
    talk = talk_with(evil, evil, flag=Flag(kind="wrong", correction=evil, at=AT), notices=[evil], note=evil)
    talk.title = evil
    words = Words(render([talk], "html").decode())
    assert not {"script", "img", "link", "iframe", "object", "a"} & set(words.tags)
    assert not {"src", "href", "style"} & {name for name, _ in words.attributes}
    assert not [name for name, _ in words.attributes if name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in words.attributes
    assert evil in words.texts


def test_the_page_prints_on_a4_light_and_without_cut_tables() -> None:
    page = render([talk_with("q", "a")], "html", "ko").decode()
    assert "size: A4" in page
    assert "color-scheme: light" in page
    assert re.search(r"table, tr \{ break-inside: avoid; \}", page)
    assert "<html lang=ko>" in page
    assert not re.search(r"url\(|@import", page)
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)pt", page)]
    assert min(sizes) >= 10


def test_the_labels_are_the_same_in_both_languages_and_csv_names_differ() -> None:
    assert catalogue("en").keys() == catalogue("ko").keys()
    for key, sentence in catalogue("en").items():
        assert set(re.findall(r"\{\w+\}", sentence)) == set(re.findall(r"\{\w+\}", catalogue("ko")[key])), key
    for language in ("en", "ko"):
        names = render([], "csv", language).decode("utf-8-sig").strip().split(",")
        assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", FORMATS)
def test_no_command_to_a_terminal_and_no_half_character_gets_out(kind: str) -> None:
    talk = talk_with("q\x1b[31m\ud800", "a\x1b]0;x\x07\u202e")
    page = render([talk], kind).decode("utf-8-sig")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", page)
    assert "q[31m" in page.replace("\\[", "[")


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'docx'"):
        render([], "docx")
    assert all(render([], kind) for kind in FORMATS)
    assert file_name("html", AT) == "ophtimus-2026-03-01-094107.html"


def test_exporting_imports_nothing_heavy() -> None:
    code = (
        "import sys, ophtimus_edge.history.export, ophtimus_edge.history.handout, ophtimus_edge.history.flags\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"textual", "rich", "numpy", "llama_cpp", "hypothesis"} & set(loaded.split())
