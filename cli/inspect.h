/* Parts of salience inspect. */
#ifndef SALIENCE_CLI_INSPECT_H
#define SALIENCE_CLI_INSPECT_H

#include "cli.h"

/* "4.65 M", "18.6 MB": v in steps of 1000 with a prefix before the unit. Returns buf. */
const char *inspect_number(double v, const char *unit, char *buf, size_t n);

/* ---- language models (inspect_language.c) ---- */

/* Is it one (does its metadata hold lm.*)? */
bool inspect_is_language(const sal_model *m);
/* A metadata key that the lines below tell already, or that only a tokeniser reads. */
bool inspect_language_tells(const char *key);
void inspect_language_print(const sal_model *m);
/* The object "language". */
void inspect_language_json(cli_text *t, const sal_model *m);

#endif
