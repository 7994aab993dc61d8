"""For each house rule, files that break it and a word its report must hold; and a clean tree that none complains of."""

MAKEFILE = "LAYERS := base mail gate\nDEPS_base :=\nDEPS_mail := base\nROLE_DEPS := base\nDEPS_gate := mail $(ROLE_DEPS)\n"

CLEAN = {
    "Makefile": MAKEFILE,
    "src/base/a.h": "#ifndef A_H\n#define A_H\n\n#include <stddef.h>\n\nint a_parse(const char *p, size_t len);\n\n#endif\n",
    "src/base/a.c": '#include "base/a.h"\n\nint a_parse(const char *p, size_t len)\n{\n\treturn len > 0 ? p[0] : 0;\n}\n',
    "src/base/a_fuzz.c": '#include "base/a.h"\n\nint fuzz(const char *p, size_t len)\n{\n\treturn a_parse(p, len);\n}\n',
    "src/base/a.corpus/one": "x",
    "src/gate/g.c": '#include "base/a.h"\n\nconst char *const system_names[] = {"atoi(", "// no comment"};\n',
    "src/base/a_test.c": (
        "int cmocka_unit_test(void (*)(void **));\nvoid assert_true(int);\n"
        "static void works(void **state)\n{\n\tassert_true(state != 0);\n}\n\n"
        "int main(void)\n{\n\treturn cmocka_unit_test(works);\n}\n"
    ),
    "run": "#!/bin/bash\ntrue\n",
}


def function(body, name="f"):
    return f"int {name}(int x)\n{{\n{body}\treturn x;\n}}\n"


def long_table(n):
    return "\tstatic const int t[] = {\n" + "\t    1,\n" * n + "\t};\n\tx += t[0];\n"


def protocol(command="", capability="", transcript=""):
    """A tree with one command of IMAP and one capability."""
    return {
        "src/imap/command.c": f'static struct {{\n}} syntaxes[] = {{\n    [IMAP_NOOP] = {{STR_INIT("NOOP"), false, NULL}},\n{command}}};\n',
        "src/session/imap/commands.c": "    [IMAP_NOOP] = {imap_cmd_noop, ANY},\n" + ("    [IMAP_SORT] = {imap_cmd_sort, ANY},\n" if command else ""),
        "src/imap/capability.c": f'    {{STR_INIT("IDLE"), ALWAYS}},\n{capability}',
        "src/session/imap/transcripts/a.txt": f"C: a NOOP\nS: a OK done\nC: b NOOP x\nS: b BAD no\nC: c IDLE\n{transcript}",
    }


SORT = '    [IMAP_SORT] = {STR_INIT("SORT"), true, imap_parse_sort},\n'

