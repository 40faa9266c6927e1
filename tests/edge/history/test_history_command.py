"""``ophtimus history`` as a person uses it: past conversations listed, found, shown, taken out, in and away."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import in_terminal, two_lines
from conftest import Command
from histories import kept_in, opened_profile, profile_with, replied, talk_of
from stored_models import json_lines

from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Flag, Talk, now
from ophtimus_edge.specialties.questions import EssayQuestion, read_questions

PASSPHRASE = "각막 수정체 망막 시신경"  # what the file of the fixture ``secret`` holds


# Looking


def test_the_list_has_every_conversation_and_what_tells_them_apart(
    ophtimus: Command, kim: Profile, glaucoma: Talk, cataract: Talk
) -> None:
    result = ophtimus("history", "list")
    assert result.returncode == 0, result.stderr
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert set(lines) == {glaucoma.id[:8], cataract.id[:8]}
    assert "녹내장이란 무엇인가요?" in lines[glaucoma.id[:8]]
    assert "held" in lines[cataract.id[:8]]
    assert "held" not in lines[glaucoma.id[:8]]
    rows = {row["id"]: row for row in json_lines(ophtimus("history", "list", "--json"))}
    assert (rows[glaucoma.id]["messages"], rows[cataract.id]["held"]) == (4, True)


def test_words_are_found_in_questions_and_answers(ophtimus: Command, kim: Profile, glaucoma: Talk) -> None:
    result = ophtimus("history", "search", "시신경")
    assert glaucoma.id[:8] in result.stdout
    assert "손상되는 질환" in result.stdout
    (hit,) = json_lines(ophtimus("history", "search", "lower", "pressure", "--json"))
    assert (hit["talk"], hit["kind"]) == (glaucoma.id, "answer")
    assert [piece["text"] for piece in hit["snippet"] if piece["found"]] == ["lower", "pressure"]
    none = ophtimus("history", "search", "keratoconus")
    assert (none.returncode, none.stdout) == (0, "")
    assert "Nothing was found" in none.stderr


def test_a_conversation_is_shown_by_the_beginning_of_its_id(
    ophtimus: Command, kim: Profile, glaucoma: Talk
) -> None:
    text = ophtimus("history", "show", glaucoma.id[:6]).stdout
    assert "시신경이 손상되는 질환입니다." in text
    assert "not the medical record" in text
    assert "Not medical advice" in text
    (talk,) = json_lines(ophtimus("history", "show", glaucoma.id, "--json"))
    assert [question["text"] for question in talk["questions"]] == [one.text for one in glaucoma.questions]
    for unknown in ("zzz", "", glaucoma.id + "0"):
        assert "no conversation" in two_lines(ophtimus("history", "show", unknown))


def test_an_id_that_begins_several_is_asked_for_in_full(ophtimus: Command) -> None:
    one, other = talk_of("one", "first"), talk_of("two", "second")
    one.id, other.id = "abc1", "abc2"
    profile_with("a", one, other)
    assert "2 conversations begin with abc" in two_lines(ophtimus("history", "show", "abc"), code=2)
    assert "second" in ophtimus("history", "show", "abc2").stdout


def test_what_would_command_a_terminal_is_never_printed(ophtimus: Command) -> None:
    talk = talk_of("red", "word")
    profile = profile_with("a", talk)
    with opened_profile(profile) as store, store._writing() as connection:  # as no release writes it
        connection.execute("UPDATE talks SET title = ?", ("red \x1b[31m\nsecond",))
        connection.execute("UPDATE replies SET text = ?", ("word \x1b]52;c;x\x07\u202e",))
    for words in (["list"], ["search", "word"], ["show", talk.id], ["export", "--all"]):
        result = ophtimus("history", *words)
        assert result.returncode == 0, result.stderr
        assert not {"\x1b", "\x07", "\u202e"} & set(result.stdout + result.stderr)
    assert "red [31m second" in ophtimus("history", "list").stdout


def test_the_history_is_read_while_the_app_has_it_open_and_changed_only_when_not(
    ophtimus: Command, kim: Profile, glaucoma: Talk, tmp_path: Path, secret: Path
) -> None:
    exported = tmp_path / "talks.json"
    with opened_profile(kim) as app:
        question = glaucoma.ask("newly asked")
        app.keep_question(glaucoma, question)
        app.keep_reply(glaucoma, question, replied(glaucoma, question, "newly answered"))
        assert "newly answered" in ophtimus("history", "show", glaucoma.id).stdout
        assert ophtimus("history", "search", "newly").stdout
        assert ophtimus("history", "export", "--all", "--format", "json", "-o", str(exported)).returncode == 0
        backup = ophtimus("history", "backup", str(tmp_path / "b"), "--passphrase-file", str(secret))
        assert backup.returncode == 0, backup.stderr
        for words in (["delete", glaucoma.id, "--yes"], ["import", str(exported)]):
            assert "Close the app" in two_lines(ophtimus("history", *words))
        assert len(app.heads()) == 2
        assert not app.read_only
    assert ophtimus("history", "delete", glaucoma.id, "--yes").returncode == 0
    assert len(kept_in(kim)) == 1


def test_looking_never_takes_the_writing_from_the_app(kim: Profile) -> None:
    key = keys.unlock(kim.key_file)
    with Store(kim.folder, key, only_read=True) as reader:
        assert reader.read_only
        with Store(kim.folder, key) as app:
            assert not app.read_only
            app.begin(talk_of("while", "another looks"))
        assert len(reader.heads()) == 3


# Whose history


def test_of_several_profiles_one_must_be_named(ophtimus: Command, kim: Profile) -> None:
    profile_with("Lee", talk_of("Lee's question", "an answer"))
    error = two_lines(ophtimus("history", "list"), code=2)
    assert "Lee, 김 간호사" in error
    assert "--profile NAME" in error
    assert "Lee's question" in ophtimus("history", "list", "--profile", "lee").stdout
    assert "녹내장" in ophtimus("history", "list", "--profile", kim.id).stdout
    assert "there is no profile Park" in two_lines(ophtimus("history", "list", "--profile", "Park"))


def test_where_nothing_was_kept_it_is_said(ophtimus: Command, home: Path) -> None:
    assert "there is no history here" in two_lines(ophtimus("history", "list"))
    assert not home.exists()
    profiles.create("new")
    result = ophtimus("history", "list")
    assert (result.returncode, result.stdout) == (0, "")
    assert "no conversation" in result.stderr


def test_a_locked_history_opens_with_its_passphrase_or_recovery_key_from_a_file(
    ophtimus: Command, kim: Profile, secret: Path, tmp_path: Path
) -> None:
    recovery = tmp_path / "recovery"
    recovery.write_text(keys.set_passphrase(kim.key_file, PASSPHRASE).lower().replace("-", " "))
    assert "녹내장" in ophtimus("history", "list", "--passphrase-file", str(secret)).stdout
    assert "녹내장" in ophtimus("history", "list", "--recovery-key-file", str(recovery)).stdout
    assert "no terminal to ask at" in two_lines(ophtimus("history", "list", stdin=PASSPHRASE), code=2)
    for wrong in ("not this one", PASSPHRASE.replace("각", "감")):
        secret.write_text(wrong, encoding="utf-8")
        error = two_lines(ophtimus("history", "list", "--passphrase-file", str(secret)))
        assert "does not open the history" in error
        assert wrong not in error
    for content in (b"", b" \n", b"two\nlines\n", b"\xff\xfe"):
        secret.write_bytes(content)
        two_lines(ophtimus("history", "list", "--passphrase-file", str(secret)), code=2)
    two_lines(ophtimus("history", "list", "--passphrase-file", str(tmp_path / "none")), code=2)
    recovery.write_text("ABCD-EFGH")
    assert "no recovery key" in two_lines(ophtimus("history", "list", "--recovery-key-file", str(recovery)))


def test_the_passphrase_is_asked_for_and_never_shown(kim: Profile) -> None:
    recovery = keys.set_passphrase(kim.key_file, PASSPHRASE)
    code, output, shown = in_terminal("history", "list", typed=[("Passphrase of 김 간호사", PASSPHRASE)])
    assert (code, "녹내장" in output) == (0, True), shown
    assert PASSPHRASE not in shown
    assert "not the medical record" in shown
    assert "can read it" not in shown
    code, output, shown = in_terminal("history", "list", "--recovery", typed=[("Recovery key", recovery)])
    assert (code, "녹내장" in output) == (0, True), shown
    assert recovery not in shown
    code, output, shown = in_terminal("history", "list", typed=[("Passphrase", "wrong one")])
    assert (code, output) == (1, "")
    assert "does not open" in shown
    keys.remove_passphrase(kim.key_file, PASSPHRASE)
    _, _, shown = in_terminal("history", "list", typed=[])
    assert "anyone who uses this account can read it" in shown


# Out and in


@pytest.mark.parametrize("kind", ["md", "json", "csv", "html"])
def test_conversations_are_exported_whole_and_no_file_is_replaced_by_chance(
    ophtimus: Command, kim: Profile, glaucoma: Talk, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / f"talks.{kind}"
    words = ["history", "export", glaucoma.id[:8], "--format", kind, "-o", str(out)]
    result = ophtimus(*words)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    text = out.read_text(encoding="utf-8")
    assert "시신경이 손상되는 질환입니다." in text
    assert "clouding" not in text
    assert out.stat().st_mode & 0o777 == 0o600
    out.write_text("mine")
    assert "exists already" in two_lines(ophtimus(*words))
    assert out.read_text() == "mine"
    assert ophtimus(*words, "--replace").returncode == 0
    assert "시신경" in out.read_text(encoding="utf-8")
    every = ophtimus("history", "export", "--all", "--format", kind, "--language", "ko").stdout
    assert "시신경" in every
    assert "clouding" in every


def test_words_that_do_not_fit_are_wrong_usage(ophtimus: Command, kim: Profile, glaucoma: Talk) -> None:
    for words in (
        ["export"],
        ["export", glaucoma.id, "--all"],
        ["export", "--all", "--flags", "--format", "md"],
    ):
        two_lines(ophtimus("history", *words), code=2)
    for words in (
        [],
        ["burn"],
        ["search"],
        ["search", "x", "--most", "0"],
        ["export", "--all", "--format", "doc"],
    ):
        assert ophtimus("history", *words).returncode == 2


def test_flagged_answers_are_questions_for_compare(
    ophtimus: Command, kim: Profile, glaucoma: Talk, tmp_path: Path
) -> None:
    assert ophtimus("history", "flags").stdout == ""
    glaucoma.questions[0].replies[0].flag = Flag(kind="wrong", correction="고친 답", at=now())
    with opened_profile(kim) as store:
        store.keep_view(glaucoma)
    out = tmp_path / "flags.jsonl"
    assert ophtimus("history", "flags", "-o", str(out)).returncode == 0
    (row,) = read_questions(out, EssayQuestion)
    assert (row.question, row.answer) == (glaucoma.questions[0].text, "고친 답")
    assert ophtimus("history", "export", "--all", "--flags").stdout == out.read_text(encoding="utf-8")


def test_what_is_imported_stands_beside_what_is_there_and_never_in_it(
    ophtimus: Command, kim: Profile, glaucoma: Talk, cataract: Talk, tmp_path: Path
) -> None:
    file = tmp_path / "talks.json"
    ophtimus("history", "export", "--all", "--format", "json", "-o", str(file))
    written = json.loads(file.read_text(encoding="utf-8"))
    for talk in written["talks"]:  # somebody else's words under the ids that are here
        for question in talk["questions"]:
            question["text"] = "other words"
    file.write_text(json.dumps(written))
    (first,) = json_lines(ophtimus("history", "import", str(file), "--json"))
    second = ophtimus("history", "import", str(file))
    assert "2 conversations were imported" in second.stdout
    there = {talk.id: talk for talk in kept_in(kim)}
    assert len(there) == 6
    assert there[glaucoma.id] == glaucoma
    assert there[cataract.id] == cataract
    assert set(first["ids"]) < set(there) - {glaucoma.id, cataract.id}
    ids = [one for talk in there.values() for one in ids_of(talk)]
    assert len(ids) == len(set(ids))
    assert len(json_lines(ophtimus("history", "search", "other", "words", "--json"))) == 6


def ids_of(talk: Talk) -> list[str]:
    return [talk.id, *(q.id for q in talk.questions), *(r.id for q in talk.questions for r in q.replies)]


def test_a_file_of_which_one_conversation_is_not_sound_is_not_taken_in_at_all(
    ophtimus: Command, kim: Profile, tmp_path: Path
) -> None:
    file = tmp_path / "talks.json"
    ophtimus("history", "export", "--all", "--format", "json", "-o", str(file))
    written = json.loads(file.read_text(encoding="utf-8"))
    written["talks"][1]["questions"][0]["after"] = "nowhere"
    file.write_text(json.dumps(written))
    assert "conversation 2" in two_lines(ophtimus("history", "import", str(file)))
    file.write_bytes(b"\x00\x01")
    two_lines(ophtimus("history", "import", str(file)))
    two_lines(ophtimus("history", "import", str(tmp_path / "none.json")))
    assert len(kept_in(kim)) == 2


# Away


def test_deleting_is_confirmed_with_the_number_of_conversations(
    ophtimus: Command, kim: Profile, glaucoma: Talk, cataract: Talk
) -> None:
    ids = [glaucoma.id[:8], cataract.id, glaucoma.id]  # one of them twice
    for said in ("", "y", "3", "1"):
        code, output, shown = in_terminal("history", "delete", *ids, typed=[("Type the number", said)])
        assert (code, output) == (0, "")
        assert "Nothing was deleted" in shown
        assert "녹내장이란 무엇인가요?" in shown
        assert "cannot reach exports" in shown
    assert "needs a confirmation" in two_lines(ophtimus("history", "delete", *ids, stdin="2\n"), code=2)
    assert "no conversation zzz" in two_lines(ophtimus("history", "delete", glaucoma.id, "zzz", "--yes"))
    assert len(kept_in(kim)) == 2
    code, output, shown = in_terminal("history", "delete", *ids, typed=[("Type the number", "2")])
    assert (code, "2 conversations were deleted" in output) == (0, True), shown
    assert kept_in(kim) == []


def test_help_names_every_action(ophtimus: Command) -> None:
    text = ophtimus("history", "--help").stdout
    for action in ("list", "search", "show", "export", "import", "delete", "backup", "restore", "flags"):
        assert f"    {action} " in text
    assert "settings.toml in the folder of their profile" in " ".join(text.split())


def test_a_result_is_the_only_thing_on_standard_output(
    ophtimus: Command, kim: Profile, glaucoma: Talk
) -> None:
    results: list[Any] = [
        json_lines(ophtimus("history", *words, "--json"))
        for words in (
            ["list"],
            ["search", "cataract"],
            ["show", glaucoma.id],
            ["delete", glaucoma.id, "--yes"],
        )
    ]
    assert [len(rows) for rows in results] == [2, 1, 1, 1]
