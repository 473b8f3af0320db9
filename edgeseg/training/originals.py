"""The float networks that a bundle was made of, and how it is told that they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import ModelContractError
from edgeseg.files import sha256_hex
from edgeseg.formats.bundle import Bundle
from edgeseg.formats.document import canonical_json
from edgeseg.formats.manifest import NetworkManifest
from edgeseg.training.checkpoint import Checkpoint, load_checkpoint, weights_digest


@dataclass(frozen=True)
class Originals:
    """The checkpoints that a bundle was converted from.

    Attributes:
        segmenter: of the network that finds the garment.
        embedder: of the network that describes it.
    """

    segmenter: Checkpoint
    embedder: Checkpoint

    @property
    def digest(self) -> str:
        """SHA-256 over all of them that an embedding depends on."""
        parts = [
            [type(each.network).__name__, each.network.to_dict(), weights_digest(each.weights)]
            for each in (self.segmenter, self.embedder)
        ]
        return sha256_hex(canonical_json({"networks": parts}))


def originals_of(bundle: Bundle, segmenter: Path, embedder: Path) -> Originals:
    """Read the checkpoints that a bundle was made of.

    A bundle does not name them. Kind, preprocessing, number of weights and colour descriptor are
    compared here; that the networks answer alike, where they are run
    (:func:`edgeseg.training.describing.open_keras_describer`).

    Args:
        bundle: with an embedder.
        segmenter: the checkpoint of its network that finds the garment.
        embedder: the checkpoint of the one that describes it.

    Raises:
        FormatError: one is no checkpoint, or damaged.
        ModelContractError: the bundle was made of others, or has no embedder.
    """
    if bundle.manifest.embedder is None:
        raise ModelContractError(
            "the bundle has no embedder: convert one in with `edgeseg convert --embedder`"
        )
    found = Originals(load_checkpoint(segmenter), load_checkpoint(embedder))
    _check("segmenter", segmenter, found.segmenter, bundle.manifest.segmenter)
    _check("embedder", embedder, found.embedder, bundle.manifest.embedder)
    own, other = bundle.colour, found.embedder.colour
    # As a bundle holds them: the shares are one number, and the projections are float16.
    if (own is None) != (other is None) or (
        own is not None
        and other is not None
        and (own.share != other.share or own.to_bytes() != other.to_bytes())
    ):
        raise _other("embedder", embedder, "it describes colours otherwise")
    return found


def _check(kind: str, path: Path, found: Checkpoint, promised: NetworkManifest) -> None:
    if found.kind != kind:
        raise ModelContractError(
            f"{path}: the {kind}'s checkpoint is wanted, not the {found.kind}'s"
        )
    if found.classes != promised.classes:
        raise _other(kind, path, "it tells other classes apart")
    if found.preprocessing != promised.preprocessing:
        raise _other(kind, path, "its preprocessing is another")
    parameters = sum(weights.size for weights in found.weights.values())
    if parameters != promised.parameters:
        raise _other(kind, path, f"it has {parameters} weights, not {promised.parameters}")


def _other(kind: str, path: Path, why: str) -> ModelContractError:
    return ModelContractError(
        f"the bundle's {kind} was not made of {path}: {why}; name the checkpoint that was converted"
    )
