"""Garments put on other grounds at other angles, each to be found among all catalogue items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.description import catalogue_views
from edgeseg.embedder import studio_crop
from edgeseg.matcher import Matcher
from edgeseg.postprocess import cutout_on_white
from edgeseg.table import read_table
from edgeseg.training.augment import augment
from edgeseg.training.backgrounds import read_pictures
from edgeseg.training.instances import framed
from edgeseg.training.recipe import EmbedderRecipe, load_recipe

SCENES = 4
_SCENE_PX = 384
# Ranks beyond this are not told apart.
_DEPTH = 100


def ranks(
    table: Path,
    backgrounds: Path,
    matcher: Matcher,
    rotation_deg: float,
    *,
    true_mask: bool = False,
    turns: int = 1,
) -> NDArray[np.int64]:
    """At which rank each scene's garment comes, among the catalogue's items and the garments.

    Args:
        table: labelled photographs; those of the split ``val`` are taken.
        backgrounds: pictures of the ground to lie on.
        matcher: with the catalogue of the other items.
        rotation_deg: a scene is turned by up to this either way.
        true_mask: cut a scene's garment out by its true mask, not by the segmenter.
        turns: quarter turns in which a cutout is searched for; the nearest of them counts.

    Returns:
        ``(garments * SCENES,)`` int64, from 1.
    """
    rows = [row for row in read_table(table, ("image", "mask")) if row.get("split") == "val"]
    grounds = read_pictures([backgrounds])
    recipe = load_recipe(EmbedderRecipe, "default")
    scene = replace(recipe.scene, rotation_deg=rotation_deg, p_quarter_turn=0.0, scale=(0.7, 1.2))
    own, asked = [], []
    for number, row in enumerate(rows):
        photo = imaging.read_photo(table.parent / row["image"])
        mask = imaging.read_mask(table.parent / row["mask"]).astype(np.uint8)
        box = imaging.bounding_box(mask)
        assert box is not None  # A label shows a garment.
        cutout = imaging.crop_on_white(photo, mask, box)
        views = [matcher.embedder.embed(v) for v in catalogue_views(cutout, matcher.segmenter)]
        mean = np.mean(views, axis=0)
        own.append(mean / np.linalg.norm(mean))
        picture_in_room, mask_in_room = framed(photo, mask)
        for each in range(SCENES):
            rng = np.random.default_rng([number, each])
            picture, soft = augment(picture_in_room, mask_in_room, _SCENE_PX, scene, grounds, rng)
            if true_mask:
                covered = (soft >= imaging.MASK_THRESHOLD).astype(np.uint8)
                scene_box = imaging.bounding_box(covered)
                assert scene_box is not None  # Shifted and zoomed, it stays in the frame.
                crop = imaging.crop_on_white(picture, covered, scene_box)
            else:
                found = matcher.segmenter.segment(picture)
                crop = cutout_on_white(picture, found) if found.found else studio_crop(picture)
            turned = [np.ascontiguousarray(np.rot90(crop, turn)) for turn in range(turns)]
            asked.append([matcher.embedder.embed(view) for view in turned])
    garments, scenes = np.stack(own), np.array(asked)
    distances = (1.0 - scenes @ garments.T).min(axis=1)
    right = distances[np.arange(len(scenes)), np.arange(len(scenes)) // SCENES]
    among_garments = (distances < right[:, None]).sum(axis=1)
    among_items = [
        len(
            {
                match.sku
                for view in views
                for match in matcher.catalogue.search(view, _DEPTH)
                if match.distance < distance
            }
        )
        for views, distance in zip(scenes, right, strict=True)
    ]
    return 1 + among_garments + np.array(among_items, np.int64)
