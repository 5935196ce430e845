#!/usr/bin/env python3
"""Write python/salience/_abi.py, the ctypes declarations of the public headers.

    python_abi.py CC INCLUDE_DIR [-o _abi.py] [--check-c check.c]

The headers are the only source: the C compiler's preprocessor expands them, and what is left is plain enough for
the small parser below, which refuses whatever it does not understand. The build runs this, so the declarations
cannot be older than the headers. --check-c writes a C program that prints size, offsets and values as the compiler
sees them; a test compares them with what ctypes computes."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HEADER = "salience/salience.h"
SCALARS = {
    "_Bool": "c_bool", "char": "c_char", "int": "c_int", "double": "c_double", "float": "c_float",
    "size_t": "c_size_t", "int32_t": "c_int32", "uint32_t": "c_uint32", "int64_t": "c_int64",
    "uint64_t": "c_uint64", "uint8_t": "c_uint8", "int8_t": "c_int8", "int16_t": "c_int16",
    "uint16_t": "c_uint16", "uintptr_t": "c_size_t", "unsigned": "c_uint", "long": "c_long",
}


def fail(text):
    sys.exit(f"python_abi: {text}")


# ---- reading ----------------------------------------------------------------------------------------------------


def macros(include):
    """Names of the initialisers SAL_X_INIT and of plain numbers such as SAL_MAX_RANK."""
    inits, numbers = [], []
    for header in sorted(include.glob("salience/*.h")):
        text = header.read_text().replace("\\\n", " ")
        inits += re.findall(r"^#define (SAL_\w+_INIT)\s", text, re.M)
        numbers += re.findall(r"^#define (SAL_\w+)\s+(?!_)[(0-9]", text, re.M)
    return inits, numbers


def preprocess(cc, include, inits, numbers):
    """The headers after the preprocessor, without the system's; then the macros' values."""
    lines = [f"#include <{HEADER}>"]
    lines += [f"@INIT {name[4:]} {name} @" for name in inits]
    lines += [f"@NUMBER {name[4:]} {name} @" for name in numbers]
    with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
        source.write("\n".join(lines) + "\n")
        source.flush()
        done = subprocess.run([*cc, "-std=c11", "-E", f"-I{include}", source.name], capture_output=True, text=True)
    if done.returncode != 0:
        fail(done.stderr)
    kept, ours = [], False
    for line in done.stdout.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            ours = "/salience/" in marker[1] or marker[1] == source.name
        elif ours:
            kept.append(line)
    return re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", " ", "\n".join(kept))


class Abi:
    """What the headers declare, in their order."""

    def __init__(self, text):
        self.enums, self.values, self.structs, self.opaque = {}, {}, {}, set()
        self.callbacks, self.functions, self.inits = {}, {}, {}
        self.inits_text = re.findall(r"@INIT (\w+) (.*?)@", text, re.S)
        self.numbers_text = re.findall(r"@NUMBER (\w+) (.*?)@", text, re.S)
        text = re.sub(r"@.*?@", "", text, flags=re.S)
        text = re.sub(r"\s+", " ", text)
        for declaration in self.split(text):
            self.declare(declaration)
        for name, body in self.numbers_text:
            self.values["SAL_" + name] = self.number(body)
        for name, body in self.inits_text:
            self.init(name, body)

    @staticmethod
    def split(text):
        depth, start = 0, 0
        for i, char in enumerate(text):
            depth += {"{": 1, "}": -1}.get(char, 0)
            if char == ";" and depth == 0:
                yield text[start:i].strip()
                start = i + 1
        if text[start:].strip():
            fail(f"no declaration: {text[start:].strip()[:80]}")

    def number(self, text):
        text = re.sub(r"\((?:u?int\d+_t|size_t)\)", "", text).strip()
        text = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", text)
        text = re.sub(r"(\d\.?\d*)F\b", r"\1", text)
        text = re.sub(r"\bSAL_\w+", lambda m: str(self.values[m[0]]), text)
        if not re.fullmatch(r"[-+*/()<>|x0-9a-fA-F. e]+", text):
            fail(f"no number: {text}")
        return eval(text, {"__builtins__": {}})  # digits and operators only, see above

    # -- declarations

    def declare(self, d):
        if m := re.fullmatch(r"typedef enum (\w+) \{ (.*) \} (\w+)", d):
            self.enum(m[3], m[2])
        elif m := re.fullmatch(r"typedef struct (\w+) \{ (.*) \} (\w+)", d):
            fields = [self.field(f.strip()) for f in m[2].split(";") if f.strip()]
            self.structs[m[3]] = [one for many in fields for one in many]
        elif m := re.fullmatch(r"typedef struct (\w+) (\w+)", d):
            self.opaque.add(m[2])
        elif m := re.fullmatch(r"typedef (.*)\(\*(\w+)\)\((.*)\)", d):
            self.callbacks[m[2]] = (self.kind(m[1]), self.arguments(m[3]))
        elif m := re.fullmatch(r"((?:const )?\w+[ *]+)(sal_\w+)\((.*)\)", d):
            self.functions[m[2]] = (self.kind(m[1], returned=True), self.arguments(m[3]))
        elif d:
            fail(f"not understood: {d}")

    def enum(self, name, body):
        last = -1
        self.enums[name] = []
        for row in body.split(","):
            if not row.strip():
                continue
            key, _, value = (part.strip() for part in row.partition("="))
            last = self.number(value) if value else last + 1
            self.values[key] = last
            self.enums[name].append(key)

    def arguments(self, text):
        if text.strip() in ("void", ""):
            return []
        kinds = []
        for one in text.split(","):
            m = re.fullmatch(r"(.*?)(\w+)(\[[^]]*\])?", one.strip())
            kinds.append(self.kind(m[1] + ("*" if m[3] else "")))
        return kinds

    def field(self, text):
        if m := re.fullmatch(r"(.*)\(\*(\w+)\)\((.*)\)", text):
            yield m[2], f"c.CFUNCTYPE({', '.join([self.kind(m[1]), *self.arguments(m[3])])})"
            return
        m = re.fullmatch(r"((?:const )?\w+) (.*)", text)
        for declarator in m[2].split(","):
            d = re.fullmatch(r"([* const]*?)(\w+)((?:\[[^]]*\])*)", declarator.strip())
            kind = self.kind(m[1] + " " + d[1])
            for size in reversed(re.findall(r"\[([^]]*)\]", d[3])):
                kind = f"{kind} * {self.number(size)}"
            yield d[2], kind

    def kind(self, text, returned=False):
        """Python expression for a C type."""
        base, stars = re.sub(r"\bconst\b", " ", text).replace("*", " * ").split(), 0
        while base and base[-1] == "*":
            base.pop()
            stars += 1
        base = " ".join(base)
        if base == "void":
            return "None" if stars == 0 else self.pointers("c.c_void_p", stars - 1)
        if base in self.opaque and stars > 0 and base not in self.structs:
            return self.pointers("c.c_void_p", stars - 1)
        if base == "char" and stars > 0:
            if "const" in text or (stars == 1 and not returned):
                return self.pointers("c.c_char_p", stars - 1)
            return self.pointers("c.c_void_p", stars - 1)  # must be given back: the address is needed
        if base in self.enums:
            base = "c.c_int"
        elif base in SCALARS:
            base = "c." + SCALARS[base]
        elif base not in self.structs and base not in self.callbacks:
            fail(f"unknown type {text}")
        return self.pointers(base, stars)

    @staticmethod
    def pointers(kind, stars):
        return "c.POINTER(" * stars + kind + ")" * stars

    # -- initialisers

    def init(self, name, body):
        """The initialiser's values by field, those that are not zero."""
        struct = "sal_" + name[: -len("_INIT")].lower()
        if struct not in self.structs:
            fail(f"SAL_{name} initialises no struct")
        items, depth, word = [], 0, ""
        for char in body.strip()[1:-1] + ",":
            depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(char, 0)
            if char == "," and depth == 0:
                items.append(word.strip())
                word = ""
            else:
                word += char
        out = {}
        for (field, kind), item in zip(self.structs[struct], items):
            if "sizeof" in item:
                out[field] = None
            elif item.startswith("{"):
                flat = re.sub(r"\(\(void ?\*\) ?0\)", "0", item).replace("{", " ").replace("}", " ")
                parts = [self.number(p) for p in flat.split(",") if p.strip()]
                if any(parts) and "{" in item[1:]:
                    fail(f"SAL_{name}: {field} is too deep")
                if any(parts):
                    out[field] = tuple(parts)
            elif item not in ("0", "", "0 ") and not re.fullmatch(r"\(\(void ?\*\) ?0\)|false|0", item):
                out[field] = bool(self.number(item)) if kind == "c.c_bool" else self.number(item)
        self.inits[struct] = out


