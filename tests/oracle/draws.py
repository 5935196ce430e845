"""The library's random numbers (src/base/rng.c), so that oracles can be given the same draws."""

import numpy

MASK = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15


def _mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Stream:
    """Stream number `stream` of a seed."""

    def __init__(self, seed, stream):
        first = _mix((seed + STEP) & MASK)
        self.key = _mix(first ^ ((stream * 0xD1342543DE82EF95 + 1) & MASK))
        self.counter = 0

    def bits(self):
        z = _mix((self.key + STEP * self.counter) & MASK)
        self.counter += 1
        return _mix(self.key ^ z)

    def uniform(self):
        return (self.bits() >> 11) * 2.0**-53

    def normal(self):
        radius = numpy.sqrt(-2.0 * numpy.log(1.0 - self.uniform()))
        return radius * numpy.cos(6.283185307179586476925286766559 * self.uniform())

    def normals(self, shape):
        count = int(numpy.prod(shape))
        return numpy.array([self.normal() for _ in range(count)]).reshape(shape)


def noise(seed, samples, shape):
    """The noise of SmoothGrad and its kin: copy i comes from stream i."""
    return numpy.stack([Stream(seed, i).normals(shape) for i in range(samples)])


def drawn_baselines(seed, samples, shape, level, sigma):
    return level + sigma * noise(~seed & MASK, samples, shape)


def choices_and_places(seed, samples, count):
    """Of gradient-shap: which of `count` given baselines, and where on the way from it."""
    streams = [Stream(seed ^ 0x62617365, i) for i in range(samples)]
    return [s.bits() % count for s in streams], [s.uniform() for s in streams]
