"""Other people's packages: tests/packaging installs them and runs their tests where they can be imported."""

collect_ignore_glob = ["mediaflow-*/*"]
