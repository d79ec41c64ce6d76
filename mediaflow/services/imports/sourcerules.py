"""Which folders and storages admins may import from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mediaflow.domain.errors import ConfigurationError, InvalidInput, PluginFailed, Problem
from mediaflow.plugin import HasLocalFiles
from mediaflow.services.originals.localfiles import HERE
from mediaflow.services.originals.places import OriginalFiles

LONGEST = 4096


@dataclass(frozen=True, slots=True)
class SourceRules:
    """`allowed`: the directories that may be read (none: all). Never what is `ours`, where uploads of others lie."""

    files: OriginalFiles
    ours: Path
    allowed: tuple[Path, ...] = ()

    def checked(self, folder: str) -> str:
        """The folder's real path, or the storage's URL. InvalidInput, pointing at `/folder`, when it can't be it."""
        return self._path(folder) if folder.startswith(HERE) else self._storage(folder)

    def _path(self, folder: str) -> str:
        if len(folder) > LONGEST or not folder.isprintable():
            raise _wrong("is no path", "import.bad_folder")
        try:
            path = Path(folder).resolve()
        except (OSError, RuntimeError) as error:  # links that lead to themselves
            raise _wrong(f"can't be read ({error})", "import.bad_folder") from error
        if _is_in(path, self.ours.resolve()) or _is_in(self.ours.resolve(), path):
            raise _wrong(f"{path} holds this service's own data", "import.folder_refused")
        if self.allowed and not any(_is_in(path, each.resolve()) for each in self.allowed):
            places = ", ".join(map(str, self.allowed))
            detail = f"{path} is in none of {places}, from which imports are allowed (MEDIAFLOW_IMPORT_FOLDERS)"
            raise _wrong(detail, "import.folder_refused")
        # where the storage is here, all workers are
        if isinstance(self.files.storage, HasLocalFiles) and not path.exists():
            raise _wrong(f"there is no {path}", "import.no_folder")
        return str(path)

    def _storage(self, url: str) -> str:
        if ":" not in url:
            raise _wrong("must be an absolute path, or a storage's URL", "import.bad_folder")
        try:
            self.files.source(url)
        except (ConfigurationError, PluginFailed) as error:
            raise _wrong(error.detail, "import.bad_folder") from error
        return url


def _is_in(path: Path, directory: Path) -> bool:
    return path.is_relative_to(directory)


def _wrong(detail: str, code: str) -> InvalidInput:
    problem = Problem(code, detail, "/folder")
    return InvalidInput("Nothing can be imported from there.", code=code, problems=(problem,))
