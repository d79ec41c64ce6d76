"""The registry: real small plugins, installed as distributions of their own on a temporary path."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import click
import pytest
from structlog.testing import capture_logs

from mediaflow.domain.errors import PluginFailed
from mediaflow.plugin import (
    ENTRY_POINT_GROUP,
    AudioStream,
    ConfigurationError,
    Event,
    MediaContext,
    MediaInfo,
    Presentation,
    UploadDraft,
    hookspecs,
)
from mediaflow.registry import LISTENER_FAILURES, Registry, load
from mediaflow.settings import Settings

HEAD = """
from pathlib import Path
from mediaflow.plugin import *
"""
STEP = """
class NAMEStep:
    name = "NAME.copy"
    def check(self, params): return [f"{key}: is unknown" for key in params]
    def plan(self, media, spec, profile): return [PlannedTask("copy")]
    def run(self, task, workspace): return []

@hookimpl
def mediaflow_register_steps():
    yield NAMEStep()
"""
BASE = (
    HEAD
    + STEP.replace("NAME", "base")
    + """
@hookimpl
def mediaflow_register_profiles():
    return [Path(__file__).with_name("base.yaml")]

@hookimpl(trylast=True)
def mediaflow_choose_profile():
    return "base"
"""
)
BASE_PROFILE = """
name: base
description: The smallest profile.
segment_seconds: 4
frame_rate_max: 60
steps: [{step: base.copy}]
manifests: []
"""

DRAFT = UploadDraft(owner="ann", filename="a.mp4", size_bytes=3)
MEDIA = MediaInfo("audio", "wav", 3, 1.0, 1.0, 0.0, 1, audio=AudioStream(0, "pcm", 48000, 2, 0.0, 1.0))


@dataclass
class Site:
    """A directory on `sys.path` with distributions in it."""

    directory: Path
    environ: dict[str, str] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)

    def add(
        self, name: str, source: str, *, entry_point: str | None = None, target: str = "", version: str = "1.0"
    ) -> None:
        """Install the distribution `dist-NAME` with one module, named by one entry point."""
        # module names that no other test imported before
        module = f"{name}_{self.directory.parent.name.replace('-', '_')}"
        (self.directory / f"{module}.py").write_text(textwrap.dedent(source))
        info = self.directory / f"dist_{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: {version}\n")
        value = f"{module}{target}"
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{entry_point or name} = {value}\n")
        self.modules.append(module)

    def load(self, **environ: str) -> Registry:
        """The registry with this site's plugins only."""
        return load({**self.environ, **{f"MEDIAFLOW_{name.upper()}": text for name, text in environ.items()}})[1]


@pytest.fixture
def empty_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    directory = tmp_path / "site"
    directory.mkdir()
    built_in = sorted({point.name for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)})
    site = Site(directory, {"MEDIAFLOW_PLUGINS_DISABLED": ",".join(built_in), "MEDIAFLOW_DEFAULT_PROFILE": "base"})
    monkeypatch.syspath_prepend(str(directory))
    yield site
    for module in site.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def site(empty_site: Site) -> Site:
    (empty_site.directory / "base.yaml").write_text(BASE_PROFILE)
    empty_site.add("base", BASE)
    return empty_site


