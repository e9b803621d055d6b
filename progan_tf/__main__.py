"""`python -m progan_tf`: the list of commands."""

import ast
import pathlib
import sys

COMMANDS = (
    "train generate walk film project directions explore evaluate export "
    "prepare convert"
).split()


def summary(command):
    """The first line of a command's docstring, without importing it."""
    package = pathlib.Path(__file__).parent
    places = (
        package / f"{command}.py",
        package / command / "__main__.py",
        # In a checkout export/ stands beside the package.
        package.parent / command / "__main__.py",
    )
    path = next(place for place in places if place.exists())
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return ast.get_docstring(tree).splitlines()[0]


if __name__ == "__main__":
    print("Progressive growing of GANs. Add --help to any of these:\n")
    for name in COMMANDS:
        print(f"  python -m progan_tf.{name:12}{summary(name)}")
    # Such as "progan_tf train", which has not trained.
    sys.exit(2 if set(sys.argv[1:]) - {"--help"} else 0)
