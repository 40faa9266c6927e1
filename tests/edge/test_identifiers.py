import pytest
from hypothesis import given
from hypothesis import strategies as st

from ophtimus_edge.safety.identifiers import find, remove

FOUND = [
    ("900101-1234567", "resident_number", "900101-1234567"),
    ("환자 9001011234567 백내장", "resident_number", "9001011234567"),
    ("생일이 850228 - 2345678", "resident_number", "850228 - 2345678"),
    ("주민등록번호: 040229-3123456", "resident_number", "040229-3123456"),
    ("외국인등록번호 881231-5123456", "resident_number", "881231-5123456"),
    ("홍채염 900101–1234567", "resident_number", "900101–1234567"),
    ("９００１０１－１２３４５６７", "resident_number", "９００１０１－１２３４５６７"),
    ("750815-2****** 안압 21", "resident_number", "750815-2******"),
    ("010-1234-5678로 전화 주세요", "phone", "010-1234-5678"),
    ("연락처 01012345678", "phone", "01012345678"),
    ("010 1234 5678", "phone", "010 1234 5678"),
    ("010.1234.5678", "phone", "010.1234.5678"),
    ("011-234-5678", "phone", "011-234-5678"),
    ("02-123-4567", "phone", "02-123-4567"),
    ("(02) 1234-5678", "phone", "(02) 1234-5678"),
    ("031-123-4567", "phone", "031-123-4567"),
    ("0632345678", "phone", "0632345678"),
    ("070-1234-5678", "phone", "070-1234-5678"),
    ("+82 10 1234 5678", "phone", "+82 10 1234 5678"),
    ("+82-10-1234-5678", "phone", "+82-10-1234-5678"),
    ("+821012345678", "phone", "+821012345678"),
    ("+82 (0)2 123 4567", "phone", "+82 (0)2 123 4567"),
    ("call +1 415 555 0134", "phone", "+1 415 555 0134"),
    ("차트번호 12345678", "chart_number", "12345678"),
    ("차트 번호: 12345", "chart_number", "12345"),
    ("챠트 1234567 환자", "chart_number", "1234567"),
    ("chart no. 12345", "chart_number", "12345"),
    ("Chart #: 20-04512", "chart_number", "20-04512"),
    ("MRN: 0012345", "chart_number", "0012345"),
    ("등록번호 00123456", "chart_number", "00123456"),
    ("환자번호는 A1234567", "chart_number", "A1234567"),
    ("patient ID 99871", "chart_number", "99871"),
    ("medical record number 4471823", "chart_number", "4471823"),
    ("병록번호=778899", "chart_number", "778899"),
    ("kim.minsu@example.co.kr", "email", "kim.minsu@example.co.kr"),
    ("메일은 eye_clinic+a@clinic.example.com입니다", "email", "eye_clinic+a@clinic.example.com"),
]

NOT_FOUND = [
    "안압 21/22 mmHg",
    "-1.25 -0.75 x 180",
    "+1.25 -0.75 x 180, +2.00 -1.50 x 90",
    "2026-11-22",
    "2026.11.22 내원",
    "20/200",
    "시력 0.1/0.2",
    "VA 20/40 OD, 20/25 OS",
    "Snellen chart 20/200",
    "ETDRS chart 85 letters",
    "chart 4 m 거리",
    "차트 0.8까지 읽음",
    "각막두께 540/535",
    "CCT 540 um",
    "안축장 23.45 mm, 24.12 mm",
    "K1 43.25 K2 44.50",
    "43.25/44.50@90",
    "IOL +21.5 D",
    "SN60WF +21.5D",
    "내피세포 2500 cells/mm²",
    "ECD 1012/mm2",
    "1064 nm, 532 nm",
    "vancomycin 1 mg/0.1 mL, ceftazidime 2.25 mg/0.1 mL",
    "acetazolamide 500 mg",
    "10,000 IU",
    "1,000,000",
    "0.005 % latanoprost",
    "0.0125%",
    "pH 7.0-7.5",
    "PD 62/31.5",
    "혈압 120/80, 맥박 72",
    "HbA1c 6.5, FBS 126",
    "ESR 102, CRP 2.5",
    "09:30-10:15 예약",
    "오후 02:30 123번 방",
    "2시 10분 1234",
    "1998년 수술, 2004년 재수술",
    "45세 남자, 3개월 전",
    "OCT 251 um, 298 um",
    "VF MD -12.34 PSD 5.67",
    "010",
    "119에 전화",
    "991332-1234567",
    "900231-1234567",
    "0.1234567890123",
    "DOI 10.1000/182",
    "eye @ 20 cm",
    "등록번호가 무엇인가요?",
    "chart number?",
    "MRN 12",
    "HN 5 unit",
    "1:100,000 epinephrine",
    "12345678",
    "4-2-1 rule, 10-0 nylon, 23-25 gauge",
]


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_what_names_a_patient_is_found(text: str, kind: str, value: str) -> None:
    assert [(each.kind, text[each.start : each.end]) for each in find(text)] == [(kind, value)]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_measures_an_eye_is_not_taken_for_it(text: str) -> None:
    assert find(text) == []


def test_a_labelled_resident_number_is_found_even_where_its_date_is_mistyped() -> None:
    assert find("991332-1234567") == []
    text = "주민번호 991332-1234567"
    assert [(each.kind, text[each.start : each.end]) for each in find(text)] == [
        ("resident_number", "991332-1234567")
    ]


def test_29_february_counts_in_the_years_that_have_one() -> None:
    assert find("040229-3123456")
    assert not find("010229-3123456")


def test_several_are_found_in_order_and_taken_out() -> None:
    text = "차트번호 12345678, 900101-1234567, 010-1234-5678, a@b.kr, 안압 21/22"
    found = find(text)
    assert [each.kind for each in found] == ["chart_number", "resident_number", "phone", "email"]
    assert remove(text, found) == "차트번호 [removed], [removed], [removed], [removed], 안압 21/22"
    assert remove(text, found[1:2], mark="[삭제]") == text.replace("900101-1234567", "[삭제]")
    assert remove(text, []) == text


def test_a_chart_number_that_looks_like_a_telephone_number_is_one_thing() -> None:
    text = "등록번호 01012345678"
    assert [each.kind for each in find(text)] == ["chart_number"]
    assert remove(text, find(text)) == "등록번호 [removed]"


PIECES = st.sampled_from([*[text for text, _, _ in FOUND], *NOT_FOUND, " ", "\n", "-", "가", "1"])


@given(st.lists(PIECES, max_size=8).map(" ".join))
def test_places_are_in_order_within_the_text_and_nothing_is_left_after_removal(text: str) -> None:
    found = find(text)
    ends = [0, *[each.end for each in found]]
    assert all(end <= each.start < each.end <= len(text) for end, each in zip(ends, found, strict=False))
    cleaned = remove(text, found, mark="[…]")
    assert find(cleaned) == []
    for each in found:
        assert cleaned.count("[…]") == len(found)
        assert each.kind in {"resident_number", "phone", "chart_number", "email"}
