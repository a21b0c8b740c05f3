"""Which of the packages that a skill declares this kernel has.

Place in the house: beside ``link``, below ``skills``. Requirements are judged by ``packaging``,
which ipykernel brings. An ipykernel without it leaves versions unjudged: a skill that runs with
an old version tells so itself, and one that is kept from running for nothing could not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from kernel_bootstrap.wire.errors import MissingPackagesError

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.requirements import Requirement

__all__ = ["require_packages"]

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")

Missing = tuple[str, str | None]
"""A requirement, and the version that is there instead, if one is."""


def require_packages(skill: str, packages: Iterable[str]) -> None:
    """Do nothing if all of a skill's packages are there.

    Args:
        skill: Its name.
        packages: What it declares: requirements of PEP 508.

    Raises:
        MissingPackagesError: Some are not, or not in a version it wants; ``missing`` has a dict
            for each with ``requirement`` and ``installed``, which is a version or None.
    """
    missing = [each for text in packages for each in _missing(text)]
    if not missing:
        return
    told = ", ".join(
        f"{wanted} ({f'{version} is' if version else 'not'} installed)"
        for wanted, version in missing
    )
    raise MissingPackagesError(
        f"the skill {skill!r} needs packages that this kernel does not have: {told}. Code cannot "
        "install them. Whoever runs this kernel can: KernelConfig(packages=[...]), or "
        "`py-code-mode deps sync`",
        skill=skill,
        missing=[{"requirement": wanted, "installed": version} for wanted, version in missing],
    )


def _missing(text: str) -> Iterator[Missing]:
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        yield from _missing_by_name(text)
        return
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        yield from _missing_by_name(text)
        return
    yield from _judge(requirement, set())


def _missing_by_name(text: str) -> Iterator[Missing]:
    match = _NAME.match(text)
    if match is not None and _find(match[1]) is None:
        yield text, None


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        return None


def _judge(requirement: Requirement, seen: set[tuple[str, str]]) -> Iterator[Missing]:
    if not _applies(requirement.marker, ""):
        return  # not wanted on this machine
    found = _find(requirement.name)
    if found is None:
        yield _shown(requirement), None
    elif not requirement.specifier.contains(found.version, prereleases=True):
        yield _shown(requirement), found.version
    else:
        for extra in requirement.extras:
            if (requirement.name, extra) not in seen:
                seen.add((requirement.name, extra))
                yield from _judge_extra(found, extra, seen)


def _judge_extra(found: Distribution, extra: str, seen: set[tuple[str, str]]) -> Iterator[Missing]:
    """Judge what a package needs for one of its extras, and for that alone."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in found.requires or ():
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            continue
        # Without the extra it is needed in any case, and came with the package.
        if _applies(needed.marker, extra) and not _applies(needed.marker, ""):
            needed.marker = None
            yield from _judge(needed, seen)


def _applies(marker: Marker | None, extra: str) -> bool:
    try:
        return marker is None or marker.evaluate({"extra": extra})
    except ValueError:  # it compares what cannot be compared
        return True


def _shown(requirement: Requirement) -> str:
    # A URL may hold credentials; the name says enough.
    return requirement.name if requirement.url else str(requirement)
