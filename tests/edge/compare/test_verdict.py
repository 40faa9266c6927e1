"""Which level is recommended, what that rests on, and when none is."""

from collections.abc import Sequence

import msgspec
import pytest
from compared_levels import GIB, OWN, choice, critical, divergence, exactly, level, speed, votes

from ophtimus_edge.compare.verdict import for_model, judge, languages_of
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import AskedFile, LevelReport, Part, Report, Tolerances, VerdictReport

REFERENCE = level("BF16", 14.96, mcq=choice(1308))
Q8 = level("Q8_0", 7.95, mcq=choice(1307, turned=(21, 20)), divergence=divergence(0.0014, 0.0012, 0.0016))
Q4 = level("Q4_K_M", 4.58, mcq=choice(1294, turned=(62, 48)), divergence=divergence(0.031, 0.029, 0.034))
Q2 = level("Q2_K", 2.95, mcq=choice(1100, turned=(300, 92)), divergence=divergence(0.445, 0.44, 0.451))


def of(
    *levels: LevelReport, files: Sequence[AskedFile] = OWN, reference: LevelReport = REFERENCE
) -> VerdictReport:
    return judge(reference, levels, files)


def changed(one: LevelReport, **parts: object) -> LevelReport:
    return msgspec.structs.replace(one, **parts)


def test_the_smallest_level_within_tolerance_is_recommended_with_its_figures() -> None:
    timed = changed(
        Q4, speed=speed(5.6, 5.4, 5.8, ratio=3.11), critical=critical(q1="figure", q2="eye", q3="eye")
    )
    found = of(Q8, timed, Q2)
    assert found.level == "Q4_K_M"
    assert found.statement == (
        "Q4_K_M is the smallest level within tolerance. "
        "Accuracy 60.1 % against 60.8 %: at most 1.7 points worse (95 %, 2,152 paired questions, tolerance 2); "
        "KL divergence 0.031 [0.029, 0.034], tolerance 0.05; 4.58 GiB; 3.1 × the speed of BF16 here. "
        "3 of 200 answers differ in a number or a side."
    )
    assert [(one.level, one.finding) for one in found.findings] == [
        ("Q8_0", "within"),
        ("Q4_K_M", "within"),
        ("Q2_K", "beyond"),
    ]
    assert found.findings[1].more_questions == found.findings[1].more_windows == 0
    assert found.findings[2].more_questions is None


def test_both_criteria_that_were_measured_must_hold() -> None:
    far = changed(Q4, divergence=divergence(0.08, 0.07, 0.09))
    assert of(Q8, far).level == "Q8_0"
    assert [one.finding for one in of(Q8, far).findings] == ["within", "beyond"]
    wrong = changed(Q4, mcq=choice(1200, turned=(150, 42)))
    assert of(Q8, wrong).level == "Q8_0"
    # One criterion alone is enough to go by, and the statement says that the other is missing.
    found = of(changed(Q4, mcq=None))
    assert found.level == "Q4_K_M"
    assert "accuracy was not measured" in found.statement
    assert "divergence was not measured" in of(changed(Q4, divergence=None)).statement


def test_a_level_whose_interval_reaches_beyond_is_open_and_says_what_it_takes() -> None:
    few = changed(Q4, mcq=choice(120, questions=200, turned=(6, 5)), divergence=None)
    found = of(few)
    assert found.level == ""
    assert found.findings[0].finding == "open"
    more = found.findings[0].more_questions
    assert more
    assert more > 500
    assert found.statement.startswith("No level is shown to be within tolerance yet. Q4_K_M is the smallest")
    assert "possibly up to 4.3 points worse" in found.statement
    assert "more questions would tell" in found.statement
    windows = of(changed(Q4, mcq=None, divergence=divergence(0.04, 0.03, 0.055)))
    assert windows.level == ""
    assert windows.findings[0].more_windows
    assert "more windows would tell" in windows.statement
    assert (
        "too few" in of(changed(Q4, mcq=None, divergence=divergence(0.03, 0.03, 0.03, windows=5))).statement
    )


