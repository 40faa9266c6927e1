"""How far a backup and a restoration are: each step in the app's language, in bytes where they are known."""

from pathlib import Path

import pytest
from histories import profile_with, talk_of
from piloting import shown, until
from textual.app import App, ComposeResult

from ophtimus_edge.history import backup, keys
from ophtimus_tui.texts import LANGUAGES, Texts
from ophtimus_tui.widgets.work_line import WorkLine, step_said, throttled

WORDS = "a quiet lamp by the window"


def told(tmp_path: Path) -> tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]]:
    """What a backup and a restoration of some megabytes tell."""
    profile = profile_with(
        "Kim", *(talk_of("What is uveitis?", f"{number} " * 40_000) for number in range(30))
    )
    key = keys.unlock(profile.key_file)
    written: list[tuple[str, int, int]] = []
    read: list[tuple[str, int, int]] = []
    file = tmp_path / "kim.ophtimus-backup"
    backup.backup(profile, key, file, WORDS, lambda *far: written.append(far))
    backup.restore(file, WORDS, show=lambda *far: read.append(far))
    return written, read


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_has_words_and_the_long_ones_count_bytes(tmp_path: Path, language: str) -> None:
    texts = Texts(language)
    for all_ in told(tmp_path):
        steps = list(dict.fromkeys(step for step, _, _ in all_))
        assert len(steps) >= 2
        for step in steps:
            assert step_said(step, texts)
            of_it = [(done, total) for name, done, total in all_ if name == step]
            assert [done for done, _ in of_it] == sorted(done for done, _ in of_it)
            if "checking the history" not in step:
                assert of_it[-1][0] == of_it[-1][1] > 1 << 20
                assert len(of_it) > 1


def test_a_new_step_and_an_end_are_told_at_once_and_the_rest_seldom() -> None:
    heard: list[tuple[str, int, int]] = []
    tell = throttled(lambda *far: heard.append(far))
    for done in range(1001):
        tell("writing the file", done, 1000)
    tell("checking the file", 0, 1000)
    assert heard[0] == ("writing the file", 0, 1000)
    assert heard[-2:] == [("writing the file", 1000, 1000), ("checking the file", 0, 1000)]
    assert len(heard) < 100


@pytest.mark.parametrize(("language", "words"), [("en", "writing the file"), ("ko", "파일을 쓰는 중")])
async def test_it_is_shown_in_bytes_and_without_a_total_as_under_way(language: str, words: str) -> None:
    line = WorkLine(Texts(language))

    class Small(App[None]):
        def compose(self) -> ComposeResult:
            yield line

    app = Small()
    async with app.run_test(size=(80, 6)):
        line.begin("working")
        line.tell_step(step_said("writing the file", Texts(language)), 3 << 20, 12 << 20)
        await until(lambda: words in shown(app) and "3.0 MiB" in shown(app) and "12.0 MiB" in shown(app))
        line.tell_step("checking", 0, 0)
        await until(lambda: "checking" in shown(app) and "MiB" not in shown(app))
        line.end()
        await until(lambda: "checking" not in shown(app))
