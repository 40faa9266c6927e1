"""A history on disk and one in memory that are told the same, in any order: they hold the same."""

import datetime
import os
import tempfile
from pathlib import Path

from histories import HOW, KEY
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ophtimus_edge.history.keeping import Forgetting
from ophtimus_edge.history.migrations import MIGRATIONS, Migration, statements
from ophtimus_edge.history.retention import due
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Flag, Question, Reply, Talk, new_talk, now

LONG = os.environ.get("OPHTIMUS_CAMPAIGN") == "long"
EXAMPLES, STEPS = (40, 100) if LONG else (5, 30)  # at least 2,000 steps in a campaign: some runs end early

TEXTS = st.lists(
    st.sampled_from(
        ["백내장", "안압이", "glaucoma", "IOP", "0.5", "%", "\n", "눈", "Straße", '"', "가\u0301"]
    ),
    min_size=1,
    max_size=6,
).map(" ".join)
WORDS = st.sampled_from(
    ["백내", "내장", "안압", "glau", "iop", "0.5", "눈", "strasse", "백내장 glaucoma", "no"]
)


class Histories(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.steps = list(MIGRATIONS)
        self.store = Store(Path(self.folder.name), KEY, self.steps)
        self.model = Forgetting()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def talk(self, data: st.DataObject) -> Talk:
        return data.draw(st.sampled_from(self.model.talks()))

    def question(self, data: st.DataObject) -> tuple[Talk, Question] | None:
        talk = self.talk(data)
        return (talk, data.draw(st.sampled_from(talk.questions))) if talk.questions else None

    def reply(self, data: st.DataObject) -> tuple[Talk, Question, Reply] | None:
        found = self.question(data)
        if found is None or not found[1].replies:
            return None
        return (*found, data.draw(st.sampled_from(found[1].replies)))

    def has_talks(self) -> bool:
        return bool(self.model.talks())

    @rule(text=TEXTS)
    def new(self, text: str) -> None:
        talk = new_talk()
        for history in (self.store, self.model):
            history.begin(talk)
        question = talk.ask(text)
        for history in (self.store, self.model):
            history.keep_question(talk, question)

    @precondition(has_talks)
    @rule(data=st.data(), text=TEXTS, instead=st.booleans(), back_days=st.sampled_from([0, 0, 400]))
    def ask(self, data: st.DataObject, text: str, instead: bool, back_days: int) -> None:
        talk = self.talk(data)
        path = talk.path()
        if not path or path[-1].reply is None:
            return
        question = talk.ask(text, data.draw(st.sampled_from(path)) if instead else None)
        question.asked_at -= datetime.timedelta(days=back_days)  # a clock that was set back
        self.store.keep_question(talk, question)

    @precondition(has_talks)
    @rule(data=st.data(), text=TEXTS)
    def stream(self, data: st.DataObject, text: str) -> None:
        if found := self.question(data):
            talk, question = found
            reply = question.reply
            if reply is None or reply.finish != "writing":
                reply = talk.begin_reply(question, HOW)
            reply.text += text
            self.store.keep_reply(talk, question, reply)

    @precondition(has_talks)
    @rule(data=st.data(), text=TEXTS)
    def end(self, data: st.DataObject, text: str) -> None:
        """An answer ends; one that had ended is gone on with."""
        if found := self.reply(data):
            talk, question, reply = found
            reply.text, reply.finish, reply.ids = reply.text + text, "stop", [*reply.ids, len(text)]
            self.store.keep_reply(talk, question, reply)

    @precondition(has_talks)
    @rule(data=st.data(), kind=st.sampled_from(["wrong", "unsafe", "incomplete", None]), keep=st.booleans())
    def mark(self, data: st.DataObject, kind: str | None, keep: bool) -> None:
        if found := self.reply(data):
            talk, _, reply = found
            reply.flag = None if kind is None else Flag(kind=kind, correction="안압", at=now())
            reply.keep = keep
            self.store.keep_view(talk)

    @precondition(has_talks)
    @rule(data=st.data(), title=TEXTS, pinned=st.booleans(), held=st.booleans())
    def view(self, data: st.DataObject, title: str, pinned: bool, held: bool) -> None:
        talk = self.talk(data)
        talk.title, talk.pinned, talk.held = title, pinned, held
        for question in talk.path():
            talk.show_reply(question, 1)
        if talk.questions:
            talk.show_branch(talk.questions[0], 1)
        self.store.keep_view(talk)

    @precondition(has_talks)
    @rule(data=st.data(), really=st.sampled_from([False, False, False, True]))
    def delete(self, data: st.DataObject, really: bool) -> None:
        if not really:
            return  # so that talks grow
        talk = self.talk(data)
        for history in (self.store, self.model):
            history.delete([talk.id])
            history.keep_view(talk)  # what comes too late does not bring it back

    @rule(migrate=st.sampled_from([False, False, False, True]))
    def reopen(self, migrate: bool) -> None:
        """The program ends, in the middle of an answer too; sometimes a newer release is next, or the old one."""
        self.store.close()
        later = Migration(statements("ALTER TABLE talks ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'"))
        if migrate:
            self.steps = [*MIGRATIONS] if len(self.steps) > len(MIGRATIONS) else [*MIGRATIONS, later]
        self.store = Store(Path(self.folder.name), KEY, self.steps)
        for talk in self.model.talks():
            for reply in (reply for question in talk.questions for reply in question.replies):
                reply.finish = "cancelled" if reply.finish == "writing" else reply.finish

    @rule(words=WORDS)
    def search(self, words: str) -> None:
        growing = {
            reply.id
            for talk in self.model.talks()
            for question in talk.questions
            for reply in question.replies
            if reply.finish == "writing"
        }
        there, here = self.store.search(words, 10_000), self.model.search(words, 10_000)
        assert sorted(hit for hit in there if hit.message_id not in growing) == sorted(
            hit for hit in here if hit.message_id not in growing
        )

    @rule(days=st.sampled_from([1, 500]))
    def expire(self, days: int) -> None:
        assert due(self.store, days, now()) == due(self.model, days, now())

    @invariant()
    def both_hold_the_same(self) -> None:
        if hasattr(self, "store"):
            assert self.store.heads() == self.model.heads()
            assert self.store.talks() == self.model.talks()


Histories.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[*HealthCheck],
)
TestHistories = Histories.TestCase