SAMPLES = {
    "transcripts": [
        (protocol(command=SORT), "SORT is answered by OK in none"),
        (protocol(command=SORT, transcript="C: d SORT x\nS: d OK done\nC: e SORT\nS: e BAD no\nC: f SORT y\nS: f NO no\n"), "UID SORT is answered by OK in none"),
        (protocol(transcript="C: d SORT x\n", capability='    {STR_INIT("SORT"), ALWAYS},\n'), "no transcript uses the extension SORT"),
        (protocol(capability='    {STR_INIT("SASL-IR"), ALWAYS},\n'), "does not try the extension SASL-IR"),
        (protocol(capability='    {STR_INIT("XNEW"), ALWAYS},\n'), "does not know what uses the extension XNEW"),
        ({"src/pop3/command.c": '    [POP3_TOP] = {STR_INIT("TOP"), X},\n', "src/session/pop3/transcripts/a.txt": "C: TOP 1 1\nS: +OK\n"}, "TOP is refused in none"),
        ({"src/smtp/hello.c": '\tSTR("250-DSN\\r\\n");\n', "src/gate/smtp/transcripts/a.txt": "C: NOOP\nS: 250 ok\n"}, "uses the extension DSN"),
    ],
    "layers": [
        ({"src/base/b.c": '#include "mail/m.h"\n'}, "base may not include mail/m.h"),
        ({"src/mail/b.c": '#include "gate/m.h"\n'}, "mail may not include"),
        ({"src/mail/b.c": '#include "m.h"\n'}, "does not begin with a layer"),
        ({"src/mail/b.c": '#include "../base/m.h"\n'}, "does not begin with a layer"),
        ({"src/stray/b.c": "\n"}, "stands in no layer"),
        ({"Makefile": MAKEFILE + "DEPS_x := mail\n"}, "not what it needs: base"),
        ({"Makefile": MAKEFILE.replace("DEPS_base :=", "DEPS_base := mail")}, "depend on each other"),
    ],
    "function-size": [
        ({"src/base/b.c": function("\tx++;\n" * 68)}, "is 72 lines long"),
        ({"src/base/b.c": function("\tif (x && x > 1 || x)\n\t\tx++;\n" * 5)}, "complexity 16"),
        ({"src/base/b.c": function("\tx = x ? 1 : 2;\n" * 15)}, "complexity 16"),
        ({"src/base/b.c": function("\tswitch (x) {\n" + "".join(f"\tcase {i}:\n\t\tx++;\n" for i in range(15)) + "\t}\n")},
         "complexity 16"),
        ({"test/x/b.c": function("\tx++;\n" * 80)}, "test/x/b.c:1: f is"),
        ({"src/base/b.c": "".join(function("\tx++;\n" * 30, f"f{i}") for i in range(9))}, "the median function is 34"),
    ],
    "file-size": [
        ({"src/base/b.c": "int x;\n" * 701}, "701 lines"),
        ({"src/base/b.h": "int x(void);\n" * 201}, "more than 200 lines"),
        ({"test/b.py": "x = 1\n" * 701}, "test/b.py: 701 lines"),
    ],
    "banned": [
        ({"src/base/b.c": function("\tstrcpy(x, x);\n")}, "b.c:3: strcpy"),
        ({"src/base/b.c": function("\tx = atoi (x);\n")}, "atoi"),
        ({"src/base/b.c": function("\tsystem(x);\n")}, "system"),
        ({"src/base/b.c": function("\tx = rand();\n")}, "rand"),
        ({"bench/b.c": function("\tx = atoi(x);\n")}, "atoi"),
        ({"src/base/b.c": "int x; // why\n"}, "comments are written"),
        ({"src/base/b.h": "typedef struct a b;\n"}, "no typedef"),
    ],
    "release": [
        ({"src/base/b.c": function("\tint fd CLEANUP(fd_close) = x;\n\tif (x)\n\t\tgoto out;\nout:\n")}, "both CLEANUP and goto"),
    ],
    "libraries-do-not-log": [({"src/mail/b.c": '#include "base/log.h"\n'}, "does not log")],
    "headers-stand-alone": [
        ({"src/base/b.h": "int b(size_t n);\n"}, "does not compile alone"),
        ({"src/mail/deep/b.h": '#include "mail/absent.h"\n'}, "does not compile alone"),
    ],
    "clang-takes-it": [
        ({"src/base/b.c": "int b(int x);\nint b(int x)\n{\n\treturn x == x;\n}\n"}, "self-comparison"),
    ],
    "format": [({"src/base/b.c": "int  x ;\n"}, "src/base/b.c"), ({"src/base/b.c": "int f(void) { return 1; }\n"}, "b.c")],
    "fuzz": [
        ({"src/base/b_fuzz.c": "\n"}, "has no corpus"),
        ({"src/base/b.corpus/x": "x"}, "belongs to no fuzz target"),
        ({"src/base/b.h": "int b_parse_line(int x);\n"}, "no fuzz target reaches any of b_parse_line"),
    ],
    "tests-assert": [
        ({"src/base/b_test.c": "#define T(f) cmocka_unit_test(f)\n\nstatic void t(void **s)\n{\n\t(void)s;\n}\n\nint x = T(t);\n"}, "t asserts nothing"),
        ({"src/base/b_test.c": "static void t(void **s)\n{\n\t(void)s;\n}\n\nint x = cmocka_unit_test(t);\n"}, "t asserts nothing"),
        ({"src/base/b_test.c": "int main(void)\n{\n\treturn 0;\n}\n"}, "has no tests"),
    ],
    "words": [
        ({"src/base/b.c": "/* TODO */\n"}, "TODO"),
        ({"docs/x.md": "This is not yet implemented.\n"}, "not yet implemented"),
        ({"docs/x.md": "see /work/here\n"}, "/work/"),
    ],
    "scripts-parse": [
        ({"x/run": "#!/bin/bash\nif true; then\n"}, "x/run"),
        ({"x/y": "#!/usr/bin/python3\ndef f(:\n"}, "x/y:2"),
    ],
}

# Inputs close to the limits that no rule may complain of.
ALLOWED = [
    ("function-size", {"src/base/b.c": function("\tx++;\n" * 66)}),
    ("function-size", {"src/base/b.c": function(long_table(300))}),
    ("function-size", {"src/base/b.c": function("\tswitch (x) {\n" + "".join(f"\tcase {i}:\n" for i in range(40)) + "\t\tx++;\n\t}\n")}),
    ("function-size", {"src/base/b.c": '#define F(x) \\\n\tif (x && x && x)\n' + function('\tx = "{ if (a && b || c) ? }"[x] + \'{\';\n\t/* if if { */\n')}),
    ("file-size", {"src/base/b.h": "enum b {\n" + "\tB,\n" * 400 + "};\n"}),
    ("banned", {"src/base/b.c": function('\t/* strcpy(x) */\n\tx = my_strcpy(x) + "strcpy("[x];\n')}),
    ("banned", {"bench/b.c": function("\tx = rand();\n")}),
    ("layers", {"src/gate/b.c": '#include "base/a.h"\n#include "mail/m.h"\n#include <gate.h>\n'}),
    ("fuzz", {
        "src/base/b.h": "int b_parse_line(int x);\n",
        "src/base/b.c": function("\treturn b_parse_line(x);\n", "b_all") + "static const int b_table[] = {b_parse_line};\n",
        "src/base/a.c": '#include "base/a.h"\n' + function("\treturn b_all(x);\n", "a_parse"),
    }),
    ("tests-assert", {"src/base/b_test.c": (
        "static void good(int x)\n{\n\tassert_true(x);\n}\n\nstatic void t(void **s)\n{\n\tgood(s != 0);\n}\n\n"
        "int x = cmocka_unit_test(t);\n")}),
]
