/* The plan of a session: physical values, steps, layouts. Internal to src/exec.
 *
 * Planning walks the graph once. Each node (or group of fused nodes) is lowered by the kernel that
 * kernels.def names for its operator; a node without one, or whose kernel declines, is run by its
 * evaluator. A logical value can have several physical forms (plain, blocked; float32, bfloat16):
 * sal_plan_get() gives the one a kernel wants and adds a reorder step when it is not there yet. */
#ifndef SAL_EXEC_PLAN_H
#define SAL_EXEC_PLAN_H

#include "exec/session.h"
#include "graph/op.h"

#include <dnnl.h>

typedef struct sal_plan sal_plan;
typedef struct sal_step sal_step;
typedef int32_t sal_pid; /* index of a physical value */

typedef enum sal_layout {
    SAL_PLAIN = 0, /* row-major */
    SAL_STRIDED,   /* a transposed or cut view of a row-major value, with strides of its own; matrix
                      products   read it as it is, everybody else through a reorder */
    SAL_BLOCKED /* channels (axis 1) in blocks of plan->block, innermost: nChw16c and its 1-D, 3-D
                   kin; channels beyond C are zero */
} sal_layout;

typedef struct sal_pvalue {
    sal_vid vid; /* logical value; SAL_NONE for scratch */
    sal_dtype dtype;
    sal_layout layout;
    int rank;
    int64_t dims[SAL_MAX_RANK];    /* logical */
    int64_t strides[SAL_MAX_RANK]; /* SAL_STRIDED: in elements */
    size_t shift;                  /* bytes behind the start of `alias` */
    size_t bytes;                  /* physical, padding included */
    const void *fixed;             /* constants: contents, valid for the session's life */
    int input;                     /* index of the graph input whose memory is used as it is; -1 */
    sal_pid alias;                 /* storage is that of another physical value; -1 */
    int first, last;               /* steps that write first and read last; -1 = none */
    bool used;                     /* some step reads it */
    bool keep;                     /* lives until the end of the run (outputs) */
    size_t offset;                 /* in the arena, when the storage is its own */
} sal_pvalue;

/* A step reads in[], writes out[]. run() finds pointers through sal_step_ptr(). */
struct sal_step {
    sal_status (*run)(sal_step *s, sal_session *session, sal_error *err);
    void (*free_state)(void *state);
    void *state;
    const char *kernel; /* "conv", "eval", ... */
    char impl[64];      /* implementation chosen by the library, e.g. "jit:avx512_core" */
    const char *text;   /* node and shapes, for people */
    bool reference;
    int n_in, n_out;
    sal_pid *in, *out;
    uint32_t in_place; /* bit i: out[0] may take the memory of in[i] when that dies here */
    size_t scratch;    /* bytes wanted while running */
};

/* ---- fused epilogues ---- */

enum { SAL_MAX_EPILOGUE = 12 };

typedef struct sal_epilogue {
    const sal_node *node; /* element-wise node */
    int chain;            /* which input of it is the running value */
} sal_epilogue;

/* A group: an anchor with the element-wise nodes that follow it, or element-wise nodes alone. */
typedef struct sal_group {
    const sal_node *anchor; /* NULL for an element-wise group */
    int n_epilogue;
    sal_epilogue epilogue[SAL_MAX_EPILOGUE];
    const sal_node **members; /* element-wise group: nodes in topological order */
    int n_members;
    int position; /* the group runs where this node stood */
} sal_group;

typedef struct sal_use_list {
    const int32_t *start; /* n_values + 1 */
    const int32_t *node;  /* consumer node ids */
} sal_use_list;

typedef struct sal_prepared {
    void *data;
    size_t bytes;
} sal_prepared;

struct sal_plan {
    sal_graph *g; /* own, rewritten copy */
    sal_arena arena;
    int threads;
    sal_dtype precision;
    bool reference;
    sal_packed packed;
    sal_cache *cache;     /* of the caller; NULL: none */
    int32_t cache_layers; /* Attention nodes that use it */
    int block;            /* channels a block: 16 with AVX-512, else 8 */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    sal_pvalue *values;
    size_t n_values, cap_values;
    sal_step *steps;
    size_t n_steps, cap_steps;
    sal_pid *of; /* logical value -> first physical form; chained by next_form */
    sal_pid *next_form;
    size_t cap_next;
    int32_t *uses; /* consumers of a logical value, outputs included */
    sal_use_list consumers;
    sal_prepared *prepared; /* weights in the kernels' layouts */
    size_t n_prepared, cap_prepared;
    size_t prepared_bytes, scratch_bytes, arena_bytes;
    sal_group **groups;   /* by node id; NULL when the node belongs to no group */
    sal_pid *output_form; /* physical value of each graph output; in the arena below */
};

