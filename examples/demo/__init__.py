"""The whole journey on drawn garments: draw, convert, index, match, measure, and look at it."""
