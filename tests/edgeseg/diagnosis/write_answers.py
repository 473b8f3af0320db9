"""Writes what the presets answer to the self-test's picture: after they have changed, on x86-64.

python -m tests.edgeseg.diagnosis.write_answers > answers.json
mv answers.json edgeseg/diagnosis/answers.json
"""

from __future__ import annotations

import json

from edgeseg.diagnosis.selftest import answer, packed
from edgeseg.formats.bundle import Bundle
from edgeseg.presets import PRESETS, preset_path


def main() -> None:
    bundles = [Bundle.open(preset_path(name)) for name in PRESETS]
    answers = {bundle.digest: packed(answer(bundle)) for bundle in bundles}
    print(json.dumps(answers, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
