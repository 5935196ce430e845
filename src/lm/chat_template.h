/* What a row of templates.def says: the text around the messages of each role. */
#ifndef SAL_LM_CHAT_TEMPLATE_H
#define SAL_LM_CHAT_TEMPLATE_H

#include "base/base.h"

#include <salience/chat.h>

/* Stand for names of tokens and the date in the text of a row. */
#define CHAT_BOS  "\1"
#define CHAT_EOS  "\2"
#define CHAT_DATE "\3"

typedef struct chat_turn {
    const char *begin, *end; /* NULL: the template has no place for this role */
} chat_turn;

enum {
    CHAT_TRIM = 1,           /* white space around what a message says is dropped */
    CHAT_TRIM_JOINED = 2,    /* that around system text and first message together */
    CHAT_SYSTEM_IN_USER = 4, /* the system's text stands in the first turn of the user */
    CHAT_ALTERNATES = 8,     /* user, assistant, user, ... */
    CHAT_THINKS = 16,        /* <think>...</think> is kept only behind the last question */
    CHAT_NO_EMPTY_SYSTEM = 32,
};

struct sal_chat_template {
    const char *name, *help;
    /* The Jinja text holds all of `marks` and none of `others` (see chat_text_tidy()). */
    const char *marks[6], *others[6];
    /* The text of a ChatML system turn that the Jinja text itself spells out must be this. */
    bool chatml;
    const char *system_text; /* when no message has one; NULL: no system turn then */
    const char *bos, *eos;   /* names of the tokens */
    const char *date;
    const char *begin; /* before everything */
    chat_turn system, user, assistant;
    chat_turn later;    /* system messages that are not the first; begin NULL: as the first */
    const char *prompt; /* begins an answer */
    const char *end;    /* behind everything when no answer is asked for */
    unsigned flags;
};

#endif
