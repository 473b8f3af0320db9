from __future__ import annotations

from tests.verify.mutations import other_ends


def test_mutants_end_in_a_use_or_in_an_edgeseg_error() -> None:
    assert other_ends(800) == 0
