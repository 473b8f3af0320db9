"""What runs in a child process: the checks that load native code or read what it is given.

Each says what it is about to do before it does it, for it may not come back.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any, TextIO

from edgeseg.diagnosis.memory import peak_memory_bytes, status_bytes

# Enough items that hnswlib walks its graph, and compares with its widest instructions.
_INDEX_ITEMS, _INDEX_DIM = 256, 64


class Teller:
    """Tells the parent, line by line."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream that nothing else writes to."""
        self._stream = stream

    def stage(self, doing: str) -> None:
        """What is done next."""
        self._say({"stage": doing})

    def facts(self, **facts: Any) -> None:
        """What was found; JSON values."""
        self._say({"facts": facts})

    def error(self, ending: str, message: str) -> None:
        """How it failed."""
        self._say({"error": {"ending": ending, "message": message}})

    def _say(self, said: dict[str, Any]) -> None:
        self._stream.write(json.dumps(said) + "\n")
        self._stream.flush()


def main(task: str, arguments: str) -> int:
    """Run one task; how it went is told on stdout.

    Args:
        task: a name in ``TASKS``.
        arguments: its arguments as a JSON object.
    """
    # Native code prints where it likes: stdout is kept for what is told.
    teller = Teller(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        TASKS[task](teller, **json.loads(arguments))
    except MemoryError as error:
        teller.error("memory", str(error))
    except BaseException as error:  # noqa: BLE001 (a wrong wheel raises anything)
        imported = isinstance(error, ImportError) or isinstance(error.__cause__, ImportError)
        first = (str(error).strip().splitlines() or [""])[0]
        known = type(error).__module__ == "edgeseg.errors"
        message = first if known and first else f"{type(error).__name__}: {first}"
        teller.error("import" if imported else "error", message)
    return 0


def _numpy(teller: Teller) -> None:
    teller.stage("importing numpy")
    import numpy as np

    teller.facts(version=np.__version__, place=np.__file__)
    teller.stage("multiplying matrices")
    square = np.arange(64 * 64, dtype=np.float32).reshape(64, 64) % 7
    if not np.array_equal(square @ np.eye(64, dtype=np.float32), square):
        raise ArithmeticError("a matrix times one is another matrix")


def _opencv(teller: Teller) -> None:
    teller.stage("importing cv2")
    from edgeseg import filters, imaging

    cv2 = sys.modules["cv2"]
    teller.facts(version=str(getattr(cv2, "__version__", "")), place=str(cv2.__file__))
    teller.stage("writing, reading and resizing a picture")
    from edgeseg.diagnosis.selftest import drawn_picture

    picture = drawn_picture()
    read = imaging.read_photo(imaging.encode_png(picture))
    if not (read == picture).all():
        raise ArithmeticError("a PNG is read as another picture than was written")
    imaging.read_photo(imaging.encode_jpeg(imaging.resize(picture, 64, 64)))
    filters.connected_components((picture[:, :, 0] > 128).astype("uint8"))


def _hnswlib(teller: Teller) -> None:
    teller.stage("importing hnswlib")
    import numpy as np

    from edgeseg.formats.codes import Codes
    from edgeseg.index import hnsw

    vectors = np.cos(np.arange(_INDEX_ITEMS * _INDEX_DIM, dtype=np.float32) ** 2 % 1000)
    rows = vectors.reshape(_INDEX_ITEMS, _INDEX_DIM)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    codes = Codes.encode(rows, "int8")
    importlib.import_module("hnswlib")
    teller.facts(place=str(sys.modules["hnswlib"].__file__))
    teller.stage("building an index")
    graph = hnsw.build_graph(codes)
    teller.stage("searching an index")
    found = hnsw.HnswIndex(codes, graph).nearest(rows[7], 1)
    if found is None or found[0][0] != 7:
        raise ArithmeticError("an item is not found by its own vector")


def _modules(teller: Teller, modules: list[str]) -> None:
    for module in modules:
        teller.stage(f"importing {module}")
        loaded = importlib.import_module(module)
        teller.facts(**{module: str(getattr(loaded, "__version__", ""))})


def _networks(teller: Teller, bundle: str | None) -> None:
    """Open the bundle, which verifies every digest, and run its networks."""
    teller.stage("reading the bundle")
    from edgeseg.formats.bundle import Bundle
    from edgeseg.presets import bundle_path

    place = bundle_path(bundle)
    opened = Bundle.open(place)
    teller.facts(
        bundle={
            "path": str(place),
            "digest": opened.digest,
            "created": opened.manifest.created,
            "embedder": opened.embedder_model is not None,
        }
    )
    teller.stage("importing the interpreter")
    import numpy as np

    from edgeseg.errors import ModelContractError
    from edgeseg.interpreter import Interpreter
    from edgeseg.runtime import operators

    models = {"segmenter": opened.segmenter_model, "embedder": opened.embedder_model}
    for role, model in models.items():
        if model is None:
            continue
        teller.stage(f"loading the {role}")
        interpreter = Interpreter(model)
        teller.stage(f"running the {role}")
        output = interpreter.run(np.zeros(interpreter.input_shape, np.float32))
        if not np.isfinite(output).all():
            raise ModelContractError(f"the {role} gives numbers that are not finite")
        teller.stage(f"listing the {role}'s operators")
        listed = operators(model)
        teller.facts(
            **{
                role: {
                    "input_shape": list(interpreter.input_shape),
                    "output_shape": list(interpreter.output_shape),
                    "model_bytes": len(model),
                    "operators": len(listed),
                    "delegated": sum(each.partition is not None for each in listed),
                }
            }
        )


def _selftest(teller: Teller) -> None:
    teller.stage("reading the built-in bundle")
    from edgeseg.diagnosis import selftest
    from edgeseg.presets import open_bundle

    opened = open_bundle(None)
    teller.facts(created=opened.manifest.created)
    teller.stage("importing the interpreter")
    from edgeseg.runtime import runtime_name

    teller.facts(interpreter=runtime_name())
    teller.stage("running both networks on the drawn picture")
    found = selftest.answer(opened)
    stored = selftest.stored_answer(opened.digest)
    if stored is not None:
        teller.facts(**selftest.agreement(found, stored))
    _tell_memory(teller)


def _catalogue(teller: Teller, bundle: str | None, catalogue: str) -> None:
    teller.stage("reading the catalogue")
    from edgeseg.catalogue import Catalogue
    from edgeseg.diagnosis.selftest import drawn_picture

    opened = Catalogue.open(catalogue)
    golden = opened.data.golden
    floor = 0.0 if golden is None else golden.recall_floor
    teller.facts(items=len(opened), generation=opened.data.generation, recall_floor=floor)
    teller.stage("comparing the catalogue with the bundle")
    from edgeseg.matcher import Matcher

    matcher = Matcher(opened, bundle)  # raises where they do not belong together
    teller.stage("searching the catalogue")
    teller.facts(recall=opened.golden_recall())
    matcher.segmenter.segment(drawn_picture())
    matcher.match(drawn_picture(), k=1, segment=False)
    _tell_memory(teller)


def _store(teller: Teller, store: str | None) -> None:
    teller.stage("reading the store")
    from edgeseg.errors import EdgesegError
    from edgeseg.sync.clock import now, time_text
    from edgeseg.sync.probe import probe
    from edgeseg.sync.report import last_report
    from edgeseg.sync.store import Store, default_store

    there = Store(store or default_store())
    teller.facts(folder=str(there.folder), generation=None)
    state = there.state()
    if state.active is None:
        return
    files = (there.catalogue_path(state.active.catalogue), there.bundle_path(state.active.bundle))
    last = last_report(there.reports)
    teller.facts(
        generation=state.active.generation,
        age=state.age_told(now()),
        expires=None if state.expires is None else time_text(state.expires),
        expired=state.expires is not None and state.expires < now(),
        clock_floor=None if state.clock_floor is None else time_text(state.clock_floor),
        last_result="" if last is None else last.result,
        last_error="" if last is None else last.error,
        active_bytes=sum(path.stat().st_size for path in files if path.exists()),
    )
    teller.stage("opening the generation in use")
    opened = there.open_active()
    teller.facts(trouble=opened.instead_of)
    teller.stage("trying the generation in use on a picture")
    try:
        teller.facts(recall=probe(opened))
    except EdgesegError as error:
        teller.facts(trouble=str(error))
    _tell_memory(teller)


def _tell_memory(teller: Teller) -> None:
    """The most memory, and the most address space, that this process had."""
    facts = {"peak_bytes": peak_memory_bytes()}
    address_space_bytes = status_bytes("VmPeak")
    if address_space_bytes is not None:
        facts["address_space_bytes"] = address_space_bytes
    teller.facts(**facts)


TASKS: dict[str, Callable[..., None]] = {
    "numpy": _numpy,
    "opencv": _opencv,
    "hnswlib": _hnswlib,
    "modules": _modules,
    "networks": _networks,
    "selftest": _selftest,
    "catalogue": _catalogue,
    "store": _store,
}
