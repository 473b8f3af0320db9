"""Fits the colour descriptor: the directions in which items differ and pictures of one do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg.colour_descriptor import HISTOGRAM_LENGTH, ColourDescriptor, root_histogram
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.instances import Instance

# Of the mean variance within items, added to each bin's: most bins are seldom met, and what seldom
# varied among a few hundred items is not for that a reliable difference.
_SHRINKAGE = 10.0


def fit_colour(
    instances: Sequence[Instance], preprocessing: Preprocessing, dim: int, share: float
) -> ColourDescriptor:
    """Fisher's linear discriminants between items, from the pictures and scenes of each.

    The histograms are not centred, so that the scalar product of two projected ones stays that of
    the parts of them that tell items apart.

    Args:
        instances: the items to train on.
        preprocessing: of the network that the descriptor goes beside.
        dim: how many directions.
        share: of the joint similarity, see :class:`ColourDescriptor`.
    """
    within = np.zeros((HISTOGRAM_LENGTH, HISTOGRAM_LENGTH))
    means, count = [], 0
    for instance in instances:
        views = [preprocessing.resized(view) for view in (*instance.clean, *instance.scenes)]
        histograms = np.stack([root_histogram(view) for view in views]).astype(np.float64)
        mean = histograms.mean(axis=0)
        within += (histograms - mean).T @ (histograms - mean)
        means.append(mean)
        count += len(views)
    between = np.cov(np.stack(means), rowvar=False, bias=True)
    within /= count
    within += _SHRINKAGE * np.trace(within) / HISTOGRAM_LENGTH * np.eye(HISTOGRAM_LENGTH)
    # Whitened by the variance within items, those between are an ordinary eigenproblem.
    whitening = _inverse_root(within)
    _, directions = np.linalg.eigh(whitening @ between @ whitening)
    projection = whitening @ directions[:, ::-1][:, :dim]
    scaled: NDArray[np.float32] = (projection / np.abs(projection).max()).astype(np.float32)
    # As a bundle will hold it, so that training and the runtime compute with the same numbers.
    return ColourDescriptor.from_bytes(ColourDescriptor(scaled, share).to_bytes(), dim, share)


def _inverse_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = vectors @ np.diag(values**-0.5) @ vectors.T
    return root
