#!/usr/bin/env python3
"""Make the small ONNX files of onnx_test and passes_test and what ONNX Runtime computes with them.

    python tests/golden/onnx/make.py

good/NAME.onnx with good/NAME.inI.npy and good/NAME.outI.npy; bad/NAME.onnx must be refused (the expected
messages stand in tests/onnx_test.c)."""
import pathlib
import shutil

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(3)


def rnd(*shape, dtype=np.float32, scale=1.0):
    return (RNG.standard_normal(shape) * scale).astype(dtype)


RNG2 = np.random.default_rng(4)  # of later files: what earlier ones hold stays


def rnd2(*shape):
    return RNG2.standard_normal(shape).astype(np.float32)


def vi(name, shape, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, shape)


def init(**arrays):
    return [nh.from_array(a, n) for n, a in arrays.items()]


def model(nodes, inputs, outputs, inits=(), opset=17, ir=8, **kw):
    g = h.make_graph(nodes, "test", inputs, outputs, initializer=list(inits))
    m = h.make_model(g, opset_imports=[h.make_opsetid("", opset)], producer_name="make", **kw)
    m.ir_version = ir
    return m


GOOD = {}


def good(name, m, *inputs):
    GOOD[name] = (m, inputs)


N = h.make_node

# ---- operators as old and new files write them ----
good("opset7", model(
    [N("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
     N("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], epsilon=1e-3),
     N("Relu", ["n"], ["r"]),
     N("GlobalAveragePool", ["r"], ["p"]),
     N("Flatten", ["p"], ["f"]),
     N("Gemm", ["f", "g", "h"], ["y"], transB=1)],
    # Old files list initialisers as inputs as well.
    [vi("x", [1, 3, 6, 6]), vi("w", [4, 3, 3, 3]), vi("s", [4]), vi("b", [4]), vi("m", [4]), vi("v", [4]),
     vi("g", [5, 4]), vi("h", [5])],
    [vi("y", [1, 5])],
    init(w=rnd(4, 3, 3, 3), s=rnd(4), b=rnd(4), m=rnd(4), v=np.abs(rnd(4)) + 0.1, g=rnd(5, 4), h=rnd(5)),
    opset=7, ir=3), rnd(1, 3, 6, 6))

good("attributes", model(  # what became inputs later: axes, pads, min and max, split
    [N("Unsqueeze", ["x"], ["u"], axes=[0]),
     N("Pad", ["u"], ["p"], pads=[0, 0, 1, 0, 0, 2], mode="constant", value=0.5),
     N("Clip", ["p"], ["c"], min=-1.0, max=1.0),
     N("ReduceMean", ["c"], ["m"], axes=[2], keepdims=1),
     N("Sub", ["c", "m"], ["d"]),
     N("Squeeze", ["d"], ["s"], axes=[0]),
     N("Split", ["s"], ["a", "b"], axis=0, split=[1, 2]),
     N("ReduceSum", ["b"], ["t"], axes=[0], keepdims=1),
     N("Add", ["a", "t"], ["y"])],
    [vi("x", [3, 4])], [vi("y", [1, 7])], opset=10, ir=5), rnd(3, 4))

# ---- functions and control flow; texts in ONNX's own notation ----
good("functions", onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 21, "local" : 1, "other" : 1]>
g (float[2,3] x) => (float[2,3] y, float[2,3] z) {
  a = local.scale <factor: float = 3.0> (x)
  b = local.scale (a)
  y, unused = other.pair (b, x)
  z = other.maybe <kept: int = 0> (y)
}
<opset_import: ["" : 21], domain: "local">
scale <factor: float = 0.5> (v) => (w) {
  f = Constant <value_float: float = @factor> ()
  w = Mul(v, f)
}
<opset_import: ["" : 21, "local" : 1], domain: "other">
pair (v, w) => (s, k) {
  k = local.scale <factor: float = -2.0> (v)
  f = Relu(k)
  axes = Constant <value_ints: ints = [1]> ()
  m = ReduceSum <keepdims: int = 1> (w, axes)
  s = Add(f, m)
}
<opset_import: ["" : 21], domain: "other">
maybe <kept> (v) => (w) {
  m = ReduceMax <keepdims: int = 1> (v)
  kept = Constant <value_int: int = @kept> ()
  c = Cast <to = 9> (kept)
  w = If (c) <then_branch = t () => (float[2,3] r) { r = Identity(v) }, else_branch = e () => (float[2,3] q) { q = Sub(v, m) }>
}
"""), rnd2(2, 3))
good("branch", onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 21]>
g (bool c, float[2] x, float[2] w) => (float[2] y, float[2] z) {
  a = Exp(x)
  y, z = If (c) <
    then_branch = t () => (float[2] p, float[2] q) {
      b = Add(a, w)
      p = Relu(b)
      q = If (c) <then_branch = tt () => (float[2] r) { r = Neg(b) }, else_branch = te () => (float[2] s) { s = Abs(x) }>
    },
    else_branch = e () => (float[2] u, float[2] v) { u = Sub(x, a) v = Identity(w) }>
}
"""), np.array(True), rnd2(2), rnd2(2))
good("loop", onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 21]>
g (int64 n, float[3] x, float limit) => (float[3] y, float[N,3] all, float total) {
  yes = Constant <value = bool {1}> ()
  y, all = Loop (n, yes, x) <body = round (int64 i, bool go, float[3] v) => (bool on, float[3] w, float[3] kept) {
    f = Cast <to = 1> (i)
    s = Add(v, f)
    w = Mul(s, x)
    on = Identity(go)
    kept = Tanh(w)
  }>
  zero = Constant <value_float: float = 0.0> ()
  total = Loop ("", yes, zero) <body = more (int64 i, bool go, float t) => (bool on, float u) {
    one = Constant <value_float: float = 0.75> ()
    u = Add(t, one)
    on = Less(u, limit)
  }>
}
"""), np.array(4), rnd2(3), np.array(2.0, np.float32))
good("scan", onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 21]>
g (float[2] h, float[5,2] x, float[2,5] z) => (float[2] last, float[5,2] all, float[2,5] back) {
  last, all, back = Scan <num_scan_inputs = 2, scan_input_axes = [0, 1], scan_input_directions = [0, 1],
    scan_output_axes = [0, -1], scan_output_directions = [1, 0],
    body = step (float[2] s, float[2] a, float[2] b) => (float[2] t, float[2] o, float[2] p) {
      k = Mul(s, b)
      t = Add(k, a)
      o = Identity(t)
      p = Sub(a, b)
    }> (h, x, z)
}
"""), rnd2(2), rnd2(5, 2), rnd2(2, 5))

