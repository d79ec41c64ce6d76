"""All profiles: those of plugins, then the operator's own, which win over plugins' of the same name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from mediaflow.domain.profile import Profile
from mediaflow.domain.suggest import suggestion
from mediaflow.plugin import ConfigurationError, ManifestFormat, Step
from mediaflow.registry.profiles import check_profile, invalid_profile, parse_profile
from mediaflow.settings import Settings

SUFFIXES: Final = (".yaml", ".yml", ".json")
OPERATOR: Final = "MEDIAFLOW_PROFILES_DIR"


def load_profiles(
    offered: Iterable[tuple[str, Traversable]],
    settings: Settings,
    steps: Mapping[str, Step],
    manifests: Mapping[str, ManifestFormat],
) -> dict[str, tuple[str, Profile]]:
    """Name -> (owner, profile), checked and sorted. `offered` are pairs of plugin and file.

    The owner is the plugin or, for the operator's files, OPERATOR. Raises ConfigurationError with what is wrong in
    all files, with both owners of a name that is offered twice, or when there is no default profile.
    """
    wrong: list[str] = []
    profiles = _by_name(_read(offered, wrong))
    profiles |= _by_name(_read(((OPERATOR, file) for file in _files(settings.profiles_dir)), wrong))
    for _, profile in profiles.values():
        wrong.extend(check_profile(profile, steps, manifests))
        if profile.original == "archive" and not settings.archive_url:
            place = f"{profile.source}:{profile.lines.get('original', 0)}"
            wrong.append(f"{place}: original: there is no archive; set MEDIAFLOW_ARCHIVE_URL to a second storage")
    if wrong:
        raise invalid_profile(wrong)
    if settings.default_profile not in profiles:
        hint = suggestion(settings.default_profile, profiles)
        raise ConfigurationError(
            f"MEDIAFLOW_DEFAULT_PROFILE is {settings.default_profile!r}, but no profile is called so{hint}"
        )
    return dict(sorted(profiles.items()))


def _files(directory: str) -> list[Path]:
    if not directory:
        return []
    try:
        if not Path(directory).is_dir():
            raise ConfigurationError(f"{OPERATOR} is {directory!r}, which is not a directory; make it or unset it")
        files = list(Path(directory).iterdir())
    except OSError as error:
        raise ConfigurationError(
            f"{OPERATOR} is {directory!r}, which can't be read ({error.strerror}); give this user access, or unset it"
        ) from error
    return sorted(file for file in files if file.suffix in SUFFIXES and not file.name.startswith("."))


def _read(files: Iterable[tuple[str, Traversable]], wrong: list[str]) -> list[tuple[str, Profile]]:
    read = []
    for owner, file in files:
        try:
            read.append((owner, parse_profile(file.read_text(encoding="utf-8"), str(file))))
        except (OSError, UnicodeDecodeError) as error:
            wrong.append(f"{file}: can't be read: {error}")
        except ConfigurationError as error:
            wrong.append(error.detail)
    return read


def _by_name(read: Iterable[tuple[str, Profile]]) -> dict[str, tuple[str, Profile]]:
    profiles: dict[str, tuple[str, Profile]] = {}
    for owner, profile in read:
        if profile.name in profiles:
            other_owner, other = profiles[profile.name]
            raise ConfigurationError(
                f"the profile {profile.name!r} is offered twice, by {other_owner} ({other.source}) "
                f"and by {owner} ({profile.source}); rename one"
            )
        profiles[profile.name] = (owner, profile)
    return profiles
