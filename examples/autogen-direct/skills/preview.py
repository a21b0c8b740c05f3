"""Show how the files below a folder begin: path, number of lines, first lines."""


def run(pattern: str = "*.txt", lines: int = 3, limit: int = 5) -> list[dict]:
    """Look at some files without reading all of them.

    Args:
        pattern: Which names, e.g. ``*.md``.
        lines: How many lines of each.
        limit: How many files.
    """
    paths = sorted(tools.find(folder=".", pattern=pattern).splitlines())[:limit]
    return [
        {
            "path": path,
            "lines": int(tools.wc(files=path).split()[0]),
            "begins": tools.head(lines=lines, file=path).splitlines(),
        }
        for path in paths
    ]
