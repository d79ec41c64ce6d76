"""Public kit for plugin authors: contract tests (`storage.StorageContract`, ...) and clips. Needs pytest."""

import pkgutil

import pytest

# so that a contract that fails shows the values that it compared, as in a test of one's own
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))
