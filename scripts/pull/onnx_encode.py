"""Write ONNX files with nothing but the Python standard library.

An ONNX file is one protocol-buffer message.  Writing one needs only two of the wire types: a varint
(type 0) for integers and a length-prefixed run of bytes (type 2) for everything else, plus the
four-byte float (type 5) of attributes.  A field is `key payload`, key = field number << 3 | type.
The field numbers below are those of the public schema, onnx.proto.
"""

import struct

FLOAT = 1
INT64 = 7

_ELEMENT_SIZE = {FLOAT: 4, INT64: 8}

# AttributeProto.type
_ATTR_FLOAT, _ATTR_INT, _ATTR_STRING, _ATTR_FLOATS, _ATTR_INTS = 1, 2, 3, 6, 7


def _varint(value):
    """Seven bits a byte, lowest first; a negative int64 is its two's complement in ten bytes."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, value):
    if isinstance(value, str):
        value = value.encode("utf-8")
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _float(field, value):
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def attribute(name, value):
    """AttributeProto from an int, float, string, or a list of ints or of floats."""
    head = _bytes(1, name)
    if isinstance(value, int):
        return head + _integer(3, value) + _integer(20, _ATTR_INT)
    if isinstance(value, float):
        return head + _float(2, value) + _integer(20, _ATTR_FLOAT)
    if isinstance(value, str):
        return head + _bytes(4, value) + _integer(20, _ATTR_STRING)
    if value and all(isinstance(item, float) for item in value):
        return head + b"".join(_float(7, item) for item in value) + _integer(20, _ATTR_FLOATS)
    return head + b"".join(_integer(8, item) for item in value) + _integer(20, _ATTR_INTS)


def node(op_type, name, inputs, outputs, **attributes):
    """NodeProto; attributes are written in the order of their names."""
    return b"".join(
        [_bytes(1, item) for item in inputs]
        + [_bytes(2, item) for item in outputs]
        + [_bytes(3, name), _bytes(4, op_type)]
        + [_bytes(5, attribute(key, attributes[key])) for key in sorted(attributes)]
    )


def tensor(name, shape, data, element=FLOAT):
    """TensorProto; `data` is the raw little-endian content."""
    count = 1
    for size in shape:
        count *= size
    if count * _ELEMENT_SIZE[element] != len(data):
        raise ValueError(
            "tensor %s: %d bytes do not fill shape %s" % (name, len(data), list(shape))
        )
    return b"".join(
        [_integer(1, size) for size in shape]
        + [_integer(2, element), _bytes(8, name), _bytes(9, data)]
    )


def value_info(name, shape, element=FLOAT):
    """ValueInfoProto of a tensor; a string in the shape is a symbolic dimension."""
    dims = b"".join(
        _bytes(1, _bytes(2, size) if isinstance(size, str) else _integer(1, size)) for size in shape
    )
    return _bytes(1, name) + _bytes(2, _bytes(1, _integer(1, element) + _bytes(2, dims)))


def graph(name, nodes, initializers, inputs, outputs):
    """GraphProto."""
    return b"".join(
        [_bytes(1, item) for item in nodes]
        + [_bytes(2, name)]
        + [_bytes(5, item) for item in initializers]
        + [_bytes(11, item) for item in inputs]
        + [_bytes(12, item) for item in outputs]
    )


def model(graph_bytes, opset, ir_version, producer, producer_version, doc, metadata):
    """ModelProto: the content of the file.  `metadata` is a dict of strings."""
    return b"".join(
        [
            _integer(1, ir_version),
            _bytes(2, producer),
            _bytes(3, producer_version),
            _bytes(6, doc),
            _bytes(7, graph_bytes),
            _bytes(8, _bytes(1, "") + _integer(2, opset)),
        ]
        + [_bytes(14, _bytes(1, key) + _bytes(2, metadata[key])) for key in metadata]
    )
