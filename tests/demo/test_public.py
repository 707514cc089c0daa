"""The demo is an example: what it imports is what a user may import."""

from __future__ import annotations

import ast
from pathlib import Path

import polyrecord
import polyrecord.demo


def test_the_demo_uses_public_names_of_the_library_only() -> None:
    for path in Path(polyrecord.demo.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("polyrecord") for alias in node.names), path
            if isinstance(node, ast.ImportFrom) and node.module == "polyrecord":
                assert {alias.name for alias in node.names} <= set(polyrecord.__all__), path
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("polyrecord"):
                assert str(node.module).startswith("polyrecord.demo."), path