def test_a_smaller_level_that_may_be_within_is_named_beside_the_verdict() -> None:
    q3 = level("Q3_K_M", 3.74, divergence=divergence(0.045, 0.038, 0.055))
    found = of(Q4, q3)
    assert found.level == "Q4_K_M"
    assert "Q3_K_M is smaller and may be within tolerance too: about " in found.statement
    hopeless = changed(q3, divergence=divergence(0.055, 0.045, 0.065))
    assert of(Q4, hopeless).findings[1].finding == "open"
    assert "Q3_K_M" not in of(Q4, hopeless).statement


def test_no_level_within_tolerance_says_so_with_the_largest_ones_reasons() -> None:
    found = of(Q2)
    assert found.level == ""
    assert found.statement.startswith("No level is shown to be within tolerance of BF16. Q2_K: accuracy ")
    assert "beyond the tolerance of 0.05" in found.statement


def test_only_a_confirmed_unsafe_vote_takes_a_level_out() -> None:
    suspected = changed(Q4, votes=votes(("q1", False)))
    found = of(Q8, suspected)
    assert found.level == "Q4_K_M"
    assert "1 answer was called unsafe, which was not confirmed" in found.findings[1].reasons
    assert found.statement.endswith("1 answer was called unsafe, which was not confirmed.")
    confirmed = changed(Q4, votes=votes(("q1", True), ("q1", True), ("q2", False)), speed=speed(6, 5.9, 6.1))
    found = of(Q8, confirmed)
    assert found.level == "Q8_0"
    assert found.findings[1].finding == "unsafe"
    assert found.findings[1].reasons[0] == "1 answer was confirmed to be unsafe"
    assert found.fastest_faithful == ""
    assert "Q4_K_M is smaller and was taken out: 1 answer was confirmed to be unsafe." in found.statement
    assert of(confirmed).level == ""


def test_the_programs_own_questions_alone_recommend_nothing() -> None:
    embedded = [msgspec.structs.replace(one, embedded=True) for one in OWN]
    fast = changed(Q4, speed=speed(6, 5.9, 6.1))
    for files in (embedded, [], [*embedded, AskedFile(part="votes", name="votes.jsonl", sha256="3" * 64)]):
        found = of(Q8, fast, files=files)
        assert (found.level, found.fastest_faithful, found.only_embedded) == ("", "", True)
        assert "the program's own" in found.statement
        assert [one.finding for one in found.findings] == ["within", "within"]
    found = of(Q8, fast, files=[OWN[0], embedded[1]])
    assert (found.level, found.fastest_faithful, found.only_embedded) == ("Q4_K_M", "Q4_K_M", False)


def test_each_level_is_judged_by_the_files_that_it_was_measured_on() -> None:
    own, embedded = OWN[0], msgspec.structs.replace(OWN[1], embedded=True)
    by_text = changed(Q8, mcq=None, files={"text": own.sha256})
    by_embedded = changed(Q4, divergence=None, files={"mcq": embedded.sha256}, speed=speed(6, 5.9, 6.1))
    found = of(by_text, by_embedded, files=[own, embedded])
    # The smaller one is within tolerance too, but on the program's own questions alone.
    assert (found.level, found.only_embedded, found.fastest_faithful) == ("Q8_0", False, "")
    assert [one.only_embedded for one in found.findings] == [False, True]
    assert "the program's own questions" in found.findings[1].reasons[-1]
    both = changed(by_embedded, divergence=Q4.divergence, files={"mcq": embedded.sha256, "text": own.sha256})
    assert of(by_text, both, files=[own, embedded]).level == "Q4_K_M"
    alone = of(by_embedded, files=[own, embedded])
    assert (alone.level, alone.only_embedded) == ("", True)


