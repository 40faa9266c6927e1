"""What the pages of the quiz say, made from where the quiz stands; the screen draws them."""

from dataclasses import dataclass, field

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion
from ophtimus_edge.specialties.quiz import Mark, Quiz, Score, languages, topic_title, topics
from ophtimus_edge.specialties.quiz_file import QuizFile, embedded_path
from ophtimus_edge.specialties.quiz_problems import QuizFileError, QuizRowError
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.texts import Texts

COUNTS = (5, 10, 20)
MOST_TOPICS = 99  # a file may name a topic of its own for every row
MOST_PROBLEMS = 200


@dataclass(frozen=True)
class Page:
    """One page, top to bottom.

    Attributes:
        heading: where one is.
        intro: the question, or what is to be known before choosing.
        options: of a question.
        signs: in front of the options, once they are answered.
        verdict: right or wrong, in words and with a sign.
        detail: the right option, who reviewed it, the explanation: a long one hides neither.
        actions: what can be chosen besides: a name and its line.
        tail: what is to be read under them.
        keys: the foot: a line each, with the screen's action that a click on it runs ("" for none).
    """

    heading: str
    intro: str = ""
    options: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    verdict: str = ""
    right: bool = False
    detail: str = ""
    actions: tuple[tuple[str, str], ...] = ()
    tail: str = ""
    keys: tuple[tuple[str, str], ...] = ()


@dataclass
class Settings:
    """What is to be drawn from a file.

    Attributes:
        topic: None for all.
    """

    file: QuizFile
    language: str
    topic: str | None = None
    count: int = COUNTS[1]
    topics: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        counts = languages(self.file.questions)
        if not counts[self.language]:
            self.language = max(counts, key=lambda language: counts[language])
        self.topics = topics(self.file.questions, self.language)

    @property
    def available(self) -> int:
        """How many questions the language and the topic have."""
        return sum(self.topics.values()) if self.topic is None else self.topics[self.topic]

    @property
    def listed_topics(self) -> list[str]:
        """The topics to choose from: where there are very many, those with the most questions."""
        most = sorted(self.topics, key=lambda topic: -self.topics[topic])[:MOST_TOPICS]
        return sorted(most)

    def next_count(self) -> None:
        """The next of the numbers of questions."""
        self.count = COUNTS[(COUNTS.index(self.count) + 1) % len(COUNTS)]

    def next_language(self) -> None:
        """The next language that has questions; a topic that it lacks is given up."""
        having = [language for language, count in languages(self.file.questions).items() if count]
        self.language = having[(having.index(self.language) + 1) % len(having)]
        self.topics = topics(self.file.questions, self.language)
        if self.topic not in self.topics:
            self.topic = None


