/* SPDX-License-Identifier: ISC */
/*
 * jansson for those who use json_scan as well: both call a kind of value
 * JSON_OBJECT, JSON_ARRAY and so on, so those of jansson are JANSSON_... here.
 * Its macros json_is_...() must not be used behind this; json_typeof() may.
 */
#ifndef TESTS_FUZZ_JANSSON_KINDS_H
#define TESTS_FUZZ_JANSSON_KINDS_H

#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY  JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_TRUE   JANSSON_TRUE
#define JSON_FALSE  JANSSON_FALSE
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

#endif
