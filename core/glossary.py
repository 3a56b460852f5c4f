"""What each number means, said once. Pages show these on hover; reports print them."""

from __future__ import annotations

GLOSSARY = {
    "W": "The model is shown copies of the image with Gaussian noise added. W is the entropy of its predictions, "
    "divided by log K: 0 if all copies get the same class (smooth), 1 if all K classes are equally frequent.",
    "sigma": "Standard deviation of the noise, in pixel values from 0 to 1. It is added before the model normalises.",
    "draws": "How many noisy copies of each image the model is shown.",
    "interval": "95% interval. For one image: what more noise draws could change. For a mean: what more images could.",
    "clean accuracy": "Share of unmodified test images that the model classifies correctly.",
    "attack success rate": "Of the test images outside the target class: the share classified as the target once they "
    "carry the trigger.",
    "poisoning rate": "Poisoned training images / all training images. At 0 there is no attack: that is the control.",
    "target": "The class that the attacker wants for every image that carries the trigger.",
    "trigger": "The picture or change that the attacker puts on an image.",
    "control": "The same training with no image poisoned. An effect that the control also shows is not evidence of a "
    "backdoor.",
    "gap": "W clean minus W with the trigger, image by image with the same noise. Above 0: smoother with the trigger.",
    "effect size": "Share of the images whose W is lower with the trigger; ties count half. 50% means no difference.",
    "slice": "A flat cut through image space. Every point is an image; its colour is the predicted class.",
    "certificate": "Randomised smoothing (Cohen et al. 2019): the class that wins under noise cannot change within "
    "this L2 radius, except with probability alpha. None: no class has a confirmed majority of the votes.",
    "predicted as target": "W of clean images that the model classifies as the target. If it is as low as W with the "
    "trigger, the trigger may only have moved images into a class that is smooth in this model. The control shows "
    "whether poisoning made that class smooth.",
    "visibility": "How different the images look where the trigger changes them most, as a multiple of the smallest "
    "colour difference that an eye notices (2.3 in CIELAB; Mahy et al. 1994), averaged over spots of 3×3 pixels. Below "
    "1 nobody sees it. From about 2 on the colours are clearly different. An upper bound: a busy background hides some "
    "of it.",
    "L2": "Size of the change: the square root of the sum of squared changes over all pixels and channels, whose "
    "values range from 0 to 1.",
    "Linf": "The largest change of any single pixel and channel, from 0 to 1.",
    "AUC": "Area under the ROC curve: how often a triggered image gets a more suspicious score than a clean one. "
    "1: always; 0.5: as often as by chance; below 0.5: clean images look more suspicious. In brackets: the 95% "
    "interval for more images.",
    "false-positive rate": "Share of clean images that a detector flags. The allowed rate holds for the clean images "
    "on which the threshold was set; the rate attained is measured on other clean images, ties included.",
    "SSIM": "Structural similarity (Wang et al. 2004) of the images with and without the trigger: 1 if they are equal.",
}


def explain(term: str) -> str:
    """Return what a term means."""
    return GLOSSARY[term]