good("selections", onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,5] x, float[1,3,8,8] img) => (int64[2,K] nz, float[M] pos, float[A,B] r, float[U] u, int64[V] at,
                                         float[P] picked, float[1,3,H,W] big, float[H2] ran) {
  zero = Constant <value_float: float = 0.0> ()
  mask = Greater(x, zero)
  nz = NonZero(mask)
  nzt = Transpose <perm = [1,0]> (nz)
  pos = GatherND(x, nzt)
  cnt = Shape(pos)
  one = Constant <value_ints: ints = [1]> ()
  shp = Concat <axis = 0> (cnt, one)
  r = Reshape(pos, shp)
  sq = Mul(pos, pos)
  u, at = Unique <sorted: int = 1> (x)
  flat = Constant <value_ints: ints = [-1]> ()
  xf = Reshape(x, flat)
  mf = Reshape(mask, flat)
  picked = Compress (xf, mf)
  one4 = Constant <value_ints: ints = [1, 3]> ()
  hw = Concat <axis = 0> (cnt, cnt)
  size = Concat <axis = 0> (one4, hw)
  big = Resize <mode = "nearest"> (img, , , size)
  s0 = ReduceSum <keepdims = 0> (sq)
  sr = Ceil(s0)
  onef = Constant <value_float: float = 1.0> ()
  ran = Range(zero, sr, onef)
}
"""), rnd2(2, 5), rnd2(1, 3, 8, 8))

good("sequences", onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,4] x, float[2,1] w) => (float[2,5] y, float[2] z, int64 n, float[3,2,1] t) {
  one = Constant <value_int: int = 1> ()
  last = Constant <value_int: int = -1> ()
  parts = SplitToSequence <axis = 1> (x, one)
  more = SequenceInsert (parts, w, one)
  y = ConcatFromSequence <axis = 1> (more)
  rows = SplitToSequence <axis = 1, keepdims = 0> (x)
  z = SequenceAt (rows, last)
  empty = SequenceEmpty ()
  a = SequenceInsert (empty, w)
  two = SequenceConstruct (w, w, w, w)
  three = SequenceErase (two)
  n = SequenceLength (more)
  t = ConcatFromSequence <axis = 0, new_axis = 1> (three)
}
"""), rnd2(2, 4), rnd2(2, 1))

