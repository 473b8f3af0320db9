"""Put a garment on white: ``python -m examples.cutout_of_a_photo PHOTO OUT.png``.

``edgeseg segment`` does this for whole folders; here are the pieces, for a program of your own.
"""

from __future__ import annotations

import sys
from pathlib import Path


def cut_out(photo: Path, out: Path) -> float:
    """Writes the garment on white, cropped, and returns its share of the photo, in [0, 1].

    Raises:
        NoGarmentError: if there is none.
    """
    from edgeseg import Segmenter
    from edgeseg.errors import NoGarmentError
    from edgeseg.files import write_atomic
    from edgeseg.imaging import encode_png, read_photo
    from edgeseg.postprocess import cutout_on_white

    picture = read_photo(photo)
    segmentation = Segmenter().segment(picture)
    if not segmentation.found:
        raise NoGarmentError(f"no garment found in {photo}")
    write_atomic(out, encode_png(cutout_on_white(picture, segmentation)))
    return float(segmentation.category_mask.mean())


if __name__ == "__main__":
    print(f"{cut_out(Path(sys.argv[1]), Path(sys.argv[2])):.0%} of the photo is garment")