class Pages:
    """The pages in the language of the screen."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def reading(self) -> Page:
        """The file is being read."""
        t = self._texts
        return Page(t("quiz.title"), t("quiz.reading"), keys=((t("quiz.key_leave"), "leave"),))

    def failed(self, error: OphtimusError) -> Page:
        """The file as a whole cannot be read."""
        t = self._texts
        return Page(
            t("quiz.title"),
            self._of_file(error),
            actions=(
                ("embedded", t("quiz.use_embedded")),
                ("file", t("quiz.open_file")),
                ("leave", t("quiz.leave")),
            ),
            keys=self._menu_keys("quiz.key_leave"),
        )

    def menu(self, settings: Settings) -> Page:
        """What to draw."""
        t, file = self._texts, settings.file
        own = file.path != embedded_path()
        notes = [t("quiz.about")]
        if own:
            notes.append(t("quiz.file", name=sanitize(file.path.name)))
        notes += self._review_note(file)
        notes += [
            t("quiz.no_questions_in", language=self._language(language))
            for language, count in languages(file.questions).items()
            if not count and file.questions
        ]
        actions: list[tuple[str, str]] = []
        if file.questions:
            count = min(settings.count, settings.available)
            actions = [
                ("begin", t("quiz.begin_one") if count == 1 else t("quiz.begin", count=count)),
                ("topic", t("quiz.topic", topic=self._topic(settings.topic), count=settings.available)),
                ("count", t("quiz.how_many", count=settings.count)),
                ("language", self._language_line(settings)),
            ]
        else:
            notes.append(t("quiz.no_sound_row"))
        if file.problems:
            if file.questions:
                bad, sound = len(file.problems), len(file.questions)
                notes.append(
                    t("quiz.problems_short_one", sound=sound)
                    if bad == 1
                    else t("quiz.problems_short", count=bad, sound=sound)
                )
            actions.append(("problems", t("quiz.show_problems", count=len(file.problems))))
        actions.append(("file", t("quiz.open_file")))
        if own:
            actions.append(("embedded", t("quiz.use_embedded")))
        return Page(
            t("quiz.title"),
            "\n".join(notes),
            actions=(*actions, ("leave", t("quiz.leave"))),
            keys=self._menu_keys("quiz.key_leave"),
        )

    def topics(self, settings: Settings) -> Page:
        """Which topic."""
        t = self._texts
        listed = settings.listed_topics
        left_out = len(settings.topics) - len(listed)
        every = t("quiz.topic_line", topic=self._topic(None), count=sum(settings.topics.values()))
        lines = [
            t("quiz.topic_line", topic=self._topic(topic), count=settings.topics[topic]) for topic in listed
        ]
        return Page(
            t("quiz.pick_topic"),
            t("quiz.topics_left_out", count=left_out) if left_out else "",
            actions=tuple((f"topic {place}", line) for place, line in enumerate((every, *lines))),
            keys=self._menu_keys("quiz.key_back"),
        )

    def problems(self, file: QuizFile) -> Page:
        """The rows of the file that cannot be asked, each with what to do."""
        t = self._texts
        lines = [self._of_row(problem) for problem in file.problems[:MOST_PROBLEMS]]
        if more := len(file.problems) - len(lines):
            lines.append(t("quiz.problems_more", count=more))
        return Page(
            t("quiz.problems_title"),
            t("quiz.problems_intro", name=sanitize(file.path.name)),
            actions=(("menu", t("quiz.back")),),
            tail="\n\n".join(lines),
            keys=self._menu_keys("quiz.key_back"),
        )

    def question(self, quiz: Quiz, question: ChoiceQuestion, *, again: bool) -> Page:
        """A question to answer."""
        t = self._texts
        return Page(
            self._question_heading(quiz, question, len(quiz.marks) + 1, again=again),
            question.question,
            options=_options(question),
            keys=(
                (t("quiz.keys_question", last=len(question.options)), ""),
                (t("quiz.key_ask"), "ask_model"),
                (t("quiz.key_leave"), "leave"),
            ),
        )

    def marked(self, quiz: Quiz, mark: Mark, *, again: bool) -> Page:
        """A question that was answered just now."""
        t, question = self._texts, mark.question
        signs = ["✓" if place == mark.place else " " for place in range(len(question.options))]
        if not mark.right:
            signs[mark.chosen] = "✗"
        options = _options(question)
        detail = "\n\n".join(
            (
                t("quiz.right_option", option=options[mark.place]),
                t("quiz.reviewed", name=question.reviewed_by)
                if question.reviewed_by
                else t("quiz.not_reviewed"),
                question.explanation or t("quiz.no_explanation"),
            )
        )
        return Page(
            self._question_heading(quiz, question, len(quiz.marks), again=again),
            question.question,
            options=options,
            signs=tuple(signs),
            verdict=t("quiz.right") if mark.right else t("quiz.wrong", chosen=options[mark.chosen]),
            right=mark.right,
            detail=detail,
            actions=(("next", t("quiz.next") if quiz.current else t("quiz.to_score")),),
            keys=(
                (t("quiz.keys_marked"), ""),
                (t("quiz.key_ask"), "ask_model"),
                (t("quiz.key_leave"), "leave"),
            ),
        )

    def leaving(self, quiz: Quiz, first: Quiz | None) -> Page:
        """Whether to leave a quiz that is under way; its score so far."""
        t, score = self._texts, quiz.score
        tail = self._by_topic(quiz)
        if first is not None:
            tail = "\n\n".join(
                part for part in (tail, self._score(first.score), self._by_topic(first)) if part
            )
        return Page(
            t("quiz.leave_title"),
            t(
                "quiz.leave_intro",
                right=score.right,
                answered=score.answered,
                left=quiz.total - score.answered,
            ),
            actions=(("go on", t("quiz.go_on")), ("leave", t("quiz.leave"))),
            tail=tail,
            keys=self._menu_keys("quiz.key_back"),
        )

    def end(self, quiz: Quiz, first: Quiz | None) -> Page:
        """The score; what was answered wrong.

        Args:
            quiz: what was asked last.
            first: the quiz whose wrong ones ``quiz`` asked once more, or None.
        """
        t = self._texts
        scored = first or quiz
        intro = self._score(scored.score)
        if first is not None:
            once_more = quiz.score
            intro += "\n" + t("quiz.score_again", right=once_more.right, answered=once_more.answered)
        wrong = quiz.wrong
        again = (("again", t("quiz.again", count=len(wrong))),) if wrong else ()
        listed = [
            "\n".join(
                (
                    mark.question.question,
                    t("quiz.you_chose", option=mark.question.options[mark.chosen]),
                    t("quiz.was_right", option=mark.question.answer),
                )
            )
            for mark in wrong
        ]
        none_wrong = t("quiz.all_right") if first is None else t("quiz.all_right_again")
        tail = [self._by_topic(scored), t("quiz.wrong_ones") if wrong else none_wrong, *listed]
        return Page(
            t("quiz.score_title"),
            intro,
            actions=(*again, ("another", t("quiz.another")), ("leave", t("quiz.leave"))),
            tail="\n\n".join(tail),
            keys=self._menu_keys("quiz.key_leave"),
        )

    def _of_file(self, error: OphtimusError) -> str:
        """What is wrong with a file and what to do, in the language of the screen."""
        if not isinstance(error, QuizFileError):
            return said(error, self._texts)
        wrong = self._texts(f"quiz.bad_file_{error.problem}", **error.values)
        to_do = self._texts(f"quiz.bad_file_{error.problem}_do", **error.values)
        return sanitize(f"{wrong}\n{to_do}")

    def _of_row(self, error: QuizRowError) -> str:
        """What is wrong with a row and what to do, in the language of the screen."""
        wrong = self._texts(f"quiz.bad_row_{error.problem}", **error.values)
        to_do = self._texts(f"quiz.bad_row_{error.problem}_do", **error.values)
        key = "quiz.at_line" if error.unit == "line" else "quiz.at_row"
        return sanitize(self._texts(key, number=error.number, problem=wrong) + "\n" + to_do)

    def _score(self, score: Score) -> str:
        percent = round(100 * score.right / score.answered)
        return self._texts("quiz.score", right=score.right, answered=score.answered, percent=percent)

    def _by_topic(self, quiz: Quiz) -> str:
        scores = quiz.by_topic()
        lines = [
            self._texts(
                "quiz.topic_score", topic=self._topic(topic), right=score.right, answered=score.answered
            )
            for topic, score in scores.items()
        ]
        return "\n".join((self._texts("quiz.by_topic"), *lines)) if lines else ""

    def _question_heading(self, quiz: Quiz, question: ChoiceQuestion, number: int, *, again: bool) -> str:
        values = {"number": number, "total": quiz.total, "topic": self._topic(question.topic)}
        where = (
            self._texts("quiz.question_again", **values) if again else self._texts("quiz.question", **values)
        )
        if not quiz.marks:
            return where
        score = quiz.score
        so_far = self._texts("quiz.so_far", right=score.right, answered=score.answered)
        return f"{where} · {so_far}"

    def _review_note(self, file: QuizFile) -> list[str]:
        total = len(file.questions)
        count = sum(not question.reviewed_by for question in file.questions)
        if not count:
            return []
        if count == total:
            return [self._texts("quiz.none_reviewed")]
        return [self._texts("quiz.some_reviewed", count=count, total=total)]

    def _language_line(self, settings: Settings) -> str:
        count = languages(settings.file.questions)[settings.language]
        return self._texts("quiz.language", language=self._language(settings.language), count=count)

    def _language(self, language: str) -> str:
        return self._texts("quiz.in_ko") if language == "ko" else self._texts("quiz.in_en")

    def _topic(self, topic: str | None) -> str:
        if topic is None:
            return self._texts("quiz.all_topics")
        return topic_title(topic, self._texts.language) or self._texts("quiz.without_topic")

    def _menu_keys(self, leave: str) -> tuple[tuple[str, str], ...]:
        return ((self._texts("quiz.keys_menu"), ""), (self._texts(leave), "leave"))


def _options(question: ChoiceQuestion) -> tuple[str, ...]:
    """With their letters, by which explanations and models call them."""
    return tuple(f"{letter}) {option}" for letter, option in zip(LETTERS, question.options, strict=False))
