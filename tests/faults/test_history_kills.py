"""A program that is killed while it writes to the history: whatever was acknowledged is there, and all is sound."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from histories import KEY, opened

from ophtimus_edge.history import database
from ophtimus_edge.history.draft import Draft

KILLS = 200 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 4

# Streams answers as fast as the disk takes them, and says after each step what was kept.
STREAMING = """
import json, random, sys
from pathlib import Path
from histories import HOW, KEY
from ophtimus_edge.history.draft import Draft
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import new_talk

def say(**what):
    sys.stdout.write(json.dumps(what) + "\\n")
    sys.stdout.flush()

drawn = random.Random(int(sys.argv[2]))
folder = Path(sys.argv[1])
store = Store(folder, KEY)
draft = Draft(folder / "draft", KEY)
say(begun=True)
talks = []
while True:
    talk = new_talk()
    store.begin(talk)
    talks.append(talk)
    for number in range(drawn.randint(1, 6)):
        words = f"question {drawn.random()}"
        draft.keep(words)
        say(draft=words)
        question = talk.ask(words)
        store.keep_question(talk, question)
        say(talk=talk.id, question=question.id, text=question.text)
        reply = talk.begin_reply(question, HOW)
        for _ in range(drawn.randint(1, 12)):
            reply.text += f"백내장 word{drawn.random()} " * drawn.randint(1, 80)
            store.keep_reply(talk, question, reply)
            say(talk=talk.id, reply=reply.id, text=reply.text)
        reply.finish = "stop"
        store.keep_reply(talk, question, reply)
    if drawn.random() < 0.1:
        gone = drawn.choice(talks)
        talks.remove(gone)
        say(deleting=gone.id)
        store.delete([gone.id])
        say(deleted=gone.id)
"""


def said_before_the_kill(folder: Path, seed: int, seconds: float) -> list[dict[str, str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STREAMING, str(folder), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lines.append(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    whole = "".join(lines) + rest
    return [json.loads(line) for line in whole.split("\n")[:-1]]  # the last may be cut


def test_no_acknowledged_message_is_lost_by_a_kill(tmp_path: Path) -> None:
    moments = random.Random(23)
    questions: dict[str, tuple[str, str]] = {}
    replies: dict[str, tuple[str, str]] = {}
    leaving: set[str] = set()
    gone: set[str] = set()
    acknowledged = 0
    for seed in range(KILLS):
        drafts = []
        for said in said_before_the_kill(tmp_path, seed, moments.random() * moments.choice([0.05, 0.3, 1.0])):
            acknowledged += 1
            if "question" in said:
                questions[said["question"]] = (said["talk"], said["text"])
            elif "reply" in said:
                replies[said["reply"]] = (said["talk"], said["text"])
            elif "draft" in said:
                drafts.append(said["draft"])
            elif "deleting" in said:
                leaving.add(said["deleting"])
            elif "deleted" in said:
                gone.add(said["deleted"])
        with opened(tmp_path) as store:
            there = {talk.id: talk for talk in store.talks()}
            assert not gone & set(there)
            texts = {question.id: question.text for talk in there.values() for question in talk.questions}
            answers = {
                reply.id: reply
                for talk in there.values()
                for question in talk.questions
                for reply in question.replies
            }
            for id_, (talk_id, text) in questions.items():
                assert texts.get(id_) == text or talk_id in leaving
            for id_, (talk_id, text) in replies.items():
                assert talk_id in leaving or answers[id_].text.startswith(text)
            assert not {reply.finish for reply in answers.values()} - {"stop", "cancelled"}
            if there:
                assert store.search("question" if len(texts) else "word")
        if drafts:
            assert Draft(tmp_path / "draft", KEY).read().startswith("question")
        connection = database.connect(tmp_path / "history.db", KEY)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA cipher_integrity_check").fetchall() == []
        connection.execute("INSERT INTO search(search) VALUES('integrity-check')")
        connection.close()
    assert acknowledged > KILLS
    assert questions
