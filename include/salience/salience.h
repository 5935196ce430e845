/* Everything: explain neural networks that exist as a file. */
#ifndef SALIENCE_SALIENCE_H
#define SALIENCE_SALIENCE_H

#include <salience/catalogue.h>
#include <salience/chat.h>
#include <salience/error.h>
#include <salience/evaluate.h>
#include <salience/explain.h>
#include <salience/file.h>
#include <salience/image.h>
#include <salience/labels.h>
#include <salience/lm.h>
#include <salience/model.h>
#include <salience/picture.h>
#include <salience/run.h>
#include <salience/tensor.h>
#include <salience/tokenizer.h>
#include <salience/version.h>
#include <salience/volume.h>

#endif
