"""List the files with the most lines below a folder, largest first."""


def run(folder: str = ".", pattern: str = "*", limit: int = 10) -> list[tuple[str, int]]:
    """Count and sort.

    Args:
        folder: Where to look.
        pattern: Which names, e.g. ``*.py``.
        limit: How many to return.
    """
    paths = tools.find(folder=folder, pattern=pattern).splitlines()
    counts = []
    for path in paths:
        lines = int(tools.wc(files=path).split()[0])
        counts.append((path, lines))
    return sorted(counts, key=lambda item: (-item[1], item[0]))[:limit]
