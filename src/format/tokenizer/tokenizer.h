/* The inside of a tokeniser: a chain of normalisers, a chain of splitters, a model, a template and
 * a chain of decoders, each a row of a table by the name it has in tokenizer.json. */
#ifndef SAL_FORMAT_TOKENIZER_H
#define SAL_FORMAT_TOKENIZER_H

#define PCRE2_CODE_UNIT_WIDTH 32
#include "base/base.h"

#include <jansson.h>
#include <pcre2.h>
#include <salience/tokenizer.h>

/* ---- text ---- */

/* A code point and the bytes of the caller's text that it stands for. A byte that is no UTF-8 is
 * TOK_BYTE + byte. */
typedef struct tok_char {
    uint32_t c, begin, end;
} tok_char;

#define TOK_BYTE 0x200000U

typedef struct tok_text {
    tok_char *v;
    size_t n, cap;
} tok_text;

sal_status tok_text_add(tok_text *t, uint32_t c, uint32_t begin, uint32_t end, sal_error *err);
sal_status tok_text_append(tok_text *t, const tok_char *v, size_t n, sal_error *err);
void tok_text_free(tok_text *t);
/* UTF-8 to code points. */
sal_status tok_text_read(tok_text *t, const char *text, size_t n, sal_error *err);
/* UTF-8 of one code point into buf[4]; returns its bytes. Raw bytes give U+FFFD. */
size_t tok_utf8(uint32_t c, char *buf);

/* Rust's and Unicode's notions of what a character is. */
bool tok_is_space(uint32_t c);
/* Of the categories P* of Unicode 8, or of ASCII: as Hugging Face's tokenizers have it. */
bool tok_is_punctuation(uint32_t c);
bool tok_is_late(uint32_t c);
bool tok_is_word(uint32_t c);
bool tok_is_numeric(uint32_t c);

/* Pieces of a text: consecutive ranges. */
typedef struct tok_range {
    size_t begin, end;
} tok_range;

typedef struct tok_pieces {
    tok_text text;
    tok_range *v;
    size_t n, cap;
} tok_pieces;

/* Close a piece that began at `begin` and ends where the text does; empty ones are dropped. */
sal_status tok_pieces_close(tok_pieces *p, size_t begin, sal_error *err);
void tok_pieces_free(tok_pieces *p);

/* ---- strings to numbers ---- */

typedef struct tok_map {
    struct tok_slot {
        const char *key; /* borrowed */
        uint32_t n;
        int32_t id;
    } * slots;
    size_t size; /* a power of two; 0: empty map */
} tok_map;

sal_status tok_map_new(tok_map *m, size_t count, sal_error *err);
/* Keeps the first of equal keys; false then. */
bool tok_map_put(tok_map *m, const char *key, size_t n, int32_t id);
int32_t tok_map_get(const tok_map *m, const char *key, size_t n); /* -1 */
void tok_map_free(tok_map *m);

/* ---- steps ---- */

enum { TOK_MAX_STEPS = 32 };

typedef enum tok_behaviour {
    TOK_REMOVED,
    TOK_ISOLATED,
    TOK_WITH_PREVIOUS,
    TOK_WITH_NEXT,
    TOK_CONTIGUOUS,
} tok_behaviour;

typedef struct tok_pattern {
    pcre2_code *code; /* NULL: the literal */
    uint32_t *literal;
    size_t n;
} tok_pattern;

typedef struct tok_step tok_step;

typedef struct tok_step_type {
    const char *name;
    sal_status (*read)(tok_step *s, const json_t *json, sal_error *err); /* may be NULL */
    sal_status (*normalise)(const tok_step *s, tok_text *t, sal_error *err);
    sal_status (*split)(const tok_step *s, const tok_pieces *in, tok_pieces *out, sal_error *err);
    /* Token strings are joined after the chain; the step changes them in place. */
    sal_status (*decode)(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err);
} tok_step_type;

struct tok_step {
    const tok_step_type *type;
    bool flags[4];
    tok_behaviour behaviour;
    tok_pattern pattern;
    char *text;    /* content of a replacement, a prefix */
    uint8_t *blob; /* precompiled map */
    size_t blob_n;
    int64_t numbers[2];
};

