/*
 * base/num.h: arithmetic on sizes that cannot wrap, little-endian numbers, decimal numbers.
 *
 * Sizes that come from outside are added and multiplied through these helpers only. They return
 * false and leave the result untouched when the true result does not fit.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

static inline MUST_USE bool num_add(size_t a, size_t b, size_t *ret_sum)
{
	size_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret_sum = sum;
	return true;
}

static inline MUST_USE bool num_mul(size_t a, size_t b, size_t *ret_product)
{
	size_t product;
	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret_product = product;
	return true;
}

static inline MUST_USE bool num_add64(uint64_t a, uint64_t b, uint64_t *ret_sum)
{
	uint64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret_sum = sum;
	return true;
}

static inline size_t num_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t num_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Little-endian numbers in byte strings; `p` need not be aligned. */
void num_put16(void *p, uint16_t v);
void num_put32(void *p, uint32_t v);
void num_put64(void *p, uint64_t v);
uint16_t num_get16(const void *p);
uint32_t num_get32(const void *p);
uint64_t num_get64(const void *p);

/*
 * Parses all of `s` as decimal digits (1*DIGIT, no sign, no space), at most `max`.
 * False when it is empty, has another byte in it, or is larger.
 */
MUST_USE bool num_parse(struct str s, uint64_t max, uint64_t *ret_value);

#endif
