/*
 * mail/charset.h: text of any charset as UTF-8, and the case folding that search needs.
 *
 * ICU does the work. Its data is part of its library, so nothing is opened at run time; still,
 * `charset_init` is called before a process enters its sandbox, so that everything is set up.
 *
 * Names are read as browsers do (WHATWG Encoding Standard): "iso-8859-1", "latin1" and "us-ascii"
 * mean windows-1252, "gb2312" means GB 18030, "ks_c_5601-1987" windows-949, "shift_jis"
 * windows-31j: mail so labelled holds the larger set, and the smaller ones are subsets of it.
 * Unknown names: bytes that are UTF-8 are taken as that, others as windows-1252. Malformed input
 * becomes U+FFFD; it never fails.
 *
 * It does not guess languages and does not sniff HTML.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { CHARSET_NAME_LEN_MAX = 63 };

/* Loads what conversion and folding use: once, before the sandbox. */
void charset_init(void);

/* True when text in `charset` can be converted (any case; empty: no). For IMAP's BADCHARSET. */
bool charset_is_known(struct str charset);

/*
 * Appends `bytes` as UTF-8. An empty `charset` is handled as an unknown one. False when it does
 * not fit: then what fits is there, cut at a character.
 */
bool charset_to_utf8(struct str charset, struct str bytes, struct buf *out);

/*
 * A text that comes in pieces. Where the name is unknown, the first piece decides that is not all
 * ASCII. Given: charset_decoder_free.
 */
struct charset_decoder;
struct charset_decoder *charset_decoder_new(struct str charset);
/* Nothing for NULL. For CLEANUP. */
void charset_decoder_free(struct charset_decoder **decoder);
/*
 * Appends a piece as UTF-8 and says how many bytes of it were used: all of the last, and of others
 * all but the beginning of a character (at most three bytes), which the next piece is to begin
 * with.
 */
bool charset_decoder_add(
    struct charset_decoder *d, struct str piece, bool last, struct buf *out, size_t *ret_used);

/* Appends `text` with malformed UTF-8 replaced by U+FFFD. False as above. */
bool charset_repair_utf8(struct str text, struct buf *out);

/*
 * Appends the key of UTF-8 text by which names are compared: equal keys for texts that differ only
 * in case or in the way accents are composed (Unicode NFKC_Casefold; as i;unicode-casemap, RFC
 * 5051, but for the wider folding). A text holds a word when its key holds the word's key. False
 * when it does not fit: then what fits is there.
 */
bool charset_fold(struct str text, struct buf *out);

/*
 * The same with each letter taken apart from its accents (canonical decomposition, but of Hangul
 * syllables): so what i;unicode-casemap finds in a text is found in its key too (RFC 5255 §4.2):
 * "e" in "\u00e9".
 */
bool charset_search_key(struct str text, struct buf *out);

#endif
