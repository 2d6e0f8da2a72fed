"""Which folders a worker may read: the system, the interpreter, Relive's runtime, its own code. Never the
home."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

__all__ = ["DEVICES", "folders_of", "link_targets", "readable_paths", "system_paths", "without"]

_SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/proc", "/sys"
)  # fmt: skip
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
"""Devices that may be read and written; there are no others."""

_ETC: Final = (
    # names and addresses
    "resolv.conf", "hosts", "hostname", "hostid", "host.conf", "nsswitch.conf", "gai.conf", "services",
    "protocols", "networks", "netconfig", "rpc", "ethers", "libnl*", "krb5.conf", "krb5.conf.d", "gss",
    "ldap/ldap.conf", "openldap/ldap.conf", "ssh/ssh_config", "ssh/ssh_config.d", "ssh/ssh_known_hosts",
    # users, without their passwords
    "passwd", "group", "shells", "selinux/config",
    # certificates, without the private keys beside them
    "ssl/certs", "ssl/cert.pem", "ssl/ca-bundle.pem", "ssl/openssl.cnf", "ca-certificates",
    "ca-certificates.conf", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf", "pki/ca-trust",
    "crypto-policies", "gcrypt", "gnutls", "pkcs11",
    # the system and its libraries
    "ld.so.*", "ld-musl-*", "os-release", "lsb-release", "*_version", "*-release", "alternatives",
    "localtime", "timezone", "locale*", "default/locale", "mime.types", "mailcap", "magic*", "xml", "sgml",
    "odbcinst.ini", "OpenCL", "vulkan", "glvnd", "xdg",
    # programs that functions start
    "profile", "profile.d", "bash.bashrc", "bashrc", "inputrc", "terminfo", "gitconfig", "wgetrc", "perl",
    "python3*", "java*", "R", "fonts", "pango", "ImageMagick-*", "matplotlibrc", "papersize", "texmf",
    "libreoffice", "chromium*",
)  # fmt: skip
"""What programs need of /etc, for a server that could read the secrets which are there, too."""

_SECRETS: Final = ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssl/private")

_MAX_ENTRIES: Final = 1_000


def folders_of(options: Mapping[str, object]) -> list[str]:
    """Folders of resources that are there, of the bootstrap's options: workers write to them."""
    found = options.get("folders")
    return [str(path) for path in found if os.path.isdir(str(path))] if isinstance(found, list) else []


def readable_paths(runtime_dir: str, deps_dir: str) -> list[str]:
    """Folders and files that every worker of a dependency set may read, with all that is below them.

    The home is two levels above the runtime folder. If it lies inside one of the system's folders, that
    folder is replaced by what is in it, but for the way to the home.
    """
    home = os.path.dirname(os.path.dirname(os.path.realpath(runtime_dir)))
    paths = system_paths(home)
    paths.append(runtime_dir)
    paths.extend(link_targets(runtime_dir))
    if deps_dir:
        paths.append(deps_dir)
    return list(dict.fromkeys(paths))


def system_paths(home: str) -> list[str]:
    """What any program needs: the system and this interpreter, nothing of Relive's `home`."""
    paths: list[str] = []
    for path in [*_SYSTEM, *_settings_of_the_system(), *_interpreter(), *_name_resolution()]:
        paths.extend(without(path, home))
    return list(dict.fromkeys(paths))


def _settings_of_the_system() -> list[str]:
    """/etc, if nothing in it is kept from this user only; else what programs need of it.

    The folder, if it can be: a rule for a file does not hold for the one that takes its place.
    """
    if os.geteuid() and not any(os.access(path, os.R_OK) for path in _SECRETS):
        return ["/etc"]
    import glob  # here: most do not get to it

    return [path for name in _ETC for path in sorted(glob.glob(f"/etc/{name}"))]


def _interpreter() -> list[str]:
    executable = os.path.dirname(os.path.realpath(sys.executable)) if sys.executable else sys.base_prefix
    return [sys.base_prefix, sys.base_exec_prefix, sys.prefix, executable]


def _name_resolution() -> list[str]:
    """Where /etc/resolv.conf and /etc/localtime really are; often under /run."""
    real = [os.path.realpath(path) for path in ("/etc/resolv.conf", "/etc/localtime", "/etc/hosts")]
    return [path for path in real if os.path.exists(path)]


def link_targets(runtime_dir: str) -> list[str]:
    """What the links in the runtime folder point to, those of its namespace folder included."""
    found: list[str] = []
    for folder in (runtime_dir, os.path.join(runtime_dir, "opentelemetry")):
        if os.path.isdir(folder) and not os.path.islink(folder):
            with os.scandir(folder) as entries:
                found.extend(os.path.realpath(entry.path) for entry in entries if entry.is_symlink())
    return found


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def without(path: str, excluded: str) -> list[str]:
    """`path`, or what is in it, so that `excluded` and what is below it is not there."""
    real = os.path.realpath(path)
    if _is_below(real, excluded):
        return []
    if not _is_below(excluded, real):
        return [path]
    found: list[str] = []
    try:
        entries = sorted(os.scandir(real), key=lambda entry: entry.name)[:_MAX_ENTRIES]
    except OSError:
        return []
    for entry in entries:
        if not entry.is_symlink():
            found.extend(without(entry.path, excluded))
    return found
