"""What a scanner knows of its generations: one small file, replaced in one rename."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from edgeseg import limits
from edgeseg.errors import SyncError
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.sync.clock import time_of, time_text
from edgeseg.sync.release import refusal_of

_FORMAT_VERSION = 1
_WHAT = "the store's state"


@dataclass(frozen=True)
class Installed:
    """A generation that is on the device, its catalogue and its bundle.

    Attributes:
        generation: of the catalogue.
        release: SHA-256 of the release that it came with.
        root_version: of the publisher's keys then.
        content: the catalogue's content digest.
        catalogue, bundle: SHA-256 of the files, which are named by it.
        catalogue_digest, bundle_digest: what the files say of themselves when they are opened.
        published, activated: when.
        shard: which shard it is of; None where its catalogue is no shard.
    """

    generation: int
    release: str
    root_version: int
    content: str
    catalogue: str
    catalogue_digest: str
    bundle: str
    bundle_digest: str
    published: datetime
    activated: datetime
    shard: str | None = None

    @property
    def called(self) -> str:
        """As it is told: ``generation 3``, or ``generation 3 of shard Hamburg``."""
        return generation_told(self.generation, self.shard)

    @property
    def refusal(self) -> str:
        """What is remembered of it where it is rolled back."""
        return refusal_of(self.release, self.shard, self.content, self.bundle)

    @property
    def files(self) -> frozenset[str]:
        """SHA-256 of both."""
        return frozenset((self.catalogue, self.bundle))


@dataclass(frozen=True)
class State:
    """All that a store remembers beside files.

    Attributes:
        active: what is matched with; None before the first sync.
        previous: what was before it, to roll back to.
        refused: what was rolled back, oldest first, as ``release.refusal_of`` names it; a sync
            leaves it alone.
        clock_floor: no clock of this device is right that is behind it: when the newest release
            seen was published, by its publisher's clock.
        root_version: of the newest keys seen; a floor of older keys does not count.
        refreshed: when the publisher was last heard of.
        expires: until when what was heard holds.
        shard: what is followed, which is another one than that in use while a move is under way;
            None follows a catalogue that is no shard.
    """

    active: Installed | None = None
    previous: Installed | None = None
    refused: tuple[str, ...] = ()
    clock_floor: datetime | None = None
    root_version: int = 0
    refreshed: datetime | None = None
    expires: datetime | None = None
    shard: str | None = None

    def activated(self, installed: Installed) -> State:
        """With a generation in use and the one before it kept.

        One that is put in use again, as after a repair, leaves the one before it where it is; so
        does one that brings nothing new, for to go back to the same would be no way back.
        """
        before = self.active
        if (
            before is None
            or before.release == installed.release
            or (before.files, before.shard) == (installed.files, installed.shard)
        ):
            before = self.previous
        refused = tuple(each for each in self.refused if each != installed.refusal)
        return replace(self, active=installed, previous=before, refused=refused)

    def rolled_back(self) -> State:
        """With the generation before in use, and the one that was refused from now on.

        After a move, the shard before is followed again.

        Raises:
            SyncError: there is none before.
        """
        if self.active is None or self.previous is None:
            raise SyncError("there is no generation to roll back to")
        back = replace(self, active=self.previous, previous=None, shard=self.previous.shard)
        return back.refusing(self.active)

    def refusing(self, installed: Installed) -> State:
        """With a generation that is left alone from now on."""
        kept = [each for each in self.refused if each != installed.refusal]
        return replace(self, refused=(*kept, installed.refusal)[-limits.MAX_REFUSED_RELEASES :])

    def age_told(self, now: datetime, installed: Installed | None = None) -> str:
        """How old a generation is, and whether more could have been heard of it, in one line.

        Args:
            now: by the device's clock.
            installed: the generation; None for the active one.
        """
        shown = installed or self.active
        if shown is None:
            return "no generation"
        age_s = (now - shown.published).total_seconds()
        told = f"{shown.called}, published {span_told(age_s)} ago"
        if self.expires is not None and self.expires < now:
            past_s = (now - self.expires).total_seconds()
            told += f"; what was heard of its publisher expired {span_told(past_s)} ago: sync again"
        return told

    @property
    def files(self) -> frozenset[str]:
        """SHA-256 of the files that it needs."""
        kept = (each.files for each in (self.active, self.previous) if each is not None)
        return frozenset().union(*kept)

    def to_bytes(self) -> bytes:
        """The file."""
        times = {
            name: None if moment is None else time_text(moment)
            for name, moment in (
                ("clock_floor", self.clock_floor),
                ("expires", self.expires),
                ("refreshed", self.refreshed),
            )
        }
        # Left out where there is none, so that such a file is as it was before there were shards.
        shard = {} if self.shard is None else {"shard": self.shard}
        return canonical_json(
            times
            | shard
            | {
                "active": _installed_fields(self.active),
                "format_version": _FORMAT_VERSION,
                "previous": _installed_fields(self.previous),
                "refused": list(self.refused),
                "root_version": self.root_version,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """Read the file.

        Raises:
            FormatError: it is damaged.
        """
        fields = Fields(parse_object(data, limits.MAX_STATE_BYTES, _WHAT), _WHAT)
        fields.integer("format_version", _FORMAT_VERSION, _FORMAT_VERSION)
        refused = fields.array("refused", limits.MAX_REFUSED_RELEASES)
        each = {str(number): value for number, value in enumerate(refused)}
        state = cls(
            active=_installed(fields.take("active")),
            previous=_installed(fields.take("previous")),
            refused=tuple(Fields(each, _WHAT).sha256(name) for name in each),
            clock_floor=_time(fields, "clock_floor"),
            root_version=fields.integer("root_version", 0, limits.MAX_GENERATION),
            refreshed=_time(fields, "refreshed"),
            expires=_time(fields, "expires"),
            shard=_shard(fields),
        )
        fields.done()
        return state


def generation_told(generation: int | None, shard: str | None) -> str:
    """``generation 3``, or ``generation 3 of shard Hamburg``."""
    return f"generation {generation}" + ("" if shard is None else f" of shard {shard}")


def span_told(seconds: float) -> str:
    """A span of time in one unit, as in ``3 days``."""
    for unit, length_s in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"


def _time(fields: Fields, name: str) -> datetime | None:
    value = fields.take(name)
    return None if value is None else time_of(str(value), _WHAT)


def _installed_fields(installed: Installed | None) -> dict[str, Any] | None:
    if installed is None:
        return None
    return {
        name: time_text(value) if isinstance(value, datetime) else value
        for name, value in vars(installed).items()
        if (name, value) != ("shard", None)
    }


def _shard(fields: Fields) -> str | None:
    return fields.text("shard", limits.MAX_SHARD_NAME_CHARS) if fields.has("shard") else None


def _installed(value: Mapping[str, Any] | None) -> Installed | None:
    if value is None:
        return None
    fields = Fields(value, f"a generation of {_WHAT}")
    digests = ("release", "content", "catalogue", "catalogue_digest", "bundle", "bundle_digest")
    installed = Installed(
        generation=fields.integer("generation", 0, limits.MAX_GENERATION),
        root_version=fields.integer("root_version", 1, limits.MAX_GENERATION),
        published=time_of(fields.text("published"), _WHAT),
        activated=time_of(fields.text("activated"), _WHAT),
        shard=_shard(fields),
        **{name: fields.sha256(name) for name in digests},
    )
    fields.done()
    return installed
