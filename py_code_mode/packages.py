"""Which packages of other people kernels may have: requirements, and the policy that allows them.

Place in the house: below ``config``, whose ``KernelConfig(packages=...)`` is checked here the
moment it is written down; ``environments`` installs what passed. An install runs no code by
itself (wheels are only unpacked), but what is installed runs in the kernel and may come from
anybody. So nothing is installed that the host's own configuration has not allowed by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from py_code_mode.errors import ConfigError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Installer", "PackagePolicy", "check_packages", "without_credentials"]

Installer = Literal["auto", "uv", "pip"]
"""Who installs; ``auto`` takes uv where it is installed, else pip."""

_ENTRY = re.compile(r"([A-Za-z0-9*?][A-Za-z0-9*?._-]*)\s*(.*)", re.DOTALL)
_SEPARATORS = re.compile(r"[-_.]+")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?:@[^/\s@]+)*@")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class PackagePolicy:
    """What may be installed for kernels, and how. The default allows nothing.

    Attributes:
        allow: Names that may be asked for: ``"pandas"``; with bounds, which then also hold for
            it as a dependency of others: ``"pandas>=2,<3"``; or patterns of ``*`` and ``?``:
            ``"acme-*"``.
        allow_urls: Beginnings of URLs that requirements such as ``name @ https://...`` may name.
        allow_sources: Whether source distributions may be built, which runs their build
            scripts on this machine, as you; otherwise only wheels are taken.
        allow_dependencies: Whether what an allowed package depends on comes along without
            being allowed by name.
        install: Whether a missing environment is made when a kernel needs it; False: only
            ``py-code-mode deps sync`` makes environments.
        installer: ``"uv"``, ``"pip"``, or ``"auto"``: uv where it is installed, else pip.
        directory: Where environments are kept; None: ``py-code-mode/environments`` below
            ``$XDG_CACHE_HOME`` or ``~/.cache``.
        timeout: Seconds that making an environment may take.
    """

    allow: Sequence[str] = ()
    allow_urls: Sequence[str] = ()
    allow_sources: bool = False
    allow_dependencies: bool = True
    install: bool = True
    installer: Installer = "auto"
    directory: str | Path | None = None
    timeout: float = 600.0

    def __post_init__(self) -> None:
        for name in ("allow", "allow_urls"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise TypeError(f"PackagePolicy.{name} must be a sequence: [{value!r}]")
            object.__setattr__(self, name, tuple(value))
        if self.installer not in get_args(Installer):
            known = ", ".join(map(repr, get_args(Installer)))
            raise ConfigError(f"must be one of {known}, not {self.installer!r}", key="installer")
        for entry in self.allow:
            _split_entry(entry)

    def allows(self, name: str) -> bool:
        """Whether a package of that name may be asked for."""
        patterns = (_split_entry(entry)[0] for entry in self.allow)
        return any(fnmatchcase(_normal(name), pattern) for pattern in patterns)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The bounds in ``allow``, which hold for dependencies, too."""
        entries = map(_split_entry, self.allow)
        return tuple(sorted({name + bounds for name, bounds in entries if bounds}))


def check_packages(packages: Iterable[str], policy: PackagePolicy | None) -> tuple[str, ...]:
    """Return requirements as they are compared and installed: normalised, sorted, each once.

    Args:
        packages: Requirements of PEP 508, such as ``"pandas[excel]>=2; python_version>'3.11'"``.
        policy: What is allowed.

    Raises:
        ConfigError: One is no requirement, or is not allowed; the message names it.
    """
    if isinstance(packages, str):
        hint = (
            "; for those of skills, collect them when you choose to: `py-code-mode deps sync`"
            if packages == "skills"
            else ""
        )
        raise ConfigError(f"must be a sequence of requirements: [{packages!r}]{hint}", key=_KEY)
    wanted = [*packages]
    if not wanted:
        return ()
    if policy is None:
        raise ConfigError(
            "installing runs code of other people, so it has to be allowed by name: "
            f"package_policy=PackagePolicy(allow={[_name_of(each) for each in wanted]!r})",
            key=_KEY,
        )
    return tuple(sorted({_checked(text, policy) for text in wanted}))


