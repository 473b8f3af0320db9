"""How a picture becomes a network's input: the only implementation of it in the project.

Training, conversion and the runtime all call this module, and its settings travel in the bundle's
manifest. A deployment that scales pixels otherwise than its training did loses quality without
any error message; one implementation makes that impossible.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging, limits
from edgeseg.errors import ManifestError

MIN_INPUT_PX = 8
_RESIZE_RULES = ("stretch", "pad_white")


@dataclass(frozen=True)
class Preprocessing:
    """Size, resize rule, scaling and colour order of a network's input.

    Attributes:
        input_px: Side of the square input, in pixels.
        resize: `stretch` ignores the aspect ratio; `pad_white` keeps it and centres the picture on
            a white square.
        scale: Factor on each 0..255 value.
        offset: Added after scaling.
        colour_order: Always `rgb`; recorded so that a foreign model cannot be guessed about.
    """

    input_px: int
    resize: Literal["stretch", "pad_white"]
    scale: float = 1.0 / 255.0
    offset: float = 0.0
    colour_order: Literal["rgb"] = "rgb"

    def __post_init__(self) -> None:
        if not MIN_INPUT_PX <= self.input_px <= limits.MAX_INPUT_PX:
            raise ValueError(
                f"input_px must be {MIN_INPUT_PX}..{limits.MAX_INPUT_PX}, not {self.input_px}"
            )
        if self.resize not in _RESIZE_RULES:
            raise ValueError(
                f"resize must be one of {', '.join(_RESIZE_RULES)}: {self.resize!a}"[:100]
            )
        if not (np.isfinite(self.scale) and np.isfinite(self.offset)) or self.scale == 0.0:
            raise ValueError("scale must be finite and not 0, offset must be finite")
        if self.colour_order != "rgb":
            raise ValueError(f"colour_order must be rgb, not {self.colour_order!a}"[:100])

    def resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring a picture to the network's size.

        Args:
            image: `(H, W, 3)` uint8 RGB.

        Returns:
            `(input_px, input_px, 3)` uint8 RGB.

        Raises:
            ValueError: If the array isn't a non-empty `(H, W, 3)` uint8 picture.
        """
        imaging.require_rgb(image)
        side = self.input_px
        if self.resize == "stretch":
            return imaging.resize(image, side, side)
        # Scaling before padding gives what padding first gives, without ever allocating the
        # square of a very long picture.
        height, width = image.shape[:2]
        longer = max(height, width)
        inner_width = max(1, round(width * side / longer))
        inner_height = max(1, round(height * side / longer))
        square = np.full((side, side, 3), 255, dtype=np.uint8)
        left, top = (side - inner_width) // 2, (side - inner_height) // 2
        square[top : top + inner_height, left : left + inner_width] = imaging.resize(
            image, inner_width, inner_height
        )
        return square

    def normalized(self, resized: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scale pixels: `pixel * scale + offset`.

        Args:
            resized: `(S, S, 3)` or `(N, S, S, 3)` uint8 RGB.

        Returns:
            float32 of the same shape.
        """
        values = np.multiply(resized, np.float32(self.scale), dtype=np.float32)
        if self.offset != 0.0:
            values += np.float32(self.offset)
        return values

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form kept in manifests and checkpoints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: object) -> Preprocessing:
        """Read the JSON form, strictly.

        Args:
            fields: What `to_dict` gave: exactly its keys, each of its type.

        Raises:
            ManifestError: On a missing or unknown key, or a value out of its type or range.
        """
        if not isinstance(fields, dict):
            raise ManifestError("preprocessing must be an object")
        wanted = {"input_px", "resize", "scale", "offset", "colour_order"}
        if set(fields) != wanted:
            odd = sorted(ascii(key)[:40] for key in set(fields) ^ wanted)[:5]
            raise ManifestError(f"preprocessing has missing or unknown keys: {', '.join(odd)}")
        input_px, scale, offset = fields["input_px"], fields["scale"], fields["offset"]
        if type(input_px) is not int:
            raise ManifestError("preprocessing.input_px must be an integer")
        for name, value in (("scale", scale), ("offset", offset)):
            if type(value) not in (int, float):
                raise ManifestError(f"preprocessing.{name} must be a number")
        try:
            return cls(
                input_px=input_px,
                resize=cast(Literal["stretch", "pad_white"], fields["resize"]),
                scale=float(scale),
                offset=float(offset),
                colour_order=cast(Literal["rgb"], fields["colour_order"]),
            )
        except (ValueError, OverflowError) as error:
            raise ManifestError(f"preprocessing: {error}") from error
