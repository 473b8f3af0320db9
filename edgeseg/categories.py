"""Photo in, category mask out: for bundles whose segmenter tells several classes apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.contract import InputTable, open_network
from edgeseg.errors import ModelContractError
from edgeseg.imaging import Photo
from edgeseg.presets import BundleSource, open_bundle


class CategorySegmenter:
    """Gives each pixel of a photo the class that a bundle's network finds likeliest.

    The counterpart of `Segmenter`, which finds one garment. Thread-safe. Opening loads the model
    once; keep the object.

    Attributes:
        classes: Names of the classes; a class id is a place in it.
        preprocessing: From a photo to the network's input.
    """

    def __init__(self, bundle: BundleSource, threads: int = 1) -> None:
        """Open a bundle's segmenter.

        Args:
            bundle: A bundle or a path to one; None takes the default that edgeseg carries, which
                knows garments only.
            threads: Threads for the network.

        Raises:
            FormatError: If the bundle is damaged.
            ModelContractError: If its segmenter tells no classes apart, or its network and manifest
                disagree.
        """
        opened = open_bundle(bundle)
        network = opened.manifest.segmenter
        if network.outputs != "category_scores":
            raise ModelContractError(
                "the bundle's segmenter finds a garment and tells no classes apart: use `edgeseg "
                "segment` and `edgeseg eval segmentation`, or name another bundle"
            )
        self.classes = network.classes
        self.preprocessing = network.preprocessing
        self.interpreter = open_network(opened.segmenter_model, network, threads)
        self._input = InputTable(self.preprocessing, self.interpreter)

    def network_scores(self, photo: Photo) -> NDArray[np.float32]:
        """Run the network alone.

        Args:
            photo: `(H, W, 3)` uint8 RGB.

        Returns:
            `(h, w, classes)` float32 at the network's resolution.
        """
        batch = self._input.batch(self.preprocessing.resized(photo))
        # NaN from a broken model counts as unlikely.
        scores: NDArray[np.float32] = np.nan_to_num(self.interpreter.run(batch)[0], nan=0.0)
        return scores

    def segment(self, photo: Photo) -> NDArray[np.uint8]:
        """Tell the classes apart.

        Args:
            photo: `(H, W, 3)` uint8 RGB, any size.

        Returns:
            `(H, W)` uint8: the category mask, ids of `classes`.

        Raises:
            ValueError: If the array is no `(H, W, 3)` uint8 picture.
        """
        height, width = photo.shape[:2]
        return categories_from(self.network_scores(photo), width, height)


def categories_from(scores: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
    """The class with the largest score at each pixel of a photo.

    Args:
        scores: `(h, w, classes)` float32, at the network's resolution.
        width: The photo's width in pixels.
        height: The photo's height in pixels.

    Returns:
        `(height, width)` uint8 class ids; of equal scores the lower id's wins.
    """
    ids = np.zeros((height, width), np.uint8)
    best = imaging.resize_bilinear(np.ascontiguousarray(scores[..., 0]), width, height)
    # One class at a time: all of them at 12 megapixels would be gigabytes.
    for identifier in range(1, scores.shape[2]):
        plane = np.ascontiguousarray(scores[..., identifier])
        score = imaging.resize_bilinear(plane, width, height)
        better = score > best
        ids[better] = identifier
        np.maximum(best, score, out=best)
    return ids
