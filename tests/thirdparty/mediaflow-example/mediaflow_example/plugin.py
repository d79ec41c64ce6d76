"""The hooks: what mediaflow finds through the entry point of setup.cfg."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable

from mediaflow.plugin import MediaContext, Problem, SettingSpec, Step, UploadDraft, hookimpl
from mediaflow_example.checksum import ChecksumStep

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""


@hookimpl
def mediaflow_register_settings() -> Iterable[SettingSpec]:
    """The word that file names must not have."""
    return [SettingSpec("example_word", str, "forbidden", "Uploads with this word in their name are refused.")]


@hookimpl
def mediaflow_register_steps() -> Iterable[Step]:
    """The checksum."""
    return [ChecksumStep()]


@hookimpl
def mediaflow_register_profiles() -> Iterable[Traversable]:
    """A profile that uses the step."""
    return [files("mediaflow_example") / "profiles" / "example.yaml"]


@hookimpl
def mediaflow_validate_upload(upload: UploadDraft, context: MediaContext) -> Iterable[Problem]:
    """Refuse names with the word in them, in any case."""
    word: str = context.settings["example_word"]
    if word and word.casefold() in upload.filename.casefold():
        detail = f"The file name {upload.filename!r} contains {word!r}; rename the file."
        yield Problem("upload.example_forbidden", detail, "/filename")
