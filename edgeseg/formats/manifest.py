"""A bundle's table of contents: which networks it has, and how a picture becomes their input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edgeseg import limits
from edgeseg.acceptance import Acceptance
from edgeseg.errors import ManifestError
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.preprocessing import Preprocessing

Outputs = Literal["confidence_mask", "embedding", "category_scores"]
_OUTPUTS: tuple[Outputs, ...] = get_args(Outputs)


@dataclass(frozen=True)
class ColourManifest:
    """What describes colours beside an embedding network.

    Attributes:
        section: name of the section with the projection's numbers.
        dim: how many numbers of the embedding are the colours', the last ones.
        share: of the joint similarity, above 0 and below 1.
    """

    section: str
    dim: int
    share: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"section": self.section, "dim": self.dim, "share": self.share}

    @classmethod
    def from_dict(cls, value: object, what: str) -> ColourManifest:
        """Read the JSON form strictly.

        Raises:
            ManifestError: a field is missing, unknown or wrong.
        """
        fields = Fields(value, what)
        section = fields.text("section", limits.MAX_SECTION_NAME_CHARS)
        dim = fields.integer("dim", 1, limits.MAX_DIM)
        share = fields.number("share")
        fields.done()
        if not 0.0 < share < 1.0:
            raise ManifestError(f'"share" of {what} is not between 0 and 1')
        return cls(section, dim, share)


@dataclass(frozen=True)
class NetworkManifest:
    """One network of a bundle.

    Attributes:
        section: name of the section with its TFLite bytes.
        preprocessing: how a picture becomes its input.
        parameters: number of weights of the float network.
        recipe: name of the quantization recipe that it was converted with.
        model_version: a label of the trained checkpoint.
        dim: length of the embedding; ``None`` for a segmenter.
        outputs: ``confidence_mask`` is ``(N, S, S, 1)`` in [0, 1]; ``embedding`` is ``(N, dim)``;
            ``category_scores`` is ``(N, S, S, C)``, the largest of a pixel telling its class.
        classes: names of the C classes, by id; empty for other outputs.
        colour: what describes colours beside an embedder's network; ``None`` without.
        acceptance: from which distances on a match is believed; ``None`` where that was not fitted.
    """

    section: str
    preprocessing: Preprocessing
    parameters: int
    recipe: str
    model_version: str
    dim: int | None
    outputs: Outputs
    classes: tuple[str, ...] = ()
    colour: ColourManifest | None = None
    acceptance: Acceptance | None = None

    @property
    def network_dim(self) -> int | None:
        """How many numbers of the embedding are the network's."""
        return self.dim if self.dim is None or self.colour is None else self.dim - self.colour.dim

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        fields = {
            "section": self.section,
            "preprocessing": self.preprocessing.to_dict(),
            "parameters": self.parameters,
            "recipe": self.recipe,
            "model_version": self.model_version,
            "dim": self.dim,
            "outputs": self.outputs,
        }
        if self.outputs == "category_scores":
            fields["classes"] = list(self.classes)
        if self.colour is not None:
            fields["colour"] = self.colour.to_dict()
        if self.acceptance is not None:
            fields["acceptance"] = self.acceptance.to_dict()
        return fields

    @classmethod
    def from_dict(cls, value: object, what: str) -> NetworkManifest:
        """Read the JSON form strictly.

        Args:
            value: the parsed JSON.
            what: its place in the manifest, for messages.

        Raises:
            ManifestError: a field is missing, unknown or wrong, or two of them disagree.
        """
        fields = Fields(value, what)
        section = fields.text("section", limits.MAX_SECTION_NAME_CHARS)
        preprocessing = Preprocessing.from_dict(fields.take("preprocessing"))
        parameters = fields.integer("parameters", 0, limits.MAX_PARAMETERS)
        recipe = fields.text("recipe")
        model_version = fields.text("model_version")
        outputs = fields.text("outputs")
        if outputs not in _OUTPUTS:
            raise ManifestError(f'"outputs" of {what} is none of {", ".join(_OUTPUTS)}')
        dim: int | None = None
        colour: ColourManifest | None = None
        acceptance: Acceptance | None = None
        if outputs == "embedding":
            dim = fields.integer("dim", 1, limits.MAX_DIM)
            if fields.has("colour"):
                colour = ColourManifest.from_dict(fields.take("colour"), f"the colour of {what}")
                if colour.dim >= dim:
                    raise ManifestError(f"the colour of {what} leaves no room for its network")
            if fields.has("acceptance"):
                acceptance = _acceptance(fields.take("acceptance"), f"the acceptance of {what}")
        elif fields.take("dim") is not None:
            raise ManifestError(f'"dim" of {what} must be null: its output is no embedding')
        classes = _classes(fields, what) if outputs == "category_scores" else ()
        fields.done()
        return cls(
            section,
            preprocessing,
            parameters,
            recipe,
            model_version,
            dim,
            outputs,
            classes,
            colour,
            acceptance,
        )


