"""Bundles: golden manifest and digests, strict reading, and no file that will not open."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseg.acceptance import Acceptance
from edgeseg.errors import EdgesegError, FormatError, LimitExceededError, ManifestError
from edgeseg.files import sha256_hex
from edgeseg.formats import container
from edgeseg.formats.bundle import KIND, Bundle, write_bundle
from edgeseg.formats.document import canonical_json
from edgeseg.formats.manifest import Manifest
from tests.edgeseg.formats.samples import (
    EMBEDDER_MODEL,
    SEGMENTER_MODEL,
    bundle_sections,
    classes_manifest,
    colour_manifest,
    colour_section,
    manifest,
)

GOLDEN_MANIFEST = (
    b'{"created":"then","embedder":{"dim":4,"model_version":"2","outputs":"embedding",'
    b'"parameters":2000,"preprocessing":{"colour_order":"rgb","input_px":128,"offset":0.0,'
    b'"resize":"pad_white","scale":0.5},"recipe":"float32","section":"embedder.tflite"},'
    b'"notes":"\\u00e9","segmenter":{"dim":null,"model_version":"1",'
    b'"outputs":"confidence_mask","parameters":1000,"preprocessing":{"colour_order":"rgb",'
    b'"input_px":160,"offset":0.0,"resize":"stretch","scale":0.5},"recipe":"static_wi8_ai8",'
    b'"section":"segmenter.tflite"}}'
)


def test_the_golden_manifest_is_written_and_read() -> None:
    assert manifest().to_bytes() == GOLDEN_MANIFEST
    assert Manifest.from_bytes(GOLDEN_MANIFEST) == manifest()


def test_a_bundle_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    write_bundle(path, manifest(), bundle_sections())
    bundle = Bundle.open(path)
    assert bundle.manifest == manifest()
    assert bundle.segmenter_model == SEGMENTER_MODEL
    assert bundle.embedder_model == EMBEDDER_MODEL
    assert bundle.report == {"iou": 0.9}
    # Golden: a change of these is a change of the format, and needs a new format_version.
    assert sha256_hex(path.read_bytes()) == (
        "1ae450271202de5ccc31ab798eb2116881608eafc86cb090ce2bb51f01ca71d5"
    )
    assert bundle.digest == "44ada0f8af80343fe863ece77d1f08cf4a1234e5d754708366c4295eafc9c985"
    assert bundle.embedder_digest == (
        "6b2f5000a3a2ea9a7d25c9301b64f6f8519c71c9d65e2d66c3d2b326a1697a79"
    )


GOLDEN_CLASSES_MANIFEST = (
    b'{"created":"then","embedder":null,"notes":"","segmenter":{"classes":["sky","road"],'
    b'"dim":null,"model_version":"1","outputs":"category_scores","parameters":1000,'
    b'"preprocessing":{"colour_order":"rgb","input_px":352,"offset":0.0,"resize":"stretch",'
    b'"scale":0.5},"recipe":"static_wi8_ai8","section":"segmenter.tflite"}}'
)


def test_a_bundle_of_classes_has_format_version_2(tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    write_bundle(path, classes_manifest(), {"segmenter.tflite": SEGMENTER_MODEL})
    data = path.read_bytes()
    assert data[8:12] == b"\2\0\0\0"
    assert Bundle.open(path).manifest == classes_manifest()
    assert classes_manifest().to_bytes() == GOLDEN_CLASSES_MANIFEST
    # Golden: a change of this is a change of the format, and needs a new format_version.
    assert sha256_hex(data) == "b7ca1d2b106fba00cdbe21236419dddd4ef2af9e85333d1aa8aeef5b9162c01b"


GOLDEN_COLOUR = b'"colour":{"dim":2,"section":"colour.f16","share":0.5},"dim":4,'


def test_a_bundle_that_describes_colours_has_format_version_3(tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    write_bundle(path, colour_manifest(), {**bundle_sections(), "colour.f16": colour_section()})
    data, bundle = path.read_bytes(), Bundle.open(path)
    assert data[8:12] == b"\3\0\0\0"
    assert bundle.manifest == colour_manifest()
    assert colour_manifest().to_bytes() == GOLDEN_MANIFEST.replace(b'"dim":4,', GOLDEN_COLOUR)
    assert bundle.colour is not None
    assert bundle.colour.share == 0.5
    assert bundle.colour.to_bytes() == colour_section()
    # Golden: a change of these is a change of the format, and needs a new format_version.
    assert sha256_hex(data) == ("82ec7af23de614bba20ae6a64467bb9af1f7541ab2fdea451d52b787397e2b91")
    assert bundle.embedder_digest == (
        "b170ad21fc15518ad9816f0d4d1775442d8d437d13a94c30e2ad240020b294c8"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dim": 4}, "leaves no room for its network"),
        ({"dim": 0}, "not between 1 and"),
        ({"share": 1.0}, "not between 0 and 1"),
        ({"share": "half"}, "not a number"),
        ({"share": True}, "not a number"),
        ({"section": "embedder.tflite"}, "the same section twice"),
        ({"section": "elsewhere"}, "elsewhere is missing"),
        ({"dim": 3}, "1728 bytes, not 2592"),
        ({"more": 1}, "unknown field"),
    ],
)
def test_colours_that_are_not_as_the_format_says_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    described = colour_manifest().to_dict()
    described["embedder"]["colour"].update(changes)
    sections = {
        "manifest.json": canonical_json(described),
        "colour.f16": colour_section(),
        **bundle_sections(),
    }
    with pytest.raises(FormatError, match=words):
        Bundle.from_bytes(b"".join(container.encode(KIND, sections, 3)))


def test_a_bundle_of_garments_keeps_format_version_1(tmp_path: Path) -> None:
    write_bundle(tmp_path / "x.bundle", manifest(), bundle_sections())
    assert (tmp_path / "x.bundle").read_bytes()[8:12] == b"\1\0\0\0"


@pytest.mark.parametrize(("of_classes", "version"), [(True, 1), (False, 2)])
def test_a_bundle_in_the_others_version_is_refused(of_classes: bool, version: int) -> None:
    described = classes_manifest() if of_classes else manifest(with_embedder=False)
    sections = {
        "manifest.json": described.to_bytes(),
        "segmenter.tflite": SEGMENTER_MODEL,
        "report.json": b"{}",
    }
    Bundle.from_bytes(b"".join(container.encode(KIND, sections, 3 - version)))
    with pytest.raises(FormatError, match=f"format_version {version}, and its manifest"):
        Bundle.from_bytes(b"".join(container.encode(KIND, sections, version)))


def test_the_embedder_digest_follows_model_and_preprocessing_only(tmp_path: Path) -> None:
    def digest(changed_manifest: dict[str, Any], sections: dict[str, bytes]) -> str | None:
        write_bundle(tmp_path / "x", Manifest.from_dict(changed_manifest), sections)
        return Bundle.open(tmp_path / "x").embedder_digest

    plain = digest(manifest().to_dict(), bundle_sections())
    other_segmenter = manifest().to_dict()
    other_segmenter["segmenter"]["preprocessing"]["scale"] = 2.0
    other_segmenter["embedder"]["recipe"] = "float16"
    assert digest(other_segmenter, bundle_sections()) == plain
    other_scale = manifest().to_dict()
    other_scale["embedder"]["preprocessing"]["scale"] = 2.0
    assert digest(other_scale, bundle_sections()) != plain
    other_model = {**bundle_sections(), "embedder.tflite": EMBEDDER_MODEL + b"!"}
    assert digest(manifest().to_dict(), other_model) != plain


def test_a_bundle_may_have_no_embedder_and_no_report(tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    write_bundle(path, manifest(with_embedder=False), {"segmenter.tflite": SEGMENTER_MODEL})
    bundle = Bundle.open(path)
    assert bundle.embedder_model is None
    assert bundle.embedder_digest is None
    assert bundle.report == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segmenter.tflite": b"not a model"}, "not a TFLite model"),
        ({"segmenter.tflite": None}, "segmenter.tflite is missing"),
        ({"embedder.tflite": None}, "embedder.tflite is missing"),
        ({"spare.bin": b""}, "does not name: spare.bin"),
        ({"report.json": b"[1]"}, "not a JSON object"),
        ({"report.json": b'{"a":NaN}'}, "NaN"),
        ({"manifest.json": b"{}"}, 'lacks "segmenter"'),
    ],
)
def test_what_would_not_open_is_not_written(
    tmp_path: Path, changes: dict[str, bytes | None], words: str
) -> None:
    sections = {**bundle_sections(), **changes}
    path = tmp_path / "x.bundle"
    path.write_bytes(b"the old one")
    with pytest.raises(FormatError, match=words):
        write_bundle(path, manifest(), {k: v for k, v in sections.items() if v is not None})
    assert path.read_bytes() == b"the old one"


def test_a_sealed_bundle_that_breaks_a_rule_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    container.write(KIND, path, {"manifest.json": GOLDEN_MANIFEST, "report.json": b"{}"})
    with pytest.raises(FormatError, match=r"x\.bundle: section segmenter\.tflite is missing"):
        Bundle.open(path)


def _set(path: str, value: object) -> Any:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for name in parents:
            document = document[name]
        if value is KeyError:
            del document[last]
        else:
            document[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("segmenter.outputs", "category_scores"),
        _set("segmenter.classes", ["sky", "road"]),
        _set("segmenter", None),
        _set("segmenter", []),
        _set("embedder", "none"),
        _set("embedder", KeyError),
        _set("created", 7),
        _set("notes", "x" * 20_000),
        _set("more", 1),
        _set("segmenter.more", 1),
        _set("segmenter.section", "embedder.tflite"),
        _set("segmenter.section", 1),
        _set("segmenter.dim", 4),
        _set("segmenter.outputs", "embedding"),
        _set("segmenter.outputs", "logits"),
        _set("segmenter.parameters", -1),
        _set("segmenter.parameters", 1.5),
        _set("segmenter.parameters", 10**40),
        _set("segmenter.preprocessing", {}),
        _set("segmenter.preprocessing", None),
        _set("segmenter.preprocessing.input_px", 10**9),
        _set("segmenter.preprocessing.input_px", True),
        _set("segmenter.preprocessing.scale", "1"),
        _set("segmenter.preprocessing.scale", 10**400),
        _set("segmenter.preprocessing.resize", ["stretch"]),
        _set("segmenter.preprocessing.resize", "crop"),
        _set("segmenter.preprocessing.colour_order", "bgr"),
        _set("segmenter.preprocessing.more", 1),
        _set("embedder.dim", None),
        _set("embedder.dim", 0),
        _set("embedder.dim", 10**6),
        _set("embedder.outputs", "confidence_mask"),
    ],
)
def test_a_wrong_manifest_is_a_manifest_error(change: Any) -> None:
    document = copy.deepcopy(manifest().to_dict())
    change(document)
    with pytest.raises(ManifestError) as caught:
        Manifest.from_dict(document)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        _set("embedder", manifest().to_dict()["embedder"]),
        _set("segmenter.classes", KeyError),
        _set("segmenter.classes", None),
        _set("segmenter.classes", "sky"),
        _set("segmenter.classes", ["sky"]),
        _set("segmenter.classes", ["sky", "sky"]),
        _set("segmenter.classes", ["sky", ""]),
        _set("segmenter.classes", ["sky", 1]),
        _set("segmenter.classes", ["sky", "a\x1b[2J"]),
        _set("segmenter.classes", ["sky", "x" * 101]),
        _set("segmenter.classes", [str(number) for number in range(255)]),
        _set("segmenter.dim", 2),
        _set("segmenter.outputs", "confidence_mask"),
        _set("segmenter.outputs", "embedding"),
    ],
)
def test_a_wrong_manifest_of_classes_is_a_manifest_error(change: Any) -> None:
    document = copy.deepcopy(classes_manifest().to_dict())
    change(document)
    with pytest.raises(ManifestError) as caught:
        Manifest.from_dict(document)
    assert "\n" not in str(caught.value)


def test_long_documents_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(LimitExceededError):
        Manifest.from_bytes(b" " * 100_000)


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgesegError, match=r"cannot read bundle .*none\.bundle: there is no such"):
        Bundle.open(tmp_path / "none.bundle")


ACCEPTANCE = Acceptance(1.5, -2.0, 8.0, 0.75, 0.05)


def test_an_acceptance_is_kept_and_changes_no_embedding(tmp_path: Path) -> None:
    plain = manifest()
    assert plain.embedder is not None
    told = replace(plain, embedder=replace(plain.embedder, acceptance=ACCEPTANCE))
    write_bundle(tmp_path / "plain", plain, bundle_sections())
    write_bundle(tmp_path / "told", told, Bundle.open(tmp_path / "plain").sections())
    bundle = Bundle.open(tmp_path / "told")
    assert bundle.manifest == told
    assert (tmp_path / "told").read_bytes()[8:12] == b"\3\0\0\0"
    assert bundle.embedder_digest == Bundle.open(tmp_path / "plain").embedder_digest
    assert told.to_bytes() == GOLDEN_MANIFEST.replace(
        b'"embedder":{',
        b'"embedder":{"acceptance":{"distance":-2.0,"false_accepts":0.05,"intercept":1.5,'
        b'"lead":8.0,"threshold":0.75},',
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threshold": 1.5}, "not between 0 and 1"),
        ({"false_accepts": -0.1}, "not between 0 and 1"),
        ({"lead": "8"}, "not a number"),
        ({"lead": None}, "not a number"),
        ({"more": 1.0}, "unknown field"),
    ],
)
def test_an_acceptance_that_is_not_as_the_format_says_is_refused(
    changes: dict[str, Any], words: str
) -> None:
    described = manifest().to_dict()
    described["embedder"]["acceptance"] = {**ACCEPTANCE.to_dict(), **changes}
    with pytest.raises(ManifestError, match=words):
        Manifest.from_dict(described)


def test_sections_write_the_same_bundle_again(tmp_path: Path) -> None:
    sections = {**bundle_sections(), "colour.f16": colour_section(), "report.json": b'{"iou":0.9}'}
    write_bundle(tmp_path / "one", colour_manifest(), sections)
    opened = Bundle.open(tmp_path / "one")
    write_bundle(tmp_path / "two", opened.manifest, opened.sections())
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()
