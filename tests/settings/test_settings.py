"""Settings: one table, typed without guessing, unknown variables refused."""

from __future__ import annotations

from typing import Any

import pytest

from mediaflow.plugin import ConfigurationError, SettingSpec
from mediaflow.settings import MASK, RESERVED, Settings, describe, load_settings, visible_settings

KEY = "k" * 32
BUCKET = SettingSpec("example_bucket", str, "", "A bucket.")
SECRET = SettingSpec("example_secret", str, "", "A secret.", secret=True)
RATIO = SettingSpec("example_ratio", float, 0.5, "A ratio.", minimum=0, maximum=1)
EAGER = SettingSpec("example_eager", bool, False, "Whether.")
LEVEL = SettingSpec("example_level", int, 1, "A level.", choices=(1, 2))
PLUGIN = [("example", spec) for spec in (BUCKET, SECRET, RATIO, EAGER, LEVEL)]


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings({})

    assert settings == Settings()


def test_variables_without_our_prefix_are_not_ours() -> None:
    assert load_settings({"PATH": "/bin", "MEDIA": "x", "mediaflow_port": "x"}) == Settings()


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_variable_does_not_stop_the_start(name: str) -> None:
    assert load_settings({name: "anything"}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("MEDIAFLOW_PORT", "0", "port", 0),
        ("MEDIAFLOW_PORT", "65535", "port", 65535),
        ("MEDIAFLOW_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("MEDIAFLOW_SANDBOX", "off", "sandbox", "off"),
        ("MEDIAFLOW_JWT_KEY", KEY, "jwt_key", KEY),
        ("MEDIAFLOW_JWT_KEY", "", "jwt_key", ""),
        ("MEDIAFLOW_PUBLIC_URL", "", "public_url", ""),
    ],
)
def test_a_variable_becomes_a_typed_setting(variable: str, text: str, name: str, value: Any) -> None:
    settings = load_settings({variable: text})

    assert getattr(settings, name) == value
    assert settings.from_environment == {name}


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("MEDIAFLOW_PORT", "80a", "MEDIAFLOW_PORT is '80a'; it must be a whole number, at least 0 and at most 65535"),
        ("MEDIAFLOW_PORT", "", "MEDIAFLOW_PORT is ''"),
        ("MEDIAFLOW_PORT", " 80", "MEDIAFLOW_PORT is ' 80'"),
        ("MEDIAFLOW_PORT", "8_0", "a whole number"),
        ("MEDIAFLOW_PORT", "٨٠", "a whole number"),
        ("MEDIAFLOW_PORT", "80.0", "a whole number"),
        ("MEDIAFLOW_PORT", "65536", "at most 65535"),
        ("MEDIAFLOW_PORT", "-1", "at least 0"),
        ("MEDIAFLOW_PORT", "9" * 5000, "a whole number"),
        ("MEDIAFLOW_WORKER_PROCESSES", "0", "at least 1"),
        ("MEDIAFLOW_SANDBOX", "docker", "MEDIAFLOW_SANDBOX is 'docker'; it must be one of bwrap, "),
        ("MEDIAFLOW_EXAMPLE_EAGER", "1", "MEDIAFLOW_EXAMPLE_EAGER is '1'; it must be true or false"),
        ("MEDIAFLOW_EXAMPLE_EAGER", "True", "true or false"),
        ("MEDIAFLOW_EXAMPLE_EAGER", "no", "true or false"),
        ("MEDIAFLOW_EXAMPLE_RATIO", "nan", "a number"),
        ("MEDIAFLOW_EXAMPLE_RATIO", "1e9", "a number"),
        ("MEDIAFLOW_EXAMPLE_RATIO", "1.5", "at most 1"),
        ("MEDIAFLOW_EXAMPLE_LEVEL", "3", "one of 1, 2"),
        ("MEDIAFLOW_PROT", "80", "MEDIAFLOW_PROT is set, but there is no such setting; did you mean 'MEDIAFLOW_PORT'?"),
        ("MEDIAFLOW_EXAMPLE_BUKET", "x", "did you mean 'MEDIAFLOW_EXAMPLE_BUCKET'?"),
        ("MEDIAFLOW_Q", "x", "`mediaflow doctor` lists the settings"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_the_way_out(variable: str, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({variable: text}, PLUGIN)

    assert variable in caught.value.detail
    assert said in caught.value.detail


def test_all_wrong_variables_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"MEDIAFLOW_PROT": "1", "MEDIAFLOW_PORT": "x"})

    assert len(caught.value.detail.splitlines()) == 2


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(
        ConfigurationError, match="MEDIAFLOW_JWT_KEY has 31 bytes; a key must have at least 32"
    ) as caught:
        load_settings({"MEDIAFLOW_JWT_KEY": "q" * 31})

    assert "qqq" not in caught.value.detail


