"""Flask with other people's views in it: none of them ends the process, and each one's log lines say whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from mediaflow.domain.containment import contained


class Application(Flask):
    """A view that calls `sys.exit()` fails its own request only.

    `plugins` are the names of the plugins that blueprints are from, by the blueprints' names.
    """

    plugins: Mapping[str, str] = MappingProxyType({})

    def plugin_of_request(self) -> str | None:
        """The plugin whose view answers the request; None for ours."""
        return self.plugins.get((request.blueprint or "").partition(".")[0])

    def preprocess_request(self) -> ResponseReturnValue | None:
        with contained():
            return super().preprocess_request()

    def dispatch_request(self) -> ResponseReturnValue:
        with contained():
            return super().dispatch_request()

    def process_response(self, response: Response) -> Response:
        with contained():
            response = super().process_response(response)
        if response.is_streamed and self.plugin_of_request() is not None:
            response.response = _contained_blocks(response.response)
        return response


def _contained_blocks(blocks: Iterable[Any]) -> Iterator[Any]:
    iterator = iter(blocks)
    try:
        while True:
            with contained():
                block = next(iterator, None)
            if block is None:
                return
            yield block
    finally:
        if close := getattr(blocks, "close", None):
            close()
