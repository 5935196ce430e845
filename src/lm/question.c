/* Surgery on a language model: embeddings in, what is asked out. */
#include "lm/question.h"

#include "graph/passes/passes.h"
#include "ops/builder.h"

/* Row `at` (from the end: negative) of [batch,sequence,vocabulary]. */
static sal_vid question_row(sal_builder *b, sal_vid logits, int64_t at)
{
    sal_attr axis = SAL_AI("axis", 1);

    return sal_b_op(b, "Gather", 2, (sal_vid[]){logits, sal_b_scalar(b, SAL_I64, (double)at)}, 1,
                    &axis);
}

/* log softmax(row)[id] as [batch,1] */
static sal_vid question_id(sal_builder *b, sal_vid row, int32_t id)
{
    sal_attr last = SAL_AI("axis", -1), axis = SAL_AI("axis", 1);
    int64_t ids[] = {id};
    sal_vid p = sal_b_op(b, "LogSoftmax", 1, &row, 1, &last);

    return sal_b_op(b, "Gather", 2, (sal_vid[]){p, sal_b_ints(b, ids, 1)}, 1, &axis);
}

sal_status sal_lm_question(sal_graph **out, const sal_graph *model, const int32_t *answer, size_t n,
                           sal_error *err)
{
    sal_vid in = sal_graph_find(model, "embeddings"), v = sal_graph_find(model, "logits");
    sal_vid *parts = sal_calloc(n + 1, sizeof(*parts));
    sal_graph *g = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    if (parts == NULL)
        SAL_TRY(sal_fail_nomem(err));
    if (in == SAL_NONE || v == SAL_NONE || sal_val(model, v)->rank != 3)
        SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED,
                         "no language model: it has no values named embeddings and logits"));
    for (size_t i = 0; i < n; i++) {
        if (answer[i] < 0 || answer[i] >= sal_val(model, v)->dims[2])
            SAL_TRY(sal_fail(err, SAL_EINVAL, "token %zu has the id %ld: the vocabulary has %lld",
                             i, (long)answer[i], (long long)sal_val(model, v)->dims[2]));
    }
    SAL_TRY(sal_graph_cut(&g, model, 1, &in, 1, &v, err));
    sal_builder b = SAL_BUILDER(g, err, "question");
    v = sal_graph_find(g, "logits");
    if (n == 0) {
        v = question_row(&b, v, -1);
    } else {
        for (size_t i = 0; i < n; i++)
            parts[i] = question_id(&b, question_row(&b, v, (int64_t)i - (int64_t)n), answer[i]);
        v = n == 1 ? parts[0] : sal_b_concat(&b, (int)n, parts, 1);
    }
    SAL_TRY(b.st);
    SAL_TRY(sal_graph_rename(g, v, n == 0 ? "next" : "answer", err));
    g->n_outputs = 0;
    SAL_TRY(sal_graph_add_output(g, v, err));
    for (size_t i = 0; i < model->n_meta; i++)
        SAL_TRY(sal_graph_set_meta(g, model->meta[i].key, model->meta[i].text, err));
    *out = g;
    g = NULL;
done:
    sal_graph_free(g);
    sal_free(parts);
    return st;
}
