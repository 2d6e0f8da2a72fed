"""Deploying: read, copy, install, try, then put into service: all functions of an application or none."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.errors import NotFound, ReliveError, UsageError
from relive_base.wire.messages import FunctionSpec
from relive_runtime.folder import build_runtime

from relive_platform.names import NAME, unknown_name
from relive_platform.registry.alerts import AlertChange, AlertRow, plan_alerts
from relive_platform.registry.aliases import Aliases
from relive_platform.registry.application import (
    MANIFEST,
    Application,
    ConfigError,
    FunctionDefaults,
    Given,
    find_manifest,
    from_folder,
    is_manifest,
    load,
)
from relive_platform.registry.application.model import FunctionConfig
from relive_platform.registry.cancellation import Cancellation
from relive_platform.registry.circles import check_circles
from relive_platform.registry.model import Deployed, DeployError, FunctionVersion, Progress, TrialResult
from relive_platform.registry.needs import parts_of, requirements_of
from relive_platform.registry.notes import Notes
from relive_platform.registry.owners import check_origin, check_owners, origin_of
from relive_platform.registry.packages.assembling import assemble
from relive_platform.registry.packages.content import (
    PackageLimits,
    code_hash,
    flush,
    make_read_only,
    remove_tree,
    unpack_zip,
)
from relive_platform.registry.packages.dependencies import Dependencies, InstalledDependencies
from relive_platform.registry.resources import ResourceChange, ResourceRow, plan
from relive_platform.registry.storage import VersionTable
from relive_platform.registry.trial import SubprocessTrial
from relive_platform.triggers.base import Claim

__all__ = ["DeployError", "Registry", "UnknownFunction"]

_ABANDONED_S: Final = 86_400.0
_log = logging.getLogger(__name__)


class UnknownFunction(NotFound):
    """There is no function of that name."""


@dataclass(frozen=True, slots=True)
class _Staged:
    version: FunctionVersion
    fingerprint: str
    seconds: float
    unchanged: bool = False


class Registry:
    """The functions of one home. Methods may be called from any thread; deploys run one at a time."""

    def __init__(
        self,
        home: str | Path,
        *,
        defaults: FunctionDefaults | None = None,
        limits: PackageLimits | None = None,
        trial: Callable[[FunctionVersion], TrialResult] | None = None,
        dependencies: Dependencies | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._home = Path(home).absolute()
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._defaults = defaults or FunctionDefaults()
        self._limits = limits or PackageLimits()
        self._trial = trial or SubprocessTrial(
            extra_path=[str(build_runtime(self._home))], sandbox_home=str(self._home)
        )
        self._dependencies = dependencies or Dependencies(self._home / "deps")
        self._clock_ns = clock_ns
        self._table = VersionTable(self._home)
        self.notes = Notes(self._home)
        self.aliases = Aliases(self.notes, self._announce)
        self._callbacks: list[Callable[[list[FunctionVersion]], None]] = []
        self._deploying = threading.Lock()

    def set_trial(self, trial: Callable[[FunctionVersion], TrialResult]) -> None:
        """Use `trial` for the deploys to come: the server's own way of loading a handler."""
        self._trial = trial

    def functions(self) -> list[FunctionVersion]:
        """The version in service of every function, by name."""
        return self._table.serving()

    def get(self, name: str, version: int = 0) -> FunctionVersion:
        """A version; 0 is the one in service. Raises UnknownFunction."""
        found = self._table.get(name, version)
        if found is None:
            what = (
                f"function {name!r} has no version {version}" if version else f"there is no function {name!r}"
            )
            raise UnknownFunction(what, hint="`relive functions` lists them, `relive deploy PATH` adds them")
        return found

    def resources(self) -> list[ResourceRow]:
        """All that were declared and have not been deleted, by name."""
        return self._table.resources()

    def alerts(self) -> list[AlertRow]:
        """Of the applications in service, by name."""
        return self._table.alerts()

    def doomed(self) -> list[tuple[str, str]]:
        """Name and type of the resources whose data a deploy has said to delete."""
        return self._table.doomed()

    def deleted(self, name: str, kind: str) -> None:
        """The data of a doomed resource is gone."""
        self._table.deleted(name, kind)

    def forget_resource(self, name: str) -> None:
        """A resource that nobody declares was deleted."""
        self._table.forget(name)

    def named(self) -> list[FunctionVersion]:
        """Versions that aliases of functions in service lead to, and that are not in service themselves."""
        serving = {version.name: version.version for version in self.functions()}
        wanted = {
            (alias.function, version)
            for alias in self.aliases.all()
            for version in (alias.version, *alias.weights)
            if alias.function in serving and serving[alias.function] != version
        }
        found = [self._table.get(name, version) for name, version in sorted(wanted)]
        return [version for version in found if version is not None]

    def numbers(self, name: str) -> list[int]:
        """Of all versions that a function ever had in service, the first one first."""
        return self._table.numbers(name)

    def note(self, kind: str, function: str, key: str, document: dict[str, Any] | None) -> None:
        """Write a note of a function, or remove it (None), and have it take effect at once. It blocks."""
        if document is None:
            self.notes.drop(kind, function, key)
        else:
            self.notes.put(kind, function, key, document)
        self._announce()

    def on_change(self, callback: Callable[[list[FunctionVersion]], None]) -> None:
        """Call `callback` with `functions()` after each deploy that changed something, in its thread."""
        self._callbacks.append(callback)

    def close(self) -> None:
        """Close the registry's file."""
        self.notes.close()
        self._table.close()

    def deploy(
        self,
        path: str | Path,
        name: str | None = None,
        handler: str | None = None,
        progress: Callable[[Progress], None] = lambda progress: None,
        *,
        kind: str = "event",
        take_over: bool = False,
        delete_data: bool = False,
        sender: str = "",
        cancelled: Cancellation | None = None,
        given: Given | None = None,
    ) -> list[Deployed]:
        """Deploy a folder, a `relive.toml`, a template or a zip. It blocks: call it in a thread.

        What the file says and Relive does not do is told to `progress`, stage "ignored". `take_over`:
        functions that another application has become this one's, and so does the application of this name
        that came from elsewhere. `delete_data`: of resources that it has no more, and of those that cannot
        stay as they are. `sender`: where an uploaded package was before. Raises
        ConfigError, PackageError, DependencyError, DeployError or DeployCancelled; what was in service then
        stays.
        """
        cancelled = cancelled or Cancellation()
        with self._deploying, self._exclusive(), self._opened(Path(path), sender) as root:
            cancelled.check()
            progress(Progress("read", detail=str(path)))
            application = self._read(root, name, handler, kind, given or Given())
            for note in application.ignored:  # a package's folder is there for the time being only
                note = replace(note, file=note.file.replace(str(root), str(path)))
                progress(Progress("ignored", detail=str(note), ignored=note))
            origin = origin_of(Path(path), application, sender)
            configs = [config for config in application.functions.values() if name in (None, config.name)]
            if not take_over:
                serving = self.functions()
                check_origin(application, serving, self._table.origin(application.name), origin)
                check_owners(application, configs, serving)
            resources = plan(
                application,
                self._table.resources(),
                whole=name is None,
                delete_data=delete_data,
                take_over=take_over,
            )
            alerts = plan_alerts(application, self._table.alerts(), whole=name is None, take_over=take_over)
            changes = (resources, alerts)
            return self._deploy(application, configs, name, progress, origin, changes, cancelled)

    def _read(
        self, root: Path, name: str | None, handler: str | None, kind: str, given: Given
    ) -> Application:
        """What the file says; without one, the function that `name` and `handler` describe."""
        manifest = find_manifest(root, given.manifest)
        own = manifest is not None and (manifest.name == MANIFEST or not handler)
        if manifest is None or not own:
            return from_folder(root, name=name, handler=handler, kind=kind, defaults=self._defaults)
        application = load(manifest, self._defaults, given)
        if name is not None and name not in application.functions:
            known = ", ".join(application.functions)
            raise UsageError(f"{manifest.name} has no function {name!r}", hint=f"it has {known}")
        return application

    def put(
        self, app: str, config: FunctionConfig, layers: InstalledDependencies | None = None
    ) -> FunctionVersion:
        """Put one function in service as it is, as Lambda takes it: its code, in the folder `config.source`,
        is not tried, and its requirements are not installed. `layers`: what lies below the code on its path.
        It blocks. Raises PackageError, DeployError."""
        application = Application(name=app, functions={config.name: config}, root=Path(config.source))
        with self._deploying, self._exclusive():
            self._check_claims(app, [config], [])
            staged = self._stage(
                application, config, lambda _: None, Cancellation(), layers or InstalledDependencies()
            )
            if not staged.unchanged:
                self._table.commit([(staged.version, staged.fingerprint)], [])
                self._announce()
            return staged.version

    def roll_back(self, name: str, version: int = 0) -> FunctionVersion:
        """Put an earlier version of a function in service again; 0: the one before. It blocks.

        Also for a function that was taken out of service: 0 then means its last one. Raises UnknownFunction,
        DeployError; what was in service then stays.
        """
        with self._deploying, self._exclusive():
            found = self._earlier(name, version)
            if not Path(found.code_dir).is_dir():
                raise DeployError(
                    f"the code of {name} version {found.version} is not kept any more",
                    hint="deploy it again",
                )
            self._check_claims(found.spec.app, [found.config], [])
            result = self._trial(found)
            if not result.ok:
                raise DeployError(
                    f"{name} version {found.version} does not load any more: {result.message}",
                    where=result.file,
                    hint="what is in service stays in service",
                )
            self._table.serve(name, found.version, self._missing(found))
            self._announce()
            return found

    def _missing(self, version: FunctionVersion) -> ResourceChange:
        """Resources that an earlier version needs and nobody declares any more."""
        known = {row.name: row for row in self._table.resources()}
        wanted = {
            name: config
            for name, config in version.config.resources.items()
            if name not in known or not (known[name].declared or config.replaces(known[name].config))
        }
        return ResourceChange(version.spec.app, wanted)

    def _earlier(self, name: str, version: int) -> FunctionVersion:
        serving = self._table.get(name, 0)
        if version:
            return self.get(name, version)
        if serving is not None:
            found = self._table.before(name, serving.version)
            if found is None:
                raise UnknownFunction(
                    f"{name} has no version before {serving.version}", hint="relive functions"
                )
            return found
        return self.get(name, self._table.number(name))

    def undeploy(self, name: str, *, forget: bool = False) -> list[str]:
        """Take a function out of service, or all of the application of that name. Its versions are kept, and
        so are what was recorded and what its resources hold. Gives the functions. Raises UnknownFunction."""
        with self._deploying, self._exclusive():
            serving = self.functions()
            retired = [version.name for version in serving if version.name == name] or [
                version.name for version in serving if version.spec.app == name
            ]
            if not retired:
                known = {entry for version in serving for entry in (version.name, version.spec.app)}
                raise unknown_name(
                    UnknownFunction, "function and no application", name, known, "relive functions"
                )
            apps = {version.spec.app for version in serving}
            left = {version.spec.app for version in serving if version.name not in retired}
            gone = [row.name for row in self._table.resources() if row.declared and row.app in apps - left]
            watched = [row.name for row in self._table.alerts() if row.app in apps - left]
            self._table.commit(
                [], retired, resources=ResourceChange(gone=gone), alerts=AlertChange(gone=watched)
            )
            for function in retired if forget else ():
                self.notes.forget(function)
            self._announce()
            return retired

    def _deploy(
        self,
        application: Application,
        configs: list[FunctionConfig],
        only: str | None,
        progress: Callable[[Progress], None],
        origin: str,
        changes: tuple[ResourceChange, AlertChange],
        cancelled: Cancellation,
    ) -> list[Deployed]:
        resources, alerts = changes
        retired = self._retired(application, only)
        self._check_claims(application.name, configs, retired)
        staged: list[_Staged] = []
        try:
            for config in configs:
                staged.append(self._stage(application, config, progress, cancelled))
            added = [(item.version, item.fingerprint) for item in staged if not item.unchanged]
            cancelled.check()
            self._table.commit(added, retired, {application.name: origin}, resources, alerts)
        except BaseException:
            for item in staged:
                if not item.unchanged:
                    remove_tree(Path(item.version.code_dir))
            raise
        for name in retired:
            progress(Progress("retired", name, f"it is no longer in {application.file}"))
        for name in resources.gone:
            kept = resources.fate(name)
            progress(Progress("retired", name, f"it is no longer in {application.file}; {kept}"))
        for name in alerts.gone:
            progress(Progress("retired", name, f"the alert is no longer in {application.file}"))
        if added or retired or resources or alerts:
            self._announce()
        return [self._deployed(item, progress) for item in staged]

    def _deployed(self, item: _Staged, progress: Callable[[Progress], None]) -> Deployed:
        spec = item.version.spec
        progress(
            Progress("done", spec.name, f"version {spec.version}{' (unchanged)' if item.unchanged else ''}")
        )
        return Deployed(
            function=spec.name,
            version=spec.version,
            code_hash=spec.code_hash,
            seconds=item.seconds,
            unchanged=item.unchanged,
        )

    def _stage(
        self,
        application: Application,
        config: FunctionConfig,
        progress: Callable[[Progress], None],
        cancelled: Cancellation,
        ready: InstalledDependencies | None = None,
    ) -> _Staged:
        """Everything but the last step. The version's folder is there, but nothing points to it. `ready`: the
        dependencies are these, and the handler is not tried."""
        began = time.monotonic()
        source = Path(config.source)
        cancelled.check()
        progress(Progress("copy", config.name, str(source)))
        number = self._table.highest(config.name) + 1
        scratch = self._home / "tmp" / secrets.token_hex(8)
        try:
            assemble(parts_of(application, config), scratch, self._limits)
            digest = code_hash(scratch)
            installed = ready or self._install(application, config, progress, cancelled)
            code_dir = self._code_dir(config.name, number, installed)
            fingerprint = _fingerprint(digest, config, installed, application.name)
            current = self._table.get(config.name, 0)
            if current is not None and self._table.fingerprint(config.name) == fingerprint:
                return _Staged(current, fingerprint, time.monotonic() - began, unchanged=True)
            version = self._version(application, config, number, digest, code_dir, installed)
            remove_tree(code_dir)  # left by a deploy that was killed before it was in service
            _make_parents(code_dir, self._home / "code")
            os.rename(scratch, code_dir)
            make_read_only(code_dir)
            flush(code_dir.parent)
        finally:
            remove_tree(scratch)
        try:
            if ready is None:
                self._try(version, source, progress)
        except BaseException:
            remove_tree(code_dir)
            raise
        return _Staged(version, fingerprint, time.monotonic() - began)

    def _code_dir(self, name: str, number: int, installed: InstalledDependencies) -> Path:
        """Functions with one dependency set beside each other: the zygote that imports it sees no others."""
        code = self._home / "code"
        return (code / f"@{installed.lock_hash}" if installed.lock_hash else code) / name / str(number)

    def _install(
        self,
        application: Application,
        config: FunctionConfig,
        progress: Callable[[Progress], None],
        cancelled: Cancellation,
    ) -> InstalledDependencies:
        needs = requirements_of(config, application)
        if needs.lines:
            progress(Progress("install", config.name, f"{len(needs.lines)} requirements"))
        return self._dependencies.install(
            needs, lambda line: progress(Progress("install", config.name, line)), cancelled
        )

    def _version(
        self,
        application: Application,
        config: FunctionConfig,
        number: int,
        digest: str,
        code_dir: Path,
        installed: InstalledDependencies,
    ) -> FunctionVersion:
        spec = FunctionSpec(
            name=config.name,
            version=number,
            handler=config.handler,
            kind=config.kind,
            source=str(code_dir),
            app=application.name,
            code_hash=digest,
            environment=config.environment,
            timeout_s=config.timeout_s,
            memory_mb=config.memory_mb,
            output_limit_bytes=config.output_limit_bytes,
            result_limit_bytes=config.result_limit_bytes,
            profile=config.profile,
            profile_threads=config.profile_threads,
            precise_share=config.precise_share,
            precise_after=config.precise_after,
            capture=config.capture,
            isolation_tier=config.isolation_tier,
            redact_keys=list(config.redact_keys),
            span_share=config.span_share,
            span_slow_ms=config.span_slow_ms,
            in_app=list(config.in_app),
            recording=config.recording,
            dependencies=installed.lock_hash,
            capacity=config.capacity,
            websockets=config.websockets,
            interface=config.interface,
            idle_timeout_s=config.idle_timeout_s,
            disconnect_timeout_s=config.disconnect_timeout_s,
            stop_timeout_s=config.stop_timeout_s,
            command=list(config.command),
            runtime=config.runtime,
            dependencies_dir=installed.folder,
        )
        return FunctionVersion(
            spec=spec,
            config=msgspec.structs.replace(config, source=""),
            code_dir=str(code_dir),
            deps_dir=installed.folder,
            deps_hash=installed.lock_hash,
            preload=installed.preload,
            created_ns=self._clock_ns(),
        )

    def _try(self, version: FunctionVersion, source: Path, progress: Callable[[Progress], None]) -> None:
        progress(Progress("trial", version.name, version.spec.handler))
        result = self._trial(version)
        if result.ok:
            return
        message = result.message.replace(version.code_dir, str(source))
        file = result.file.replace(version.code_dir, str(source), 1) or str(source)
        where = f"{file}:{result.line}" if result.line else file
        raise DeployError(
            f"the handler {version.spec.handler!r} of {version.name!r} does not load: {message}",
            where=where,
            hint="correct the code, or add what is missing to requirements.txt; then deploy again",
        )

    def _retired(self, application: Application, only: str | None) -> list[str]:
        """Functions in service that this application had and its relive.toml has no more."""
        if not application.file or only is not None:
            return []
        return [
            version.name
            for version in self.functions()
            if version.spec.app == application.name and version.name not in application.functions
        ]

    def _check_claims(self, application: str, configs: list[FunctionConfig], retired: list[str]) -> None:
        """A route or a queue's name leads to one function; a queue's even if a function of that name would
        come first. Raises DeployError."""
        ours = {config.name for config in configs} | set(retired)
        others = [version for version in self.functions() if version.name not in ours]
        check_circles(configs, [version.config for version in others])
        taken = {(claim.kind, claim.name): version for version in others for claim in _claims(version.config)}
        for config in configs:
            where = f"function {config.name!r}"
            for claim in _claims(config):
                other = taken.get((claim.kind, claim.name))
                if other is not None:
                    message = f"{claim.taken} of function {other.name!r}"
                    raise DeployError(message, where=where, hint=claim.hint)
            other = taken.get(("queue", config.name))
            if other is not None and other.spec.app != application:
                raise DeployError(
                    f"events that are sent to {config.name!r} go to {other.name!r} of application"
                    f" {other.spec.app!r}, which has a queue of that name",
                    where=where,
                    hint="give one of them another name",
                )

    def _announce(self) -> None:
        functions = self.functions()
        for callback in self._callbacks:
            try:
                callback(functions)
            except Exception:
                # The deploy is done; a listener that fails must not make it look undone.
                _log.exception("a listener of the registry failed")

    @contextlib.contextmanager
    def _opened(self, path: Path, sender: str) -> Iterator[Path]:
        """The folder (or the file in it) to read: `path` itself, or a zip's, unpacked for the time being."""
        if path.is_dir() or is_manifest(path):
            yield path.absolute()
            return
        if not path.is_file():
            raise UsageError(
                "there is no such file or folder", where=str(path), hint="name a folder or a zip"
            )
        scratch = self._home / "tmp" / secrets.token_hex(8)
        scratch.parent.mkdir(parents=True, exist_ok=True)
        try:
            unpack_zip(path, scratch / "package", self._limits)
            root = scratch / "package"
            inner = list(root.iterdir())
            if len(inner) == 1 and inner[0].is_dir() and find_manifest(inner[0]) is not None:
                root = inner[0]  # zipped with its folder
            # An application without a name takes its folder's: here the zip's own name.
            renamed = scratch / (_name_of(Path(sender) if sender else path) or "package")
            if root != renamed:
                os.rename(root, renamed)
            with _renamed(str(renamed), str(path)):
                yield renamed
        finally:
            remove_tree(scratch)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """No second process deploys into this home meanwhile."""
        with (self._home / ".deploy.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _remove_left(self._home / "tmp")
            yield


def _remove_left(scratch: Path) -> None:
    """What those left that were killed in the midst of unpacking or copying."""
    for place in scratch.glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - place.lstat().st_mtime > _ABANDONED_S:
                remove_tree(place) if place.is_dir() and not place.is_symlink() else place.unlink()


def _make_parents(path: Path, top: Path) -> None:
    """The folders from `top` to above `path`, which others may pass: a worker may have a user of its own."""
    for folder in reversed([folder for folder in path.parents if folder.is_relative_to(top)]):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


@contextlib.contextmanager
def _renamed(folder: str, shown: str) -> Iterator[None]:
    """Errors speak of the package that was deployed, not of the folder it was unpacked to."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(
            [
                replace(
                    problem,
                    file=problem.file.replace(folder, shown),
                    message=problem.message.replace(folder, shown),
                )
                for problem in error.problems
            ]
        ) from error
    except ReliveError as error:
        message, where = error.message.replace(folder, shown), error.where.replace(folder, shown)
        raise type(error)(message, where=where, hint=error.hint) from error


def _name_of(path: Path) -> str:
    return path.stem if NAME.fullmatch(path.stem) else ""


def _claims(config: FunctionConfig) -> list[Claim]:
    return [claim for trigger in config.triggers for claim in trigger.claims()]


def _fingerprint(digest: str, config: FunctionConfig, installed: InstalledDependencies, app: str) -> str:
    plain = msgspec.structs.replace(config, source="", resources={})
    document = msgspec.json.encode(plain, order="deterministic")
    parts = [digest, installed.lock_hash, app, document.decode()]
    # Of resources, what its environment says: how long a queue keeps messages is no new version.
    for name, resource in sorted(config.resources.items()):
        parts += [name, resource.kind, *(f"{key}={value}" for key, value in resource.seen().items())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
