"""The script that runs on a device needs minutes there: here, that it still starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_script_for_a_device_finds_all_that_it_imports() -> None:
    script = Path(__file__).with_name("on_device.py")
    done = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "match" in done.stdout
