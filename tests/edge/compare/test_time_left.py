"""How long a comparison still takes: planned, corrected, gone on with, and as it is said."""

import io

import pytest

from ophtimus_edge.compare.running.time_left import TimeLeft
from ophtimus_edge.terminal import compare_progress
from ophtimus_edge.terminal.compare_progress import CompareProgress

STEPS = {
    "divergence Q8_0": 1000.0,
    "divergence Q4_K_M": 1000.0,
    "letters Q4_K_M": 100.0,
    "answers Q4_K_M": 2000.0,
}


class Clock:
    """A clock that goes on as a test says."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def left(clock: Clock) -> TimeLeft:
    return TimeLeft(STEPS, clock)


def test_before_anything_is_measured_the_plan_says_how_long(left: TimeLeft) -> None:
    assert left.of_step() is left.of_all() is None
    left.begin("divergence Q8_0")
    left.progress(0, 100)
    assert left.of_step() == 1000
    assert left.of_all() == 4100


def test_what_was_known_before_takes_no_time_and_says_nothing_of_the_rest(
    left: TimeLeft, clock: Clock
) -> None:
    """Ninety of a hundred windows are there again at once: ten are left, at ten seconds each as planned."""
    left.begin("divergence Q8_0")
    left.progress(90, 100)
    assert left.of_step() == pytest.approx(100)
    clock.now += 10
    left.progress(91, 100)
    assert left.of_step() == pytest.approx(90)


def test_what_was_measured_corrects_its_part_and_those_behind_it(left: TimeLeft, clock: Clock) -> None:
    left.begin("divergence Q8_0")
    left.progress(0, 100)
    clock.now += 2000  # half of it took twice the time of all
    left.progress(50, 100)
    factor = (2000 + 10) / (500 + 10)
    assert left.of_step() == pytest.approx(500 * factor)
    assert left.of_all() == pytest.approx((500 + 3100) * factor)
    left.progress(100, 100)
    left.begin("divergence Q4_K_M")
    left.progress(0, 100)
    slow = (2000 + 10) / (1000 + 10)
    assert left.of_step() == pytest.approx(1000 * slow)
    clock.now += 1000
    left.progress(100, 100)
    left.begin("letters Q4_K_M")
    left.progress(0, 10)
    clock.now += 100
    left.progress(10, 10)
    left.begin("answers Q4_K_M")
    left.progress(0, 10)
    # Of answers nothing was measured: all that was goes for them.
    assert left.of_step() == pytest.approx(2000 * (3100 + 10) / (2100 + 10))
    clock.now += 200
    left.progress(1, 10)
    assert left.of_step() == pytest.approx(1800)
    assert left.of_all() == left.of_step()


def test_a_short_plan_is_soon_corrected(clock: Clock) -> None:
    left = TimeLeft({"letters Q8_0": 2.0}, clock)
    left.begin("letters Q8_0")
    left.progress(0, 4)
    clock.now += 27  # another program takes the processor
    left.progress(3, 4)
    assert left.of_step() == pytest.approx(0.5 * (27 + 0.2) / (1.5 + 0.2))


def test_a_step_that_is_not_planned_is_timed_by_itself(left: TimeLeft, clock: Clock) -> None:
    left.begin("scores Q4_K_M")
    left.progress(5, 10)
    assert left.of_step() is None
    clock.now += 6
    left.progress(7, 10)
    assert left.of_step() == pytest.approx(9)
    left.progress(10, 10)
    assert left.of_step() == 0


def test_progress_without_a_terminal_is_a_line_for_each_quarter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    monkeypatch.setattr(compare_progress, "TimeLeft", lambda steps: TimeLeft(steps, clock))
    with CompareProgress({"divergence Q8_0": 400.0, "speed": 3600.0}) as progress:
        progress.part("divergence", "Q8_0\x1b[2J")
        progress.part("divergence", "Q8_0")
        for done in range(25, 101):
            progress.progress(done, 100)
            clock.now += 4
        progress.note("A note.")
        progress.part("speed", "")
    lines = capsys.readouterr().err.splitlines()
    assert "\x1b" not in "".join(lines)
    assert lines[1:] == [
        "divergence Q8_0",
        "divergence Q8_0: 25 of 100, about 5 min left, 65 min for all parts",
        "divergence Q8_0: 50 of 100, about 3 min left, 63 min for all parts",
        "divergence Q8_0: 75 of 100, about 100 s left, 62 min for all parts",
        "A note.",
        "speed",
    ]
    assert not capsys.readouterr().out


def test_progress_in_a_terminal_is_a_bar_for_each_part(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    class Terminal(io.StringIO):
        """A terminal that keeps what is written."""

        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(compare_progress, "TimeLeft", lambda steps: TimeLeft(steps, clock))
    with CompareProgress({"letters Q8_0": 400.0, "answers Q8_0": 3600.0}) as progress:
        progress.part("letters", "Q8_0")
        progress.progress(100, 100)
        progress.part("answers", "Q8_0")
        progress.progress(10, 100)
        progress.note("[red]A note.[/red]")
    shown = terminal.getvalue()
    assert "letters Q8_0" in shown
    assert "100/100" in shown
    assert "10/100" in shown
    assert "about 54 min left" in shown
    assert "[red]A note.[/red]" in shown