# ---- element types and the ways to store them ----
typed = [
    h.make_tensor("f32", T.FLOAT, [2], [1.5, -2.0]),
    h.make_tensor("f64", T.DOUBLE, [2], [0.25, 3.0]),
    h.make_tensor("f16", T.FLOAT16, [2], np.array([0.5, -1.5], np.float16)),
    h.make_tensor("bf16", T.BFLOAT16, [2], [2.0, -0.75]),
    h.make_tensor("i8", T.INT8, [2], [-3, 7]),
    h.make_tensor("u8", T.UINT8, [2], [200, 7]),
    h.make_tensor("i16", T.INT16, [2], [-300, 7]),
    h.make_tensor("u16", T.UINT16, [2], [60000, 7]),
    h.make_tensor("i32", T.INT32, [2], [-70000, 7]),
    h.make_tensor("u32", T.UINT32, [2], [4000000000, 7]),
    h.make_tensor("i64", T.INT64, [2], [-5000000000, 7]),
    h.make_tensor("u64", T.UINT64, [2], [5000000000, 7]),
    h.make_tensor("bool", T.BOOL, [2], [True, False]),
]
raw = init(rf32=np.array([1.5, -2.0], np.float32), rf16=np.array([0.5, -1.5], np.float16),
           ri64=np.array([9, -9]), rbool=np.array([False, True]), rf64=np.array([1e-3, 7.0]),
           ru8=np.array([255, 0], np.uint8))
nodes = [N("Cast", [t.name], ["c_" + t.name], to=T.FLOAT) for t in typed + raw]
nodes.append(N("Sum", ["x"] + ["c_" + t.name for t in typed + raw], ["y"]))
good("types", model(nodes, [vi("x", [2])], [vi("y", [2])], typed + raw), rnd(2))

good("constants", model(
    [N("Constant", [], ["a"], value=nh.from_array(rnd(3))),
     N("Constant", [], ["b"], value_float=0.5),
     N("Constant", [], ["c"], value_floats=[1.0, 2.0, 3.0]),
     N("Constant", [], ["d"], value_ints=[3, 1]),
     N("Constant", [], ["e"], value_int=1),
     N("Mul", ["x", "a"], ["m"]),
     N("Add", ["m", "b"], ["n"]),
     N("Add", ["n", "c"], ["o"]),
     N("Reshape", ["o", "d"], ["p"]),
     N("Cast", ["e"], ["f"], to=T.FLOAT),
     N("Sub", ["p", "f"], ["y"])],
    [vi("x", [3])], [vi("y", [3, 1])], opset=13, ir=7), rnd(3))

# ---- the order of the file, omitted inputs, names ----
unsorted = model(
    [N("Relu", ["b"], ["y"], name="last"),
     N("Add", ["a", "x"], ["b"], name="twin"),
     N("Clip", ["x", "", "top"], ["a"], name="twin")],
    [vi("x", ["N", 4])], [vi("y", ["N", 4])], init(top=np.float32(0.3)))
good("unsorted", unsorted, rnd(2, 4))

