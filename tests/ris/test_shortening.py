"""What is cut says so, once."""

from ris.shortening import shortened


def test_a_text_that_was_cut_before_leaves_no_dot_of_that_behind() -> None:
    once = shortened("latex, kiwis, pollen", 18)
    assert once == "latex, kiwis ..."
    assert shortened(f"{once}, cats", 18) == once
