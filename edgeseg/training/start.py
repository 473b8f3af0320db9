"""Where a run starts: from nothing, a checkpoint, or a pretrained encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import keras

from edgeseg.errors import DatasetError, ModelContractError
from edgeseg.training.checkpoint import Checkpoint, Weights, get_weights, load_checkpoint
from edgeseg.training.networks import SEGMENTERS, SegmenterNetwork
from edgeseg.training.networks.embedder import EMBEDDERS, MobileEmbedder
from edgeseg.training.networks.mobilenet_unet import MobileNetUNet
from edgeseg.training.pretrained import mobilenet_encoder
from edgeseg.training.recipe import EmbedderRecipe, SegmenterRecipe, TrainingRecipe


@dataclass(frozen=True)
class Start:
    """The network of a run and its first weights; None draws them from the seed."""

    network: SegmenterNetwork
    weights: Weights | None


def begin(
    recipe: SegmenterRecipe, checkpoint: Path | None, encoder: Path | None, seed: int
) -> Start:
    """The start that a run was asked for.

    Args:
        recipe: names the network where no checkpoint does.
        checkpoint: a segmenter's, to go on from; it brings its network.
        encoder: a ``.tflite`` MobileNet v1, for the recipe's network ``mobilenet_unet``.
        seed: of the weights that the encoder does not give.

    Raises:
        ModelContractError: the checkpoint or the encoder does not fit the recipe.
        EdgesegError: a file cannot be read.
    """
    if checkpoint is not None:
        return _continued(recipe, checkpoint)
    network = SEGMENTERS[recipe.network]
    if encoder is None:
        return Start(network, None)
    if not isinstance(network, MobileNetUNet):
        raise DatasetError(f"an encoder fits the network mobilenet_unet, not {recipe.network}")
    keras.utils.set_random_seed(seed)
    drawn = get_weights(network.build(keras, recipe.input_px))
    return Start(network, mobilenet_encoder(encoder, drawn))


def _continued(recipe: SegmenterRecipe, path: Path) -> Start:
    found, network = _segmenter(path)
    _check_scaling(recipe, found, path)
    if recipe.input_px % network.total_stride:
        raise ModelContractError(
            f"{path} needs an input_px that is a multiple of {network.total_stride}, the recipe "
            f"gives {recipe.input_px}"
        )
    return Start(network, found.weights)


def _segmenter(path: Path) -> tuple[Checkpoint, SegmenterNetwork]:
    found = load_checkpoint(path)
    if isinstance(found.network, MobileEmbedder):
        raise ModelContractError(f"{path}: is an embedder's checkpoint, not a segmenter's")
    return found, found.network


def retraining(recipe: SegmenterRecipe, checkpoint: Path) -> SegmenterRecipe:
    """The recipe with the input's side and the scaling of pixels that a segmenter has already.

    Raises:
        ModelContractError: the checkpoint is an embedder's.
        FormatError: it is damaged.
    """
    own = _segmenter(checkpoint)[0].preprocessing
    return replace(recipe, input_px=own.input_px, scale=own.scale, offset=own.offset)


def embedder_weights(recipe: EmbedderRecipe, path: Path) -> Weights:
    """Of a trained embedder, the weights that the recipe's network can start from.

    Args:
        recipe: names the network.
        path: the checkpoint of an embedder, of this network or of a like one.

    Returns:
        The weights whose names and shapes the network shares with it.

    Raises:
        ModelContractError: it is no embedder's checkpoint, scales pixels otherwise or shares
            nothing with the network.
        FormatError: it is damaged.
    """
    found = load_checkpoint(path)
    if not isinstance(found.network, MobileEmbedder):
        raise ModelContractError(f"{path}: is a segmenter's checkpoint, not an embedder's")
    _check_scaling(recipe, found, path)
    own = get_weights(EMBEDDERS[recipe.network].build(keras, recipe.input_px))
    shared = {
        name: weights
        for name, weights in found.weights.items()
        if name in own and own[name].shape == weights.shape
    }
    if not shared:
        raise ModelContractError(f"{path} shares no layer with the network {recipe.network}")
    return shared


def _check_scaling(recipe: TrainingRecipe, found: Checkpoint, path: Path) -> None:
    own = found.preprocessing
    if (own.scale, own.offset) != (recipe.scale, recipe.offset):
        raise ModelContractError(
            f"{path} takes pixels times {own.scale:g} plus {own.offset:g}, the recipe gives "
            f"{recipe.scale:g} and {recipe.offset:g}"
        )
