"""Whatever is done to a bundle or catalogue: an EdgesegError, nothing else, and little memory.

Two attackers: one changes bytes, which the digests must notice; the other changes what is inside
and seals it anew with right digests, so that every rule behind the digests must hold by itself.
A search that followed a bad link would end this process, so surviving is part of the test.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgeseg.catalogue import Catalogue
from edgeseg.errors import EdgesegError
from edgeseg.formats import bundle, catalogue_file, container
from edgeseg.formats.bundle import Bundle
from edgeseg.formats.catalogue_file import decode_catalogue, encode_catalogue
from tests.edgeseg.formats.samples import (
    bundle_sections,
    classes_manifest,
    manifest,
    two_items,
    unit_vectors,
    with_everything,
)

BUNDLE_SECTIONS = {"manifest.json": manifest().to_bytes(), **bundle_sections()}
BUNDLE = b"".join(container.encode(bundle.KIND, BUNDLE_SECTIONS))
CLASSES_SECTIONS = {
    "manifest.json": classes_manifest().to_bytes(),
    "segmenter.tflite": bundle_sections()["segmenter.tflite"],
    "report.json": b"{}",
}
CLASSES_BUNDLE = b"".join(container.encode(bundle.KIND, CLASSES_SECTIONS, 2))
PLAIN_CATALOGUE = b"".join(encode_catalogue(two_items()))
FULL_CATALOGUE = b"".join(encode_catalogue(with_everything()))
READERS: dict[bytes, Callable[[bytes], Any]] = {
    BUNDLE: Bundle.from_bytes,
    CLASSES_BUNDLE: Bundle.from_bytes,
    PLAIN_CATALOGUE: decode_catalogue,
    FULL_CATALOGUE: decode_catalogue,
}
NUMBERS: dict[str, Any] = {
    "graph.levels": np.uint8,
    "graph.counts": np.uint8,
    "graph.steps": np.uint16,
    "golden.answers": np.uint32,
    "golden.queries": np.uint8,
    "tombstones": np.uint8,
    "text.offsets": np.uint32,
    "vectors": np.uint8,
    "vectors.fine": np.uint8,
    "vectors.shifts": np.uint8,
}
# Files of these tests are below 20 kB. Reading may take their parsed JSON and some arrays of
# indices beside them; a length that was believed would take gigabytes.
MAX_PEAK_BYTES = 4 << 20

many = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
originals = st.sampled_from(list(READERS))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def read_within_bounds(read: Callable[[bytes], Any], data: bytes) -> Any:
    """The reader's result, or its EdgesegError; anything else propagates and fails the test."""
    tracemalloc.start()
    try:
        result: Any = read(data)
    except EdgesegError as error:
        result = error
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < MAX_PEAK_BYTES + 8 * len(data)
    if isinstance(result, EdgesegError):
        assert str(result).isprintable()
    return result


def search(data: bytes) -> None:
    """Open and use a catalogue as a match would."""
    catalogue = Catalogue(decode_catalogue(data))
    for query in unit_vectors(3, catalogue.dim, seed=4):
        for k in (1, 10, 60):
            assert len(catalogue.search(query, k)) == min(k, len(catalogue))
    assert len(catalogue.items) == len(catalogue)
    assert json.dumps(catalogue.info())


@many
@given(originals, st.data())
def test_any_changed_bytes_are_refused(original: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(original)))
    removed = data.draw(st.integers(0, min(64, len(original) - start)))
    inserted = data.draw(st.binary(max_size=64))
    changed = original[:start] + inserted + original[start + removed :]
    result = read_within_bounds(READERS[original], changed)
    assert isinstance(result, EdgesegError) == (changed != original)


@many
@given(st.binary(max_size=2000), originals)
def test_any_bytes_at_all_are_refused(data: bytes, original: bytes) -> None:
    for changed in (data, original[:8] + data, original[:16] + data, original[:48] + data):
        assert isinstance(read_within_bounds(READERS[original], changed), EdgesegError)


@many
@given(originals, st.data())
def test_sections_changed_and_sealed_anew(original: bytes, data: st.DataObject) -> None:
    bundles = (BUNDLE, CLASSES_BUNDLE)
    kind = bundle.KIND if original in bundles else catalogue_file.KIND
    opened = container.decode(kind, original)
    sections = {n: bytes(part) for n, part in opened.sections.items()}
    name = data.draw(st.sampled_from(sorted(sections)))
    part = sections[name]
    start = data.draw(st.integers(0, len(part)))
    removed = data.draw(st.integers(0, min(8, len(part) - start)))
    same_length = data.draw(st.booleans())
    size = {"min_size": removed, "max_size": removed} if same_length else {"max_size": 8}
    sections[name] = part[:start] + data.draw(st.binary(**size)) + part[start + removed :]
    sealed = b"".join(container.encode(kind, sections, opened.format_version))
    read = search if kind is catalogue_file.KIND else Bundle.from_bytes
    read_within_bounds(read, sealed)


