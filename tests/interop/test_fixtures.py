"""A tool that is missing is said aloud: skipped at a desk, failed in CI, which cannot pass without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Tool = Callable[[str], str]


def test_a_missing_tool_skips_with_the_line_that_installs_it(
    require_tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="rg is not installed: apt-get install ripgrep"):
        require_tool("rg")


def test_a_missing_tool_fails_in_ci(require_tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="apt-get install pigz"):
        require_tool("pigz")


def test_a_tool_that_is_there_is_given_by_its_path(require_tool: Tool) -> None:
    assert require_tool("gzip").endswith("/gzip")
