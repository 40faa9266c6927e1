"""Everything that the app itself says in a conversation changes its language at once, in mid-conversation."""

import asyncio

from piloting import shown, stands, until
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
        await stands(
            app,
            "reading the question 40 %",
            "waiting for its turn",
            "Not among the questions this demonstration knows",
        )
        await pilot.press("ctrl+l")
        await until(lambda: shown(app).count("질문을 읽는 중 40 %") == 2)  # above and below
        await stands(
            app,
            "차례를 기다리는 중",
            "이 시연용 모델이 배운 질문이 아닙니다",
            "Enter 보내기",
            without=("waiting", "reading", "Not among", "Esc stops", "doctor"),
        )
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
        details = "the process ended unexpectedly (signal 9). Ask again."
        await stands(app, "프로세스에 문제가 생겼거나", details)
        await pilot.press("ctrl+l")
        await stands(app, "The process that runs the model failed or ended", details, without=["프로세스에"])
        await pilot.press("f5")
        await stands(app, "Raised pressure.", "complete", without=["failed or ended"])
        engine.fails = QuestionError("the question takes 9999 tokens.", "Shorten the question.")
        app.chat.box.text = "A very long question"
        await pilot.press("enter")
        await stands(app, "too long for the model", "takes 9999 tokens")


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
        damage = "/media/눈.gguf is damaged at byte 117. Copy it again."
        await stands(
            app, "모델을 사용할 수 없습니다", "F4로 다른 모델 선택", damage, "설정 파일을 사용할 수 없습니다"
        )
        await pilot.press("ctrl+l")
        await stands(
            app,
            "The model cannot be used",
            "F4 chooses another",
            damage,
            "The settings file cannot be used",
            without=["수 없습니다"],
        )
