"""Embedders of other makes to measure against: a feature extractor, a colour histogram, PCA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.colour_descriptor import BINS, HISTOGRAM_LENGTH, root_histogram
from edgeseg.errors import ModelContractError
from edgeseg.files import PathLike, read_bounded, sha256_hex, shown_path
from edgeseg.formats.document import canonical_json
from edgeseg.imaging import Photo
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import MIN_INPUT_PX, Preprocessing

_HISTOGRAM_PX = 128


class TflitePeer:
    """A TFLite feature extractor, fed as the MobileNet family is: RGB in [-1, 1], padded white.

    Attributes:
        dim: Length of the features.
        digest: Names the model and how it is fed.
    """

    def __init__(self, model: bytes | PathLike, threads: int = 1) -> None:
        """Load a feature extractor.

        Args:
            model: A `.tflite` file or its bytes, trusted as the interpreter's are: it takes
                `(1, S, S, 3)` and gives one vector, in any shape such as `(1, 1, 1, D)`.
            threads: For the interpreter.

        Raises:
            ModelContractError: If it takes or gives something else.
            EdgesegError: If the file can't be read.
        """
        name = "the peer" if isinstance(model, bytes) else f"the peer {shown_path(model)}"
        if not isinstance(model, bytes):
            model = read_bounded(model, limits.MAX_BUNDLE_BYTES, "peer")
        try:
            self.interpreter = Interpreter(model, threads)
        except ModelContractError as error:
            raise ModelContractError(f"{name}: {error}") from error
        taken, given = self.interpreter.input_shape, self.interpreter.output_shape
        side = taken[1] if len(taken) == 4 else 0
        if taken != (1, side, side, 3) or not MIN_INPUT_PX <= side <= limits.MAX_INPUT_PX:
            raise ModelContractError(f"{name} takes {taken}, not one picture (1, S, S, 3)")
        self.dim = max(given, default=0)
        if not 2 <= self.dim <= limits.MAX_DIM or int(np.prod(given)) != self.dim:
            raise ModelContractError(
                f"{name} gives {given}, not one vector of 2 to {limits.MAX_DIM} numbers"
            )
        self.preprocessing = Preprocessing(side, "pad_white", scale=1 / 128, offset=-1.0)
        fed = canonical_json(self.preprocessing.to_dict())
        self.digest = sha256_hex(sha256_hex(model).encode("ascii") + b"\n" + fed)

    def embed(self, picture: Photo) -> NDArray[np.float32]:
        """Describe a picture.

        Args:
            picture: `(H, W, 3)` uint8 RGB.

        Returns:
            `(dim,)` float32, L2-normalised.

        Raises:
            ModelContractError: If the features are all zero, or one is not finite.
        """
        batch = self.preprocessing.normalized(self.preprocessing.resized(picture))[None]
        features = self.interpreter.run(batch).reshape(-1)
        norm = float(np.linalg.norm(features))
        if not np.isfinite(norm) or norm == 0.0:
            raise ModelContractError("the peer gives no usable vector for a picture")
        unit: NDArray[np.float32] = features / np.float32(norm)
        return unit


class HistogramPeer:
    """The colours alone: the root of their histogram over hue, saturation and value, on white.

    Attributes:
        dim: Number of bins.
        digest: Names the bins and the picture's size.
    """

    dim = HISTOGRAM_LENGTH

    def __init__(self) -> None:
        self.preprocessing = Preprocessing(_HISTOGRAM_PX, "pad_white")
        self.digest = sha256_hex(f"root hsv histogram {BINS} {_HISTOGRAM_PX} px".encode("ascii"))

    def embed(self, picture: Photo) -> NDArray[np.float32]:
        """`(H, W, 3)` uint8 RGB to `(dim,)` float32, L2-normalised."""
        return root_histogram(self.preprocessing.resized(picture))


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The directions in which some vectors differ most, and the mean that they differ from.

    Pearson, "On lines and planes of closest fit to systems of points in space" (Philosophical
    Magazine 2, 1901), by a singular value decomposition.

    Attributes:
        mean: `(D,)` float32.
        axes: `(d, D)` float32, orthonormal rows, the widest spread first.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], dim: int) -> PrincipalComponents:
        """Fit to the vectors of a gallery, and to nothing else.

        Args:
            vectors: `(N, D)` float32.
            dim: How many directions; N centred vectors have at most N - 1 of their own.

        Raises:
            ValueError: If `dim` isn't in 1..min(N - 1, D).
        """
        most = min(len(vectors) - 1, vectors.shape[1])
        if not 1 <= dim <= most:
            raise ValueError(f"{dim} principal components of {vectors.shape}: 1 to {most}")
        wide = vectors.astype(np.float64)
        mean = wide.mean(axis=0)
        _, _, axes = np.linalg.svd(wide - mean, full_matrices=False)
        return cls(mean.astype(np.float32), axes[:dim].astype(np.float32))

    def project(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(..., D)` float32 to `(..., d)`: centred, and no longer of length 1."""
        projected: NDArray[np.float32] = np.matmul(vectors - self.mean, self.axes.T)
        return projected