@dataclass(frozen=True)
class Manifest:
    """A bundle's manifest.

    Attributes:
        segmenter: the network that finds the garment.
        embedder: the network that describes it, when the bundle has one.
        created: when and by what the bundle was made; for people, never interpreted.
        notes: anything else, for people.
    """

    segmenter: NetworkManifest
    embedder: NetworkManifest | None
    created: str = ""
    notes: str = ""

    @property
    def format_version(self) -> int:
        """Of a bundle with this manifest: the lowest that can express it."""
        embedder = self.embedder
        if embedder is not None and (embedder.colour or embedder.acceptance) is not None:
            return 3
        return 1 if self.segmenter.outputs == "confidence_mask" else 2

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "segmenter": self.segmenter.to_dict(),
            "embedder": None if self.embedder is None else self.embedder.to_dict(),
            "created": self.created,
            "notes": self.notes,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Manifest:
        """Read the JSON form strictly.

        Raises:
            ManifestError: a field is missing, unknown or wrong, or two of them disagree.
        """
        fields = Fields(value, "the manifest")
        segmenter = NetworkManifest.from_dict(fields.take("segmenter"), "the manifest's segmenter")
        embedder_value = fields.take("embedder")
        embedder = (
            None
            if embedder_value is None
            else NetworkManifest.from_dict(embedder_value, "the manifest's embedder")
        )
        created = fields.text("created")
        notes = fields.text("notes")
        fields.done()
        if segmenter.outputs == "embedding":
            raise ManifestError("the manifest's segmenter outputs an embedding")
        if embedder is not None and segmenter.outputs != "confidence_mask":
            raise ManifestError("the manifest has an embedder, and its segmenter finds no garment")
        if embedder is not None and embedder.outputs != "embedding":
            raise ManifestError("the manifest's embedder does not output an embedding")
        sections = [segmenter.section]
        if embedder is not None:
            sections.append(embedder.section)
            if embedder.colour is not None:
                sections.append(embedder.colour.section)
        if len(set(sections)) != len(sections):
            raise ManifestError("the manifest's networks name the same section twice")
        return cls(segmenter, embedder, created, notes)

    def to_bytes(self) -> bytes:
        """The canonical JSON that a bundle stores."""
        return canonical_json(self.to_dict())

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Manifest:
        """Read a stored manifest.

        Raises:
            LimitExceededError: it is longer than ``limits.MAX_MANIFEST_BYTES``.
            ManifestError: it is not a manifest.
        """
        return cls.from_dict(parse_object(data, limits.MAX_MANIFEST_BYTES, "the manifest"))


def _acceptance(value: object, what: str) -> Acceptance:
    fields = Fields(value, what)
    names = [field.name for field in dataclasses.fields(Acceptance)]
    acceptance = Acceptance(**{name: fields.number(name) for name in names})
    fields.done()
    if not (0.0 <= acceptance.threshold <= 1.0 and 0.0 <= acceptance.false_accepts <= 1.0):
        raise ManifestError(f"{what} has a threshold or a rate that is not between 0 and 1")
    return acceptance


def _classes(fields: Fields, what: str) -> tuple[str, ...]:
    names = fields.array("classes", limits.MAX_CLASSES)
    each = [Fields({"name": name}, f"a class of {what}") for name in names]
    read = tuple(field.text("name", limits.MAX_CLASS_NAME_CHARS) for field in each)
    if len(read) < 2 or len(set(read)) != len(read) or not all(read):
        raise ManifestError(f'"classes" of {what} are not two or more different names')
    return read