def _refusal(site: Site, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        site.load(**environ)
    return caught.value.detail


def chosen(registry: Registry) -> str | None:
    """What plugins choose as a profile, of which only `base` is one: with it they tell what else they know."""
    try:
        return registry.choose_profile(MEDIA, DRAFT)
    except PluginFailed as error:
        told = re.fullmatch(
            r"the plugin '\w+' of dist-\w+ 1\.0: mediaflow_choose_profile answered '(.*)', but no profile is called .*",
            error.detail,
        )
        assert told
        return told[1]


# --- loading ------------------------------------------------------------


def test_plugins_are_listed_with_what_they_offer(site: Site) -> None:
    (info,) = site.load().listing()

    assert (info.name, info.distribution, info.version) == ("base", "dist-base", "1.0")
    assert info.hooks == ("mediaflow_choose_profile", "mediaflow_register_profiles", "mediaflow_register_steps")
    assert (info.steps, info.profiles, info.settings) == (("base.copy",), ("base",), ())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "import nothing_of_that_name",
            "can't be imported: ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("1 / 0", "can't be imported: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "can't be imported: SystemExit: 3"),
        ("def (", "can't be imported: SyntaxError: "),
        (
            "@hookimpl\ndef mediaflow_validat_upload(upload): return []",
            "implements an unknown hook 'mediaflow_validat_upload'; did you mean 'mediaflow_validate_upload'?",
        ),
        (
            "@hookimpl\ndef mediaflow_validate_upload(uplod): return []",
            "mediaflow_validate_upload takes 'uplod', which this hook does not have; did you mean 'upload'?",
        ),
        ("@hookimpl\ndef mediaflow_shutdown(context): pass", "takes 'context', which this hook does not have"),
        ("@hookimpl(wrapper=True)\ndef mediaflow_shutdown(): yield", "mediaflow_shutdown is a wrapper"),
        ("def mediaflow_shutdown(): pass", "mediaflow_shutdown is not marked; put @hookimpl above it"),
        ("@hookimpl\ndef mediaflow_register_steps(): 1 / 0", "failed in mediaflow_register_steps: ZeroDivisionError"),
        ("@hookimpl\ndef mediaflow_register_steps(): yield 1 / 0", "failed in mediaflow_register_steps: ZeroDivision"),
        ("@hookimpl\ndef mediaflow_register_steps(): return 7", "failed in mediaflow_register_steps: TypeError"),
        (
            "@hookimpl\ndef mediaflow_register_steps(): return [7]",
            "mediaflow_register_steps answered int; it must be Step",
        ),
        (STEP.replace("NAME", "odd").replace("Step()", "Step"), "answered the class oddStep; it must be an instance"),
        (
            STEP.replace("NAME", "odd").replace("def run(", "def go("),
            "mediaflow_register_steps answered oddStep, which has no run; a Step has name, check, plan, run",
        ),
        (
            "@hookimpl\ndef mediaflow_register_profiles(): return Path(__file__)",
            "mediaflow_register_profiles answered one Traversable; it must be a list, as [it]",
        ),
        ("@hookimpl\ndef mediaflow_register_settings(): return ['x']", "answered str; it must be SettingSpec"),
        ("@hookimpl\ndef mediaflow_register_settings(): 1 / 0", "failed in mediaflow_register_settings: ZeroDivision"),
        (
            "@hookimpl\ndef mediaflow_register_metrics(): return [MetricSpec('uploads_total', 'counter', '')]",
            "offers the metric 'uploads_total'; its name must start with 'mediaflow_odd_'",
        ),
        (
            "@hookimpl\ndef mediaflow_register_metrics(): return [MetricSpec('mediaflow_odd_x', 'counter', '')]",
            "a counter's name ends in '_total'",
        ),
    ],
)
def test_a_broken_plugin_stops_the_start_with_its_distribution(site: Site, source: str, said: str) -> None:
    site.add("odd", HEAD + source)

    detail = _refusal(site)

    assert detail.startswith("the plugin 'odd' of dist-odd 1.0")
    assert said in detail
    assert "\n" not in detail


def test_a_setting_of_the_core_can_not_be_taken(site: Site) -> None:
    site.add("odd", HEAD + SETTING.replace("thing", "port"))

    assert _refusal(site).startswith("the plugin 'odd' of dist-odd 1.0: MEDIAFLOW_PORT is a setting of both mediaflow")


def test_an_entry_point_that_is_not_there_is_named(site: Site) -> None:
    site.add("odd", HEAD, target=":plugin")

    assert "AttributeError" in _refusal(site)