/* Kernel: lower one node (with its group's epilogue). Sets *done = false when the case is not
 * covered; the caller then tries the plain path and at last the evaluator. */
typedef sal_status (*sal_lower_fn)(sal_plan *p, const sal_node *n, const sal_group *group,
                                   bool *done, sal_error *err);
typedef struct sal_kernel {
    const char *op;
    sal_lower_fn lower;
} sal_kernel;
const sal_kernel *sal_kernel_find(const char *op);

/* ---- physical values ---- */

/* The value in this form; SAL_DT_NONE = whatever dtype it has, reorders when needed. */
sal_status sal_plan_get(sal_plan *p, sal_vid v, sal_layout layout, sal_dtype dtype, sal_pid *out,
                        sal_error *err);
/* True when the value already exists in this layout (no reorder would be needed). */
bool sal_plan_has(const sal_plan *p, sal_vid v, sal_layout layout);
/* New physical form of a logical value, to be written by the next step. */
sal_status sal_plan_new(sal_plan *p, sal_vid v, sal_layout layout, sal_dtype dtype, sal_pid *out,
                        sal_error *err);
/* v is the same bytes as an existing physical value (views). */
sal_status sal_plan_alias(sal_plan *p, sal_vid v, sal_pid of, sal_layout layout, sal_pid *out,
                          sal_error *err);
/* Prepared constant memory, owned by the plan, 64-byte aligned. */
sal_status sal_plan_prepared(sal_plan *p, size_t bytes, void **out, sal_error *err);
/* A physical value over prepared memory. */
sal_status sal_plan_fixed(sal_plan *p, const void *data, size_t bytes, sal_dtype dtype,
                          sal_pid *out, sal_error *err);
/* Append a step; `state` is freed with the plan by free_state (also when this fails). */
sal_status sal_plan_step(sal_plan *p, const char *kernel, const sal_node *n,
                         sal_status (*run)(sal_step *, sal_session *, sal_error *), void *state,
                         void (*free_state)(void *), int n_in, const sal_pid *in, int n_out,
                         const sal_pid *out, sal_step **step, sal_error *err);
/* v as a view of the row-major or strided value `of`, `shift` elements behind its start. */
sal_status sal_plan_view(sal_plan *p, sal_vid v, sal_pid of, const int64_t *strides, int64_t shift,
                         sal_pid *out, sal_error *err);
/* The form of v that a view can be taken of, with its strides; row-major unless v exists only as a
 * view. */
sal_status sal_plan_get_any_plain(sal_plan *p, sal_vid v, sal_pid *out, int64_t *strides,
                                  sal_error *err);
/* Which layout suits value v as operand of layout-agnostic kernels: blocked when it exists blocked.
 */
sal_layout sal_plan_layout(const sal_plan *p, sal_vid v);
size_t sal_plan_bytes(const sal_plan *p, sal_layout layout, sal_dtype dtype, int rank,
                      const int64_t *dims);
/* The dtype in which float activations are kept: precision for float32 values, else the value's
 * own. */
sal_dtype sal_plan_dtype(const sal_plan *p, sal_vid v);

/* ---- running ---- */

struct sal_session {
    sal_plan plan;
    uint8_t *arena;
    uint8_t *scratch;
    void **ptr;          /* of every physical value, refreshed for inputs at each run */
    sal_tensor *outputs; /* views of the arena */
};

static inline void *sal_step_ptr(const sal_session *s, sal_pid p)
{
    return p < 0 ? NULL : s->ptr[p];
}

/* ---- parts of planning, one file each ---- */

sal_status sal_plan_group(sal_plan *p, sal_error *err);  /* group.c */
sal_status sal_plan_memory(sal_plan *p, sal_error *err); /* memory.c */
sal_status sal_lower_reorder(sal_plan *p, sal_pid from, sal_pid to,
                             sal_error *err); /* kernels/reorder.c */
sal_status sal_lower_copy(sal_plan *p, sal_pid from, sal_pid to,
                          sal_error *err);                                 /* kernels/reorder.c */
sal_status sal_lower_eval(sal_plan *p, const sal_node *n, sal_error *err); /* kernels/eval.c */
sal_status sal_lower_elementwise(sal_plan *p, const sal_group *group,
                                 sal_error *err); /* kernels/elementwise.c */
/* The epilogue of a group as an element-wise pass after its anchor. */
sal_status sal_lower_epilogue(sal_plan *p, const sal_group *group, sal_error *err); /* lower.c */
/* True when the anchor's kernel can take the element-wise node e as an epilogue step. */
bool sal_epilogue_fits(const sal_plan *p, const sal_node *anchor, const sal_node *e, int chain);

#endif
