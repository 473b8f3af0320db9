"""Embeddings as many as are wanted: perturbed copies of the gallery's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.evaluation.gallery_sweep import neighbour_differences, perturbed_copies
from edgeseg.formats.catalogue_file import read_catalogue
from tests.verify.quality import gallery
from tests.verify.workbench import Workbench


def perturbed(bench: Workbench, count: int, seed: int = 0) -> NDArray[np.float32]:
    """Embeddings like those of the gallery: ``(count, dim)`` float32, L2-normalised."""
    own = read_catalogue(gallery(bench)).codes.decoded()
    rng = np.random.default_rng(seed)
    differences, _ = neighbour_differences(own, rng)
    return perturbed_copies(own, differences, count, rng)
