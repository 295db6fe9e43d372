// SPDX-License-Identifier: Apache-2.0
// As much JSON as the example needs: one object whose members are texts and whole numbers. A real step
// would take a library.

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdio.h>

typedef struct {
    char *name;
    char *text;                // NULL for a number
    unsigned long long number; // of a text: 0
} json_member;

// Reads the members of an object; gives their number, or -1 when the text is something else. Names and
// texts are of `malloc`.
int json_read(const char *text, json_member *members, int most);

// Frees what `json_read` put into members.
void json_free(json_member *members, int count);

// Writes a text in quotes, as other languages' writers do.
void json_write_text(FILE *file, const char *text);

#endif
