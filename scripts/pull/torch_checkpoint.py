"""Read the tensors of a PyTorch checkpoint (the stream format of torch.save before 1.6) without
PyTorch, and without running anything the file may ask for.

The stream is four pickles, then the storages:

    magic number | protocol version | facts of the writing machine | the object | storage keys
    then, for each key in that order: int64 element count, raw elements

Tensors in the object refer to storages by key.  A pickle may name any callable; this reader allows
the handful below, which only build records, and refuses everything else.
"""

import array
import collections
import itertools
import pickle
import struct

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGE_SIZE = {"FloatStorage": 4, "LongStorage": 8}

Tensor = collections.namedtuple("Tensor", "storage offset shape stride")
Array = collections.namedtuple("Array", "kind shape data")


class CheckpointError(Exception):
    """The file is not a checkpoint this reader understands."""


def _rebuild_tensor(storage, offset, shape, stride, *_unused):
    return Tensor(storage, offset, tuple(shape), tuple(stride))


class _Unpickler(pickle.Unpickler):
    """An unpickler whose whole vocabulary is _ALLOWED."""

    _ALLOWED = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): "FloatStorage",
        ("torch", "LongStorage"): "LongStorage",
    }

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise CheckpointError(
                "refers to %s.%s, which is not allowed" % (module, name)
            ) from None

    def persistent_load(self, pid):
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise CheckpointError("holds an unknown kind of reference")
        kind, key, count = pid[1], pid[2], pid[4]
        if kind not in _STORAGE_SIZE:
            raise CheckpointError("holds a storage of unknown type")
        self.storages[key] = (kind, count)
        return key


def _row_major(shape):
    stride, step = [], 1
    for size in reversed(shape):
        stride.append(step)
        step *= size
    return tuple(reversed(stride)), step


def _gather(data, size, tensor):
    """The tensor's elements in row-major order, as bytes.

    Weights that came from another framework are often transposed views.  The longest dimension is
    moved as one strided slice, the others are loops: a few thousand steps even for the largest.
    """
    target, count = _row_major(tensor.shape)
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride))
    if (
        min(tensor.shape, default=1) < 1
        or min(tensor.stride, default=1) < 1
        or tensor.offset < 0
        or (last + 1) * size > len(data)
    ):
        raise CheckpointError("holds a tensor that exceeds its storage")
    if tensor.stride == target:
        return data[tensor.offset * size : (tensor.offset + count) * size]
    source = array.array("Q" if size == 8 else "I", data)  # only moved: byte order is irrelevant
    out = array.array(source.typecode, bytes(count * size))
    inner = max(range(len(tensor.shape)), key=lambda axis: tensor.shape[axis])
    length, step_in, step_out = tensor.shape[inner], tensor.stride[inner], target[inner]
    outer = [axis for axis in range(len(tensor.shape)) if axis != inner]
    for index in itertools.product(*(range(tensor.shape[axis]) for axis in outer)):
        start_in = tensor.offset + sum(i * tensor.stride[axis] for i, axis in zip(index, outer))
        start_out = sum(i * target[axis] for i, axis in zip(index, outer))
        out[start_out : start_out + (length - 1) * step_out + 1 : step_out] = source[
            start_in : start_in + (length - 1) * step_in + 1 : step_in
        ]
    return out.tobytes()


def _read_storages(file, unpickler, keys):
    content = {}
    for key in keys:
        if key not in unpickler.storages:
            raise CheckpointError("lists a storage that nothing refers to")
        kind, count = unpickler.storages[key]
        header = file.read(8)
        if len(header) != 8 or struct.unpack("<q", header)[0] != count:
            raise CheckpointError("storage %s has the wrong length" % key)
        data = file.read(count * _STORAGE_SIZE[kind])
        if len(data) != count * _STORAGE_SIZE[kind]:
            raise CheckpointError("ends inside storage %s" % key)
        content[key] = (kind, data)
    return content


def read(file):
    """{name: Array} of a state dictionary; `data` is raw little-endian."""
    try:
        first = _Unpickler(file)
        if first.load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
            raise CheckpointError("is not a PyTorch checkpoint in stream format")
        facts = _Unpickler(file).load()
        if not facts.get("little_endian", False):
            raise CheckpointError("was written on a big-endian machine")
        unpickler = _Unpickler(file)
        state = unpickler.load()
        keys = _Unpickler(file).load()
    except CheckpointError:
        raise
    except Exception as problem:  # pickle raises a dozen different types on damaged bytes
        raise CheckpointError("cannot be unpickled: %s" % problem) from None
    content = _read_storages(file, unpickler, keys)
    arrays = {}
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise CheckpointError("entry %s is not a tensor" % name)
        kind, data = content[tensor.storage]
        arrays[name] = Array(kind, tensor.shape, _gather(data, _STORAGE_SIZE[kind], tensor))
    return arrays
