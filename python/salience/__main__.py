"""`python -m salience`, and the command `salience` of an installed package: the program that the package carries."""

import os
import sys


def main() -> None:
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "salience")
    if not os.path.exists(program):
        sys.exit("salience: this package carries no program")
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
