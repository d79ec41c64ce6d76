"""Every hook that mediaflow calls. A docstring here is the hook's contract.

An implementation may take fewer of the parameters, never others. The order between plugins means nothing. An
exception that an implementation raises is reported with the plugin's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from mediaflow.domain.errors import Problem
from mediaflow.domain.events import Event
from mediaflow.domain.media import MediaInfo
from mediaflow.plugin.contexts import ServiceContext
from mediaflow.plugin.interfaces import ManifestFormat, MediaContext, SettingSpec, Step, UploadDraft
from mediaflow.plugin.markers import hookspec
from mediaflow.plugin.metrics import MetricSpec
from mediaflow.plugin.periodic import Periodic
from mediaflow.plugin.storages import StorageScheme

if TYPE_CHECKING:
    import click
    from flask import Blueprint


@hookspec
def mediaflow_register_settings() -> Iterable[SettingSpec]:
    """The plugin's settings, `MEDIAFLOW_<NAME>` each. Called first, in every process, before any other hook.

    Values are typed and checked at start; a name that is taken stops the start.
    """
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_startup(context: MediaContext) -> None:
    """Called once in the web process and once in each worker process, when settings are known and before the first
    request or task. An exception stops the start.
    """


@hookspec
def mediaflow_shutdown() -> None:
    """Called once when a process that called `mediaflow_startup` ends in order. An exception is logged."""


@hookspec
def mediaflow_validate_upload(upload: UploadDraft, context: MediaContext) -> Iterable[Problem]:
    """Called in the web process when an upload is announced, before a byte is stored: must be quick.

    All implementations run and their problems add up; any problem refuses the upload (422). Codes are `upload.*` or
    `media.*`; pointers are into the request (`/filename`). An exception refuses the upload with 500 and the plugin's
    name in the log.
    """
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_validate_media(media: MediaInfo, upload: UploadDraft, context: MediaContext) -> Iterable[Problem]:
    """Called in a worker after probing. All implementations run; any problem makes the asset `rejected`: its error has
    the code of the first one, and the details of all, which should be sentences. An exception fails the task, which is
    tried again.
    """
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_register_storages() -> Iterable[StorageScheme]:
    """Storages by URL scheme (`MEDIAFLOW_STORAGE_URL`). A scheme offered twice stops the start."""
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_register_steps() -> Iterable[Step]:
    """Steps that profiles can name. A name offered twice stops the start. Called in web and worker, and in the child
    process that runs one step (there for that step's plugin only).
    """
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_register_manifests() -> Iterable[ManifestFormat]:
    """Manifest formats that profiles can name. A name offered twice stops the start."""
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_register_profiles() -> Iterable[Traversable]:
    """Profile files (`*.yaml`), from the plugin's package data. A profile of the operator's directory wins over one
    of the same name; two plugins offering one name stop the start.
    """
    raise AssertionError("a specification is never called")


@hookspec(firstresult=True)
def mediaflow_choose_profile(media: MediaInfo, upload: UploadDraft) -> str | None:
    """The name of the profile for an upload that asked for none. The first answer that is not None wins; the built-in
    one is `trylast`. A name that does not exist fails the job with that sentence.
    """


@hookspec
def mediaflow_on_event(event: Event, context: MediaContext) -> None:
    """Told after something happened and was recorded: in the process where it happened, or in a worker when that one
    died before. At least once, `event.id` is the same each time. Each listener is alone: an exception is logged and
    counted and harms nothing. Must be quick.
    """


@hookspec
def mediaflow_register_periodic() -> Iterable[Periodic]:
    """Work that is done every so often, once in the whole installation: by one worker, whichever has time. Called at
    start in every process. A name offered twice stops the start.
    """
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_register_metrics() -> Iterable[MetricSpec]:
    """The plugin's metrics, declared before the first count. Names start with `mediaflow_<plugin>_`."""
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_register_blueprints(context: ServiceContext) -> Iterable[Blueprint]:
    """flask-smorest Blueprints, mounted at `/api/v1/plugins/<blueprint's name>/` and part of the OpenAPI document.
    Requests to them are authenticated like any other; in a view, `context` answers for the request's caller.
    """
    raise AssertionError("a specification is never called")


@hookspec
def mediaflow_register_commands(cli: click.Group, context: ServiceContext) -> None:
    """Add subcommands to the `mediaflow` command. A name that is taken stops the start. In a command, `context` answers
    for the operator, who sees everything.
    """
