"""Everything that the app itself says in a conversation changes its language at once, in mid-conversation."""

import asyncio

from piloting import shown, until
from scripted_engine import ScriptedEngine, scripted

from ophtimus_edge.errors import EngineError, InvalidModelError, QuestionError, SettingsError
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp

SIZE = (120, 44)


async def test_an_answer_under_way_and_what_waits_behind_it_are_said_in_the_new_language() -> None:
    app = OphtimusApp(store.choose(), "en")
    engine = scripted(app, ScriptedEngine(["Raised pressure."]))
    engine.may_read.clear()
    async with app.run_test(size=SIZE) as pilot:
        for text in ("How do I bake bread?", "And rye?"):
            app.chat.box.text = text
            await pilot.press("enter")
            await until(
                lambda text=text: bool(app.chat.exchanges) and app.chat.exchanges[-1].question == text
            )  # type: ignore[misc]
        await until(
            lambda: "reading the question 40 %" in shown(app) and "waiting for its turn" in shown(app)
        )
        assert "Not among the questions this demonstration knows" in shown(app)
        await pilot.press("ctrl+l")
        await until(lambda: shown(app).count("질문을 읽는 중 40 %") == 2)  # above and below
        screen = shown(app)
        assert "차례를 기다리는 중" in screen
        assert "이 시연용 모델이 배운 질문이 아닙니다" in screen
        assert "Enter 보내기" in screen
        for english in ("waiting", "reading", "Not among", "Esc stops", "doctor"):
            assert english not in screen
        engine.may_read.set()
        await until(lambda: shown(app).count("답변 완료") == 2)
        await pilot.press("ctrl+n", "f2", "down", "enter")  # and the talk, opened again, says it too
        await until(
            lambda: len(app.chat.exchanges) == 2 and "이 시연용 모델이 배운 질문이 아닙니다" in shown(app)
        )


async def test_what_went_wrong_with_an_answer_is_said_in_both_languages_with_its_details() -> None:
    app = OphtimusApp(store.choose(), "ko")
    engine = scripted(app, ScriptedEngine(["Raised pressure."]))
    engine.fails = EngineError("the process ended unexpectedly (signal 9).", "Ask again.", ("a line",))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter")
        await until(lambda: "프로세스에 문제가 생겼거나" in shown(app))
        assert "the process ended unexpectedly (signal 9). Ask again." in shown(app)
        await pilot.press("ctrl+l")
        await until(lambda: "The process that runs the model failed or ended" in shown(app))
        assert "프로세스에" not in shown(app)
        await pilot.press("f5")
        await until(lambda: "Raised pressure." in shown(app) and "complete" in shown(app))
        assert "failed or ended" not in shown(app)
        engine.fails = QuestionError("the question takes 9999 tokens.", "Shorten the question.")
        app.chat.box.text = "A very long question"
        await pilot.press("enter")
        await until(lambda: "too long for the model" in shown(app) and "takes 9999 tokens" in shown(app))


async def test_a_model_that_does_not_load_is_said_in_both_languages() -> None:
    class Broken(ScriptedEngine):
        async def load(self, *_words: object, **_options: object) -> None:  # type: ignore[override]
            await asyncio.sleep(0)
            raise InvalidModelError("/media/눈.gguf is damaged at byte 117.", "Copy it again.")

    app = OphtimusApp(
        store.choose(), "ko", problems=[SettingsError("settings.toml is no TOML.", "Correct it.")]
    )
    scripted(app, Broken())
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "모델을 사용할 수 없습니다" in shown(app) and "F4로 다른 모델 선택" in shown(app))
        assert "/media/눈.gguf is damaged at byte 117. Copy it again." in shown(app)
        assert "설정 파일을 사용할 수 없습니다" in shown(app)
        await pilot.press("ctrl+l")
        await until(lambda: "The model cannot be used" in shown(app) and "F4 chooses another" in shown(app))
        assert "The settings file cannot be used" in shown(app)
        assert "수 없습니다" not in shown(app)
