"""The pipeline: checkpoint, pruning, quantization, TFLite, parity gate, bundle.

Everything stays in memory until the gate has passed; then the bundle is written in one rename. A
conversion that is killed leaves nothing to clean up, and a rerun starts from the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tf_keras

from converters import auto, package
from converters.convert_embedder import EmbedderConversion
from converters.convert_segmenter import Attempt, SegmenterConversion
from converters.crops import Cropper
from converters.recipe import Recipe
from converters.report import Report, tool_versions
from converters.representative import representative_set
from converters.sources import OnProgress, Sources, parity_photographs
from converters.trials import Trial
from edgeseg.errors import EdgesegError, ModelContractError
from edgeseg.training.checkpoint import Checkpoint, load_checkpoint


def convert(
    checkpoint: Path,
    embedder_checkpoint: Path | None,
    recipes: Recipe | Sequence[Recipe],
    output: Path,
    sources: Sources | None = None,
    on_progress: OnProgress | None = None,
    keep_checkpoint: Path | None = None,
) -> Report:
    """Converts a segmenter, and an embedder where there is one, into a bundle.

    Args:
        checkpoint: a segmenter's.
        embedder_checkpoint: an embedder's; or a bundle, whose embedder is taken as it is, so that
            its catalogues fit the new one too; or None.
        recipes: the compression settings; or several, to be tried in their order until one meets
            its floor. Pruning is the first one's.
        output: the bundle to write or replace.
        sources: photographs.
        on_progress: called with (step, done, total).
        keep_checkpoint: where to write the pruned network, as soon as it is: what learning made is
            not lost to a gate that it does not pass.

    Returns:
        The report, which is in the bundle too.

    Raises:
        ParityError: a converted network is below the recipe's floor. No bundle was written.
        NoRecipeError: of several recipes, none meets its floor.
        ModelContractError: a checkpoint is of the wrong kind, or does not fit the recipe.
        DatasetError: a folder of photographs cannot be used.
        EdgesegError: a file cannot be read or written, or there is no pruned network to keep.
    """
    sources = sources or Sources()
    rungs = [recipes] if isinstance(recipes, Recipe) else list(recipes)
    first = rungs[0]
    tell: OnProgress = on_progress or (lambda _step, _done, _total: None)
    package.check_writable(output)
    if keep_checkpoint is not None:
        package.check_writable(keep_checkpoint)
    _check_asked(rungs, sources, keep_checkpoint)
    segmenter_checkpoint = _load(checkpoint, "segmenter")
    embedder = package.embedder_of(embedder_checkpoint)
    embedding_checkpoint = (
        None if embedder_checkpoint is None or embedder else _load(embedder_checkpoint, "embedder")
    )
    if segmenter_checkpoint.classes and embedder_checkpoint is not None:
        raise ModelContractError(
            "an embedder describes garments, and this segmenter tells classes apart: leave out "
            "--embedder"
        )
    tf_keras.utils.set_random_seed(first.seed)
    tell("reading photographs", 0, 1)
    pictures = max(recipe.calibration_pictures for recipe in rungs)
    representative = representative_set(sources.representative, pictures, first.seed)
    classes = len(segmenter_checkpoint.classes)
    compared, compared_source = parity_photographs(sources, representative, first.seed, classes)
    if len(rungs) > 1:
        auto.check_labelled(compared)
    conversion = SegmenterConversion(
        segmenter_checkpoint, representative, compared, compared_source, sources, tell
    )
    conversion.prune(first)
    if keep_checkpoint is not None:
        conversion.checkpoint.save(keep_checkpoint)
    attempt, trials = _attempt(conversion, rungs)
    networks = {"segmenter": conversion.report(attempt)}
    if embedding_checkpoint is not None:
        cropper = Cropper(conversion.float_model, segmenter_checkpoint.preprocessing)
        embedder, networks["embedder"] = EmbedderConversion(
            embedding_checkpoint,
            [cropper.crop(p) for p in representative.photographs],
            [cropper.crop(p) for p in compared],
            compared_source,
            tell,
        ).convert_by(rungs[rungs.index(attempt.recipe) :])
    report = Report(
        recipe=attempt.recipe.to_dict(),
        representative=representative.source,
        tuning=None if conversion.tuning is None else conversion.tuning.source,
        networks=networks,
        bought=tuple(conversion.bought),
        trials=trials,
        tools=tool_versions(),
    )
    tell("packing", 0, 1)
    package.write(output, conversion.converted(attempt), embedder, report)
    return report


def _check_asked(rungs: Sequence[Recipe], sources: Sources, keep_checkpoint: Path | None) -> None:
    """Refuses what would be asked for in vain."""
    pruned = any(recipe.pruning or recipe.structured for recipe in rungs)
    if keep_checkpoint is not None and not pruned:
        raise EdgesegError("there is no pruned checkpoint to keep without pruning (--prune)")
    if sources.teacher is not None:
        if not pruned and not any(recipe.quantization == "aware" for recipe in rungs):
            raise EdgesegError("a teacher has nothing to teach: the recipe learns nothing")
        if not sources.tuning:
            raise EdgesegError("a teacher needs labelled photographs to teach on (--data)")


def _attempt(
    conversion: SegmenterConversion, rungs: Sequence[Recipe]
) -> tuple[Attempt, tuple[Trial, ...]]:
    if len(rungs) == 1:
        return conversion.attempt(rungs[0]), ()
    return auto.choose(conversion, rungs)


def _load(path: Path, kind: str) -> Checkpoint:
    checkpoint = load_checkpoint(path)
    if checkpoint.kind != kind:
        raise ModelContractError(
            f"{path}: is the checkpoint of {checkpoint.kind}, and one of {kind} is needed here"
        )
    return checkpoint
