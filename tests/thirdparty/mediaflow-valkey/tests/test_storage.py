"""Run with `pytest` where mediaflow and this package are installed and VALKEY_URL names a server for tests."""

from __future__ import annotations

import os

import pytest
from mediaflow_valkey.plugin import open_storage

from mediaflow.plugin import ConfigurationError, Storage
from mediaflow.testing.storage import StorageContract


def opened() -> Storage:
    return open_storage(os.environ["VALKEY_URL"], {"upload_expiry_seconds": 60})


class TestValkeyStorage(StorageContract):
    """Everything that mediaflow expects of a storage."""

    @pytest.fixture
    def storage(self):
        return opened()

    @pytest.fixture
    def opened_again(self):
        return opened


def test_a_url_that_is_none_says_how_one_looks():
    with pytest.raises(ConfigurationError, match="valkey://host:6379/1"):
        open_storage("valkey://host:port/1", {"upload_expiry_seconds": 60})
