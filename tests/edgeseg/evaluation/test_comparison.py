"""Two ways of segmenting against each other: the verdict's rule, and the command with its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import DatasetError
from edgeseg.evaluation.comparison import (
    MIN_GROUPS,
    Change,
    Comparison,
    JudgedPhoto,
    compare,
    difference,
)
from edgeseg.evaluation.comparison_page import comparison_page
from edgeseg.evaluation.labelled import LabelledPhoto, mask_folder
from edgeseg.imaging import encode_png


def change(gain: float, group: str, part: str = "snapshots") -> Change:
    photo = LabelledPhoto(group, Path(f"{group}.jpg"), Path(f"{group}.png"))
    return Change(JudgedPhoto(photo, group, part), 0.8, 0.8 + gain)


def changes(gains: list[float], part: str = "snapshots") -> list[Change]:
    return [change(gain, f"{part}{place}", part) for place, gain in enumerate(gains)]


def test_verdicts() -> None:
    rng = np.random.default_rng(1)
    noise = list(rng.normal(0, 0.05, 40))
    assert difference(changes(noise)).verdict == "no difference beyond noise"
    assert difference(changes([n + 0.06 for n in noise])).verdict == "better"
    assert difference(changes([n - 0.06 for n in noise])).verdict == "worse"
    assert difference(changes([0.0] * 40)).verdict == "no difference beyond noise"
    found = difference(changes([n + 0.06 for n in noise]))
    assert found.low < found.iou_change < found.high
    assert found.second_iou - found.first_iou == pytest.approx(found.iou_change)


def test_few_groups_show_nothing() -> None:
    gains = [0.1, 0.2, 0.1, 0.15, 0.12]
    assert len(gains) + 1 == MIN_GROUPS
    assert difference(changes(gains)).verdict == "no difference beyond noise"
    assert difference(changes([*gains, 0.1])).verdict == "better"
    # Thirty photos of one sender are one group.
    assert difference([change(0.1, "one") for _ in range(30)]).groups == 1
    assert difference([change(0.1, "one") for _ in range(30)]).verdict != "better"


def test_photos_of_a_group_are_drawn_together() -> None:
    gains = [0.2, -0.1] * 8
    apart = difference(changes(gains))
    together = difference(
        [change(gain, f"g{place % 2}{place // 8}") for place, gain in enumerate(gains)]
    )
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_parts_and_order() -> None:
    found = Comparison((*changes([0.1] * 8), *changes([-0.1] * 8, "street")))
    assert [name for name, _ in found.named_parts()] == ["all", "snapshots", "street"]
    assert found.parts["snapshots"].verdict == "better"
    assert found.parts["street"].verdict == "worse"
    assert found.worst_first()[0].iou_change == pytest.approx(-0.1)
    told = found.to_dict()
    assert len(told["per_photo"]) == 16
    assert told["parts"]["street"]["iou_change"] == pytest.approx(-0.1)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Eight photos with true masks, worse ones, and ones that are lost."""
    rng = np.random.default_rng(3)
    for name in ("images", "masks", "worse", "lost"):
        (tmp_path / name).mkdir()
    rows = ["image,mask,split,group"]
    for place in range(8):
        mask = np.zeros((40, 50), np.uint8)
        mask[8:32, 10:40] = 255
        worse = mask.copy()
        worse[: 10 + place] = 0
        photo = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
        for folder, picture in (("images", photo), ("masks", mask), ("worse", worse)):
            (tmp_path / folder / f"p{place}.png").write_bytes(encode_png(picture))
        rows.append(f"images/p{place}.png,masks/p{place}.png,val,g{place}")
    (tmp_path / "split.csv").write_text("\n".join(rows))
    return tmp_path


def test_compare_and_page(folders: Path) -> None:
    photos = [
        JudgedPhoto(
            LabelledPhoto(f"p{i}", folders / f"images/p{i}.png", folders / f"masks/p{i}.png"),
            f"g{i}",
            "drawn",
        )
        for i in range(8)
    ]
    true, worse = mask_folder(folders / "masks"), mask_folder(folders / "worse")
    found = compare(photos, true, worse)
    assert found.whole.first_iou == 1
    assert found.whole.verdict == "worse"
    assert found.worst_first()[0].judged.photo.name == "p7"
    page = comparison_page(found, ("old", "<new>"), true, worse)
    assert page.count("<img") == 8 * 3
    assert "&lt;new&gt; is worse than old beyond noise" in page
    assert "<new>" not in page
    with pytest.raises(DatasetError, match="no labelled photos"):
        compare([], true, worse)


def test_mask_folders_must_fit(folders: Path) -> None:
    photo = LabelledPhoto("p0", folders / "images/p0.png", folders / "masks/p0.png")
    pixels = np.zeros((40, 50, 3), np.uint8)
    with pytest.raises(DatasetError, match="is not a folder"):
        mask_folder(folders / "nowhere")
    with pytest.raises(DatasetError, match="no mask of p0"):
        mask_folder(folders / "lost")(photo, pixels)
    with pytest.raises(DatasetError, match="as large as its photo"):
        mask_folder(folders / "masks")(photo, pixels[:30])