good("symbols", model(  # flattening as exporters write it: shape arithmetic on a symbolic batch
    [N("Conv", ["x", "w", "b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
     N("Shape", ["c"], ["s"]),
     N("Gather", ["s", "zero"], ["n"]),
     N("Unsqueeze", ["n", "axis"], ["u"]),
     N("Concat", ["u", "rest"], ["t"], axis=0),
     N("Reshape", ["c", "t"], ["r"]),
     N("Transpose", ["r"], ["p"], perm=[0, 2, 1]),
     N("Shape", ["p"], ["ps"]),
     N("ConstantOfShape", ["ps"], ["one"], value=nh.from_array(np.array([1], np.float32))),
     N("Expand", ["tok", "es"], ["te"]),
     N("Add", ["p", "one"], ["q"]),
     N("Concat", ["te", "q"], ["y"], axis=1)],
    [vi("x", ["batch", 3, 4, 6])], [vi("y", ["batch", 7, 5])],
    init(w=rnd(5, 3, 2, 2), b=rnd(5), zero=np.array(0), axis=np.array([0]), rest=np.array([5, -1]),
         tok=rnd(1, 1, 5), es=np.array([1, 1, 1]))), rnd(1, 3, 4, 6))

# ---- what the passes look for ----
S2 = np.float32(np.sqrt(2))


def gelu(x, y, form, tag):
    """Nodes of one way to write Gelu, and its constants."""
    c = {"half": np.float32(0.5), "one": np.float32(1), "s2": S2, "is2": np.float32(1 / S2),
         "k": np.float32(0.7978845608), "c": np.float32(0.044715), "three": np.float32(3)}
    c = {f"{tag}{k}": v for k, v in c.items()}
    t = lambda s: tag + s
    if form == "torch":  # (x * (1 + erf(x / sqrt 2))) * 0.5
        n = [N("Div", [x, t("s2")], [t("a")]), N("Erf", [t("a")], [t("b")]), N("Add", [t("b"), t("one")], [t("d")]),
             N("Mul", [x, t("d")], [t("e")]), N("Mul", [t("e"), t("half")], [y])]
    elif form == "half first":  # (0.5 * x) * (erf(x * 0.7071) + 1)
        n = [N("Mul", [t("half"), x], [t("h")]), N("Mul", [x, t("is2")], [t("a")]), N("Erf", [t("a")], [t("b")]),
             N("Add", [t("one"), t("b")], [t("d")]), N("Mul", [t("h"), t("d")], [y])]
    elif form == "half inside":  # x * (0.5 * (1 + erf))
        n = [N("Div", [x, t("s2")], [t("a")]), N("Erf", [t("a")], [t("b")]), N("Add", [t("b"), t("one")], [t("d")]),
             N("Mul", [t("d"), t("half")], [t("e")]), N("Mul", [x, t("e")], [y])]
    elif form == "tanh":  # 0.5 x (1 + tanh(k (x + c x^3)))
        n = [N("Pow", [x, t("three")], [t("a")]), N("Mul", [t("a"), t("c")], [t("b")]), N("Add", [x, t("b")], [t("d")]),
             N("Mul", [t("d"), t("k")], [t("e")]), N("Tanh", [t("e")], [t("f")]), N("Add", [t("f"), t("one")], [t("g")]),
             N("Mul", [x, t("half")], [t("h")]), N("Mul", [t("h"), t("g")], [y])]
    else:  # 0.5 x (1 + tanh(k x (1 + c x x)))
        n = [N("Mul", [x, t("c")], [t("a")]), N("Mul", [t("a"), x], [t("b")]), N("Add", [t("one"), t("b")], [t("d")]),
             N("Mul", [x, t("k")], [t("e")]), N("Mul", [t("e"), t("d")], [t("f")]), N("Tanh", [t("f")], [t("g")]),
             N("Add", [t("one"), t("g")], [t("i")]), N("Mul", [x, t("i")], [t("j")]), N("Mul", [t("j"), t("half")], [y])]
    used = {i for k in n for i in k.input}
    return n, init(**{k: np.asarray(v) for k, v in c.items() if k in used})


nodes, inits, x = [], [], "x"
for i, form in enumerate(["torch", "half first", "half inside", "tanh", "tanh inside"]):
    n, c = gelu(x, f"g{i}", form, f"t{i}_")
    nodes, inits, x = nodes + n, inits + c, f"g{i}"
good("gelu", model(nodes, [vi("x", [3, 5])], [vi(x, [3, 5])], inits), rnd(3, 5))

good("layer_norm", model(
    [N("ReduceMean", ["x"], ["m"], axes=[-1]),
     N("Sub", ["x", "m"], ["d"]),
     N("Pow", ["d", "two"], ["q"]),
     N("ReduceMean", ["q"], ["v"], axes=[-1]),
     N("Add", ["v", "eps"], ["e"]),
     N("Sqrt", ["e"], ["s"]),
     N("Div", ["d", "s"], ["n"]),
     N("Mul", ["n", "g"], ["p"]),
     N("Add", ["p", "b"], ["y1"]),
     # over two axes, without parameters, the square as a product, the root inverted
     N("ReduceMean", ["y1"], ["m2"], axes=[1, 2]),
     N("Sub", ["y1", "m2"], ["d2"]),
     N("Mul", ["d2", "d2"], ["q2"]),
     N("ReduceMean", ["q2"], ["v2"], axes=[1, 2]),
     N("Add", ["eps", "v2"], ["e2"]),
     N("Sqrt", ["e2"], ["s2"]),
     N("Reciprocal", ["s2"], ["r2"]),
     N("Mul", ["d2", "r2"], ["y"])],
    [vi("x", ["N", 4, 6])], [vi("y", ["N", 4, 6])],
    init(two=np.float32(2), eps=np.float32(1e-5), g=rnd(6), b=rnd(6)), opset=13, ir=7), rnd(2, 4, 6))

good("swish", model(
    [N("Sigmoid", ["x"], ["s"]), N("Mul", ["x", "s"], ["a"]),
     N("Mul", ["a", "k"], ["b"]), N("Sigmoid", ["b"], ["c"]), N("Mul", ["c", "a"], ["d"]),
     N("HardSigmoid", ["d"], ["e"], alpha=1 / 6, beta=0.5), N("Mul", ["d", "e"], ["y"])],
    [vi("x", [2, 5])], [vi("y", [2, 5])], init(k=np.float32(1.702))), rnd(2, 5))

good("affine", model(
    [N("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2),
     N("BatchNormalization", ["c1", "s", "b", "m", "v"], ["n1"]),
     N("Relu", ["n1"], ["r1"]),
     N("ConvTranspose", ["r1", "w2"], ["c2"], kernel_shape=[2, 2], strides=[2, 2], group=2),
     N("BatchNormalization", ["c2", "s", "b", "m", "v"], ["n2"]),
     N("Conv", ["n2", "w3"], ["c3"], kernel_shape=[1, 1]),
     N("Mul", ["c3", "k"], ["k3"]),
     N("Add", ["t", "k3"], ["a3"]),
     N("Sub", ["a3", "one"], ["u3"]),
     N("Div", ["u3", "two"], ["v3"]),
     N("GlobalAveragePool", ["v3"], ["p"]),
     N("Flatten", ["p"], ["f"]),
     N("Gemm", ["f", "w4", "b4"], ["g"]),
     N("Mul", ["g", "k4"], ["h"]),
     N("Add", ["h", "b4"], ["y"])],
    [vi("x", ["N", 4, 5, 5])], [vi("y", ["N", 3])],
    init(w1=rnd(4, 2, 3, 3), b1=rnd(4), s=rnd(4), b=rnd(4), m=rnd(4), v=np.abs(rnd(4)) + 0.2, w2=rnd(4, 2, 2, 2),
         w3=rnd(6, 4, 1, 1), k=rnd(6, 1, 1), t=rnd(1, 6, 1, 1), one=np.float32(1), two=np.float32(2),
         w4=rnd(6, 3), b4=rnd(3), k4=rnd(1, 3))), rnd(2, 4, 5, 5))

good("identities", model(
    [N("Identity", ["x"], ["a"]),
     N("Dropout", ["a"], ["b", "mask"]),
     N("Cast", ["b"], ["c"], to=T.FLOAT),
     N("Reshape", ["c", "same"], ["d"]),
     N("Transpose", ["d"], ["e"], perm=[2, 0, 1]),
     N("Transpose", ["e"], ["f"], perm=[1, 2, 0]),
     N("Pad", ["f", "nopad"], ["g"]),
     N("Slice", ["g", "starts", "ends"], ["i"]),
     N("Mul", ["i", "one"], ["j"]),
     N("Relu", ["j"], ["k"]),
     N("Relu", ["f"], ["k2"]),  # the same as k once all that is gone
     N("Transpose", ["k"], ["l"], perm=[1, 2, 0]),
     N("Transpose", ["l"], ["m"], perm=[1, 0, 2]),
     N("Transpose", ["k2"], ["m2"], perm=[2, 1, 0]),
     N("Add", ["m", "m2"], ["n"]),
     N("Slice", ["n", "back_starts", "back_ends", "axis0", "back"], ["o"]),  # a turn is no identity
     N("Identity", ["o"], ["y"])],
    [vi("x", [2, 3, 4])], [vi("y", [4, 3, 2])],
    init(same=np.array([2, 3, 4]), nopad=np.zeros(6, np.int64), starts=np.array([0, 0]), ends=np.array([9, 9]),
         one=np.float32(1), back_starts=np.array([-1]), back_ends=np.array([-99]), axis0=np.array([0]),
         back=np.array([-1]))), rnd(2, 3, 4))

good("shared", model(  # outputs that are inputs, constants and each other's copies
    [N("Identity", ["x"], ["y0"]), N("Relu", ["x"], ["y1"]), N("Identity", ["y1"], ["y2"]),
     N("Identity", ["c"], ["y3"]), N("Relu", ["x"], ["y4"]), N("Relu", ["x"], ["unused"])],
    [vi("x", [3])], [vi(f"y{i}", [3]) for i in range(5)], init(c=rnd(3))), rnd(3))

meta = model([N("Relu", ["x"], ["y"])], [vi("x", ["N", None, 3])], [vi("y", ["N", None, 3])])
h.set_model_props(meta, {"classes": "a, b", "empty": ""})
good("metadata", meta, rnd(2, 1, 3))

external = model([N("Add", ["x", "w"], ["a"]), N("Mul", ["a", "v"], ["y"])], [vi("x", [2, 3])], [vi("y", [2, 3])],
                 init(w=rnd(2, 3), v=rnd(3)))


def outside(t, location, offset, length=None):
    t.ClearField("raw_data")
    t.data_location = T.EXTERNAL
    del t.external_data[:]
    for k, v in (("location", location), ("offset", str(offset)), ("length", length)):
        if v is not None:
            t.external_data.add(key=k, value=str(v))


# ---- files that must be refused ----
BAD = {}


def bad(name, m):
    BAD[name] = m if isinstance(m, bytes) else m.SerializeToString()


def clone(m):
    c = onnx.ModelProto()
    c.CopyFrom(m)
    return c


simple = model([N("Relu", ["x"], ["y"], name="act")], [vi("x", [2])], [vi("y", [2])])
weighted = model([N("Add", ["x", "w"], ["y"], name="sum")], [vi("x", [2])], [vi("y", [2])],
                 init(w=np.array([1, 2], np.float32)))


def simple_with(f, base=simple):
    c = clone(base)
    f(c)
    return c


def edit(name, f, base=simple):
    bad(name, simple_with(f, base))


whole = simple.SerializeToString()
bad("empty", b"")
bad("text", b"this is no model at all\n")
bad("truncated", whole[:-5])
bad("varint", b"\x08" + b"\xff" * 12)
bad("no_graph", simple_with(lambda m: m.ClearField("graph")))
edit("opset5", lambda m: setattr(m.opset_import[0], "version", 5))  # Relu has changed since
edit("opset99", lambda m: setattr(m.opset_import[0], "version", 99))
edit("ir99", lambda m: setattr(m, "ir_version", 99))
bad("unknown_ops", model([N("Relu", ["x"], ["a"]), N("Frobnicate", ["a"], ["b"], name="f1"),
                          N("Unheard", ["b", "b"], ["c"], domain="com.microsoft"), N("Frobnicate", ["c"], ["d"]),
                          N("Bar", ["d"], ["y"])], [vi("x", [2])], [vi("y", [2])]))
def text_model(source):
    """A model in ONNX's text form."""
    return onnx.parser.parse_model(source)


HEAD = '<ir_version: 10, opset_import: ["" : 21%s]>'
bad("recursion", text_model(HEAD % ', "local" : 1' + """
g (float[2] x) => (float[2] y) { y = local.first(x) }
<opset_import: ["" : 21, "local" : 1], domain: "local">
first (a) => (b) { b = local.second(a) }
<opset_import: ["" : 21, "local" : 1], domain: "local">
second (a) => (b) { b = local.first(a) }
"""))
# Each function calls the next one twice: 2^36 nodes in a few hundred bytes.
bad("doubling", text_model(HEAD % ', "local" : 1' + "g (float[2] x) => (float[2] y) { y = local.f0(x) }" + "".join(
    f"""<opset_import: ["" : 21, "local" : 1], domain: "local">
f{i} (a) => (b) {{ c = {f'local.f{i + 1}' if i < 35 else 'Neg'}(a) b = {f'local.f{i + 1}' if i < 35 else 'Neg'}(c) }}"""
    for i in range(36))))
bad("endless", text_model(HEAD % "" + """
g (float[2] x) => (float[2] y) {
  n = Constant <value_int: int = 9223372036854775807> ()
  c = Constant <value = bool {1}> ()
  y = Loop <body = round (int64 i, bool go, float[2] v) => (bool on, float[2] w) {
    on = Identity(go)
    w = Neg(v)
  }> (n, c, x)
}
"""))
bad("late_capture", text_model(HEAD % "" + """
g (bool c, float[2] x) => (float[2] z) {
  y = If (c) <then_branch = t () => (float[2] a) { a = Neg(z) }, else_branch = e () => (float[2] b) { b = Relu(x) }>
  z = Abs(y)
}
"""))
# 2 + 2 (2^63 - 1) wraps round to 0, which nothing divides by
heads = model([N("GroupQueryAttention", ["x", "", "", "", "", "n", "all"], ["y"], name="group", domain="com.microsoft",
                 num_heads=2, kv_num_heads=2**63 - 1)], [vi("x", [1, 4, 64]), vi("n", [1], T.INT32), vi("all", [], T.INT32)],
              [vi("y", [1, 4, 64])])
heads.opset_import.add(domain="com.microsoft", version=1)
bad("heads", heads)
bad("cycle", model([N("Add", ["x", "b"], ["a"], name="first"), N("Relu", ["a"], ["b"], name="second")],
                   [vi("x", [2])], [vi("b", [2])]))
bad("missing_value", model([N("Add", ["x", "nowhere"], ["y"], name="sum")], [vi("x", [2])], [vi("y", [2])]))
bad("twice", model([N("Relu", ["x"], ["y"]), N("Neg", ["x"], ["y"], name="again")], [vi("x", [2])], [vi("y", [2])]))
edit("output", lambda m: setattr(m.graph.output[0], "name", "z"))
edit("no_outputs", lambda m: m.graph.ClearField("output"))
edit("arity", lambda m: m.graph.node[0].input.append("x"))
edit("no_input", lambda m: m.graph.node[0].ClearField("input"))
bad("axis_type", model([N("Softmax", ["x"], ["y"], name="soft", axis=1.0)], [vi("x", [2])], [vi("y", [2])]))
bad("attr_twice", simple_with(
    lambda m: m.graph.node[0].attribute.extend([h.make_attribute("alpha", 1.0), h.make_attribute("alpha", 2.0)])))
bad("shapes", model([N("Add", ["x", "w"], ["y"], name="sum")], [vi("x", [2])], [vi("y", [2])], init(w=rnd(3))))
edit("short_raw", lambda m: setattr(m.graph.initializer[0], "raw_data", b"\0" * 7), weighted)
edit("huge_dims", lambda m: m.graph.initializer[0].dims.__setitem__(0, 1 << 62), weighted)
edit("negative_dim", lambda m: m.graph.initializer[0].dims.__setitem__(0, -2), weighted)
edit("rank9", lambda m: m.graph.initializer[0].dims.extend([1] * 8), weighted)
edit("dtype", lambda m: setattr(m.graph.initializer[0], "data_type", 77), weighted)
edit("string", lambda m: setattr(m.graph.initializer[0], "data_type", T.STRING), weighted)
edit("float8", lambda m: setattr(m.graph.initializer[0], "data_type", T.FLOAT8E4M3FN), weighted)
edit("nameless", lambda m: m.graph.initializer[0].ClearField("name"), weighted)
sparse = clone(weighted)
sparse.graph.sparse_initializer.append(h.make_sparse_tensor(
    nh.from_array(np.array([1], np.float32), "sp"), nh.from_array(np.array([0])), [4]))
bad("sparse", sparse)
seq = clone(simple)
seq.graph.input[0].type.Clear()
seq.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = T.FLOAT
bad("sequence", seq)
for name, location in (("ext_up", "../secret.bin"), ("ext_inner_up", "a/../../secret.bin"), ("ext_abs", "/etc/passwd"),
                       ("ext_device", "device"), ("ext_missing", "nowhere.bin"), ("ext_folder", "folder/"),
                       ("ext_empty", "")):
    edit(name, lambda m: outside(m.graph.initializer[0], location, 0, 8), weighted)
edit("ext_offset", lambda m: outside(m.graph.initializer[0], "../good/external.bin", 1 << 40, 8), weighted)
edit("ext_number", lambda m: outside(m.graph.initializer[0], "x.bin", "-4", 8), weighted)


def nested(depth):
    """Graph attribute in node in graph ...: deeper than any stack."""
    body = b""
    for _ in range(depth):
        for field in (6, 5, 1):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            n, length = len(body), b""
            while n > 127:
                length, n = length + bytes([n & 127 | 128]), n >> 7
            body = bytes([field << 3 | 2]) + length + bytes([n]) + body
    return body


deep = nested(2000)
size = b""
n = len(deep)
while n > 127:
    size, n = size + bytes([n & 127 | 128]), n >> 7
bad("nested", b"\x08\x08" + b"\x3a" + size + bytes([n]) + deep)
bad("two_graphs", whole + b"\x3a\x00")
nul = clone(simple)
bad("nul", nul.SerializeToString().replace(b"act", b"a\0t"))


def main():
    for d in ("good", "bad"):
        shutil.rmtree(HERE / d, ignore_errors=True)
        (HERE / d).mkdir()
    ext = clone(external)
    data = bytes(64) + external.graph.initializer[0].raw_data + b"\0" * 3 + external.graph.initializer[1].raw_data
    outside(ext.graph.initializer[0], "external.bin", 64, 24)
    outside(ext.graph.initializer[1], "./external.bin", 64 + 24 + 3, None)
    (HERE / "good/external.bin").write_bytes(data)
    GOOD["external"] = (external, (rnd(2, 3),))
    for name, (m, inputs) in GOOD.items():
        if name != "unsorted":
            onnx.checker.check_model(m, full_check=True)
        path = HERE / "good" / f"{name}.onnx"
        path.write_bytes((ext if name == "external" else m).SerializeToString())
        if name == "unsorted":  # ONNX Runtime wants order
            m = clone(m)
            nodes = list(m.graph.node)[::-1]
            nodes[1].name = "other"
            del m.graph.node[:]
            m.graph.node.extend(nodes)
        opts = ort.SessionOptions()
        opts.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        s = ort.InferenceSession(m.SerializeToString(), opts, providers=["CPUExecutionProvider"])
        feeds = dict(zip([i.name for i in s.get_inputs()], inputs))
        for i, a in enumerate(inputs):
            np.save(HERE / "good" / f"{name}.in{i}.npy", a)
        for i, a in enumerate(s.run(None, feeds)):
            np.save(HERE / "good" / f"{name}.out{i}.npy", a)
    for name, b in BAD.items():
        (HERE / "bad" / f"{name}.onnx").write_bytes(b)
    print(len(GOOD), "good,", len(BAD), "bad")


main()
