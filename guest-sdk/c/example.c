// SPDX-License-Identifier: Apache-2.0
// The example in C: see ../example/README.md for what it does.

#include "cofferdam.h"
#include "json.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS "/data/records"
#define RECORD_BYTES 65536
#define PATH_BYTES 4096

static bool move_net_section(step_string_t *error) {
    step_string_t prefix;
    step_string_set(&prefix, "net");
    step_list_string_t keys;
    cofferdam_step_config_error_t why;
    if (!cofferdam_step_config_list(&prefix, &keys, &why)) {
        return cofferdam_key_refused("net", &why, error);
    }
    bool fine = true;
    for (size_t i = 0; fine && i < keys.len; i++) {
        char *key = cofferdam_text(&keys.ptr[i]);
        char new_key[PATH_BYTES];
        snprintf(new_key, sizeof new_key, "server.%s", key + strlen("net."));
        fine = cofferdam_rename_key(key, new_key, false, error);
        if (fine) {
            cofferdam_log(COFFERDAM_STEP_LOG_LEVEL_INFO, "%s is now %s", key, new_key);
        }
        free(key);
    }
    step_list_string_free(&keys);
    // A secret is not listed, and can be moved without being seen.
    return fine && cofferdam_rename_key("net.token", "server.token", true, error);
}

static const json_member *member(const json_member *members, int count, const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

static bool write_record(const char *path, const char *name, const char *value, const char *unit,
                         const char *time, step_string_t *error) {
    // Beside the old one, then over it, which keeps its mode and owner.
    char beside[PATH_BYTES];
    snprintf(beside, sizeof beside, "%s.new", path);
    FILE *file = fopen(beside, "w");
    if (file == NULL) {
        return cofferdam_fail(error, "%s: %s", beside + 1, strerror(errno));
    }
    fputs("{\n  \"schema\": 2,\n  \"name\": ", file);
    json_write_text(file, name);
    fputs(",\n  \"value\": ", file);
    json_write_text(file, value);
    fputs(",\n  \"unit\": ", file);
    json_write_text(file, unit);
    fprintf(file, ",\n  \"time\": %llu\n}\n", strtoull(time, NULL, 10));
    bool broken = ferror(file) != 0;
    if (fclose(file) != 0 || broken || rename(beside, path) != 0) {
        return cofferdam_fail(error, "%s: %s", path + 1, strerror(errno));
    }
    return true;
}

static bool convert_members(const char *path, const json_member *members, int count, bool *changed,
                            step_string_t *error) {
    const json_member *schema = member(members, count, "schema");
    const json_member *name = member(members, count, "name");
    const json_member *value = member(members, count, "value");
    const json_member *time = member(members, count, "time");
    *changed = false;
    if (schema == NULL || schema->text != NULL) {
        return cofferdam_fail(error, "%s: says no schema", path + 1);
    }
    if (schema->number == 2) {
        return true;
    }
    if (schema->number != 1) {
        return cofferdam_fail(error, "%s: has schema %llu, which nobody converts", path + 1,
                              schema->number);
    }
    if (name == NULL || name->text == NULL || value == NULL || value->text == NULL ||
        time == NULL || time->text == NULL) {
        return cofferdam_fail(error, "%s: lacks a text `name`, `value` or `time`", path + 1);
    }
    size_t digits = strspn(time->text, "0123456789");
    if (digits == 0 || digits > 15 || time->text[digits] != '\0') {
        return cofferdam_fail(error, "%s: has the time `%s`, no number", path + 1, time->text);
    }
    char *space = strchr(value->text, ' ');
    if (space != NULL) {
        *space = '\0';
    }
    *changed = true;
    const char *unit = space == NULL ? "" : space + 1;
    return write_record(path, name->text, value->text, unit, time->text, error);
}

// Converts one file; says whether it had to.
static bool convert(const char *path, bool *changed, step_string_t *error) {
    static char text[RECORD_BYTES];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return cofferdam_fail(error, "%s: %s", path + 1, strerror(errno));
    }
    size_t length = fread(text, 1, sizeof text - 1, file);
    bool whole = feof(file) && !ferror(file);
    fclose(file);
    text[length] = '\0';
    json_member members[16];
    int count = whole && strlen(text) == length ? json_read(text, members, 16) : -1;
    if (count < 0) {
        return cofferdam_fail(error, "%s: is not a record", path + 1);
    }
    bool fine = convert_members(path, members, count, changed, error);
    json_free(members, count);
    return fine;
}

static bool is_record(const char *name) {
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".json") == 0;
}

// Names first, then work: what is written while a folder is read may or may not be listed.
static bool convert_records(step_string_t *error) {
    struct dirent **names;
    int found = scandir(RECORDS, &names, NULL, alphasort);
    if (found < 0) {
        return cofferdam_fail(error, "data/records: %s", strerror(errno));
    }
    bool fine = true;
    int records = 0, converted = 0;
    for (int i = 0; i < found; i++) {
        if (fine && is_record(names[i]->d_name)) {
            char path[PATH_BYTES];
            bool changed;
            snprintf(path, sizeof path, RECORDS "/%s", names[i]->d_name);
            fine = convert(path, &changed, error);
            records++;
            converted += fine && changed;
        }
        free(names[i]);
    }
    free(names);
    if (fine) {
        cofferdam_log(COFFERDAM_STEP_LOG_LEVEL_INFO, "%d of %d records converted to schema 2",
                      converted, records);
    }
    return fine;
}

bool exports_step_run(step_context_t *context, step_verdict_t *verdict, step_string_t *error) {
    (void)context;
    if (!move_net_section(error) || !convert_records(error)) {
        return false;
    }
    if (unlink("/data/index") != 0 && errno != ENOENT) {
        return cofferdam_fail(error, "data/index: %s", strerror(errno));
    }
    // The mark comes last: until then the old one is true of what was not converted yet.
    FILE *mark = fopen("/data/schema-version", "w");
    if (mark == NULL || fputs("2\n", mark) < 0 || fclose(mark) != 0) {
        return cofferdam_fail(error, "data/schema-version: %s", strerror(errno));
    }
    return cofferdam_ok(verdict);
}