def test_a_class_as_a_plugin_is_refused(site: Site) -> None:
    site.add("odd", HEAD + "class Plugin: pass", target=":Plugin")

    assert "is a class; name a module or an instance" in _refusal(site)


def test_an_object_can_be_a_plugin(site: Site) -> None:
    source = (
        "class Plugin:\n  @hookimpl\n  def mediaflow_choose_profile(self, media): return 'other'\nplugin = Plugin()"
    )
    site.add("odd", HEAD + source, target=":plugin")

    assert chosen(site.load()) == "other"


def test_a_hook_of_a_newer_mediaflow_may_be_optional(site: Site) -> None:
    site.add("odd", HEAD + "@hookimpl(optionalhook=True)\ndef mediaflow_of_the_future(): pass")

    assert [info.name for info in site.load().listing()] == ["base", "odd"]


def test_two_plugins_of_one_name_are_both_named(site: Site) -> None:
    site.add("one", HEAD, entry_point="same")
    site.add("two", HEAD, entry_point="same")

    detail = _refusal(site)

    assert "two plugins are called 'same'" in detail
    assert "dist-one 1.0" in detail
    assert "dist-two 1.0" in detail


MANIFEST = """
class Format:
    name = "text"
    def render(self, presentation): return [Manifest("all.txt", "text/plain", "all", entry=True)]
@hookimpl
def mediaflow_register_manifests(): return [Format()]
"""
STORAGE = """
class Memory:
    def __init__(self, url, settings): self.url, self.settings = url, settings
    def put(self, key, blocks, *, size_bytes, content_type): ...
    def read(self, key, *, offset=0, length=None): ...
    def stat(self, key): ...
    def delete(self, key): ...
    def list(self, prefix): return iter(())
def opened(url, settings):
    if url == "memory:": raise ConfigurationError("a memory storage needs a name, as in memory:NAME")
    if url == "memory:odd": raise KeyError("odd")
    return Memory(url, settings)
@hookimpl
def mediaflow_register_storages(): return [StorageScheme("memory", opened, shared=False)]
"""
SETTING = (
    "@hookimpl\ndef mediaflow_register_settings(): return [SettingSpec('thing', str, '', 'A thing.', secret=True)]"
)
PROFILE = "@hookimpl\ndef mediaflow_register_profiles(): return [Path(__file__).with_name('base.yaml')]"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (STEP.replace("NAME", "twice"), "the step 'twice.copy' is offered twice"),
        (MANIFEST, "the manifest format 'text' is offered twice"),
        (STORAGE, "the storage scheme 'memory' is offered twice"),
        (SETTING, "the setting 'thing' is offered twice"),
        (PROFILE, "the profile 'base' is offered twice"),
    ],
    ids=["step", "manifest", "storage", "setting", "profile"],
)
def test_a_name_that_is_offered_twice_names_both(site: Site, source: str, said: str) -> None:
    site.add("one", HEAD + source)
    site.add("two", HEAD + source)

    detail = _refusal(site)

    assert said in detail
    assert len(set(re.findall(r"the plugin '\w+' of dist-\w+ 1\.0", detail))) == 2


def test_a_disabled_plugin_is_not_even_imported(site: Site) -> None:
    site.add("odd", "raise SystemExit")
    off = site.environ["MEDIAFLOW_PLUGINS_DISABLED"]

    assert [info.name for info in site.load(plugins_disabled=f"{off}, odd ").listing()] == ["base"]


def test_disabling_what_is_not_there_is_an_error_with_a_suggestion(site: Site) -> None:
    assert "MEDIAFLOW_PLUGINS_DISABLED names 'bsae', but no plugin is called so; did you mean 'base'?" in _refusal(
        site, plugins_disabled="bsae"
    )


def test_a_wrong_variable_stops_the_start(site: Site) -> None:
    assert "did you mean 'MEDIAFLOW_PORT'" in _refusal(site, prot="1")


