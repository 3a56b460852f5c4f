"""The detectors: one line each, from which the page and the command line know them. Importing it needs no torch."""

from __future__ import annotations

from core.instruments.detectors.activation_clustering import ActivationClustering
from core.instruments.detectors.confidence import LargestSoftmax, Margin
from core.instruments.detectors.detector import Detector
from core.instruments.detectors.dropout_shift import DropoutShift
from core.instruments.detectors.neural_cleanse import NeuralCleanse
from core.instruments.detectors.scale_up import ScaleUp
from core.instruments.detectors.smoothness import Smooth
from core.instruments.detectors.spectral_signatures import SpectralSignatures
from core.instruments.detectors.strip import Strip

DETECTORS: dict[str, type[Detector]] = {
    "smoothness": Smooth,
    "strip": Strip,
    "scale-up": ScaleUp,
    "dropout-shift": DropoutShift,
    "confidence": LargestSoftmax,
    "margin": Margin,
    "activation-clustering": ActivationClustering,
    "spectral-signatures": SpectralSignatures,
    "neural-cleanse": NeuralCleanse,
}