def test_nothing_is_gained_by_a_level_that_is_no_smaller_than_the_reference() -> None:
    reference = level("Q8_0", 7.95, mcq=choice(1308))
    larger = level("BF16", 14.96, mcq=choice(1307, turned=(21, 20)))
    found = of(larger, reference=reference)
    assert found.level == ""
    assert found.findings[0].finding == "within"
    assert found.findings[0].reasons[-1] == "it is no smaller than the reference Q8_0"
    assert found.statement.startswith("No smaller level is shown to be within tolerance of Q8_0.")
    assert of(larger, Q4, reference=reference).level == "Q4_K_M"


def test_two_files_of_one_name_are_told_apart() -> None:
    plain = changed(Q4, file="plain.gguf", sha256="a" * 64, divergence=divergence(0.08, 0.07, 0.09))
    weighed = changed(Q4, file="imatrix.gguf", sha256="b" * 64)
    found = of(plain, weighed)
    assert (found.level, found.sha256) == ("Q4_K_M · imatrix.gguf", "b" * 64)
    assert found.statement.startswith("Q4_K_M · imatrix.gguf is the smallest level within tolerance.")
    assert [(one.level, one.sha256, one.finding) for one in found.findings] == [
        ("Q4_K_M · plain.gguf", "a" * 64, "beyond"),
        ("Q4_K_M · imatrix.gguf", "b" * 64, "within"),
    ]
    report = Report(model="m", reference=REFERENCE, levels=[plain, weighed], verdict=found)
    carried = for_model(report, "")
    assert carried.sha256 == "b" * 64
    assert sorted(carried.files.values()) == ["a" * 64, "b" * 64]


def test_what_was_found_unsafe_of_the_reference_is_said() -> None:
    unsafe = changed(REFERENCE, votes=votes(("q1", True)))
    found = of(Q4, reference=unsafe)
    assert found.level == "Q4_K_M"
    assert found.statement.endswith("Of BF16, the reference, 1 answer was confirmed to be unsafe.")
    assert "the reference" not in of(Q4).statement
    taken_out = of(level("Q4_K_M", 4.58, votes=votes(("q1", True))))
    assert "Q4_K_M was taken out: 1 answer was confirmed to be unsafe." in taken_out.statement


def test_levels_that_were_only_timed_are_not_judged() -> None:
    timed = level("Q4_K_M", 4.58, speed=speed(6, 5.9, 6.1))
    found = of(timed, files=[])
    assert (found.level, found.only_embedded) == ("", False)
    assert found.findings[0].finding == "not measured"
    assert "Nothing was measured" in found.statement
    assert found.fastest_faithful == ""
    assert "not measured" in found.fastest_statement


def test_the_most_faithful_level_that_is_fast_enough_stands_beside_the_smallest() -> None:
    slow = changed(Q8, speed=speed(3.1, 3.0, 3.2))
    q5 = level("Q5_K_M", 5.33, divergence=divergence(0.011, 0.01, 0.012), speed=speed(5.2, 5.0, 5.4))
    fast = changed(Q4, speed=speed(5.6, 5.4, 5.8))
    found = of(slow, q5, fast)
    assert (found.level, found.fastest_faithful) == ("Q4_K_M", "Q5_K_M")
    assert found.fastest_statement == (
        "Q5_K_M is the most faithful level that reaches 5 tokens/s here: 5.2 [5.0, 5.4] tokens/s; "
        "KL divergence 0.011 [0.010, 0.012], tolerance 0.05; it is within tolerance."
    )
    # The whole interval must reach the speed.
    nearly = changed(q5, speed=speed(5.2, 4.96, 5.4))
    assert of(slow, nearly, fast).fastest_faithful == "Q4_K_M"
    assert "5.2 [4.9, 5.4]" in of(slow, nearly).fastest_statement
    # What is fast and not faithful is called so.
    only = of(slow, changed(Q2, speed=speed(7.9, 7.8, 8.0)))
    assert only.fastest_faithful == "Q2_K"
    assert only.fastest_statement.endswith("it is beyond tolerance.")


def test_without_a_divergence_accuracy_says_what_is_faithful() -> None:
    quick = speed(6, 5.9, 6.1)
    one = changed(Q4, divergence=None, speed=quick)
    other = changed(Q2, divergence=None, speed=quick)
    assert of(other, one).fastest_faithful == "Q4_K_M"
    assert of(changed(Q8, speed=None), changed(Q2, speed=None)).fastest_faithful == ""


