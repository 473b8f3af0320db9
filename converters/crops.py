"""What the embedder sees: photographs cut out by the segmenter, on white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from converters.package import Converted, manifest_of
from converters.photographs import Photograph
from edgeseg.formats.bundle import Bundle
from edgeseg.preprocessing import Preprocessing
from edgeseg.segmenter import Segmenter, cutout_on_white


class Cropper:
    """Crops as the runtime makes them, so that calibration sees what the handheld will.

    A photograph in which nothing is found stays whole, as the matcher does on request.

    Args:
        segmenter: TFLite bytes of the float segmenter.
        preprocessing: the segmenter's.
    """

    def __init__(self, segmenter: bytes, preprocessing: Preprocessing) -> None:
        manifest = manifest_of(Converted(segmenter, preprocessing, 0, "", "float32"), None)
        self._segmenter = Segmenter(Bundle(manifest, segmenter, None, None, {}, None, ""))

    def crop(self, photograph: Photograph) -> NDArray[np.uint8]:
        """The garment on white, `(h, w, 3)` uint8 RGB."""
        segmentation = self._segmenter.segment(photograph.image)
        if not segmentation.found:
            return photograph.image
        return cutout_on_white(photograph.image, segmentation)
