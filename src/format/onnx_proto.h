/* The generated ONNX schema and the versions of ONNX that the operator table was written against.
 */
#ifndef SAL_ONNX_PROTO_H
#define SAL_ONNX_PROTO_H

#include <onnx.pb-c.h>

enum {
    ONNX_OPSET_MIN = 1,
    ONNX_OPSET_OLD = 6, /* until here only operators that have not changed since are read */
    ONNX_OPSET_MAX = 28,
    ONNX_IR_MIN = 3,
    ONNX_IR_MAX = 14,
};

#endif
