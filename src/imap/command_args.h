/*
 * imap/command_args.h: the arguments of each command, for imap/command.c alone. Each starts behind
 * the command's name and leaves the end of the command to its caller.
 */
#ifndef IMAP_COMMAND_ARGS_H
#define IMAP_COMMAND_ARGS_H

#include "imap/command.h"

MUST_USE bool imap_parse_id(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_authenticate(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_enable(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_select(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_name(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_create(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_two_names(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_list(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_lsub(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_name_and_identifier(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_notify(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_set_acl(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_status(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_append(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_replace(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_expunge(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_search(struct imap_parser *p, struct imap_command *c);
/* "(CHANGEDSINCE 1 VANISHED)" behind the items */
MUST_USE bool imap_parse_fetch_modifiers(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_sort(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_thread(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_esearch(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_fetch(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_store(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_compress(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_setquota(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_getmetadata(struct imap_parser *p, struct imap_command *c);
MUST_USE bool imap_parse_setmetadata(struct imap_parser *p, struct imap_command *c);
/* entries, for LIST too */
MUST_USE bool imap_parse_metadata_entries(struct imap_parser *p, struct imap_metadata *m);
MUST_USE bool imap_parse_set_and_name(struct imap_parser *p, struct imap_command *c);

/* args_order.c: behind the word RETURN; and what follows the options of a search. */
MUST_USE bool imap_parse_search_return(struct imap_parser *p, struct imap_search *search);
MUST_USE bool imap_parse_search_program(struct imap_parser *p, struct imap_search *search);

#endif
