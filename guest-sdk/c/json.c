// SPDX-License-Identifier: Apache-2.0
// See json.h.

#include "json.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

// Four hexadecimal digits; -1 for anything else.
static long read_unit(const char *at) {
    char digits[5] = {0};
    memcpy(digits, at, strnlen(at, 4));
    char *end;
    long unit = strtol(digits, &end, 16);
    return end == digits + 4 && strspn(digits, "0123456789abcdefABCDEF") == 4 ? unit : -1;
}

// Appends a character in UTF-8; gives the new end.
static char *put_character(char *to, long character) {
    if (character < 0x80) {
        *to++ = (char)character;
    } else if (character < 0x800) {
        *to++ = (char)(0xc0 | character >> 6);
        *to++ = (char)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        *to++ = (char)(0xe0 | character >> 12);
        *to++ = (char)(0x80 | (character >> 6 & 0x3f));
        *to++ = (char)(0x80 | (character & 0x3f));
    } else {
        *to++ = (char)(0xf0 | character >> 18);
        *to++ = (char)(0x80 | (character >> 12 & 0x3f));
        *to++ = (char)(0x80 | (character >> 6 & 0x3f));
        *to++ = (char)(0x80 | (character & 0x3f));
    }
    return to;
}

// Reads `\uXXXX`, or two of them for one character; gives where it ends, NULL when it is wrong.
static const char *read_escaped(const char *at, long *character) {
    *character = read_unit(at);
    if (*character <= 0) { // also a zero, which would end a text in C
        return NULL;
    }
    at += 4;
    if (*character >= 0xd800 && *character < 0xe000) {
        long low = at[0] == '\\' && at[1] == 'u' ? read_unit(at + 2) : -1;
        if (*character >= 0xdc00 || low < 0xdc00 || low >= 0xe000) {
            return NULL;
        }
        *character = 0x10000 + ((*character - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    return at;
}

// Reads a text in quotes; gives where it ends, NULL when it is none.
static const char *read_text(const char *at, char **text) {
    static const char short_escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    *text = NULL;
    if (*at != '"') {
        return NULL;
    }
    char *to = *text = malloc(strlen(at) + 1); // no escape is shorter than what it means
    if (to == NULL) {
        abort();
    }
    for (at++; at != NULL && *at != '"';) {
        if ((unsigned char)*at < 0x20) {
            return NULL;
        }
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        const char *known = at[1] == '\0' ? NULL : strchr(short_escapes, at[1]);
        if (known != NULL) {
            *to++ = meant[known - short_escapes];
            at += 2;
        } else if (at[1] == 'u') {
            long character;
            at = read_escaped(at + 2, &character);
            if (at != NULL) {
                to = put_character(to, character);
            }
        } else {
            return NULL;
        }
    }
    *to = '\0';
    return at == NULL ? NULL : at + 1;
}

static const char *read_member(const char *at, json_member *member) {
    memset(member, 0, sizeof *member);
    at = read_text(skip_space(at), &member->name);
    if (at == NULL || *(at = skip_space(at)) != ':') {
        return NULL;
    }
    at = skip_space(at + 1);
    if (*at == '"') {
        return read_text(at, &member->text);
    }
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits > 18) {
        return NULL;
    }
    member->number = strtoull(at, NULL, 10);
    return at + digits;
}

int json_read(const char *text, json_member *members, int most) {
    int count = 0;
    const char *at = skip_space(text);
    if (*at++ != '{') {
        return -1;
    }
    do {
        at = count == most ? NULL : read_member(at, &members[count++]);
        at = at == NULL ? NULL : skip_space(at);
    } while (at != NULL && *at++ == ',');
    if (at == NULL || at[-1] != '}' || *skip_space(at) != '\0') {
        json_free(members, count);
        return -1;
    }
    return count;
}

void json_free(json_member *members, int count) {
    for (int i = 0; i < count; i++) {
        free(members[i].name);
        free(members[i].text);
    }
}

void json_write_text(FILE *file, const char *text) {
    static const char controls[] = "\b\f\n\r\t", letters[] = "bfnrt";
    fputc('"', file);
    for (; *text != '\0'; text++) {
        const char *control = strchr(controls, *text);
        if (*text == '"' || *text == '\\') {
            fprintf(file, "\\%c", *text);
        } else if (control != NULL) {
            fprintf(file, "\\%c", letters[control - controls]);
        } else if ((unsigned char)*text < 0x20) {
            fprintf(file, "\\u%04x", (unsigned)*text);
        } else {
            fputc(*text, file);
        }
    }
    fputc('"', file);
}
