"""What edgeseg's own metadata asks of this machine: names, version ranges and their conditions.

As much of Python's dependency specifiers as a build back end writes for edgeseg, because a library
that reads all of them could itself be what is missing.
"""

from __future__ import annotations

import ast
import importlib.metadata
import operator
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:\[([^\]]*)\])?\s*\(?([^;()]*)\)?\s*(?:;(.*))?")
_CLAUSE = re.compile(r"(~=|===?|!=|<=|>=|<|>)\s*([^\s,]+)")
_COMPARISONS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_MARKER_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.GtE: ">=", ast.LtE: "<=", ast.Gt: ">", ast.Lt: "<", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_VERSION_MARKERS = frozenset({"python_version", "python_full_version"})


@dataclass(frozen=True)
class Requirement:
    """A distribution that is asked for.

    Attributes:
        name: as it is written.
        extras: of that distribution.
        versions: the range, such as ``>=2.0,<3``; empty for any.
        marker: the condition under which it is asked for; empty for always.
    """

    name: str
    extras: tuple[str, ...] = ()
    versions: str = ""
    marker: str = ""

    @property
    def specifier(self) -> str:
        """What pip is asked to install."""
        return f"{self.name}{self.versions}"

    def takes(self, version: str) -> bool:
        """Whether a version is in the range."""
        return all(_holds(version, sign, bound) for sign, bound in _CLAUSE.findall(self.versions))

    def applies(self, environment: Mapping[str, str], extra: str = "") -> bool:
        """Whether it is asked for on such a machine, for an extra."""
        if not self.marker:
            return not extra
        told = {**environment, "extra": extra}
        # What is asked for without any extra is not what the extra asks for.
        if extra and _marked(self.marker, {**environment, "extra": ""}):
            return False
        return _marked(self.marker, told)


def parse_requirement(text: str) -> Requirement:
    """Read one line of metadata.

    Raises:
        ValueError: it is no requirement.
    """
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no requirement: {text}")
    name, extras, versions, marker = found.groups()
    named = tuple(each.strip() for each in (extras or "").split(",") if each.strip())
    clauses = [f"{sign}{bound}" for sign, bound in _CLAUSE.findall(versions)]
    # The lower bound first, as people write it.
    clauses.sort(key=lambda clause: not clause.startswith(">"))
    return Requirement(name, named, ",".join(clauses), (marker or "").strip())


def environment_here() -> dict[str, str]:
    """What the conditions can ask of this machine."""
    return {
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "python_full_version": platform.python_version(),
        "platform_machine": platform.machine(),
        "platform_system": platform.system(),
        "platform_python_implementation": platform.python_implementation(),
        "implementation_name": sys.implementation.name,
        "sys_platform": sys.platform,
        "os_name": "posix",
    }


def declared(lines: Iterable[str], extra: str = "") -> tuple[Requirement, ...]:
    """What is asked for on this machine.

    Args:
        lines: of ``Requires-Dist``.
        extra: only what this extra adds; empty for what is always asked for.

    Returns:
        By name, with extras of edgeseg itself resolved.
    """
    lines = list(lines)
    here = environment_here()
    asked: dict[str, Requirement] = {}
    for requirement in map(parse_requirement, lines):
        if not requirement.applies(here, extra):
            continue
        if requirement.name == "edgeseg":
            asked |= {
                each.name: each for own in requirement.extras for each in declared(lines, own)
            }
        else:
            asked[requirement.name] = requirement
    return tuple(asked[name] for name in sorted(asked))


def installed_version(distribution: str) -> str | None:
    """The version of a distribution here; None where none is installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def release(version: str) -> tuple[int, ...]:
    """The numbers that a version starts with: ``(2, 0, 3)`` of ``2.0.3rc1``; empty for none."""
    found = re.match(r"\d+(?:\.\d+)*", version.lstrip("v"))
    return tuple(int(number) for number in found.group().split(".")) if found else ()


def _holds(version: str, sign: str, bound: str) -> bool:
    if bound.endswith(".*"):
        stem = release(bound)
        return (release(version)[: len(stem)] == stem) == (sign != "!=")
    if sign == "===":
        return version == bound
    if sign == "~=":
        return (
            _holds(version, ">=", bound)
            and release(version)[: len(release(bound)) - 1] == (release(bound)[:-1])
        )
    left, right = release(version), release(bound)
    length = max(len(left), len(right))
    padded = tuple(each + (0,) * (length - len(each)) for each in (left, right))
    return _COMPARISONS[sign](*padded)


def _marked(marker: str, environment: Mapping[str, str]) -> bool:
    """Evaluate a condition, whose grammar is a part of Python's own."""
    return _value_of(ast.parse(marker.strip(), mode="eval").body, environment)


def _value_of(node: ast.expr, environment: Mapping[str, str]) -> bool:
    if isinstance(node, ast.BoolOp):
        values = [_value_of(each, environment) for each in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if not isinstance(node, ast.Compare):
        raise ValueError(f"no condition: {ast.unparse(node)}")
    name = node.left.id if isinstance(node.left, ast.Name) else ""
    bound = node.comparators[0]
    text = str(bound.value) if isinstance(bound, ast.Constant) else ""
    found = environment.get(name, "")
    if isinstance(node.ops[0], ast.In | ast.NotIn):
        return (found in text) == isinstance(node.ops[0], ast.In)
    sign = _MARKER_COMPARISONS[type(node.ops[0])]
    if name in _VERSION_MARKERS:
        return _holds(found, sign, text)
    return (found == text) == (sign == "==")
