/* The inside of a tokeniser: a chain of normalisers, a chain of splitters, a model, a template and
 * a chain of decoders, each a row of a table by the name it has in tokenizer.json. One from a GGUF
 * file is made of the same parts; it has types of tokens, and fragments between special tokens in
 * the place of normalisers. */
#ifndef SAL_FORMAT_TOKENIZER_H
#define SAL_FORMAT_TOKENIZER_H

#define PCRE2_CODE_UNIT_WIDTH 32
#include "base/base.h"
#include "format/gguf.h"

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
        uint32_t hash, n;
        int32_t id;
    } * slots;
    size_t size; /* a power of two; 0: empty map */
} tok_map;

sal_status tok_map_new(tok_map *m, size_t count, sal_error *err);
/* Keeps the first of equal keys; false then. */
bool tok_map_put(tok_map *m, const char *key, size_t n, int32_t id);
int32_t tok_map_get(const tok_map *m, const char *key, size_t n); /* -1 */
/* The same with the key's hash, which goes on from that of the key's begin. */
#define TOK_MAP_HASH 0xCBF29CE484222325U
uint64_t tok_map_hash(const char *key, size_t n, uint64_t hash);
int32_t tok_map_find(const tok_map *m, const char *key, size_t n, uint64_t hash);
void tok_map_free(tok_map *m);

/* Texts as paths from node 0, by code points; values are numbers >= 0. */
typedef struct tok_trie {
    struct tok_edge {
        uint32_t node, c, to; /* to 0: free slot */
    } * edges;
    size_t size; /* a power of two; 0: empty trie */
    int32_t *values;
    uint32_t n_nodes;
} tok_trie;

/* For texts of `symbols` code points together. */
sal_status tok_trie_new(tok_trie *t, size_t symbols, sal_error *err);
/* Keeps the first value of equal texts. */
void tok_trie_put(tok_trie *t, const uint32_t *code, size_t n, int32_t value);
uint32_t tok_trie_next(const tok_trie *t, uint32_t node, uint32_t c); /* 0: none */
void tok_trie_free(tok_trie *t);

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

/* Where a chain of decoders is in a text. */
typedef struct tok_flow_step {
    bool begun;            /* the text's first character is out */
    int64_t dropped, held; /* repeats dropped at the begin, held back at the end */
} tok_flow_step;

typedef struct tok_flow {
    size_t index; /* tokens before this one */
    bool fused;   /* by a step before this one */
    bool end;     /* the token is the empty one behind the last */
    tok_flow_step *step, steps[TOK_MAX_STEPS];
} tok_flow;

