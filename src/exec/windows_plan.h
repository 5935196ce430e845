/* What windows.c plans and windows_ops.c computes. Internal. */
#ifndef SAL_EXEC_WINDOWS_PLAN_H
#define SAL_EXEC_WINDOWS_PLAN_H

#include "exec/windows.h"

typedef enum win_kind {
    WIN_CONV,
    WIN_DEPTHWISE,
    WIN_MAX_POOL,
    WIN_AFFINE, /* a[c] x + b[c] */
    WIN_CLIP,   /* rectifiers too */
    WIN_SIGMOID,
    WIN_HARD_SWISH,
    WIN_ADD,
    WIN_CONCAT,
} win_kind;

enum { WIN_MAX_IN = 64 };

typedef struct win_node {
    win_kind kind;
    int n_in;
    sal_vid in[WIN_MAX_IN], out;
    int32_t kernel[2], stride[2], pad[2], dilation[2];
    float *a, *b; /* convolution: [kernel, C, M] and [M]; affine: [C] and [C] */
    float low, high;
    double macs; /* of the whole output */
} win_node;

typedef struct win_value {
    bool windowed, fetched; /* fetched: read beyond its boxes, so its kept values are needed */
    int32_t c, h, w;
    int last;    /* last node that reads it */
    float *keep; /* [h, w, c] of the unchanged input */
    float *data; /* the boxes of all changes, [pixels, c] */
    size_t room; /* floats in data */
    sal_box *box;
    size_t *at; /* first pixel of each change */
} win_value;

/* One row of one box of a node's output. */
typedef struct win_line {
    int32_t change, y;
    size_t pixel;
} win_line;

struct sal_windows {
    win_value *values; /* by value id */
    size_t n_values;
    win_node *nodes;
    size_t n_nodes;
    size_t batch;
    int threads;
    sal_vid input, output;
    int input_index;
    sal_vid *ends; /* windowed values that the rest of the model reads */
    size_t n_ends;
    sal_vid *kept; /* what the body gives: values to keep, then ends */
    size_t n_kept;
    sal_session *body, *tail;
    sal_tensor *tail_in;
    float **plain; /* by end: [c, h, w] of the unchanged input */
    double macs, tail_macs;
    win_line *lines;
    size_t cap_lines;
    float *rows; /* gathered inputs of a matrix product */
    size_t room_rows;
    float **spare; /* buffers out of use, with their rooms */
    size_t *spare_room;
    size_t n_spare;
};

static inline int32_t win_area(const sal_box *b)
{
    return (b->y1 - b->y0) * (b->x1 - b->x0);
}

/* The box that a node's output has for boxes of its inputs. */
sal_box win_reach(const sal_windows *w, const win_node *n, const sal_box *in);
/* Compute a node for n changes; boxes, offsets and memory of the output are there. */
sal_status win_compute(sal_windows *w, const win_node *n, size_t changes, sal_error *err);

#endif