extern const tok_step_type tok_normalisers[], tok_splitters[], tok_decoders[];

/* Read a step, or the steps of a Sequence, behind those in steps[*n]. json may be null. */
sal_status tok_steps_read(tok_step *steps, size_t *n, const tok_step_type *table, const char *what,
                          const json_t *json, sal_error *err);
void tok_steps_free(tok_step *steps, size_t n);
/* {"String": "x"} or {"Regex": "x"}. */
sal_status tok_pattern_read(tok_pattern *p, const json_t *json, sal_error *err);
sal_status tok_pattern_compile(tok_pattern *p, const char *regex, sal_error *err);
void tok_pattern_free(tok_pattern *p);
/* First match in t[from, end): its range; false when there is none. Errors: SAL_EINVAL. */
typedef struct tok_matcher {
    const tok_pattern *p;
    uint32_t *subject; /* the code points of the piece */
    size_t n;
    pcre2_match_data *data;
    pcre2_match_context *context;
} tok_matcher;
sal_status tok_matcher_new(tok_matcher *m, const tok_pattern *p, const tok_char *v, size_t n,
                           sal_error *err);
sal_status tok_matcher_next(tok_matcher *m, size_t from, bool *found, tok_range *r, sal_error *err);
void tok_matcher_free(tok_matcher *m);
/* A string member, "" when absent, or SAL_EFORMAT. */
sal_status tok_string(const json_t *json, const char *key, char **out, sal_error *err);
bool tok_flag(const json_t *json, const char *key, bool fallback);
sal_status tok_normalise(const tok_step *steps, size_t n, tok_text *t, sal_error *err);

/* ---- models ---- */

typedef struct tok_ids {
    struct tok_id {
        int32_t id;
        uint32_t begin, end;
    } * v;
    size_t n, cap;
} tok_ids;

sal_status tok_ids_add(tok_ids *out, int32_t id, uint32_t begin, uint32_t end, sal_error *err);

typedef struct tok_model_type {
    const char *name;
    sal_status (*read)(sal_tokenizer *t, const json_t *json, sal_error *err);
    sal_status (*encode)(const sal_tokenizer *t, const tok_char *word, size_t n, tok_ids *out,
                         sal_error *err);
} tok_model_type;

extern const tok_model_type tok_wordpiece, tok_wordlevel, tok_bpe, tok_unigram;

typedef struct tok_merge {
    int32_t left, right, rank, into; /* left -1: free slot */
} tok_merge;

typedef struct tok_added {
    char *content;
    uint32_t *code; /* code points to look for: normalised if the token is */
    size_t n;
    int32_t id;
    bool special, single_word, lstrip, rstrip, normalised;
} tok_added;

/* A place of the template. */
typedef struct tok_place {
    int32_t id; /* -1: the text */
    int32_t type;
} tok_place;

struct sal_tokenizer {
    json_t *json; /* owns the strings of the vocabulary */
    const tok_model_type *model;
    tok_map vocab;
    const char **tokens; /* by id; NULL: none */
    size_t n_tokens;
    size_t limit;
    tok_step normalisers[TOK_MAX_STEPS], splitters[TOK_MAX_STEPS], decoders[TOK_MAX_STEPS];
    size_t n_normalisers, n_splitters, n_decoders;
    tok_added *added;
    size_t n_added;
    bool *special; /* by id */
    tok_place *places;
    size_t n_places;
    /* WordPiece, BPE, Unigram */
    int32_t unk;
    const char *prefix, *suffix; /* of subwords, "" for none */
    size_t max_chars;
    bool byte_fallback, fuse_unk, ignore_merges;
    int32_t bytes[256]; /* ids of <0x00> to <0xFF>; -1 */
    tok_merge *merges;
    size_t merges_size;
    double *scores; /* Unigram, by id */
    size_t longest; /* bytes of the longest token */
    double unk_score;
};

/* Number of the byte in byte-level text, -1 when the character stands for none; and back. */
int tok_byte_of(uint32_t c);
uint32_t tok_byte_char(uint8_t b);

#endif