def test_a_reference_that_is_fast_enough_is_the_most_faithful() -> None:
    quick = speed(6, 5.9, 6.1)
    fast_reference = changed(REFERENCE, speed=quick)
    found = of(changed(Q4, speed=quick), reference=fast_reference)
    assert (found.level, found.fastest_faithful) == ("Q4_K_M", "BF16")
    assert "the reference itself" in found.fastest_statement
    slow_reference = changed(REFERENCE, speed=speed(2, 1.9, 2.1))
    assert of(changed(Q4, speed=quick), reference=slow_reference).fastest_faithful == "Q4_K_M"


def test_the_references_own_file_is_not_judged() -> None:
    found = of(REFERENCE, Q8)
    assert [one.level for one in found.findings] == ["Q8_0"]


def test_of_fewer_pairs_the_pairs_count() -> None:
    asked = choice(1294, turned=(62, 48))
    assert asked.flips
    fewer = msgspec.structs.replace(asked, flips=msgspec.structs.replace(asked.flips, questions=2000))
    assert "2,000 paired questions" in of(changed(Q4, mcq=fewer)).statement


def test_letters_stand_in_for_answers_that_were_not_generated() -> None:
    def letters(one: LevelReport) -> LevelReport:
        return changed(one, mcq=msgspec.structs.replace(one.mcq, accuracy=None))

    found = of(letters(Q4), reference=letters(REFERENCE))
    assert "Accuracy of the likeliest letter 60.1 % against 60.8 %" in found.statement


def test_other_tolerances_are_kept_and_wrong_ones_refused() -> None:
    wide = Tolerances(accuracy=0.2, kl_mean=0.5, generated_tokens_per_s=1)
    found = judge(REFERENCE, [Q4, Q2], OWN, wide)
    assert (found.level, found.tolerances) == ("Q2_K", wide)
    for wrong in (Tolerances(accuracy=0.0), Tolerances(kl_mean=-1.0), Tolerances(accuracy=2.0)):
        with pytest.raises(StatisticsError, match="tolerance"):
            judge(REFERENCE, [Q4], OWN, wrong)


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(StatisticsError, match="no finite number"):
        of(changed(Q4, divergence=divergence(float("nan"), 0.0, 0.1)))


def test_rounding_never_proves_anything() -> None:
    beyond = of(changed(Q4, mcq=None, divergence=divergence(0.0496, 0.049, 0.0502)))
    assert "[0.049, 0.051]" in beyond.statement
    assert beyond.level == ""


def test_a_models_verdict_names_the_report_and_every_divergence() -> None:
    found = of(Q8, Q4)
    report = Report(model="m", reference=REFERENCE, levels=[Q8, Q4, level("Q2_K", 2.95)], verdict=found)
    carried = for_model(report, "f" * 64)
    assert (carried.level, carried.statement, carried.report_sha256) == ("Q4_K_M", found.statement, "f" * 64)
    assert carried.kl_mean == {
        "Q8_0": Statistic(0.0014, 0.0012, 0.0016),
        "Q4_K_M": Statistic(0.031, 0.029, 0.034),
    }
    report.verdict = None
    assert (for_model(report, "").level, for_model(report, "").statement) == ("", "")


def test_languages_are_those_that_were_asked_the_most_frequent_first() -> None:
    def asking(**languages: int) -> LevelReport:
        parts = [Part(name=name, questions=count, accuracy=exactly(0.5)) for name, count in languages.items()]
        return changed(Q4, mcq=msgspec.structs.replace(Q4.mcq, languages=parts))

    report = Report(model="m", reference=level("BF16", 15), levels=[asking(ko=40, en=200, de=0)])
    assert languages_of(report) == ["en", "ko"]
    assert languages_of(Report(model="m", reference=level("BF16", 15), levels=[])) == []
    assert report.levels[0].size_bytes == round(4.58 * GIB)
