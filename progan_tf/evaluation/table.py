"""The table of results on the screen."""

import shutil

_FIRST, _OTHERS = 30, 9  # Widths of columns.


class Table:
    """Prints a row for each subject, below one of other reals.

    Where the terminal is too narrow for all columns, all rows, the head as
    well, go on in another line.
    """

    def __init__(self):
        self._widths = None
        self._screen = shutil.get_terminal_size().columns

    def show(self, name, results):
        """Print a row; before the first one the head.

        Args:
            name: str, of the subject.
            results: list of `comparison.Result`.
        """
        if not results:
            return
        if not self._widths:
            for result in results:
                print(
                    f"{result.metric}: {result.images:,} images, "
                    f"{result.reals_images:,} other reals"
                )
            names = [n for result in results for n in result.values]
            self._widths = [max(_OTHERS, len(n)) for n in names]
            self._print("", names)
            self._print("reals", [x for r in results for x in r.reals.values()])
        self._print(name, [x for r in results for x in r.values.values()])

    def _print(self, name, cells):
        lines = [f"{name:<{_FIRST}}"]
        if len(name) > _FIRST:
            # On a line of its own, so that columns stay where they are.
            lines.append(" " * _FIRST)
        for cell, width in zip(cells, self._widths, strict=True):
            text = cell if isinstance(cell, str) else _number(cell)
            empty = len(lines[-1]) == _FIRST
            if not empty and len(lines[-1]) + 1 + width > self._screen:
                lines.append(" " * _FIRST)
            lines[-1] += f" {text:>{width}}"
        print("\n".join(lines), flush=True)


def _number(value):
    return "-" if value is None else f"{value:.4g}"
