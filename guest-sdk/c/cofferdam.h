// SPDX-License-Identifier: Apache-2.0
// What a step in C is written with, on top of the bindings in `step.h`.
//
// A step is `exports_step_run`. It returns true with a verdict, or false with the text of an error, which
// the operator reads; nothing has changed then. Files are plain stdio; the root `/` is the install.

#ifndef COFFERDAM_H
#define COFFERDAM_H

#include "step.h"

// A reason that is returned on the way out: `return cofferdam_fail(error, "…")`. Gives false.
bool cofferdam_fail(step_string_t *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// In every phase but `health`: go on. Gives true.
bool cofferdam_ok(step_verdict_t *verdict);

// The update is not for this machine as it is now. Gives true: a refusal is an answer, no failure.
bool cofferdam_refuse(step_verdict_t *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Adds a line for the operator, at a level such as COFFERDAM_STEP_LOG_LEVEL_INFO.
void cofferdam_log(cofferdam_step_log_level_t level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Moves a configuration key, as its value is written; false with a text when that was refused. With
// `may_be_absent`, a key that is not there is no error.
bool cofferdam_rename_key(const char *key, const char *new_key, bool may_be_absent,
                          step_string_t *error);

// The text of a refused request for a key, into `error`. Gives false.
bool cofferdam_key_refused(const char *key, const cofferdam_step_config_error_t *why,
                           step_string_t *error);

// A string of the bindings, which ends at a length, as one that ends with a zero. Freed by the caller.
char *cofferdam_text(const step_string_t *string);

#endif
