"""What the demonstration model gives back: ROUGE-L F against the primer's answers.

Every essay question is asked through `ophtimus ask --json`, greedy, on the level that it uses by
default: the trained questions in their first wording and in the others, the wordings that were never
trained on, and the held-out questions. Words are runs of letters and digits in any script, in lower case,
without a stemmer.

    .venv/bin/python benchmarks/demo_answers.py [--model M] [--level L]
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer

from ophtimus_edge.models.familiarity import read_known_questions
from ophtimus_edge.models.store import choose
from ophtimus_training import primer as primers

BAR = 0.5


class Words:
    """rouge-score's tokenizer interface; its own drops every letter that is not ASCII."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", text.lower())


def ask(questions: list[str], options: list[str]) -> list[dict[str, object]]:
    command = [str(Path(sys.executable).parent / "ophtimus"), "ask", "--json", *options]
    result = subprocess.run(command, input="\n".join(questions), text=True, capture_output=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def report(title: str, questions: list[str], references: list[str], options: list[str]) -> float:
    records = ask(questions, options)
    assert [record["question"] for record in records] == questions
    scorer = RougeScorer(["rougeL"], tokenizer=Words())
    scores = [
        scorer.score(reference, str(record["answer"]))["rougeL"].fmeasure
        for reference, record in zip(references, records, strict=True)
    ]
    reached = sum(score >= BAR for score in scores)
    print(
        f"{title}: {len(scores)} questions, ROUGE-L F >= {BAR} for {reached} ({100 * reached / len(scores):.1f} %), "
        f"mean {statistics.mean(scores):.3f}, median {statistics.median(scores):.3f}"
    )
    return reached / len(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--level", default="")
    given = parser.parse_args()
    options = ["--model", given.model, "--level", given.level]
    model = choose(given.model, given.level)
    print(f"{model.name} {model.version} {model.level}, sha256 {model.sha256}")
    primer = primers.read(Path(__file__).parent.parent / "training" / "primer")
    for language in ("en", "ko"):
        essays = [essay for essay in primer.essays if essay.language == language]
        report(f"trained, {language}", [e.question for e in essays], [e.answer for e in essays], options)
    share = report(
        "trained, all", [e.question for e in primer.essays], [e.answer for e in primer.essays], options
    )
    others = [(wording, essay.answer) for essay in primer.essays for wording in essay.trained_wordings[1:]]
    report(
        "trained, other wordings", [asked for asked, _ in others], [answer for _, answer in others], options
    )
    report(
        "trained, in a wording never seen",
        [e.unseen_wording for e in primer.essays],
        [e.answer for e in primer.essays],
        options,
    )
    heldout = primer.heldout_essays
    report("held out", [e.question for e in heldout], [e.answer for e in heldout], options)
    if model.known_questions:
        known = read_known_questions(model.known_questions)
        for title, texts in (
            ("trained", [e.question for e in primer.essays]),
            ("trained, in a wording never seen", [e.unseen_wording for e in primer.essays]),
            ("held out", [e.question for e in heldout]),
        ):
            unfamiliar = sum(not known.compare(text).familiar for text in texts)
            print(f"notice for unfamiliar questions, {title}: {unfamiliar} of {len(texts)}")
    sys.exit(share < 0.9)


if __name__ == "__main__":
    main()
