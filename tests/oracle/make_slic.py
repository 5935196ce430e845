#!/usr/bin/env python3
"""Golden superpixels, from scikit-image: tests/golden/slic/.

pixels.npy holds a picture [3, height, width] in 0..1, labels.npy scikit-image's labels of it.  Two
implementations differ at borders, where ties and the order of merging decide; the test compares the
partitions by their adjusted Rand index.
"""

import os

import numpy
from PIL import Image
from skimage.segmentation import slic

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    with Image.open(os.path.join(ROOT, "examples", "images", "dog_and_cat.png")) as file:
        picture = file.convert("RGB").resize((80, 64), Image.BICUBIC)
    pixels = numpy.asarray(picture, numpy.float32) / 255
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min())  # as it would do itself
    labels = slic(pixels, n_segments=40, compactness=10, sigma=0, start_label=0)
    folder = os.path.join(ROOT, "tests", "golden", "slic")
    os.makedirs(folder, exist_ok=True)
    numpy.save(
        os.path.join(folder, "pixels.npy"), numpy.ascontiguousarray(pixels.transpose(2, 0, 1))
    )
    numpy.save(os.path.join(folder, "labels.npy"), labels.astype(numpy.int32))


if __name__ == "__main__":
    main()
