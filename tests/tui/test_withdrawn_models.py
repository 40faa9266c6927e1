"""A model that was withdrawn, in the app: named with the reason, it answers nothing, and its old answers say so."""

import msgspec
import pytest
from kept_talks import by_name, notes, open_talk, with_talks
from model_screens import Host, move_to, said, settled
from piloting import shown, stands, until
from withdrawing import REASON, demo_sha256, withdraw

from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.predictions import Predictions

OLD = "ab" * 32
NARROW = (98, 40)  # no list of talks stands between the words of a line


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_open_model_is_named_as_withdrawn_and_answers_nothing_until_another_is_chosen(
    language: str,
) -> None:
    withdraw(demo_sha256("Q4_K_M"))
    app = OphtimusApp(store.choose(level="Q4_K_M"), language)
    async with app.run_test(size=NARROW) as pilot:
        texts = app.texts
        why = texts("chat.withdrawn_model", reason=REASON[language])
        refused = texts("chat.withdrawn_refused", reason=REASON[language]).splitlines()[0]
        state = f"· {texts('chat.withdrawn').split(' · ')[0]}"  # its rest is wrapped, beside the role
        await stands(app, state, why, refused)
        await pilot.press("enter")  # the example
        await stands(app, texts("chat.waiting"))
        assert app.chat.exchanges[0].reply is None
        app.chat.open_model(store.choose(level="BF16"))
        await until(lambda: bool(app.chat.exchanges[0].answer))
        await stands(app, texts("chat.demonstration"), without=[why, state])


async def test_the_reason_changes_its_language_under_the_eyes() -> None:
    withdraw(demo_sha256("Q4_K_M"))
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=NARROW) as pilot:
        await stands(app, REASON["en"])
        await pilot.press("ctrl+l")
        await stands(app, REASON["ko"], "· 회수됨", without=[REASON["en"]])


@pytest.mark.parametrize("size", [NARROW, (60, 20)])
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_its_old_answers_say_why_and_those_of_others_do_not(
    language: str, size: tuple[int, int]
) -> None:
    app, talks = with_talks(language=language)
    for talk, sha256 in zip(talks[:2], (OLD, "cd" * 32), strict=True):
        reply = talk.path()[0].reply
        assert reply
        reply.provenance = msgspec.structs.replace(reply.provenance, sha256=sha256)
    async with app.run_test(size=size) as pilot:
        why = app.texts("chat.withdrawn_answer", reason=REASON[language])
        await open_talk(pilot, app, talks[0])
        await stands(app, app.texts("chat.complete"), without=[why])
        withdraw(OLD)
        await open_talk(pilot, app, talks[0])
        await stands(app, why)
        await by_name(pilot, app, app.texts("keys.handout")[:14])
        await until(lambda: app.texts("handout.refused_withdrawn") in notes(app))
        await open_talk(pilot, app, talks[1])
        await stands(app, app.texts("chat.complete"), without=[why])


@pytest.mark.usefixtures("no_places")
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_models_screen_shows_it_and_does_not_open_it(known: Predictions, language: str) -> None:
    withdraw(demo_sha256("Q4_K_M"))
    app = Host(known, language=language)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        texts = app.texts
        why = texts("models.why_withdrawn", reason=REASON[language])
        await stands(app, texts("models.withdrawn"), texts("models.fits"))
        await move_to(pilot, app, "demo", "Q4_K_M")
        await until(lambda: why in said(app))
        await pilot.press("enter")
        await until(lambda: shown(app).count(REASON[language]) == 2)
        assert not app.results
        await move_to(pilot, app, "demo", "BF16")
        await until(lambda: why not in said(app))
        await pilot.press("enter")
        await until(lambda: bool(app.results))
    assert app.results[0] is not None
    assert app.results[0].level == "BF16"