@many
@given(
    st.sampled_from(["manifest.json", "report.json", "catalogue.json"]),
    st.lists(st.integers(0, 6), max_size=4),
    json_values,
)
@example("catalogue.json", [3], 2**31)
@example("catalogue.json", [5], 10**6)
def test_json_fields_replaced_and_sealed_anew(name: str, path: list[int], value: Any) -> None:
    is_catalogue = name == "catalogue.json"
    kind = catalogue_file.KIND if is_catalogue else bundle.KIND
    original = FULL_CATALOGUE if is_catalogue else BUNDLE
    sections = {n: bytes(part) for n, part in container.decode(kind, original).sections.items()}
    document: Any = json.loads(sections[name])
    node = document
    for step in path:
        if not isinstance(node, dict) or not node:
            break
        key = sorted(node)[step % len(node)]
        if isinstance(node[key], dict):
            node = node[key]
        else:
            node[key] = value
            break
    sections[name] = json.dumps(document).encode()
    sealed = b"".join(container.encode(kind, sections))
    read_within_bounds(search if is_catalogue else Bundle.from_bytes, sealed)


@many
@given(st.sampled_from([1, 2]), json_values | st.lists(st.text(max_size=4), max_size=400))
@example(2, ["sky"])
@example(2, ["sky", "sky"])
@example(2, ["a", ""])
@example(2, ["a", "b\n"])
@example(2, [str(number) for number in range(255)])
@example(1, ["a", "b"])
def test_classes_replaced_and_sealed_anew(version: int, value: Any) -> None:
    document: Any = json.loads(CLASSES_SECTIONS["manifest.json"])
    document["segmenter"]["classes"] = value
    sections = {**CLASSES_SECTIONS, "manifest.json": json.dumps(document).encode()}
    sealed = b"".join(container.encode(bundle.KIND, sections, version))
    result = read_within_bounds(Bundle.from_bytes, sealed)
    names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    good = (
        version == 2
        and names
        and 2 <= len(set(value)) == len(value) <= 254
        and all(name and name.isprintable() for name in value)
    )
    assert isinstance(result, Bundle) == good


@many
@given(
    st.sampled_from(sorted(NUMBERS)),
    st.lists(
        st.tuples(
            st.integers(0, 10_000), st.sampled_from([0, 1, 2, 3, 59, 60, 61, 255, 2**32 - 1])
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_numbers_of_a_graph_replaced_and_sealed_anew(
    name: str, changes: list[tuple[int, int]]
) -> None:
    opened = container.decode(catalogue_file.KIND, FULL_CATALOGUE)
    sections = {n: bytes(part) for n, part in opened.sections.items()}
    dtype = NUMBERS[name]
    numbers = np.frombuffer(sections[name], dtype).copy()
    for position, number in changes:
        numbers[position % len(numbers)] = number % (np.iinfo(dtype).max + 1)
    sections[name] = numbers.tobytes()
    read_within_bounds(search, b"".join(container.encode(catalogue_file.KIND, sections)))


@many
@given(json_values)
def test_any_json_as_a_header(value: Any) -> None:
    from edgeseg.formats.document import canonical_json
    from tests.edgeseg.formats.test_container import sealed

    for document in (value, {"sections": value}, {"sections": [value]}):
        data = sealed(canonical_json(document), bytes(200), 1, catalogue_file.KIND.magic)
        assert isinstance(read_within_bounds(decode_catalogue, data), EdgesegError)


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"a":' + b"9" * 60_000 + b"}",
        b'{"a":1e400}',
        b"\xff\xfe{}",
        b"",
        b"\0" * 1000,
    ],
    ids=lambda document: repr(document[:8]),
)
@pytest.mark.parametrize("name", ["manifest.json", "report.json"])
def test_hostile_json_in_a_sealed_bundle(name: str, document: bytes) -> None:
    sections = {**BUNDLE_SECTIONS, name: document}
    sealed = b"".join(container.encode(bundle.KIND, sections))
    assert isinstance(read_within_bounds(Bundle.from_bytes, sealed), EdgesegError)


def test_a_report_of_empty_lists_stays_within_its_stated_memory() -> None:
    document = b'{"a":[' + b"[]," * 600_000 + b"0]}"
    sections = {**BUNDLE_SECTIONS, "report.json": document}
    sealed = b"".join(container.encode(bundle.KIND, sections))
    tracemalloc.start()
    try:
        Bundle.from_bytes(sealed)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 100 << 20