typedef struct tok_step_type {
    const char *name;
    sal_status (*read)(tok_step *s, const json_t *json, sal_error *err); /* may be NULL */
    sal_status (*normalise)(const tok_step *s, tok_text *t, sal_error *err);
    sal_status (*split)(const tok_step *s, const tok_pieces *in, tok_pieces *out, sal_error *err);
    /* The step changes a token's string in place; what it says is joined. */
    sal_status (*decode)(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err);
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
    const struct tok_pairs *pairs; /* borrowed */
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
typedef struct tok_matcher {
    const tok_pattern *p;
    uint32_t *subject; /* code points */
    size_t begin, n;   /* the part of them that is the text */
    pcre2_match_data *data;
    pcre2_match_context *context;
} tok_matcher;
sal_status tok_matcher_new(tok_matcher *m, const tok_pattern *p, const tok_char *v, size_t n,
                           sal_error *err);
/* Look only at v[r.begin, r.end): no pattern sees what is around. */
void tok_matcher_part(tok_matcher *m, tok_range r);
/* First match in the part behind `from`: its range in the part. Errors: SAL_EINVAL. */
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

/* A token of a word that is being merged. */
typedef struct tok_symbol {
    int32_t id, prev, next; /* neighbours, -1 at the ends; id -1: in no vocabulary */
    uint32_t begin, end;    /* of the caller's text */
    uint32_t at, n;         /* bytes of the word; n 0: merged away */
} tok_symbol;

/* Two neighbours that could be merged, in a heap by rank and place. */
typedef struct tok_candidate {
    double rank;
    int32_t at, into, left, right;
    uint32_t n; /* bytes of both */
} tok_candidate;

/* Memory that encoding uses again and again. */
typedef struct tok_work {
    tok_symbol *symbols;
    size_t n, cap;
    tok_candidate *heap;
    size_t n_heap, cap_heap;
    sal_bytes bytes;
} tok_work;

sal_status tok_work_push(tok_work *w, const tok_candidate *c, sal_error *err);
tok_candidate tok_work_pop(tok_work *w);
/* A symbol behind the last one. */
sal_status tok_work_symbol(tok_work *w, int32_t id, uint32_t begin, uint32_t end, sal_error *err);
/* The symbol at a takes in its right neighbour. */
void tok_work_merge(tok_work *w, int32_t a, int32_t into);
void tok_work_free(tok_work *w);

typedef struct tok_model_type {
    const char *name;
    sal_status (*read)(sal_tokenizer *t, const json_t *json, sal_error *err);
    sal_status (*encode)(const sal_tokenizer *t, const tok_char *word, size_t n, tok_work *w,
                         tok_ids *out, sal_error *err);
} tok_model_type;

/* A character without a token is this much less probable than the rarest token of Unigram. */
#define TOK_UNKNOWN_PENALTY 10.0

extern const tok_model_type tok_wordpiece, tok_wordlevel, tok_bpe, tok_unigram, tok_spm;

typedef struct tok_merge {
    int32_t left, right, rank, into; /* left -1: free slot */
} tok_merge;

typedef struct tok_added {
    char *content;
    uint32_t *code; /* code points to look for: normalised if the token is */
    size_t n;
    int32_t id;
    bool special, single_word, lstrip, rstrip, normalised;
    uint32_t rank; /* by length among those of a GGUF file: they are looked for in this order */
} tok_added;

/* A place of the template. */
typedef struct tok_place {
    int32_t id; /* -1: the text */
    int32_t type;
} tok_place;

/* `tokenizer.ggml.token_type` */
enum {
    TOK_TYPE_NORMAL = 1,
    TOK_TYPE_UNKNOWN,
    TOK_TYPE_CONTROL,
    TOK_TYPE_USER,
    TOK_TYPE_UNUSED,
    TOK_TYPE_BYTE,
};

/* Pairs of characters that stand side by side in some token: a text can be cut between all others.
 */
typedef struct tok_pairs {
    uint8_t ascii[129][129]; /* 128: the mark of a space */
    uint64_t *slots;
    size_t size, used; /* size: a power of two */
} tok_pairs;

#define TOK_MARK      0x2581U /* SentencePiece's space */
#define TOK_MARK_UTF8 "\xE2\x96\x81"

struct sal_tokenizer {
    json_t *json;  /* owns the strings of the vocabulary, */
    char *strings; /* or this does */
    const tok_model_type *model;
    tok_map vocab;
    const char **tokens; /* by id; NULL: none */
    size_t n_tokens;
    size_t limit;
    tok_step normalisers[TOK_MAX_STEPS], splitters[TOK_MAX_STEPS], decoders[TOK_MAX_STEPS];
    size_t n_normalisers, n_splitters, n_decoders;
    tok_added *added;
    size_t n_added;
    tok_trie tries[2]; /* numbers of added tokens; [1]: looked for in normalised text */
    bool *special;     /* by id */
    int32_t bos, eos, pad;
    bool *ends; /* by id; NULL: only eos does */
    char *chat_template;
    /* of a GGUF vocabulary */
    uint8_t *types;    /* by id; NULL: from a tokenizer.json */
    bool byte_level;   /* tokens are bytes as characters; else spaces are marks */
    bool space_prefix; /* a text begins with a space */
    bool merge_spaces; /* runs of spaces are one */
    uint32_t n_ranks;  /* of added tokens */
    tok_pairs *pairs;
    tok_place *places;
    size_t n_places;
    /* WordPiece, BPE, Unigram */
    int32_t unk;
    int32_t unknown;                     /* what the file calls so; unk -1: it is not used */
    const char *first, *prefix, *suffix; /* of a word's begin, of subwords; "" for none */
    size_t max_chars;
    bool byte_fallback, fuse_unk, ignore_merges;
    int32_t bytes[256]; /* ids of <0x00> to <0xFF>; -1 */
    tok_merge *merges;
    size_t merges_size;
    double *scores; /* Unigram, SentencePiece's BPE; by id */
    size_t n_scores;
    size_t longest; /* bytes of the longest token */
    double unk_score;
};

/* Room for n merges, and the i-th of them. Errors: SAL_EFORMAT (a token that is not known). */
sal_status tok_merges_new(sal_tokenizer *t, size_t n, sal_error *err);
sal_status tok_merges_add(sal_tokenizer *t, size_t i, const char *a, size_t na, const char *b,
                          size_t nb, sal_error *err);
/* The two halves of "a b"; false when it has none. */
bool tok_merges_halves(const char *text, size_t n, size_t *na, size_t *b);

/* ---- fragments of a text: special tokens and what is between, for GGUF vocabularies ---- */

typedef struct tok_fragment {
    size_t begin, end;
    int32_t added; /* -1: text */
} tok_fragment;

/* Longer tokens are found first, then those that stand before. `plain`: only those that are text
 * too. *out: sal_free(). */
sal_status tok_fragments(const sal_tokenizer *t, const tok_text *text, bool plain,
                         tok_fragment **out, size_t *n, sal_error *err);

/* ---- parts of reading ---- */

enum { TOK_MAX_TOKENS = 1 << 24 };

sal_status tok_token_add(sal_tokenizer *t, const char *token, int64_t id, size_t *cap,
                         sal_error *err);
/* The tries of t->added, with what code they look for. */
sal_status tok_added_index(sal_tokenizer *t, sal_error *err);
sal_status tok_place_add(sal_tokenizer *t, size_t *cap, int32_t id, int64_t type, sal_error *err);
/* Ids of <0x00> to <0xFF>. */
void tok_bytes_find(sal_tokenizer *t);
/* eos and special tokens with the names of ends. */
sal_status tok_ends_find(sal_tokenizer *t, sal_error *err);
/* The vocabulary in the metadata of a GGUF file. Strings are copied. */
sal_status tok_gguf_read(sal_tokenizer *t, const sal_gguf *g, sal_error *err);
/* SentencePiece's precompiled map, from its bytes. */
sal_status tok_precompiled_set(tok_step *s, const uint8_t *bytes, size_t n, sal_error *err);
/* Are the tokens short enough for a search through them? */
sal_status tok_unigram_check(const sal_tokenizer *t, sal_error *err);
/* The pairs of all tokens that text is made of, and the splitter that cuts between others. */
sal_status tok_pairs_new(tok_pairs **out, const sal_tokenizer *t, sal_error *err);
void tok_pairs_free(tok_pairs *p);
extern const tok_step_type tok_pairs_split;

/* ---- parts of decoding ---- */

/* One more token, and the end. */
sal_status tok_flow_add(const sal_tokenizer *t, tok_flow *f, int32_t id, bool skip_special,
                        sal_bytes *out, sal_error *err);
sal_status tok_flow_end(const sal_tokenizer *t, tok_flow *f, sal_bytes *out, sal_error *err);
/* Characters of byte-level text back to bytes; what is none of such stays. */
sal_status tok_bytes_back(sal_bytes *token, sal_error *err);
/* "<0x41>" is the byte 0x41; -1 for what is none. */
int tok_byte_named(const char *token, size_t n);

/* Number of the byte in byte-level text, -1 when the character stands for none; and back. */
int tok_byte_of(uint32_t c);
uint32_t tok_byte_char(uint8_t b);

#endif
