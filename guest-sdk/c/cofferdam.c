// SPDX-License-Identifier: Apache-2.0
// See cofferdam.h.

#include "cofferdam.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Longer texts are cut.
#define TEXT_BYTES 4096

static void set_formatted(step_string_t *to, const char *format, va_list arguments) {
    char text[TEXT_BYTES];
    vsnprintf(text, sizeof text, format, arguments);
    step_string_dup(to, text);
}

bool cofferdam_fail(step_string_t *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    set_formatted(error, format, arguments);
    va_end(arguments);
    return false;
}

bool cofferdam_ok(step_verdict_t *verdict) {
    verdict->tag = COFFERDAM_STEP_TYPES_VERDICT_OK;
    return true;
}

bool cofferdam_refuse(step_verdict_t *verdict, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    verdict->tag = COFFERDAM_STEP_TYPES_VERDICT_REFUSE;
    set_formatted(&verdict->val.refuse, format, arguments);
    va_end(arguments);
    return true;
}

void cofferdam_log(cofferdam_step_log_level_t level, const char *format, ...) {
    step_string_t line;
    va_list arguments;
    va_start(arguments, format);
    set_formatted(&line, format, arguments);
    va_end(arguments);
    cofferdam_step_log_write(level, &line);
    step_string_free(&line);
}

bool cofferdam_rename_key(const char *key, const char *new_key, bool may_be_absent,
                          step_string_t *error) {
    step_string_t from, to;
    step_string_set(&from, key);
    step_string_set(&to, new_key);
    cofferdam_step_config_error_t why;
    if (cofferdam_step_config_rename(&from, &to, &why)) {
        return true;
    }
    bool absent = why.tag == COFFERDAM_STEP_CONFIG_ERROR_NO_SUCH_KEY;
    bool fine = (absent && may_be_absent) || cofferdam_key_refused(key, &why, error);
    cofferdam_step_config_error_free(&why);
    return fine;
}

bool cofferdam_key_refused(const char *key, const cofferdam_step_config_error_t *why,
                           step_string_t *error) {
    step_string_t text;
    switch (why->tag) {
    case COFFERDAM_STEP_CONFIG_ERROR_NOT_GRANTED:
        step_string_set(&text, "not granted to this step");
        break;
    case COFFERDAM_STEP_CONFIG_ERROR_SECRET:
        step_string_set(&text, "a secret, which can only be moved");
        break;
    case COFFERDAM_STEP_CONFIG_ERROR_NO_SUCH_KEY:
        step_string_set(&text, "there is no such key");
        break;
    default:
        text = why->val.refused;
    }
    return cofferdam_fail(error, "configuration key `%s`: %.*s", key, (int)text.len,
                          (const char *)text.ptr);
}

char *cofferdam_text(const step_string_t *string) {
    char *text = malloc(string->len + 1);
    if (text == NULL) {
        abort();
    }
    memcpy(text, string->ptr, string->len);
    text[string->len] = '\0';
    return text;
}
