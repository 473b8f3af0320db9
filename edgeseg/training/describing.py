"""Describes catalogue pictures by the float networks that a bundle was made of, many at once.

What a GPU is for. Framing, post-processing and colours are the bundle's own, so that the vectors
are of its embedding space, and a scanner that runs the bundle's int8 networks finds them; they
differ from the bundle's own by its quantization, see :mod:`edgeseg.training.tolerance`.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np

from edgeseg.description import description_digest
from edgeseg.embedder import Embedder
from edgeseg.errors import EdgesegError, MissingExtraError, ModelContractError
from edgeseg.files import made_folder, sha256_hex
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.formats.document import canonical_json
from edgeseg.imaging import Photo, resize
from edgeseg.index.nearest import unit_vector
from edgeseg.presets import open_bundle
from edgeseg.scale.plan import BUNDLE_FILE, Description, home_of
from edgeseg.segmenter import Segmenter
from edgeseg.training.keras_describer import KerasDescriber
from edgeseg.training.originals import Originals, originals_of
from edgeseg.training.tolerance import LEAST_NETWORK_COSINE, MOST_CONFIDENCE_ERROR

# A processor gains nothing by more, and holds the activations of all of them.
_CPU_BATCH, _GPU_BATCH = 8, 64
# How many threads a backend takes on a processor, each its own, read when it is imported: those of
# TensorFlow, of PyTorch, of JAX.
_THREADS_VARIABLES = (
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "NPROC",
)  # fmt: skip
_EXTRA_MODULES = frozenset({"keras", "safetensors", "tensorflow"})
_SEGMENTER_FILE, _EMBEDDER_FILE = "segmenter.safetensors", "embedder.safetensors"
_PATCHES, _PATCHWORK_PX = (4, 8), 224


def describe_by_keras(
    bundle: Bundle, originals: Originals, cache: Path, threads: int = 1
) -> Description:
    """Description by the float networks of a bundle, on Keras's backend of this process.

    Its digest is not that of the bundle's own networks, nor of another backend: vectors that are
    near are not equal, and a cache holds those of one. The embedder's digest is the bundle's: its
    embeddings search them.

    Args:
        bundle: with an embedder.
        originals: what it was made of; copies of both go into the cache, where workers find them.
        cache: folder of what is kept, see `edgeseg.scale.plan.Plan`.
        threads: for a network on a processor, and for what is done to each picture.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
        ModelContractError: the bundle has no embedder.
        EdgesegError: the cache cannot be written.
    """
    backend = import_keras(None, threads).backend.backend()
    embedder = Embedder(bundle)
    parts = {
        "described": description_digest(bundle),
        "forward": "keras",
        "backend": backend,
        "originals": originals.digest,
    }
    digest = sha256_hex(canonical_json(parts))
    folder = made_folder(home_of(cache, digest))
    write_bundle(folder / BUNDLE_FILE, bundle.manifest, bundle.sections())
    originals.segmenter.save(folder / _SEGMENTER_FILE)
    originals.embedder.save(folder / _EMBEDDER_FILE)
    return Description(
        digest, embedder.digest, embedder.dim, partial(_open_kept, folder, backend, threads)
    )


def _open_kept(folder: Path, backend: str, threads: int) -> KerasDescriber:
    """In a worker, which sees the cache."""
    bundle = open_bundle(folder / BUNDLE_FILE)
    originals = originals_of(bundle, folder / _SEGMENTER_FILE, folder / _EMBEDDER_FILE)
    return open_keras_describer(bundle, originals, backend, threads)


def open_keras_describer(
    bundle: Bundle, originals: Originals, backend: str | None = None, threads: int = 1
) -> KerasDescriber:
    """A describer by Keras, on its default device, held against the bundle's own networks.

    Args:
        bundle: with an embedder.
        originals: what it was made of.
        backend: Keras's; None takes the one that is set.
        threads: for a network on a processor, and for what is done to each picture.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
        ModelContractError: the networks do not answer alike: the bundle was made of others, or
            this machine computes wrongly.
    """
    keras = import_keras(backend, threads)
    from edgeseg.training.backend import has_gpu

    batch = _GPU_BATCH if has_gpu() else _CPU_BATCH
    describer = KerasDescriber(
        originals, bundle.colour, keras, batch_pictures=batch, threads=threads
    )
    check_alike(describer, bundle)
    return describer


def check_alike(describer: KerasDescriber, bundle: Bundle) -> None:
    """Hold a describer's networks against those of a bundle, on patchworks of random colours.

    Raises:
        ModelContractError: one answers otherwise than quantization explains.
    """
    segmenter, embedder = Segmenter(bundle), Embedder(bundle)
    pictures = [_patchwork(patches) for patches in _PATCHES]
    expected = np.stack([segmenter.network_confidence(picture) for picture in pictures])
    error = float(np.abs(describer.confidences(pictures) - expected).mean())
    if not error <= MOST_CONFIDENCE_ERROR:
        raise ModelContractError(
            "the bundle's segmenter was not made of this checkpoint, or was trained on when it was "
            f"converted: their confidence differs by {error:.3f} on patchworks, and "
            f"{MOST_CONFIDENCE_ERROR} would be int8's"
        )
    # Without the colours, which no network has a part in.
    network = slice(embedder.interpreter.output_shape[1])
    cosine = min(
        float(unit_vector(one[network]) @ unit_vector(other[network]))
        for one, other in zip(
            describer.embed_all(pictures), map(embedder.embed, pictures), strict=True
        )
    )
    if not cosine >= LEAST_NETWORK_COSINE:
        raise ModelContractError(
            "the bundle's embedder was not made of this checkpoint: their cosine is "
            f"{cosine:.3f} on patchworks, and {LEAST_NETWORK_COSINE} would be int8's"
        )


def _patchwork(patches: int) -> Photo:
    """So many patches of random colours each way, blurred into another."""
    colours = np.random.default_rng(patches).integers(0, 256, (patches, patches, 3), dtype=np.uint8)
    picture: Photo = resize(colours, _PATCHWORK_PX, _PATCHWORK_PX)
    return picture


def import_keras(backend: str | None, threads: int) -> ModuleType:
    """Keras, imported with a backend where it is not imported yet.

    Args:
        backend: its name; None takes the one that is set.
        threads: that the backend may use on a processor, where nothing else says so.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
        EdgesegError: it is imported already, with another backend.
    """
    if "keras" not in sys.modules:
        if backend is not None:
            os.environ["KERAS_BACKEND"] = backend
        for name in _THREADS_VARIABLES:
            os.environ.setdefault(name, str(threads))
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import keras
    except ImportError as error:
        missing = (error.name or "keras").partition(".")[0]
        if missing not in _EXTRA_MODULES:
            raise MissingExtraError(
                f"{missing} is not installed, and KERAS_BACKEND asks for it; install it, or set "
                "KERAS_BACKEND to tensorflow"
            ) from error
        raise MissingExtraError(
            f"{missing} is not installed; --forward keras needs: pip install 'edgeseg[train]'"
        ) from error
    if backend not in (None, keras.backend.backend()):
        raise EdgesegError(
            f"Keras runs on {keras.backend.backend()} here already, and {backend} is wanted"
        )
    framework: ModuleType = keras
    return framework
