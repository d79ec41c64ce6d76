"""Profiles: parsed from YAML or JSON and checked, naming the line, value and way out of whatever is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from mediaflow.domain.containment import contained
from mediaflow.domain.downloads import DownloadFormat
from mediaflow.domain.profile import OriginalPolicy, Profile, Rung, StepSpec, When
from mediaflow.domain.suggest import suggestion
from mediaflow.domain.telling import cause
from mediaflow.plugin import ConfigurationError, ManifestFormat, Problem, Step
from mediaflow.registry.yaml_lines import YamlValues, child_path, read_yaml

_NAME: Final = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9-]{0,39}$"}
_VIDEO_BPS: Final = {"type": "integer", "minimum": 16_000, "maximum": 200_000_000}
_AUDIO_BPS: Final = {"type": "integer", "minimum": 16_000, "maximum": 1_000_000}
_RUNG: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "height", "video_bitrate_bps", "audio_bitrate_bps"],
    "properties": {
        "name": _NAME,
        # even, because 4:2:0 video halves both sides
        "height": {"type": "integer", "minimum": 16, "maximum": 4320, "multipleOf": 2},
        "video_bitrate_bps": _VIDEO_BPS,
        "audio_bitrate_bps": _AUDIO_BPS,
        "when": {"enum": list(get_args(When))},
    },
}
_STEP: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["step"],
    "properties": {"step": {"type": "string"}, "params": {"type": "object"}},
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "description", "segment_seconds", "frame_rate_max", "steps", "manifests"],
    "properties": {
        "name": _NAME,
        "description": {"type": "string", "maxLength": 300},
        "segment_seconds": {"type": "number", "minimum": 1, "maximum": 10},
        "frame_rate_max": {"type": "integer", "minimum": 1, "maximum": 120},
        "ladder": {"type": "array", "items": _RUNG, "maxItems": 20},
        "steps": {"type": "array", "items": _STEP, "minItems": 1, "maxItems": 50},
        "manifests": {"type": "array", "items": {"type": "string"}, "maxItems": 20},
        "downloads": {"type": "array", "items": {"enum": list(get_args(DownloadFormat))}, "maxItems": 1},
        "copies": {"type": "boolean"},
        "original": {"enum": list(get_args(OriginalPolicy))},
    },
}
"""JSON Schema 2020-12 of a profile file; the guide in plugins/README.md says the same in words."""

_NOUNS: Final = {
    "object": "a mapping",
    "array": "a list",
    "string": "text (in quotes, if it looks like a number)",
    "integer": "a whole number",
    "number": "a number",
}


def parse_profile(text: str, source: str) -> Profile:
    """The profile that a YAML or JSON text describes. `source` names the file in messages.

    Raises ConfigurationError (`profile.invalid`) with all that is wrong, a sentence a line, each also in `problems`.
    """
    parsed = read_yaml(text)
    found = {*parsed.problems}
    if parsed.complete:
        unreadable = {path for _, path, _ in found if path}
        judged = (*_schema_problems(parsed), *_sense_problems(parsed))
        found |= {problem for problem in judged if problem[1] not in unreadable}
    if found:
        raise invalid_profile([_sentence(source, *problem) for problem in sorted(found)])
    return _profile(parsed, source)


def check_profile(profile: Profile, steps: Mapping[str, Step], manifests: Mapping[str, ManifestFormat]) -> list[str]:
    """What is wrong with a profile given the steps and manifest formats that there are; empty when it can be used."""
    found: list[tuple[str, str]] = []
    for index, spec in enumerate(profile.steps):
        path = f"steps[{index}]"
        step = steps.get(spec.step)
        if step is None:
            found.append((f"{path}.step", f"no step is called {spec.step!r}{suggestion(spec.step, steps)}"))
        else:
            found.extend(_wrong_params(step, spec, path))
    for index, name in enumerate(profile.manifests):
        if name not in manifests:
            hint = suggestion(name, manifests)
            found.append((f"manifests[{index}]", f"no manifest format is called {name!r}{hint}"))
    return [_sentence(profile.source, _line(profile.lines, path), path, said) for path, said in found]


def invalid_profile(sentences: Iterable[str]) -> ConfigurationError:
    """The error that carries all of a profile's problems."""
    lines = list(sentences)
    problems = tuple(Problem("profile.invalid", line) for line in lines)
    return ConfigurationError("\n".join(lines), code="profile.invalid", problems=problems)


def _wrong_params(step: Step, spec: StepSpec, path: str) -> Iterator[tuple[str, str]]:
    try:
        with contained():
            said = list(step.check(spec.params))
    except Exception as error:  # noqa: BLE001 - a plugin's code: whatever it raises is a sentence about this profile
        yield f"{path}.params", f"the check of step {spec.step!r} failed: {cause(error)}"
        return
    for sentence in said:
        parameter, colon, rest = sentence.partition(":")
        if colon and " " not in parameter:
            yield f"{path}.params.{parameter}", rest.strip()
        else:
            yield f"{path}.params", sentence


def _sentence(source: str, line: int, path: str, said: str) -> str:
    place = f"{source}:{line}" if line else source
    return f"{place}: {path}: {said}" if path else f"{place}: {said}"


