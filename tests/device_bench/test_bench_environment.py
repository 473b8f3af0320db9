from __future__ import annotations

import json

from device_bench import environment

X86 = """processor\t: 0
model name\t: Some CPU @ 2.0GHz
cpu MHz\t\t: 1996.250
flags\t\t: fpu sse4_1 avx avx2 fma nonsense

processor\t: 1
model name\t: Another
"""
ARM = """processor\t: 0
Features\t: fp asimd asimddp crc32
CPU implementer\t: 0x41

Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


def test_cpu_features_of_both_families() -> None:
    assert environment.cpu_features(X86) == ["sse4_1", "avx", "fma", "avx2"]
    assert environment.cpu_features(ARM) == ["asimd", "asimddp"]
    assert environment.cpu_features("") == []


def test_the_first_field_wins_whatever_the_family_calls_it() -> None:
    names = ("model name", "Model", "Hardware")
    assert environment._first_field(X86, *names) == "Some CPU @ 2.0GHz"
    assert environment._first_field(ARM, *names) == "Raspberry Pi 4 Model B Rev 1.4"
    assert environment._first_field("", *names) is None


def test_this_machine_can_be_described_in_json() -> None:
    told = environment.read()
    assert json.loads(json.dumps(told)) == told
    assert 1 <= told["usable_cores"] <= told["cores"]
    assert "numpy" in told["libraries"]
