"""How far float networks' answers may be from those of the int8 bundle that was made of them.

An int8 activation is off by up to half a step of 1/255 of its range, which leaves each layer some
33 dB above the noise (the conversion's report has every layer's), and so the embedder's two vectors
of one picture at a cosine of 0.9996; half of an item's vector, its colours, is the same on both
sides. That is the ordinary picture: the median. The worst ones have another cause: where the
segmenter's confidence is near its threshold, a step moves the mask, and the embedder is shown
another cutout; the picture framed as it is, which the vector is of as well, bounds that. Of the
eight worst pictures of base, the two masks agree by an IoU of 0.945 to 0.988, and shown one and the
same cutout the embedders agree by a cosine of 0.9997 and more.

Measured on an x86-64 processor with Keras on TensorFlow, as cosines of 596 shop pictures' vectors
(``tests/verify/scale_forward.py``), least, 1st percentile, 5th and median:

* nano 0.9904 / 0.9948 / 0.9981 / 0.9998,
* small 0.9860 / 0.9918 / 0.9984 / 0.9998,
* base 0.9756 / 0.9891 / 0.9987 / 0.9998.
"""

from __future__ import annotations

# Of many pictures' vectors, and of each.
LEAST_MEDIAN_COSINE = 0.9995
LEAST_COSINE = 0.95

# Of one network on patchworks, which no network was trained on, so that two of different training
# differ there. Of the embedder alone: the floor of all recipes; 0.9996 and more of the presets'.
LEAST_NETWORK_COSINE = 0.98
# Mean of the confidence mask: 0.008 to 0.021 of the presets' (at a step of 0.004, where they are
# unsure of every pixel), and 0.17 to 0.29 between any two of theirs.
MOST_CONFIDENCE_ERROR = 0.06