def _line(lines: Mapping[str, int], path: str) -> int:
    """The line of a path or, when it is not in the file (a missing member), of the nearest thing around it."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 0)


def _schema_problems(parsed: YamlValues) -> Iterator[tuple[int, str, str]]:
    for error in Draft202012Validator(SCHEMA).iter_errors(parsed.value):
        path = ""
        for part in error.absolute_path:
            path = child_path(path, part)
        for at, said in _explained(error, path):
            yield _line(parsed.lines, at), at, said


def _explained(error: ValidationError, path: str) -> list[tuple[str, str]]:
    rule: Any = error.validator_value
    explain = _SENTENCES.get(str(error.validator))
    if error.validator == "additionalProperties":
        known = error.schema["properties"] if isinstance(error.schema, Mapping) else {}
        unknown = [key for key in _keys(error.instance) if key not in known]
        return [(child_path(path, key), f"this key is unknown{suggestion(key, known)}") for key in unknown]
    return [(path, explain(error.instance, rule) if explain else error.message)]


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


_SENTENCES: Final[Mapping[str, Callable[[Any, Any], str]]] = {
    "type": lambda value, rule: f"must be {_NOUNS[rule]}, not {_shown(value)}",
    "minimum": lambda value, rule: f"{value} is too small; the least is {rule}",
    "maximum": lambda value, rule: f"{value} is too large; the most is {rule}",
    "enum": lambda value, rule: f"must be {' or '.join(rule)}, not {_shown(value)}",
    "multipleOf": lambda value, _: f"{value} must be even",
    "pattern": lambda value, _: f"{_shown(value)} is no name; use a-z, 0-9 and -, at most 40 characters",
    "minItems": lambda *_: "the list is empty; name at least one",
    "maxItems": lambda value, rule: f"the list has {len(value)} entries; the most is {rule}",
    "maxLength": lambda value, rule: f"the text has {len(value)} characters; the most is {rule}",
    "required": lambda value, rule: "missing: " + ", ".join(key for key in rule if key not in value),
}


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else repr(value)[:80]


def _sense_problems(parsed: YamlValues) -> Iterator[tuple[int, str, str]]:
    """What a schema can't say. Works on whatever part of the value has the right shape."""
    top = parsed.value if isinstance(parsed.value, dict) else {}
    ladder = _mappings(top.get("ladder"))
    for path, said in (
        *_repeats(ladder, "ladder", "name", "two rungs are called {!r}"),
        *_repeats(ladder, "ladder", "height", "two rungs have the height {!r}"),
        *_repeated_manifests(top.get("manifests")),
        *_missing_ladder(top, ladder),
        *_needed_original(top, ladder),
    ):
        yield _line(parsed.lines, path), path, said


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [entry if isinstance(entry, dict) else {} for entry in value] if isinstance(value, list) else []


def _repeats(entries: list[dict[str, Any]], path: str, key: str, said: str) -> Iterator[tuple[str, str]]:
    seen: list[Any] = []
    for index, entry in enumerate(entries):
        if key in entry and entry[key] in seen:
            yield f"{path}[{index}].{key}", said.format(entry[key])
        seen.append(entry.get(key))


def _repeated_manifests(names: Any) -> Iterator[tuple[str, str]]:
    listed = names if isinstance(names, list) else []
    for index, name in enumerate(listed):
        if name in listed[:index]:
            yield f"manifests[{index}]", f"{name!r} is here twice"


def _missing_ladder(top: Mapping[str, Any], ladder: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if ladder:
        return
    for index, entry in enumerate(_mappings(top.get("steps"))):
        name = entry.get("step")
        if isinstance(name, str) and name.startswith(("video.", "audio.")):
            yield f"steps[{index}].step", f"{name!r} needs a ladder; add at least one rung to `ladder`"
            return


def _needed_original(top: Mapping[str, Any], ladder: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if top.get("original", "keep") == "keep":
        return
    for index, rung in enumerate(ladder):
        if rung.get("when") == "on_demand":
            yield (
                f"ladder[{index}].when",
                f"what is made on demand needs its original, and `original` is {top['original']!r}",
            )


def _profile(parsed: YamlValues, source: str) -> Profile:
    value = parsed.value
    return Profile(
        name=value["name"],
        description=value["description"],
        segment_seconds=float(value["segment_seconds"]),
        # JSON Schema's integers include 60.0
        frame_rate_max=int(value["frame_rate_max"]),
        ladder=tuple(_rung(entry) for entry in value.get("ladder", [])),
        steps=tuple(StepSpec(entry["step"], entry.get("params", {})) for entry in value["steps"]),
        manifests=tuple(value["manifests"]),
        downloads=tuple(value.get("downloads", ())),
        copies=value.get("copies", False),
        original=value.get("original", "keep"),
        source=source,
        lines=parsed.lines,
    )


def _rung(entry: Mapping[str, Any]) -> Rung:
    bitrates = int(entry["video_bitrate_bps"]), int(entry["audio_bitrate_bps"])
    return Rung(entry["name"], int(entry["height"]), *bitrates, entry.get("when", "eager"))
