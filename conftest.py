"""For the tests of both folders."""

pytest_plugins = ("tests.plugin",)
