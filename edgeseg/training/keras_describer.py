"""Describes catalogue pictures by float networks and Keras, a batch at once: what a GPU is for.

Framing, post-processing and colours are those of `edgeseg.description.Describer`; only who runs the
networks differs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.colour_descriptor import ColourDescriptor
from edgeseg.description import framings, mean_embedding
from edgeseg.embedder import embedding_from
from edgeseg.imaging import Photo
from edgeseg.postprocess import SegmenterOptions, segmentation_from
from edgeseg.preprocessing import Preprocessing
from edgeseg.segmenter import confidence_from
from edgeseg.training.originals import Originals

# As the segmenter of a `Describer` has them.
_OPTIONS = SegmenterOptions()

To = TypeVar("To")


class KerasDescriber:
    """Turns catalogue pictures into their items' vectors by Keras, a batch at once.

    A network is always given a batch of one size, filled up with black: what a picture gives does
    not depend on how many are beside it, and nothing is compiled twice.

    Attributes:
        dim: length of the vectors.
        batch_pictures: how many are quickest at once.
        threads: how many threads frame and finish pictures.
    """

    def __init__(
        self,
        originals: Originals,
        colour: ColourDescriptor | None,
        framework: ModuleType,
        *,
        batch_pictures: int,
        threads: int = 1,
    ) -> None:
        """Build the networks.

        Args:
            originals: their checkpoints.
            colour: the bundle's own descriptor of colours.
            framework: ``keras``.
            batch_pictures: how many pictures go through a network at once.
            threads: for what is done to each picture around the networks.
        """
        self.batch_pictures, self.threads = batch_pictures, threads
        self._colour = colour
        self._segmenter = _Network(
            originals.segmenter.build(framework, sigmoid=True),
            originals.segmenter.preprocessing,
            batch_pictures,
        )
        self._embedder = _Network(
            originals.embedder.build(framework, normalize=True),
            originals.embedder.preprocessing,
            batch_pictures,
        )
        self.dim: int = self._embedder.outputs + (0 if colour is None else colour.dim)
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def describe(self, picture: Photo, name: str) -> NDArray[np.float32]:
        """One picture's vector; see ``describe_all``, which is as quick for a batch."""
        vector: NDArray[np.float32] = self.describe_all([picture], [name])[0]
        return vector

    def describe_all(self, pictures: Sequence[Photo], names: Sequence[str]) -> NDArray[np.float32]:
        """The items' vectors.

        Args:
            pictures: each ``(H, W, 3)`` uint8 RGB, of any size.
            names: what messages call them.

        Returns:
            ``(n, dim)`` float32, L2-normalised.

        Raises:
            ModelContractError: the embedder gives a vector that is zero or not finite.
        """
        views = self._each(self._views, pictures, self.confidences(pictures))
        embeddings = iter(self._embed_resized(list(itertools.chain.from_iterable(views))))
        return np.stack(
            [
                mean_embedding(list(itertools.islice(embeddings, len(own))), name)
                for own, name in zip(views, names, strict=True)
            ]
        )

    def confidences(self, pictures: Sequence[Photo]) -> NDArray[np.float32]:
        """The segmenter alone: ``(n, h, w)`` float32 in [0, 1] at its own resolution."""
        resized = self._each(self._segmenter.preprocessing.resized, pictures)
        return confidence_from(self._segmenter(resized)[..., 0])

    def embed_all(self, views: Sequence[Photo]) -> list[NDArray[np.float32]]:
        """The embedder and the colours alone.

        Args:
            views: each ``(H, W, 3)`` uint8 RGB, framed.

        Returns:
            ``(dim,)`` float32 of each, L2-normalised.
        """
        return self._embed_resized(self._each(self._embedder.preprocessing.resized, views))

    def _embed_resized(self, resized: Sequence[Photo]) -> list[NDArray[np.float32]]:
        finish = partial(embedding_from, colour=self._colour)
        return self._each(finish, self._embedder(resized), resized)

    def _views(self, picture: Photo, confidence: NDArray[np.float32]) -> list[Photo]:
        """A picture's framings, as small as the embedder takes them."""
        height, width = picture.shape[:2]
        found = segmentation_from(confidence, width, height, _OPTIONS, picture)
        return [self._embedder.preprocessing.resized(view) for view in framings(picture, found)]

    def _each(self, function: Callable[..., To], *each: Iterable[Any]) -> list[To]:
        return list((map if self._pool is None else self._pool.map)(function, *each))


class _Network:
    """A network and its preprocessing, with a batch of one size."""

    def __init__(self, model: Any, preprocessing: Preprocessing, batch: int) -> None:
        from edgeseg.training.backend import jit_compile

        model.compile(jit_compile=jit_compile())
        self.preprocessing = preprocessing
        self.outputs = int(model.output_shape[-1])
        self._model, self._batch = model, batch

    def __call__(self, resized: Sequence[Photo]) -> NDArray[np.float32]:
        """``(S, S, 3)`` uint8 RGB each, at the network's size, to ``(n, ...)`` float32."""
        outputs = []
        side = self.preprocessing.input_px
        for start in range(0, len(resized), self._batch):
            own = resized[start : start + self._batch]
            batch = np.zeros((self._batch, side, side, 3), np.uint8)
            batch[: len(own)] = own
            inputs = self.preprocessing.normalized(batch)
            output = np.asarray(self._model.predict_on_batch(inputs), np.float32)
            outputs.append(output[: len(own)])
        return np.concatenate(outputs)