# ---- writing ----------------------------------------------------------------------------------------------------


def python(abi):
    out = ['"""The C interface, written by scripts/gen/python_abi.py from the public headers."""', "",
           "import ctypes as c", "", "# ---- enumerations and numbers", ""]
    out += [f"{name} = {value!r}" for name, value in abi.values.items()]
    out += ["", "ENUMS = {"]
    out += [f"    {name!r}: {tuple(keys)!r}," for name, keys in abi.enums.items()]
    out += ["}", "", "# ---- structs", ""]
    names = list(abi.structs)
    pending = dict(abi.callbacks)

    def callbacks():
        for name, (result, arguments) in list(pending.items()):
            out.append(f"{name} = c.CFUNCTYPE({', '.join([result, *arguments])})")
            del pending[name]

    for name in names:
        out += ["", f"class {name}(c.Structure):", "    pass", ""]
    callbacks()
    for name in names:
        out += ["", f"{name}._fields_ = ["]
        out += [f"    ({field!r}, {kind})," for field, kind in abi.structs[name]]
        out += ["]"]
    out += ["", "# What the macros SAL_..._INIT set; None: the size of the struct.", "INITS = {"]
    out += [f"    {name!r}: {values!r}," for name, values in abi.inits.items()]
    out += ["}", "", "# ---- functions: result, arguments", "", "FUNCTIONS = {"]
    for name, (result, arguments) in abi.functions.items():
        out += [f"    {name!r}: ({result}, [{', '.join(arguments)}]),"]
    out += ["}", ""]
    return "\n".join(out)


def check_program(abi):
    out = [f"#include <{HEADER}>", "#include <stddef.h>", "#include <stdio.h>", "", "int main(void)", "{"]
    for name, fields in abi.structs.items():
        out += [f'    printf("size {name} %zu\\n", sizeof({name}));']
        out += [f'    printf("offset {name}.{f} %zu\\n", offsetof({name}, {f}));' for f, _ in fields]
    for name in abi.values:
        out += [f'    printf("value {name} %lld\\n", (long long)({name}));']
    return "\n".join([*out, "    return 0;", "}", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cc")
    parser.add_argument("include", type=pathlib.Path)
    parser.add_argument("-o", dest="out", type=pathlib.Path)
    parser.add_argument("--check-c", type=pathlib.Path)
    args = parser.parse_args()
    abi = Abi(preprocess(args.cc.split(), args.include, *macros(args.include)))
    if not abi.functions or not abi.structs:
        fail(f"{args.include} holds no headers")
    if args.out:
        args.out.write_text(python(abi))
    if args.check_c:
        args.check_c.write_text(check_program(abi))
    if not args.out and not args.check_c:
        sys.stdout.write(python(abi))


if __name__ == "__main__":
    main()