def test_the_operators_profiles_are_checked_against_the_plugins(site: Site, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(BASE_PROFILE.replace("base.copy", "base.cpy"))

    said = _refusal(site, profiles_dir=str(tmp_path))

    assert said == f"{tmp_path / 'own.yaml'}:6: steps[0].step: no step is called 'base.cpy'; did you mean 'base.copy'?"


def test_the_registry_is_frozen(site: Site) -> None:
    registry = site.load()

    for offers in (registry.steps, registry.manifests, registry.profiles, registry.storages):
        assert isinstance(offers, Mapping)
        assert not hasattr(offers, "__setitem__")


# --- every hook, through its method ------------------------------------------------------------


def _settings(site: Site) -> None:
    site.add("odd", HEAD + SETTING)
    registry = site.load(thing="a thing")

    assert [(owner, spec.name) for owner, spec in registry.setting_specs] == [("odd", "thing")]
    assert registry.context("odd").settings["thing"] == "a thing"
    assert "thing" not in registry.context().settings


LIFE = """
said = []
@hookimpl
def mediaflow_startup(context): said.append(sorted(context.settings)[0])
@hookimpl
def mediaflow_shutdown(): said.append("down")
@hookimpl
def mediaflow_choose_profile(): return ",".join(said)
"""


def _startup(site: Site) -> None:
    site.add("life", HEAD + LIFE)
    registry = site.load()
    registry.startup()

    assert chosen(registry) == "anonymous_body_bytes"


def _shutdown(site: Site) -> None:
    site.add("life", HEAD + LIFE)
    site.add("odd", HEAD + "@hookimpl\ndef mediaflow_shutdown(): 1 / 0")
    registry = site.load()
    registry.startup()
    with capture_logs() as logs:
        registry.shutdown()

    assert chosen(registry) == "anonymous_body_bytes,down"
    assert [(line["event"], line["plugin"]) for line in logs] == [("plugin_shutdown_failed", "odd")]


VALIDATE_UPLOAD = """
@hookimpl
def mediaflow_validate_upload(upload, context):
    yield Problem("upload.test", f"{upload.filename} {context.settings['port']}", "/filename")
"""


def _validate_upload(site: Site) -> None:
    site.add("one", HEAD + VALIDATE_UPLOAD)
    site.add("two", HEAD + VALIDATE_UPLOAD)
    site.add("silent", HEAD + "@hookimpl\ndef mediaflow_validate_upload(): pass")

    assert [problem.detail for problem in site.load(port="5").validate_upload(DRAFT)] == ["a.mp4 5", "a.mp4 5"]


def _validate_media(site: Site) -> None:
    source = "@hookimpl\ndef mediaflow_validate_media(media, upload): return [Problem('media.test', media.kind)]"
    site.add("one", HEAD + source)

    assert [problem.detail for problem in site.load().validate_media(MEDIA, DRAFT)] == ["audio"]


def _storages(site: Site) -> None:
    site.add("store", HEAD + STORAGE + SETTING)
    registry = site.load(thing="secret thing")
    storage = registry.open_storage("memory:x", Settings(plugins={"thing": "another"}))

    assert registry.storage_scheme("memory:x").shared is False
    assert storage.settings["thing"] == "another"  # type: ignore[attr-defined]
    with pytest.raises(
        ConfigurationError, match=r"the plugin 'store' of dist-store 1\.0: a memory storage needs a name"
    ):
        registry.open_storage("memory:", Settings())
    with pytest.raises(
        PluginFailed, match=r"the plugin 'store' of dist-store 1\.0 failed in memory: open: KeyError: 'odd'"
    ):
        registry.open_storage("memory:odd", Settings())
    with pytest.raises(ConfigurationError, match=r"MEDIAFLOW_STORAGE_URL begins with 's4'.* are: memory:$"):
        registry.storage_scheme("s4:x")


def _steps(site: Site) -> None:
    registry = site.load()

    assert list(registry.steps) == ["base.copy"]
    assert registry.entry_point_of_step("base.copy") == "base"


def _manifests(site: Site) -> None:
    site.add("text", HEAD + MANIFEST)
    manifest = site.load().manifests["text"]

    assert manifest.render(Presentation(1.0, (), ()))[0].body == "all"


def _profiles(site: Site) -> None:
    profile = site.load().profiles["base"]

    assert (profile.description, Path(profile.source).name) == ("The smallest profile.", "base.yaml")


def _choose_profile(site: Site) -> None:
    first = chosen(site.load())
    site.add("silent", HEAD + "@hookimpl\ndef mediaflow_choose_profile(): return None")
    site.add("wins", HEAD + "@hookimpl\ndef mediaflow_choose_profile(media, upload): return media.kind + upload.owner")

    assert (first, chosen(site.load())) == ("base", "audioann")


class Counts:
    """Keeps counts."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, dict[str, str]]] = []

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.counted.append((name, labels))

    def observe(self, name: str, value: float, **labels: str) -> None:
        raise AssertionError("nothing is observed")


def _on_event(site: Site) -> None:
    heard = "heard = []\n@hookimpl\ndef mediaflow_on_event(event, context): heard.append(event.name)\n"
    site.add("aaa", HEAD + heard + "@hookimpl\ndef mediaflow_choose_profile(): return heard[0]")
    site.add("bad", HEAD + "@hookimpl\ndef mediaflow_on_event(event): raise OSError(event.owner)")
    site.add("zzz", HEAD + heard + "@hookimpl\ndef mediaflow_choose_profile(): return heard[1]")
    registry, counts = site.load(), Counts()
    registry.use_metrics(counts)
    with capture_logs() as logs:
        registry.publish_event(Event("asset.ready", 0.0, "ann"))
        registry.publish_event(Event("asset.deleted", 0.0, "ann"))

    assert chosen(registry) == "asset.deleted"
    assert [(line["event"], line["plugin"], line["event_name"]) for line in logs] == [
        ("event_listener_failed", "bad", "asset.ready"),
        ("event_listener_failed", "bad", "asset.deleted"),
    ]
    assert counts.counted == [(LISTENER_FAILURES, {"plugin": "bad"})] * 2


def _periodic(site: Site) -> None:
    work = "def run(context): raise OSError(context.plugin)\n"
    work += "@hookimpl\ndef mediaflow_register_periodic(): return [Periodic('one.work', 1.5, run)]"
    site.add("one", HEAD + work)
    registry = site.load()

    assert registry.periodics["one.work"].every_seconds == 1.5
    assert next(info.periodics for info in registry.listing() if info.name == "one") == ("one.work",)
    with pytest.raises(
        PluginFailed, match=r"the plugin 'one' of .* failed in the periodic work 'one\.work': OSError: one"
    ):
        registry.run_periodic("one.work")


@pytest.mark.parametrize(
    ("periodic", "said"),
    [
        ("'one.work', 5, print", r"the periodic work 'one\.work' is offered twice, by .*dist-.*dist-"),
        ("'Two Words', 5, print", r"dist-two 1\.0 offers the periodic work 'Two Words'; its name must be words like"),
        (
            "'two', 0.5, print",
            r"dist-two 1\.0: the periodic work 'two' has every_seconds=0\.5; it must be a number of at",
        ),
        ("'two', '5', print", "has every_seconds='5'"),
        ("'two', 5, print, float('nan')", "has limit_seconds=nan"),
    ],
)
def test_periodic_work_that_can_not_be_kept_apart_or_in_time_stops_the_start(
    site: Site, periodic: str, said: str
) -> None:
    work = "@hookimpl\ndef mediaflow_register_periodic(): return [Periodic(%s)]"
    site.add("one", HEAD + work % "'one.work', 5, print")
    site.add("two", HEAD + work % periodic)
    with pytest.raises(ConfigurationError, match=said):
        site.load()


def _metrics(site: Site) -> None:
    spec = "MetricSpec('mediaflow_my_odd_calls_total', 'counter', 'Calls.')"
    site.add("my_odd", HEAD + f"@hookimpl\ndef mediaflow_register_metrics(): return [{spec}]", entry_point="my-odd")

    counted = (
        "@hookimpl\ndef mediaflow_on_event(context): context.metrics.count('mediaflow_my_odd_calls_total', by='x')"
    )
    site.add("counts", HEAD + counted)
    registry, counts = site.load(), Counts()
    registry.use_metrics(counts)
    registry.publish_event(Event("asset.ready", 0.0, "ann"))

    assert [metric.name for metric in registry.metric_specs] == ["mediaflow_my_odd_calls_total"]
    assert counts.counted == [("mediaflow_my_odd_calls_total", {"by": "x"})]


def _blueprints(site: Site) -> None:
    source = "from flask_smorest import Blueprint\n"
    source += "@hookimpl\ndef mediaflow_register_blueprints(): return [Blueprint('odd', __name__, url_prefix='/odd')]"
    site.add("one", HEAD + source)
    names = list(site.load().blueprints().things)
    site.add("two", HEAD + source)

    assert names == ["odd"]
    with pytest.raises(ConfigurationError, match=r"the blueprint 'odd' is offered twice, by .*dist-.*dist-"):
        site.load().blueprints()


COMMAND = """
import click
@hookimpl
def mediaflow_register_commands(cli):
    @cli.command("NAME")
    def run(): click.echo("ran")
"""


def _commands(site: Site) -> None:
    site.add("one", HEAD + COMMAND.replace("NAME", "odd"))
    cli = click.Group(commands={"up": click.Command("up")})
    site.load().register_commands(cli)
    site.add("two", HEAD + COMMAND.replace("NAME", "up"))

    assert sorted(cli.commands) == ["odd", "up"]
    with pytest.raises(ConfigurationError, match=r"dist-two 1\.0 replaces the command 'up' of mediaflow itself"):
        site.load().register_commands(click.Group(commands={"up": click.Command("up")}))


@pytest.mark.parametrize("declared", ['">=1.0,<2"', '">=1"', "'<2'", '" >= 0.9 , < 1.6 "', "None"])
def test_a_plugin_of_a_range_that_holds_is_loaded_and_shows_it(site: Site, declared: str) -> None:
    site.add("made", HEAD + f"MEDIAFLOW_API = {declared}\n")

    (found,) = [info for info in site.load().listing() if info.name == "made"]

    assert repr(found.api) == declared.replace('"', "'")


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        ('">=2"', "was made for version >=2 of the plugin API, and this mediaflow has 1.5; install a version of"),
        ('">=0.3,<1"', "was made for version >=0.3,<1 of the plugin API, and this mediaflow has 1.5"),
        ('">=1.6,<2"', "was made for version >=1.6,<2"),
        ('"1.0"', "MEDIAFLOW_API is '1.0'; it must be a text like '>=1.0,<2'"),
        ('""', "MEDIAFLOW_API is ''; it must be"),
        ('">=1,"', "MEDIAFLOW_API is '>=1,'; it must be"),
        ("(1, 2)", "MEDIAFLOW_API is (1, 2); it must be"),
    ],
)
def test_a_plugin_of_another_range_stops_the_start(site: Site, declared: str, sentence: str) -> None:
    # with a hook of that other version, which is not what the sentence should be about
    source = f"MEDIAFLOW_API = {declared}\n@hookimpl\ndef mediaflow_from_another_time(): pass\n"
    site.add("made", HEAD + source)

    said = _refusal(site)

    assert said.startswith("the plugin 'made' of dist-made 1.0")
    assert sentence in said


HOOKS: dict[str, Callable[[Site], None]] = {
    "mediaflow_register_settings": _settings,
    "mediaflow_startup": _startup,
    "mediaflow_shutdown": _shutdown,
    "mediaflow_validate_upload": _validate_upload,
    "mediaflow_validate_media": _validate_media,
    "mediaflow_register_storages": _storages,
    "mediaflow_register_steps": _steps,
    "mediaflow_register_manifests": _manifests,
    "mediaflow_register_profiles": _profiles,
    "mediaflow_choose_profile": _choose_profile,
    "mediaflow_on_event": _on_event,
    "mediaflow_register_periodic": _periodic,
    "mediaflow_register_metrics": _metrics,
    "mediaflow_register_blueprints": _blueprints,
    "mediaflow_register_commands": _commands,
}


@pytest.mark.parametrize("hook", HOOKS)
def test_the_core_calls_the_hook(hook: str, site: Site) -> None:
    HOOKS[hook](site)


def test_every_hook_has_a_test() -> None:
    assert set(HOOKS) == {name for name in vars(hookspecs) if name.startswith("mediaflow_")}


# --- exceptions ------------------------------------------------------------


def test_an_exception_in_a_hook_names_the_plugin(site: Site) -> None:
    site.add("bad", HEAD + "@hookimpl\ndef mediaflow_validate_media(media): raise ValueError('no\\nway')")

    with pytest.raises(PluginFailed) as caught:
        site.load().validate_media(MEDIA, DRAFT)

    assert caught.value.detail == (
        "the plugin 'bad' of dist-bad 1.0 failed in mediaflow_validate_media: ValueError: no way"
    )
    assert caught.value.facts == {"plugin": "bad", "hook": "mediaflow_validate_media"}
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_start_that_fails_shuts_down_what_had_started(site: Site) -> None:
    # given: pluggy calls the last registered plugin first
    site.add("aaa", HEAD + "@hookimpl\ndef mediaflow_startup(): raise OSError('no network')")
    site.add("life", HEAD + LIFE)
    registry = site.load()

    # when
    with pytest.raises(
        ConfigurationError, match=r"'aaa' of dist-aaa 1\.0 failed in mediaflow_startup: OSError: no netw"
    ):
        registry.startup()

    # then
    assert chosen(registry) == "anonymous_body_bytes,down"


def test_contexts_hold_typed_settings(site: Site) -> None:
    context = site.load(port="5").context()

    assert isinstance(context, MediaContext)
    assert context.settings["port"] == 5
    assert Fraction(context.settings["max_streams"]) == 32


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("'evil\\ncode', 'x'", r"a Problem whose code is 'evil\ncode'; it must be lower-case words"),
        ("'upload.x', 'x', 'filename'", "a Problem whose pointer is 'filename'; it must be a JSON pointer"),
        ("'upload.x', 'x', '/a~2'", "a Problem whose pointer is '/a~2'"),
        ("'upload.x', 7", "a Problem whose detail is 7; it must be text"),
    ],
)
def test_a_problem_that_is_none_names_its_plugin(site: Site, problem: str, said: str) -> None:
    site.add("odd", HEAD + f"@hookimpl\ndef mediaflow_validate_upload(): return [Problem({problem})]")
    with pytest.raises(PluginFailed) as caught:
        site.load().validate_upload(DRAFT)
    assert caught.value.detail.startswith("the plugin 'odd' of dist-odd 1.0: mediaflow_validate_upload answered ")
    assert said in caught.value.detail


def test_a_profile_that_is_not_there_names_who_chose_it(site: Site) -> None:
    site.add("odd", HEAD + "@hookimpl\ndef mediaflow_choose_profile(): return 'bsae'")
    with pytest.raises(PluginFailed) as caught:
        site.load().choose_profile(MEDIA, DRAFT)
    assert caught.value.detail == (
        "the plugin 'odd' of dist-odd 1.0: mediaflow_choose_profile answered 'bsae', but no profile is called so;"
        " did you mean 'base'?"
    )
    assert caught.value.code == "plugin.broken"
