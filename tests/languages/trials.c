// SPDX-License-Identifier: Apache-2.0
// Reaches for what no step has, says what it met, and then fails. Granted: `data/**`, to read.

#include "cofferdam.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void meet(const char *what, const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    if (file != NULL) {
        cofferdam_log(COFFERDAM_STEP_LOG_LEVEL_ERROR, "%s: it worked", what);
        fclose(file);
    } else {
        cofferdam_log(COFFERDAM_STEP_LOG_LEVEL_INFO, "%s: %s", what, strerror(errno));
    }
}

static void meet_key(void) {
    step_string_t key, text;
    step_string_set(&key, "private");
    cofferdam_step_config_option_value_t value;
    cofferdam_step_config_error_t why;
    if (cofferdam_step_config_get(&key, &value, &why)) {
        cofferdam_log(COFFERDAM_STEP_LOG_LEVEL_ERROR, "read a key that is not granted: it worked");
    } else {
        cofferdam_key_refused("private", &why, &text);
        cofferdam_log(COFFERDAM_STEP_LOG_LEVEL_INFO, "read a key that is not granted: %.*s",
                      (int)text.len, (const char *)text.ptr);
    }
}

bool exports_step_run(step_context_t *context, step_verdict_t *verdict, step_string_t *error) {
    (void)context;
    (void)verdict;
    meet("read what is not granted", "/private/key", "r");
    meet("write what is not granted", "/data/new", "w");
    meet_key();
    return cofferdam_fail(error, "the record has no `%s`", "time of the record");
}
