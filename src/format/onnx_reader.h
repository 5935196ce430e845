/* Shared by the files of the ONNX reader. */
#ifndef SAL_ONNX_READER_H
#define SAL_ONNX_READER_H

#include "format/onnx_proto.h"
#include "format/onnx_wire.h"
#include "graph/graph.h"
#include "graph/op.h"

/* Files with tensors beside the model, each opened and mapped once. */
typedef struct sal_onnx_external sal_onnx_external;
sal_status sal_onnx_external_new(sal_onnx_external **out, const char *dir, sal_error *err);
void sal_onnx_external_free(sal_onnx_external *x);
/* Where tensor `name` with the shape and type of *t lies; *t gets data and buffer. */
sal_status sal_onnx_external_get(sal_onnx_external *x, const Onnx__TensorProto *p, const char *name,
                                 sal_tensor *t, sal_error *err);

/* Contents of a TensorProto. raw: its raw_data when that was left in the file (else NULL). external
 * may be NULL: such tensors are refused. *out must be SAL_TENSOR_INIT and is yours. */
sal_status sal_onnx_tensor(sal_tensor *out, const Onnx__TensorProto *p, const uint8_t *raw,
                           size_t raw_n, sal_onnx_external *external, sal_error *err);
/* Element type of a code in the file. */
sal_status sal_onnx_dtype(int32_t code, const char *what, const char *name, sal_dtype *out,
                          sal_error *err);

/* Attributes of a node, in the graph's arena (tensors: registered as the graph's constants). In a
 * function they may refer to those of the call. op: whose attributes they are, NULL: of a function.
 */
typedef struct sal_onnx_scope sal_onnx_scope; /* format/onnx_scope.h */
sal_status sal_onnx_attrs(const sal_onnx_scope *s, const Onnx__NodeProto *p, const sal_op_desc *op,
                          sal_attr **out, int *n);
/* Contents of a Constant node. *out must be SAL_TENSOR_INIT and is yours. */
sal_status sal_onnx_constant(sal_tensor *out, const Onnx__NodeProto *p, const sal_onnx_scope *s);

static inline const char *sal_onnx_text(const char *s)
{
    return s == NULL ? "" : s;
}

#endif
