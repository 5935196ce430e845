#!/usr/bin/env python3
"""Add the kinds of every class to share/labels/imagenet-1k.tsv: what it is, by WordNet 3.0.

    python3 scripts/gen/label_kinds.py /usr/share/wordnet/data.noun share/labels/imagenet-1k.tsv

A class's WordNet id without its n is the offset of its noun synset. The fourth column lists the lemmas and ids of all
synsets above it (pointers @ and @i), nearest first, so that "dog" means every breed. WordNet 3.0 is in
Debian's package wordnet-base. The six most general synsets are left out: they hold nearly every class.
"""

import sys

TOO_GENERAL = {"00001740", "00001930", "00002684", "00003553", "00002137", "00019613"}


def synsets(path):
    table = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("  "):
                continue
            fields = line.split(" | ")[0].split()
            count = int(fields[3], 16)
            lemmas = [fields[4 + 2 * i].replace("_", " ") for i in range(count)]
            at = 4 + 2 * count
            pointers = int(fields[at])
            above = [
                fields[at + 2 + 4 * i]
                for i in range(pointers)
                if fields[at + 1 + 4 * i] in ("@", "@i") and fields[at + 3 + 4 * i] == "n"
            ]
            table[fields[0]] = (lemmas, above)
    return table


def kinds(table, offset):
    seen, layer, names = {offset}, [offset], []
    while layer:
        layer = [up for one in layer for up in table[one][1]]
        layer = [up for i, up in enumerate(layer) if up not in seen and up not in layer[:i]]
        seen.update(layer)
        for up in layer:
            if up not in TOO_GENERAL:
                names += ["n" + up] + table[up][0]
    return names


def main():
    data, path = sys.argv[1:]
    table = synsets(data)
    with open(path, encoding="utf-8") as file:
        rows = [line.split("\t")[:3] for line in file.read().splitlines()]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            row.append("kinds" if row[0] == "index" else ", ".join(kinds(table, row[1][1:])))
            file.write("\t".join(row) + "\n")


if __name__ == "__main__":
    main()