def without_credentials(text: str) -> str:
    """Take user names, passwords and tokens out of the URLs in a text."""
    return _CREDENTIALS.sub("***@", text)


_KEY = "packages"


def _split_entry(entry: str) -> tuple[str, str]:
    """Split an entry of ``allow`` into its pattern, normalised, and its bounds."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    match = _ENTRY.fullmatch(entry.strip())
    if match is None:
        raise ConfigError(f"{entry!r} is no name of a package, nor a pattern of one", key="allow")
    pattern, rest = _normal(match[1]), match[2]
    try:
        bounds = str(SpecifierSet(rest))
    except InvalidSpecifier:
        wrong = f"{entry!r}: {rest!r} are no bounds of versions, such as >=2,<3"
        raise ConfigError(wrong, key="allow") from None
    if bounds and ("*" in pattern or "?" in pattern):
        raise ConfigError(f"{entry!r}: bounds need a whole name, no pattern", key="allow")
    return pattern, bounds


def _normal(name: str) -> str:
    """A name, or a pattern of one, as PEP 503 normalises names."""
    return _SEPARATORS.sub("-", name).lower()


def _shown(text: str) -> str:
    return repr(without_credentials(text)[:_SHOWN])


def _name_of(text: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)
    return match[0] if match else text


def _checked(text: str, policy: PackagePolicy) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
        if not text.isprintable():  # a line end within quotes would begin a line of its own
            raise InvalidRequirement("it is no single line of text")
    except (InvalidRequirement, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"{_shown(str(text))} is no requirement, such as pandas>=2 ({reason}); "
            "paths and options of installers are not taken",
            key=_KEY,
        ) from None
    if not policy.allows(requirement.name):
        allowed = ", ".join(policy.allow) or "nothing"
        raise ConfigError(
            f"{_shown(text)} is not allowed: PackagePolicy.allow has {allowed}", key=_KEY
        )
    if requirement.url is not None:
        _check_url(text, urlsplit(requirement.url), policy)
    return _canonical(requirement)


def _check_url(text: str, url: SplitResult, policy: PackagePolicy) -> None:
    if not any(_is_below(url, urlsplit(prefix)) for prefix in policy.allow_urls):
        raise ConfigError(
            f"{_shown(text)} names a URL or a path, and PackagePolicy.allow_urls has no "
            "beginning of it",
            key=_KEY,
        )
    if not url.path.endswith(".whl") and not policy.allow_sources:
        raise ConfigError(
            f"{_shown(text)} is no wheel: building it would run its build script, which "
            "PackagePolicy(allow_sources=True) allows",
            key=_KEY,
        )
    if "$" in text:  # installers put the host's environment variables in their place
        raise ConfigError(f"{_shown(text)}: a URL may not name variables ($)", key=_KEY)


def _is_below(url: SplitResult, prefix: SplitResult) -> bool:
    """Whether a URL lies below an allowed one, however it is spelled."""
    if not url.scheme or (url.scheme, url.netloc) != (prefix.scheme, prefix.netloc):
        return False
    path = unquote(url.path)
    if ".." in path.split("/"):
        return False
    return path == prefix.path or path.startswith(prefix.path.rstrip("/") + "/")


def _canonical(requirement: Requirement) -> str:
    text = _normal(requirement.name)
    if requirement.extras:
        text += "[" + ",".join(sorted(map(_normal, requirement.extras))) + "]"
    if requirement.url is not None:
        text += f" @ {requirement.url}"
    else:
        text += ",".join(sorted(map(str, requirement.specifier)))
    if requirement.marker is not None:
        text += f"{' ' if requirement.url else ''}; {requirement.marker}"
    return text
