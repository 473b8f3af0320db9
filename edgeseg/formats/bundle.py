"""The bundle: converted networks, their manifest and their conversion report in one file.

Layout and reasons are in FORMAT.md. A bundle that opens has been checked to its last byte, so its
model bytes may go to a native loader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeseg import limits
from edgeseg.colour_descriptor import ColourDescriptor
from edgeseg.errors import FormatError
from edgeseg.files import PathLike, sha256_hex, write_atomic
from edgeseg.formats import container
from edgeseg.formats.document import canonical_json, parse_object
from edgeseg.formats.manifest import ColourManifest, Manifest, NetworkManifest

SUFFIX = ".bundle"
SEGMENTER_SECTION = "segmenter.tflite"
EMBEDDER_SECTION = "embedder.tflite"
COLOUR_SECTION = "colour.f16"
MANIFEST_SECTION = "manifest.json"
REPORT_SECTION = "report.json"

KIND = container.Kind(
    name="bundle",
    magic=b"\x89ESB\r\n\x1a\n",
    format_version=1,
    later_versions=(2, 3),
    max_bytes=limits.MAX_BUNDLE_BYTES,
    remake="make it again with `edgeseg convert`, or copy it again",
)

# A FlatBuffer carries its file identifier at byte 4; TFLite's is TFL3.
_TFLITE_IDENTIFIER = b"TFL3"


@dataclass(frozen=True)
class Bundle:
    """An opened, fully checked bundle.

    Attributes:
        manifest: its table of contents.
        segmenter_model: TFLite bytes.
        embedder_model: TFLite bytes, when the bundle has an embedder.
        colour: what describes colours beside the embedder's network, where the bundle has it.
        report: what the conversion measured.
        embedder_digest: SHA-256 that names the embedder *with* its preprocessing, for a catalogue
            made with another of either cannot be searched; ``None`` without an embedder.
        digest: SHA-256 that names the whole bundle.
    """

    manifest: Manifest
    segmenter_model: bytes
    embedder_model: bytes | None
    colour: ColourDescriptor | None
    report: dict[str, Any]
    embedder_digest: str | None
    digest: str

    @classmethod
    def open(cls, path: PathLike) -> Bundle:
        """Read and check a bundle.

        Args:
            path: the ``.bundle`` file.

        Raises:
            FormatError: it is not a bundle, is damaged or was made by another generation.
            EdgesegError: it cannot be read.
        """
        opened = container.read(KIND, path)
        with container.named(KIND, path):
            return cls._from_container(opened)

    @classmethod
    def from_bytes(cls, data: bytes) -> Bundle:
        """Check a bundle that is already in memory.

        Raises:
            FormatError: as :meth:`open`.
        """
        return cls._from_container(container.decode(KIND, data))

    def sections(self) -> dict[str, bytes]:
        """What :func:`write_bundle` takes to write it again, beside a manifest."""
        sections = {
            self.manifest.segmenter.section: self.segmenter_model,
            REPORT_SECTION: canonical_json(self.report),
        }
        embedder = self.manifest.embedder
        if embedder is not None and self.embedder_model is not None:
            sections[embedder.section] = self.embedder_model
            if embedder.colour is not None and self.colour is not None:
                sections[embedder.colour.section] = self.colour.to_bytes()
        return sections

    @classmethod
    def _from_container(cls, opened: container.Container) -> Bundle:
        sections = dict(opened.sections)
        manifest = Manifest.from_bytes(_taken(sections, MANIFEST_SECTION))
        if opened.format_version != manifest.format_version:
            raise FormatError(
                f"it has format_version {opened.format_version}, and its manifest is one of "
                f"format_version {manifest.format_version}"
            )
        report = parse_object(
            _taken(sections, REPORT_SECTION), limits.MAX_REPORT_BYTES, "the report"
        )
        segmenter_model = _model(sections, manifest.segmenter)
        embedder_model: bytes | None = None
        embedder_digest: str | None = None
        colour: ColourDescriptor | None = None
        if manifest.embedder is not None:
            embedder_model = _model(sections, manifest.embedder)
            colour = _colour(sections, manifest.embedder.colour)
            embedder_digest = digest_of_embedder(embedder_model, manifest.embedder, colour)
        if sections:
            raise FormatError(f"it has a section that its manifest does not name: {min(sections)}")
        return cls(
            manifest,
            segmenter_model,
            embedder_model,
            colour,
            report,
            embedder_digest,
            opened.digest,
        )


def digest_of_embedder(
    model: bytes, network: NetworkManifest, colour: ColourDescriptor | None
) -> str:
    """The name of an embedding space: SHA-256 over all that its vectors depend on.

    Args:
        model: the embedder's TFLite bytes.
        network: its entry in the manifest.
        colour: what describes colours beside it.
    """
    parts = [sha256_hex(model).encode("ascii"), canonical_json(network.preprocessing.to_dict())]
    if colour is not None:
        share = canonical_json({"share": colour.share})
        parts += [sha256_hex(colour.to_bytes()).encode("ascii"), share]
    return sha256_hex(b"\n".join(parts))


def write_bundle(path: PathLike, manifest: Manifest, sections: Mapping[str, bytes]) -> None:
    """Write a bundle atomically, after checking that it will open.

    Args:
        path: the file to make or replace, by custom with the suffix ``.bundle``.
        manifest: its table of contents.
        sections: the model and colour bytes under the names that the manifest uses, and
            ``report.json``, which may be left out for an empty report.

    Raises:
        FormatError: a section is missing, is no TFLite model, is not named by the manifest, or is
            above its bound.
        EdgesegError: the file cannot be written; the one that was there is as before.
    """
    complete = {MANIFEST_SECTION: manifest.to_bytes(), REPORT_SECTION: b"{}", **sections}
    # The reader's own rules: what cannot be read back is never written.
    data = b"".join(container.encode(KIND, complete, manifest.format_version))
    Bundle.from_bytes(data)
    write_atomic(path, data)


def _taken(sections: dict[str, memoryview], name: str) -> memoryview:
    if name not in sections:
        raise FormatError(f"section {name} is missing")
    return sections.pop(name)


def _model(sections: dict[str, memoryview], network: NetworkManifest) -> bytes:
    model = bytes(_taken(sections, network.section))
    if model[4:8] != _TFLITE_IDENTIFIER:
        raise FormatError(f"section {network.section} is not a TFLite model")
    return model


def _colour(
    sections: dict[str, memoryview], promised: ColourManifest | None
) -> ColourDescriptor | None:
    if promised is None:
        return None
    data = _taken(sections, promised.section)
    return ColourDescriptor.from_bytes(data, promised.dim, promised.share)
