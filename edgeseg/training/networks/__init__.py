"""The networks, one file each, built from the layers of the framework that the caller passes."""

from __future__ import annotations

from edgeseg.training.networks.mobilenet_unet import MobileNetUNet
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu

SegmenterNetwork = Tiramisu | MobileNetUNet

# What a recipe may name: the device family, the paper's networks, and teachers.
SEGMENTERS: dict[str, SegmenterNetwork] = {**TIRAMISUS, "mobilenet_unet": MobileNetUNet()}
