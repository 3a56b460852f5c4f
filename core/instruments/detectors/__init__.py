"""Detectors of backdoors, W among them: by image, by training set, by model. Higher scores are more suspicious."""

from core.instruments.detectors.detector import Detector
from core.instruments.detectors.registry import DETECTORS

__all__ = ["DETECTORS", "Detector"]
