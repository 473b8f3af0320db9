"""The publisher's keys: a folder of private keys, and the root metadata that says who signs what.

Signing and verifying are python-tuf's and securesystemslib's; a private key is a PKCS #8 PEM file
that only its owner can read, encrypted where there is a passphrase.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, Metadata, Role, Root

from edgeseg import limits
from edgeseg.errors import SignatureError, SyncError
from edgeseg.files import PathLike, made_folder, read_bounded, shown_path, write_atomic
from edgeseg.lock import Lock

ROLES = ("root", "targets", "snapshot", "timestamp")
ANCHOR_NAME = "root.json"
ROOT_DAYS = 730
_KEY_SUFFIX = ".pem"
_RETIRED = "retired"
assert set(ROLES) == TOP_LEVEL_ROLE_NAMES


@dataclass(frozen=True)
class Quorum:
    """How many keys a role has, and how many of them must sign.

    Attributes:
        keys: at least 1.
        threshold: between 1 and ``keys``.
    """

    keys: int = 1
    threshold: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.keys <= 20:
            raise ValueError(
                f"{self.threshold} of {self.keys} keys cannot sign: of 1 to 20 keys, at least one "
                "and at most all do"
            )


# Root keys are needed rarely and matter most: two of three people.
DEFAULT_QUORUMS: Mapping[str, Quorum] = {"root": Quorum(3, 2)}


class Keys:
    """Folders of private keys; several where their owners keep them apart.

    Attributes:
        folders: where they are; new keys go into the first.
    """

    def __init__(self, folders: list[Path], passphrase: bytes | None = None) -> None:
        """Read the keys.

        Args:
            folders: one at least.
            passphrase: of the encrypted ones, and for new ones; None leaves new ones plain.

        Raises:
            SyncError: a file is no key, or is encrypted with another passphrase.
            EdgesegError: a folder cannot be read.
        """
        self.folders = folders
        self._passphrase = passphrase or None
        self._signers: dict[str, CryptoSigner] = {}
        self._paths: dict[str, Path] = {}
        for folder in folders:
            if not folder.is_dir():
                raise SyncError(f"{shown_path(folder)} is no folder of keys")
            for path in sorted(folder.glob(f"*{_KEY_SUFFIX}")):
                signer = _signer(path, self._passphrase)
                self._signers[signer.public_key.keyid] = signer
                self._paths[signer.public_key.keyid] = path

    @property
    def lock(self) -> Lock:
        """Held while something is published with these keys."""
        return Lock(self.folders[0] / "lock")

    def sign(self, document: Metadata[Any], role: Role, name: str) -> None:
        """Sign with every key of a role that is here.

        Raises:
            SignatureError: those are fewer than have to sign.
        """
        here = [keyid for keyid in role.keyids if keyid in self._signers]
        for keyid in here:
            document.sign(self._signers[keyid], append=True)
        if len(set(document.signatures) & set(role.keyids)) < role.threshold:
            raise SignatureError(
                f"{role.threshold} {name} keys have to sign, and {len(here)} of its "
                f"{len(role.keyids)} are in {', '.join(map(shown_path, self.folders))}; "
                "name further folders with --keys"
            )

    def made(self, role: str, count: int) -> list[SSlibKey]:
        """New keys of a role, written."""
        keys = []
        for _ in range(count):
            private = Ed25519PrivateKey.generate()
            signer = CryptoSigner(private)
            keyid = signer.public_key.keyid
            path = self.folders[0] / f"{role}-{keyid[:12]}{_KEY_SUFFIX}"
            _write_private(path, private, self._passphrase)
            self._signers[keyid], self._paths[keyid] = signer, path
            keys.append(signer.public_key)
        return keys

    def retire(self, keyids: list[str]) -> None:
        """Put the private keys away that no longer sign anything."""
        for keyid in keyids:
            path = self._paths.get(keyid)
            if path is not None:
                with contextlib.suppress(OSError):
                    path.rename(made_folder(path.parent / _RETIRED) / path.name)


def init_keys(
    folder: PathLike,
    quorums: Mapping[str, Quorum],
    now: datetime,
    passphrase: bytes | None = None,
) -> Path:
    """Make a publisher's keys and the root metadata that its scanners are to trust.

    Args:
        folder: where to; made when absent.
        quorums: by role; a role that is not named has ``DEFAULT_QUORUMS``, else one key.
        now: from when the root metadata holds.
        passphrase: to encrypt the private keys with; None leaves them plain.

    Returns:
        The path of ``root.json``, which goes to every scanner by a way that is trusted.

    Raises:
        SyncError: the folder holds keys already.
        EdgesegError: it cannot be written.
    """
    home = made_folder(folder)
    if any(home.glob(f"*{_KEY_SUFFIX}")) or (home / ANCHOR_NAME).exists():
        raise SyncError(
            f"{shown_path(folder)} holds keys already; `edgeseg keys rotate` renews them"
        )
    home.chmod(0o700)
    keys = Keys([home], passphrase)
    root = Root(version=1, expires=now + timedelta(days=ROOT_DAYS), consistent_snapshot=True)
    for role in ROLES:
        quorum = quorums.get(role) or DEFAULT_QUORUMS.get(role) or Quorum()
        for key in keys.made(role, quorum.keys):
            root.add_key(key, role)
        root.roles[role].threshold = quorum.threshold
    document = Metadata(root)
    keys.sign(document, root.roles["root"], "root")
    # Last: with it the folder is complete.
    write_atomic(home / ANCHOR_NAME, document.to_bytes())
    return home / ANCHOR_NAME


def rotated_root(
    current: Metadata[Root], roles: list[str], keys: Keys, now: datetime
) -> tuple[Metadata[Root], list[str]]:
    """The next root metadata, with new keys for some roles.

    It is signed by the root keys of before and of after, as The Update Framework asks ("Key
    management and migration", specification 6.1), so that scanners follow from one to the next.

    Args:
        current: that scanners know.
        roles: whose keys are replaced, as many as there were.
        keys: those of before; the new ones are added.
        now: from when it holds.

    Returns:
        The document, and the ids of the keys that sign nothing any more.

    Raises:
        SignatureError: too few root keys are here.
    """
    before = current.signed
    document = Metadata[Root].from_bytes(current.to_bytes())
    document.signatures.clear()
    root = document.signed
    root.version += 1
    root.expires = now + timedelta(days=ROOT_DAYS)
    # Before anything is made: too few keys must not leave new ones behind.
    keys.sign(Metadata(before), before.roles["root"], "root")
    gone: list[str] = []
    for role in roles:
        old = list(root.roles[role].keyids)
        for keyid in old:
            root.revoke_key(keyid, role)
        for key in keys.made(role, len(old)):
            root.add_key(key, role)
        gone += old
    keys.sign(document, before.roles["root"], "root")
    keys.sign(document, root.roles["root"], "root")
    before.verify_delegate("root", document.signed_bytes, document.signatures)
    root.verify_delegate("root", document.signed_bytes, document.signatures)
    return document, gone


def _signer(path: Path, passphrase: bytes | None) -> CryptoSigner:
    data = read_bounded(path, limits.MAX_KEY_BYTES, "key")
    try:
        private = _loaded(data, passphrase)
        return CryptoSigner(private)
    except TypeError as error:
        # cryptography's word for "encrypted, and no passphrase".
        raise SyncError(
            f"key {shown_path(path)} is encrypted; give its passphrase in EDGESEG_PASSPHRASE"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SyncError(
            f"{shown_path(path)} is no private key, or has another passphrase"
        ) from error


def _loaded(data: bytes, passphrase: bytes | None) -> Ed25519PrivateKey:
    encrypted = b"ENCRYPTED" in data.partition(b"\n")[0]
    private = serialization.load_pem_private_key(data, passphrase if encrypted else None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("it is a key of another kind")
    return private


def _write_private(path: Path, private: Ed25519PrivateKey, passphrase: bytes | None) -> None:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    data = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    write_atomic(path, data, mode=0o600)
