"""A trained network on disk: weights by name in safetensors, and all that is needed to use them.

The metadata hold the kind of network, its architecture, the preprocessing it was trained with, the
run that made it and the evaluation it was chosen by: a checkpoint never travels without them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edgeseg.colour_descriptor import ColourDescriptor
from edgeseg.errors import FormatError, ManifestError, ModelContractError
from edgeseg.files import read_bounded, write_atomic
from edgeseg.limits import MAX_CHECKPOINT_BYTES
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.networks import SegmenterNetwork
from edgeseg.training.networks.embedder import MobileEmbedder
from edgeseg.training.networks.mobilenet_unet import MobileNetUNet
from edgeseg.training.networks.tiramisu import Tiramisu

Weights = dict[str, NDArray[np.float32]]
_METADATA_KEY = "edgeseg"
# No layer is named so: it is not the network's.
_COLOUR_KEY = "colour_descriptor/projection"
Network = SegmenterNetwork | MobileEmbedder
# The first of each is that of checkpoints which do not name their architecture.
_ARCHITECTURES: dict[str, dict[str, type[Network]]] = {
    "segmenter": {"Tiramisu": Tiramisu, "MobileNetUNet": MobileNetUNet},
    "embedder": {"MobileEmbedder": MobileEmbedder},
}


@dataclass(frozen=True)
class Checkpoint:
    """A trained network.

    Attributes:
        kind: what it does.
        network: its architecture.
        preprocessing: from a photograph to its input.
        weights: float32 arrays, keyed ``layer/variable``.
        evaluation: figures by name of the data set, as measured when it was chosen.
        run: the recipe, the command's options and the data digests of the run that made it.
        model_version: a label for people.
        classes: names of the classes that a segmenter tells apart, by id; none for one of garments
            and for an embedder.
        colour: what describes colours beside an embedder's network, if anything does.
    """

    kind: Literal["segmenter", "embedder"]
    network: Network
    preprocessing: Preprocessing
    weights: Weights
    evaluation: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    model_version: str = ""
    classes: tuple[str, ...] = ()
    colour: ColourDescriptor | None = None

    def build(self, framework: ModuleType, **options: Any) -> Any:
        """The network with these weights, from the layers of ``framework``.

        Args:
            framework: ``keras`` or ``tf_keras``.
            options: passed to the network's ``build``.
        """
        model = self.network.build(framework, self.preprocessing.input_px, **options)
        set_weights(model, self.weights)
        return model

    def save(self, path: Path) -> None:
        """Writes the checkpoint; the path holds the old file or the new one at any time."""
        metadata: dict[str, Any] = {
            "kind": self.kind,
            "architecture": type(self.network).__name__,
            "network": self.network.to_dict(),
            "preprocessing": self.preprocessing.to_dict(),
            "evaluation": self.evaluation,
            "run": self.run,
            "model_version": self.model_version,
            "classes": self.classes,
        }
        tensors = dict(self.weights)
        if self.colour is not None:
            metadata["colour_share"] = self.colour.share
            tensors[_COLOUR_KEY] = self.colour.projection
        text = json.dumps(metadata, sort_keys=True)
        write_atomic(path, save(tensors, metadata={_METADATA_KEY: text}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        FormatError: not a checkpoint, or one that is damaged.
    """
    data = read_bounded(path, MAX_CHECKPOINT_BYTES, "checkpoint")
    try:
        weights = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = json.loads(header["__metadata__"][_METADATA_KEY])
        kind = metadata["kind"]
        classes = _ARCHITECTURES[kind]
        if not isinstance(metadata["network"], dict):
            raise TypeError("network must be an object")
        projection = weights.pop(_COLOUR_KEY, None)
        network_class = classes[metadata.get("architecture", next(iter(classes)))]
        return Checkpoint(
            kind=kind,
            network=network_class.from_dict(metadata["network"]),
            preprocessing=Preprocessing.from_dict(metadata["preprocessing"]),
            weights=weights,
            evaluation=metadata["evaluation"],
            run=metadata["run"],
            model_version=metadata["model_version"],
            # Checkpoints of before there were classes do not name any.
            classes=tuple(metadata.get("classes", ())),
            colour=None
            if projection is None
            else ColourDescriptor(projection, metadata["colour_share"]),
        )
    except (SafetensorError, ManifestError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: not a checkpoint of edgeseg, or damaged ({error})") from error
    except RecursionError as error:
        raise FormatError(f"{path}: not a checkpoint of edgeseg: nested too deeply") from error


def get_weights(model: Any) -> Weights:
    """A model's variables by name, as float32 arrays, whatever framework built it."""
    return {
        name: np.asarray(to_numpy(variable), dtype=np.float32)
        for name, variable in _variables(model).items()
    }


def set_weights(model: Any, weights: Weights) -> None:
    """Sets a model's variables by name.

    Raises:
        ModelContractError: a variable is missing, left over, or of another shape.
    """
    variables = _variables(model)
    if variables.keys() != weights.keys():
        odd = sorted(variables.keys() ^ weights.keys())
        raise ModelContractError(
            f"weights are of another network: {len(odd)} names differ, {odd[0]} among them"
        )
    for name, variable in variables.items():
        if tuple(variable.shape) != weights[name].shape:
            raise ModelContractError(
                f"weights are of another network: {name} is {weights[name].shape}, "
                f"not {tuple(variable.shape)}"
            )
    # Only now, so that a refusal leaves the model as it was.
    for name, variable in variables.items():
        variable.assign(weights[name])


def weights_digest(weights: Weights) -> str:
    """SHA-256 over the weights, in order of their names."""
    sha = hashlib.sha256()
    for name in sorted(weights):
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(weights[name]).data)
    return sha.hexdigest()


def _variables(model: Any) -> dict[str, Any]:
    # Keras 3 names a variable "kernel", Keras 2 "layer/kernel:0", and "depthwise_kernel" where
    # Keras 3 has "kernel"; random-state variables of Dropout ("seed_generator_state") are no
    # weights.
    found = {}
    for layer in model.layers:
        for variable in layer.weights:
            name = variable.name.split("/")[-1].split(":")[0].removeprefix("depthwise_")
            if name != "seed_generator_state":
                found[f"{layer.name}/{name}"] = variable
    return found


def to_numpy(variable: Any) -> NDArray[Any]:
    """A variable's value as an array, whatever framework and backend hold it."""
    value = variable.value
    tensor = value() if callable(value) else value
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
    return np.asarray(tensor)
