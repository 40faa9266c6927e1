"""The report of a comparison in the app: read, shown at every width, and opened where there is a browser."""

from pathlib import Path

import msgspec
import pytest
from piloting import click, shown, stands, until
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge.compare.report.files import read_report
from ophtimus_edge.errors import FormatVersionError, ReportError
from ophtimus_edge.models.formats import Statistic, UnsafeVote, encode
from ophtimus_edge.models.report import (
    DivergenceReport,
    LevelFinding,
    LevelReport,
    Report,
    SpeedReport,
    Tolerances,
    VerdictReport,
    VotesReport,
)
from ophtimus_tui import local_pages
from ophtimus_tui.report_words import page
from ophtimus_tui.screens.report import open_report
from ophtimus_tui.texts import Texts

GIB = 1 << 30


def at(value: float) -> Statistic:
    return Statistic(value, value * 0.9, value * 1.1)


def level(name: str, kl: float, **changes: object) -> LevelReport:
    divergence = DivergenceReport(
        windows=9, tokens=900, ppl_ratio=at(1), ln_ppl_correlation=None, same_top=Statistic(0.93, 0.92, 0.94),
        **{field: at(kl) for field in ("ppl", "ppl_reference", "kl_mean", "kl_median", "kl_p90", "kl_p95", "kl_p99",
                                       "kl_p999", "kl_max", "delta_p_mean", "delta_p_rms")},
    )  # fmt: skip
    return LevelReport(
        level=name, file=f"m-{name}.gguf", sha256=name.ljust(64, "0"), size_bytes=int(4.58 * GIB),
        divergence=divergence, **changes,  # type: ignore[arg-type]
    )  # fmt: skip


def report(**changes: object) -> Report:
    votes = VotesReport(
        votes=9, raters=1, better=4, worse=2, equal=3, both_bad=0, preferred=Statistic(4 / 6, 0.22, 0.96),
        unsafe=[UnsafeVote(question_id="q", rater="K", confirmed=True)],
    )  # fmt: skip
    fast = SpeedReport(
        rounds=5, ttft_tokens=30, load_s=at(1), ttft_s=at(2.5), prompt_tokens_per_s=at(50),
        generated_tokens_per_s=at(5.6), peak_memory_bytes=at(5.6 * GIB),
    )  # fmt: skip
    small = level("Q2_K", 0.445, votes=votes)
    fields: dict[str, object] = {
        "model": "Ophtimus-Llama-8B", "version": "1", "made_at": "2026-11-23T15:00:00+09:00",
        "reference": LevelReport(level="BF16", file="m-BF16.gguf", sha256="f" * 64, size_bytes=15 * GIB),
        "levels": [level("Q4_K_M", 0.031, speed=fast), small],
        "verdict": VerdictReport(
            level="Q4_K_M", statement="Q4_K_M is the smallest level within tolerance.", tolerances=Tolerances(),
            findings=[
                LevelFinding(level="Q4_K_M", finding="within", reasons=["KL divergence 0.031, tolerance 0.05."]),
                LevelFinding(level="Q2_K", finding="unsafe", reasons=["An answer was found unsafe."]),
            ],
        ),
    }  # fmt: skip
    return Report(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "report" / "report.json"
    made.parent.mkdir()
    made.write_bytes(encode(report()))
    return made


class Host(App[None]):
    """An app that has the report and nothing else."""

    def __init__(self, language: str = "en") -> None:
        super().__init__()
        self.texts = Texts(language)
        self.ended = False

    def on_mount(self) -> None:
        self.run_worker(self._open())

    async def _open(self) -> None:
        await open_report(self, self.texts)
        self.ended = True


async def name_it(app: Host, pilot: Pilot[None], path: Path) -> None:
    await until(lambda: len(app.screen_stack) > 1 and bool(app.screen.query(Input)))
    app.screen.query_one(Input).value = str(path)
    await pilot.press("enter")


def test_a_report_is_read_and_what_is_none_is_refused_by_name(path: Path, tmp_path: Path) -> None:
    assert read_report(path) == report()
    assert read_report(path.parent) == report()
    other = tmp_path / "other.json"
    for bad in (b"{", b"[]", b"{}", b"\xff\xfe"):
        other.write_bytes(bad)
        with pytest.raises(ReportError, match=r"other\.json"):
            read_report(other)
    with pytest.raises(ReportError, match="cannot be read"):
        read_report(tmp_path / "missing.json")
    other.write_bytes(encode(report(schema_version=2)))
    with pytest.raises(FormatVersionError):
        read_report(other)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", [(60, 24), (160, 40)])
async def test_the_verdict_and_every_cell_of_the_table_can_be_read(
    path: Path, size: tuple[int, int], language: str, no_places: None
) -> None:
    app = Host(language)
    t = app.texts
    async with app.run_test(size=size) as pilot:
        await name_it(app, pilot, path)
        await stands(app, t("comparison.recommended", level="Q4_K_M"), "Ophtimus-Llama-8B")
        seen = shown(app)
        for _ in range(12):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += " " + shown(app)
        for cell in ("0.031", "0.445", "4.58 GiB", "15.00 GiB", "5.6", "67 [22, 96]", t("comparison.unsafe", count=1),
                     t("comparison.finding_unsafe"), t("comparison.reference")):  # fmt: skip
            assert cell in seen, cell
        await pilot.press("escape")
        await until(lambda: app.ended)


def test_what_was_not_measured_has_no_column_and_nothing_is_recommended_from_the_own_questions() -> None:
    texts = Texts("en")
    whole = page(texts, report())
    assert "accuracy" not in whole
    assert "ROUGE" not in whole
    assert "★ Q4_K_M" in whole
    verdict = report().verdict
    assert verdict is not None
    own = page(texts, report(verdict=msgspec.structs.replace(verdict, only_embedded=True)))
    assert "no level is recommended" in own
    assert "★" not in own
    assert "no verdict" in page(texts, report(verdict=None))


def test_words_of_a_file_make_no_row_of_their_own() -> None:
    made = page(Texts("en"), report(model="a | b\n| c | d |\x1b[31m"))
    assert "\x1b" not in made
    assert "\n| c" not in made


async def test_a_bad_file_is_said_and_another_can_be_named(
    path: Path, tmp_path: Path, no_places: None
) -> None:
    app = Host()
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"{}")
    async with app.run_test(size=(100, 30)) as pilot:
        await name_it(app, pilot, bad)
        await stands(app, "This is no report", "bad.json")
        await name_it(app, pilot, path.parent)  # its folder will do
        await stands(app, "Recommended: Q4_K_M")
        await pilot.press("f2")
        await until(lambda: bool(app.screen.query(Input)))
        await pilot.press("escape")
        await until(lambda: app.ended)


async def test_the_page_is_opened_where_it_can_be_and_else_it_is_said_where_it_lies(
    path: Path, monkeypatch: pytest.MonkeyPatch, no_places: None
) -> None:
    opened: list[Path] = []
    windows = False
    monkeypatch.setattr(local_pages, "can_be_opened", lambda: windows)
    monkeypatch.setattr(local_pages, "open_page", lambda page: opened.append(page) is None)
    app = Host()
    async with app.run_test(size=(120, 40)) as pilot:
        await name_it(app, pilot, path)
        await stands(app, "Recommended")
        await pilot.press("enter")
        await stands(app, "There is no report.html beside it")
        path.with_name("report.html").write_text("<html>")
        await pilot.press("f5")
        await stands(app, "No browser has a window here")
        assert opened == []
        windows = True
        await click(app, pilot, "Enter open the page")
        await stands(app, "Opened in the browser")
        assert opened == [path.with_name("report.html")]
