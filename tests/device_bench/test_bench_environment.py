from __future__ import annotations

import json

from device_bench import environment


def test_this_machine_can_be_described_in_json() -> None:
    told = environment.read()
    assert json.loads(json.dumps(told)) == told
    assert 1 <= told["usable_cores"] <= told["cores"]
    assert "numpy" in told["libraries"]
