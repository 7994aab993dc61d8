/* base/attr.h: compiler attributes by short names, the only macros that the whole tree shares. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

/* The caller must look at the result. */
#define MUST_USE __attribute__((warn_unused_result))

/* A printf-like function: argument `fmt` is the format, `first` the first value. */
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* Releases the variable with `fn(&variable)` when it goes out of scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define UNUSED __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
