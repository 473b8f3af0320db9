"""A token that is kept in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the extra serve")

from edgeseg.errors import ServeError
from edgeseg.web.access import kept_token


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token.txt"
    made = kept_token(path)
    assert len(made) >= 40
    assert kept_token(path) == made
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("held", [b"", b"short", b"x" * 129, b"a token with spaces in it, long"])
def test_what_is_no_token(tmp_path: Path, held: bytes) -> None:
    path = tmp_path / "token.txt"
    path.write_bytes(held)
    with pytest.raises(ServeError, match="holds no token"):
        kept_token(path)
