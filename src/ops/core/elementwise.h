/* Element-wise operators: a broadcasting loop over scalar functions, and shorthands for their
 * derivatives.
 *
 * Element types fall into three classes, so an operator is written at most three times: floats are
 * computed in double, integers up to 64 bits signed in int64_t, uint64 in uint64_t; the result is
 * rounded or wrapped to the element type of the output. */
#ifndef SAL_OPS_CORE_ELEMENTWISE_H
#define SAL_OPS_CORE_ELEMENTWISE_H

#include "ops/builder.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/upgrade.h"

#include <math.h>

/* Scalar functions of n operands, one for each class; NULL where the operator is not defined. ctx
 * is the caller's: constants taken from attributes. */
typedef struct sal_ew {
    double (*f)(const double *in, int n, const void *ctx);
    int64_t (*i)(const int64_t *in, int n, const void *ctx);
    uint64_t (*u)(const uint64_t *in, int n, const void *ctx);
} sal_ew;

/* out[0] = k(in[0..n-1]) with NumPy broadcasting. The class is that of the last operand. */
sal_status sal_ew_eval(const sal_eval *e, int n, const sal_ew *k, const void *ctx);

/* Integer operations that wrap around and never trap. Division by zero gives 0, as in NumPy. */
int64_t sal_ew_wrap(uint64_t v);
int64_t sal_ew_div(int64_t a, int64_t b);
int64_t sal_ew_ipow(int64_t a, int64_t b);

/* out0 has the type of in0, which must be a float. */
sal_status sal_infer_float(sal_infer *c);
/* Broadcast of all inputs, which have one type; the second one only takes floats. */
sal_status sal_infer_arith(sal_infer *c);
sal_status sal_infer_broadcast_float(sal_infer *c);
/* Broadcast of integers of one type, bool not among them. */
sal_status sal_infer_integers(sal_infer *c);
/* Broadcast of two booleans. */
sal_status sal_infer_logic(sal_infer *c);
/* Fails unless inputs i and j have the same element type (unknown types pass). */
sal_status sal_infer_same_dtype(const sal_infer *c, int i, int j);
/* Comparison of two inputs of one type: bool; elements of `known` compared by `op` ('=', '<', '>',
 * 'l' <=, 'g'
 * >=) where that can be decided. */
sal_status sal_infer_compare(sal_infer *c, char op);

/* x * c and x + c with a scalar of x's type; cond ? g : 0. */
sal_vid sal_b_mulc(sal_builder *b, sal_vid x, double c);
sal_vid sal_b_addc(sal_builder *b, sal_vid x, double c);
sal_vid sal_b_mask(sal_builder *b, sal_vid cond, sal_vid g);
/* op with one integer attribute, e.g. Softmax axis. */
sal_vid sal_b1_int(sal_builder *b, const char *op, sal_vid x, const char *attr, int64_t v);
/* Sum of the inputs by a chain of Add. */
sal_vid sal_b_sum_all(sal_builder *b, int n, const sal_vid *in);

/* Derivative of Min and Max: inputs equal to the output share its gradient. */
sal_status sal_vjp_shared(sal_vjp *v);

/* static double id_f(...) in terms of x (first operand) and p (ctx as doubles). */
#define SAL_EW_SCALAR_F(id, expr)                                                                  \
    static double id##_f(const double *in, int n, const void *ctx)                                 \
    {                                                                                              \
        double x = in[0];                                                                          \
        const double *p = ctx;                                                                     \
        (void)n;                                                                                   \
        (void)p;                                                                                   \
        return (expr);                                                                             \
    }

/* Float operator of one input without attributes: id_f and id_eval. */
#define SAL_EW_FLOAT(id, expr)                                                                     \
    SAL_EW_SCALAR_F(id, expr)                                                                      \
    static sal_status id##_eval(const sal_eval *e)                                                 \
    {                                                                                              \
        static const sal_ew k = {id##_f, NULL, NULL};                                              \
        return sal_ew_eval(e, 1, &k, NULL);                                                        \
    }

/* One or two operands, a and b, for all three classes: id_eval. */
#define SAL_EW_OF(id, suffix, type, expr, second)                                                  \
    static type id##_##suffix(const type *in, int n, const void *ctx)                              \
    {                                                                                              \
        type a = in[0], b = in[second];                                                            \
        (void)n;                                                                                   \
        (void)ctx;                                                                                 \
        (void)b;                                                                                   \
        return (expr);                                                                             \
    }
#define SAL_EW_ALL(id, operands, fexpr, iexpr, uexpr)                                              \
    SAL_EW_OF(id, f, double, fexpr, (operands)-1)                                                  \
    SAL_EW_OF(id, i, int64_t, iexpr, (operands)-1)                                                 \
    SAL_EW_OF(id, u, uint64_t, uexpr, (operands)-1)                                                \
    static sal_status id##_eval(const sal_eval *e)                                                 \
    {                                                                                              \
        static const sal_ew k = {id##_f, id##_i, id##_u};                                          \
        return sal_ew_eval(e, operands, &k, NULL);                                                 \
    }
/* Integers only: the same expression for both classes. */
#define SAL_EW_INTEGER(id, operands, expr)                                                         \
    SAL_EW_OF(id, i, int64_t, expr, (operands)-1)                                                  \
    SAL_EW_OF(id, u, uint64_t, expr, (operands)-1)                                                 \
    static sal_status id##_eval(const sal_eval *e)                                                 \
    {                                                                                              \
        static const sal_ew k = {NULL, id##_i, id##_u};                                            \
        return sal_ew_eval(e, operands, &k, NULL);                                                 \
    }
#define SAL_EW_UNARY(id, fexpr, iexpr, uexpr)  SAL_EW_ALL(id, 1, fexpr, iexpr, uexpr)
#define SAL_EW_BINARY(id, fexpr, iexpr, uexpr) SAL_EW_ALL(id, 2, fexpr, iexpr, uexpr)

/* static sal_status id_vjp(...) of a one-input operator: the input's gradient in terms of b
 * (builder), g (the output's gradient), n (node), x and y. */
#define SAL_EW_VJP(id, expr)                                                                       \
    static sal_status id##_vjp(sal_vjp *v)                                                         \
    {                                                                                              \
        sal_builder *b = v->b;                                                                     \
        const sal_node *n = v->node;                                                               \
        sal_vid g = v->gout[0], x = n->in[0], y = n->out[0];                                       \
        (void)n;                                                                                   \
        (void)x;                                                                                   \
        (void)y;                                                                                   \
        if (g != SAL_NONE && v->need[0])                                                           \
            v->gin[0] = (expr);                                                                    \
        return b->st;                                                                              \
    }

#endif
