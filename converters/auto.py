"""``--recipe auto``: recipes from the cheapest up, until one keeps the accuracy that is asked for.

What is compared is the converted network itself, on labelled photographs; a latency or an IoU is
never guessed from the recipe. Other tools' int8 of the same float network stands in the table too:
a recipe of this package has to be worth its trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from converters.compress import Compressed
from converters.convert_segmenter import Attempt, SegmenterConversion
from converters.evaluation.peers import ai_edge_quantizer_int8, tf_lite_int8
from converters.evaluation.size import Size
from converters.photographs import Photograph
from converters.recipe import Recipe
from converters.recipes import LADDER, load_recipe
from converters.representative import calibration_input
from converters.tflite.delegation import delegation
from converters.trials import Figures, Trial
from edgeseg.errors import EdgesegError, MissingExtraError, ModelContractError, ParityError


class NoRecipeError(ParityError):
    """No recipe of the ladder meets the floor.

    Attributes:
        trials: what was tried.
    """

    def __init__(self, message: str, trials: tuple[Trial, ...]) -> None:
        super().__init__(message)
        self.trials = trials


def check_labelled(photographs: Sequence[Photograph]) -> None:
    """Fails now rather than after the work.

    Raises:
        EdgesegError: there is no label to hold a network against.
    """
    if not any(photograph.labelled for photograph in photographs):
        raise EdgesegError(
            "recipe auto holds the networks against labels: give a folder of photographs with "
            "masks to compare on (--parity)"
        )


def choose(
    conversion: SegmenterConversion, recipes: Sequence[Recipe]
) -> tuple[Attempt, tuple[Trial, ...]]:
    """Tries recipes in their order and stops at the first that meets its floor.

    Args:
        conversion: the segmenter, pruned already if it is to be.
        recipes: at least one.

    Returns:
        What is to be packed, and the table of everything that was tried, peers first.

    Raises:
        NoRecipeError: none meets its floor.
    """
    trials = _peers(conversion)
    for index, recipe in enumerate(recipes):
        conversion.tell(f"trying {recipe.name}", index, len(recipes))
        try:
            attempt = conversion.attempt(recipe)
        except ModelContractError as error:
            trials.append(Trial(recipe.name, peer=False, verdict=f"does not apply: {error}"))
            continue
        failure = attempt.failure
        verdict = "taken" if failure is None else failure
        trials.append(
            Trial(recipe.name, False, verdict, taken=failure is None, figures=_figures(attempt))
        )
        if failure is None:
            return attempt, tuple(trials)
    floor = recipes[-1].floor.iou_drop
    raise NoRecipeError(
        f"none of {len(recipes)} recipes keeps the IoU drop on {conversion.reference.source} "
        f"within {floor:.4f}. Nothing was written. A larger floor, or less pruning, may help",
        tuple(trials),
    )


def _peers(conversion: SegmenterConversion) -> list[Trial]:
    """Other tools' int8 of the same float network."""
    calibration = calibration_input(conversion.pictures, conversion.preprocessing)
    makers: dict[str, Callable[[], bytes]] = {
        "tf.lite int8": lambda: tf_lite_int8(conversion.model, calibration),
        "ai-edge-quantizer int8": lambda: ai_edge_quantizer_int8(conversion.own_float, calibration),
    }
    trials = []
    for name, make in makers.items():
        conversion.tell(f"trying {name}", 0, 1)
        try:
            model = make()
        except (MissingExtraError, ModelContractError) as error:
            trials.append(Trial(name, peer=True, verdict=f"not compared: {error}"))
            continue
        recipe = replace(load_recipe(LADDER[0]), name=name)
        attempt = conversion.judged(recipe, Compressed(model, "calibrated"))
        trials.append(Trial(name, peer=True, verdict="to compare", figures=_figures(attempt)))
    return trials


def _figures(attempt: Attempt) -> Figures:
    parity, model = attempt.parity, attempt.compressed.model
    size, taken = Size.of(model), delegation(model)
    return Figures(
        latency_ms=attempt.latency.after_ms,
        ratio=attempt.latency.ratio,
        raw_bytes=size.raw_bytes,
        zstd_bytes=size.zstd_bytes,
        iou=parity.iou_converted,
        iou_drop=parity.iou_drop,
        iou_drop_by_folder={name: each.iou_drop for name, each in parity.folders.items()},
        iou_agreement=parity.iou_agreement,
        partitions=taken.partitions,
        kept=sum(each.count for each in taken.kept),
    )
