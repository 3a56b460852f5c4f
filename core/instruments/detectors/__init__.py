"""Detectors of backdoors, W among them: by image, by training set, by model. Higher scores are more suspicious."""

from core.instruments.detectors.kinds import DETECTORS, Detector

__all__ = ["DETECTORS", "Detector"]
