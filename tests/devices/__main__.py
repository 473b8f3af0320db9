"""Runs edgeseg where scanners are, and says how far it is from x86-64; see ``--help``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from edgeseg.cli.console import print_json, print_table
from edgeseg.files import write_atomic
from tests.devices import aarch64, armv7, constrained, runtimes
from tests.devices.errors import CannotRunError
from tests.devices.wheels import REPOSITORY

WHAT: dict[str, Any] = {
    "aarch64": aarch64,
    "armv7": armv7,
    "runtimes": runtimes,
    "constrained": constrained,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure one of them; 0 when everything held, 1 when not, 2 when it cannot be run here."""
    options = _parser().parse_args(arguments)

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    module = WHAT[options.what]
    try:
        document = module.measure(work, options.wheels, options.data, tell)
    except CannotRunError as error:
        tell(f"{options.what}: {error}")
        return 2
    document["held"] = module.held(document)

    write_atomic(work / f"{options.what}.json", json.dumps(document, indent=1).encode())
    if options.json:
        print_json(document)
    else:
        print_table(*module.table(document))
        for name, value in document.items():
            if name != "runs":
                tell(f"{name}: {value}")
    return 0 if document["held"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.devices", description=__doc__)
    parser.add_argument("what", choices=list(WHAT))
    parser.add_argument(
        "--work",
        type=Path,
        default=REPOSITORY / "build" / "devices",
        help="folder that is kept for a next run (default: build/devices)",
    )
    parser.add_argument(
        "--wheels",
        type=Path,
        default=REPOSITORY / "build" / "wheel",
        help="folder of the wheel that `make smoke` builds (default: build/wheel)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=REPOSITORY.parent / "shared" / "data",
        help="folder of real photographs; drawn ones alone where it is absent",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


if __name__ == "__main__":
    sys.exit(main())
