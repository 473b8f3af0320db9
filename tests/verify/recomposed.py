"""Garments put on other grounds at other angles, each to be found among all catalogue items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.embedder import studio_crop
from edgeseg.indexing import catalogue_views
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
    table: Path, backgrounds: Path, matcher: Matcher, rotation_deg: float
) -> NDArray[np.int64]:
    """At which rank each scene's garment comes, among the catalogue's items and the garments.

    Args:
        table: labelled photographs; those of the split ``val`` are taken.
        backgrounds: pictures of the ground to lie on.
        matcher: with the catalogue of the other items.
        rotation_deg: a scene is turned by up to this either way.

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
            picture, _ = augment(picture_in_room, mask_in_room, _SCENE_PX, scene, grounds, rng)
            found = matcher.segmenter.segment(picture)
            crop = cutout_on_white(picture, found) if found.found else studio_crop(picture)
            asked.append(matcher.embedder.embed(crop))
    garments, scenes = np.stack(own), np.stack(asked)
    distances = 1.0 - scenes @ garments.T
    right = distances[np.arange(len(scenes)), np.arange(len(scenes)) // SCENES]
    among_garments = (distances < right[:, None]).sum(axis=1)
    among_items = [
        sum(match.distance < distance for match in matcher.catalogue.search(each, _DEPTH))
        for each, distance in zip(scenes, right, strict=True)
    ]
    return 1 + among_garments + np.array(among_items, np.int64)