def test_a_secret_of_the_wrong_type_is_not_shown() -> None:
    pin = SettingSpec("example_pin", int, 0, "A number that is secret.", secret=True)

    with pytest.raises(ConfigurationError) as caught:
        load_settings({"MEDIAFLOW_EXAMPLE_PIN": "hunter2"}, [("example", pin)])

    assert "hunter2" not in str(caught.value)


def test_plugins_settings_are_typed_and_apart() -> None:
    settings = load_settings({"MEDIAFLOW_EXAMPLE_EAGER": "true", "MEDIAFLOW_EXAMPLE_LEVEL": "2"}, PLUGIN)

    assert dict(settings.plugins) == {
        "example_bucket": "",
        "example_secret": "",
        "example_ratio": 0.5,
        "example_eager": True,
        "example_level": 2,
    }
    with pytest.raises(TypeError):
        settings.plugins["example_level"] = 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ([("a", SettingSpec("port", int, 1, ""))], "MEDIAFLOW_PORT is a setting of both mediaflow and a"),
        ([("a", BUCKET), ("b", BUCKET)], "MEDIAFLOW_EXAMPLE_BUCKET is a setting of both a and b"),
        ([("a", SettingSpec("Bucket", str, "", ""))], "a: 'Bucket' is no name of a setting"),
        ([("a", SettingSpec("bucket", list, [], ""))], "a: the setting 'bucket' has the type"),
        (
            [("a", SettingSpec("bucket", int, True, ""))],
            "a: the setting 'bucket' has a default of another type than int",
        ),
    ],
)
def test_a_plugins_setting_that_can_not_be_stops_the_start(specs: list[tuple[str, SettingSpec]], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, specs)

    assert said in caught.value.detail


def test_describe_masks_secrets_and_tells_where_values_come_from() -> None:
    # given
    environ = {
        "MEDIAFLOW_JWT_KEY": KEY,
        "MEDIAFLOW_DATABASE_URL": "mongodb://user:pa/ss@word@host/db",
        "MEDIAFLOW_PORT": "8080",
        "MEDIAFLOW_EXAMPLE_SECRET": "hunter2hunter2",
    }

    # when
    shown = {info.name: info for info in describe(load_settings(environ, PLUGIN), PLUGIN)}

    # then
    assert shown["jwt_key"].value == MASK
    assert shown["example_secret"].value == MASK
    assert shown["example_secret"].owner == "example"
    assert shown["database_url"].value == f"mongodb://user:{MASK}@host/db"
    assert (shown["port"].value, shown["port"].source) == ("8080", "environment")
    assert (shown["host"].source, shown["host"].owner) == ("default", "mediaflow")
    assert all(info.help for info in shown.values())


def test_describe_tells_what_the_start_itself_set() -> None:
    shown = {info.name: info for info in describe(Settings(port=0))}

    assert (shown["port"].value, shown["port"].default, shown["port"].source) == ("0", "8080", "start")


def test_a_plugin_sees_no_secret_but_its_own() -> None:
    # given
    specs = [*PLUGIN, ("other", SettingSpec("other_secret", str, "", "", secret=True))]
    settings = load_settings({"MEDIAFLOW_JWT_KEY": KEY, "MEDIAFLOW_EXAMPLE_SECRET": "s"}, specs)

    # when
    seen, seen_by_nobody = visible_settings(settings, specs, "example"), visible_settings(settings, specs)

    # then
    assert seen["example_secret"] == "s"
    assert not {"jwt_key", "redis_url", "other_secret"} & set(seen)
    assert "example_secret" not in seen_by_nobody
    assert seen["max_upload_bytes"] == settings.max_upload_bytes
