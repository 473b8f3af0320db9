from __future__ import annotations

import platform

import pytest

from edgeseg.diagnosis.requirements import declared, parse_requirement, release

LINES = (
    "ai-edge-litert<2.2,>=2.0; platform_machine == 'aarch64' or platform_machine == 'arm64'",
    "ai-edge-litert<3,>=2.0; platform_machine == 'x86_64'",
    "numpy>=1.26",
    "numpy<2,>=1.26; extra == 'tflite'",
    "tflite-runtime>=2.14; (python_version < '3.12') and extra == 'tflite'",
    "tuf<8,>=7; extra == 'sync'",
    "edgeseg[sync]; extra == 'publish'",
    "securesystemslib[crypto]<2,>=1.6; extra == 'publish'",
)


def test_the_line_is_read() -> None:
    requirement = parse_requirement(LINES[-1])
    assert requirement.name == "securesystemslib"
    assert requirement.extras == ("crypto",)
    assert requirement.specifier == "securesystemslib>=1.6,<2"
    assert requirement.marker == "extra == 'publish'"
    assert parse_requirement("numpy (>=1.26)").specifier == "numpy>=1.26"
    with pytest.raises(ValueError, match="no requirement"):
        parse_requirement("!")


@pytest.mark.parametrize(
    ("versions", "taken", "refused"),
    [
        (">=2.0,<2.2", ["2.0", "2.0.3", "2.1.6"], ["1.9", "2.2", "2.2.0", "2.3.0", "3"]),
        (">=1.26", ["1.26", "1.26.0", "2.4.6", "1.100"], ["1.25.9", "1.3"]),
        ("==5.0.*", ["5.0.0.93", "5.0"], ["5.1"]),
        ("!=2.1", ["2.1.1", "2.2"], ["2.1", "2.1.0"]),
        ("~=2.21", ["2.21", "2.99"], ["2.20", "3.0"]),
        ("===1.0", ["1.0"], ["1.0.0"]),
        ("", ["0"], []),
    ],
)
def test_the_range_holds(versions: str, taken: list[str], refused: list[str]) -> None:
    requirement = parse_requirement(f"name{versions}")
    assert [version for version in [*taken, *refused] if requirement.takes(version)] == taken


def test_what_is_asked_for_depends_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for machine, wanted in (
        ("x86_64", ["ai-edge-litert>=2.0,<3", "numpy>=1.26"]),
        ("aarch64", ["ai-edge-litert>=2.0,<2.2", "numpy>=1.26"]),
        ("armv7l", ["numpy>=1.26"]),
    ):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        assert [each.specifier for each in declared(LINES)] == wanted


def test_an_extra_asks_for_its_own_and_for_that_of_extras_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [each.name for each in declared(LINES, "publish")] == ["securesystemslib", "tuf"]
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "9", "2"))
    assert [each.name for each in declared(LINES, "tflite")] == ["numpy", "tflite-runtime"]
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "12", "0"))
    assert [each.specifier for each in declared(LINES, "tflite")] == ["numpy>=1.26,<2"]


def test_the_numbers_of_a_version() -> None:
    assert release("2.0.3rc1") == (2, 0, 3)
    assert release("v1") == (1,)
    assert release("unknown") == ()
