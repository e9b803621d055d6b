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
        """Print the row of a subject's `Result`s; before the first the head."""
        if not results:
            return
        if not self._widths:
            for x in results:
                counts = f"{x.images:,} images, {x.reals_images:,} other reals"
                print(f"{x.metric}: {counts}")
            names = [name for x in results for name in x.values]
            self._widths = [max(_OTHERS, len(name)) for name in names]
            self._print("", names)
            self._print("reals", [n for x in results for n in x.reals.values()])
        self._print(name, [n for x in results for n in x.values.values()])

    def _print(self, name, cells):
        lines = [f"{name:<{_FIRST}}"]
        if len(name) > _FIRST:
            # On a line of its own, so that columns stay where they are.
            lines.append(" " * _FIRST)
        for cell, width in zip(cells, self._widths, strict=True):
            if not isinstance(cell, str):
                cell = "-" if cell is None else f"{cell:.4g}"
            empty = len(lines[-1]) == _FIRST
            if not empty and len(lines[-1]) + 1 + width > self._screen:
                lines.append(" " * _FIRST)
            lines[-1] += f" {cell:>{width}}"
        print("\n".join(lines), flush=True)
