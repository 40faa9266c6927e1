"""Levels are told apart, by as little as it takes."""

from ophtimus_edge.compare.naming import Named, distinct


def test_names_say_more_only_where_two_levels_have_the_same() -> None:
    first, second = "a" * 64, "b" * 64
    assert distinct([Named("BF16", "m.gguf", first), Named("Q4_K_M", "m.gguf", second)]) == ["BF16", "Q4_K_M"]
    assert distinct([Named("Q4_K_M", "plain.gguf", first), Named("Q4_K_M", "imatrix.gguf", second)]) == [
        "Q4_K_M · plain.gguf",
        "Q4_K_M · imatrix.gguf",
    ]
    # As they lie in two folders.
    assert distinct([Named("Q4_K_M", "m.gguf", first), Named("Q4_K_M", "m.gguf", second)]) == [
        "Q4_K_M · m.gguf · aaaaaaaa",
        "Q4_K_M · m.gguf · bbbbbbbb",
    ]


def test_no_two_names_are_the_same_whatever_the_files_are_called() -> None:
    names = distinct([Named("Q4", "a", "c" * 64)] * 3 + [Named("Q4 · a", "b", ""), Named("Q4 · a", "b", "")])
    assert len(set(names)) == 5
