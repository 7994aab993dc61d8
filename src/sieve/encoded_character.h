/*
 * sieve/encoded_character.h: the extension "encoded-character" (RFC 5228 §2.4.2.4): octets and
 * characters written as numbers inside strings.
 *
 *   encoded-arb-octets   = "${hex:" hex-pair-seq "}"
 *   encoded-unicode-char = "${unicode:" unicode-hex-seq "}"
 *
 * What is not well-formed stays as it stands.
 */
#ifndef SIEVE_ENCODED_CHARACTER_H
#define SIEVE_ENCODED_CHARACTER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

/*
 * What `text` stands for, borrowed from it or in the arena. -EINVAL: a sequence is well-formed and
 * names no character of Unicode, which the RFC makes an error; -E2BIG: the arena is full.
 */
MUST_USE int sieve_decode_characters(struct str text, struct arena *arena, struct str *ret_text);

#endif
