"""pluggy's hooks. The only module that touches them: every call is made here, one implementation at a time, so that an
exception names the plugin that raised it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

import pluggy

from mediaflow.domain.errors import PluginFailed
from mediaflow.domain.telling import cause
from mediaflow.plugin import PROJECT_NAME, ConfigurationError, MediaContext, hookspecs
from mediaflow.registry.api_range import declared_range
from mediaflow.registry.loading import FoundPlugin, LoadedPlugin, check_hooks, failures_named

T = TypeVar("T")


class Hooks:
    """pluggy's hooks, called for one plugin at a time.

    `contexts` holds each plugin's `context`, `ranges` the versions of the API that it declares, by its name.
    """

    contexts: Mapping[str | None, MediaContext] = MappingProxyType({})

    def __init__(self, plugins: Iterable[LoadedPlugin]) -> None:
        self._manager = pluggy.PluginManager(PROJECT_NAME)
        self._manager.add_hookspecs(hookspecs)
        self._specs = {name: spec for name, spec in vars(hookspecs).items() if name in vars(self._manager.hook)}
        self._found: dict[str, FoundPlugin] = {}
        self.ranges: Final[dict[str, str | None]] = {}
        for plugin in plugins:
            self._register(plugin)
        self.plugins: Final = tuple(self._found.values())

    def of(self, plugin: str) -> tuple[str, ...]:
        """The names of the hooks that a plugin implements."""
        callers = self._manager.get_hookcallers(self._manager.get_plugin(plugin)) or []
        return tuple(sorted(caller.name for caller in callers if caller.has_spec()))

    def calls(
        self, hook: str, *, context_of: Callable[[MediaContext], Any] | None = None, **arguments: Any
    ) -> Iterator[tuple[FoundPlugin, Callable[[], Any]]]:
        """The calls to make, in pluggy's order (`tryfirst` before, `trylast` after the others).

        `context_of` makes the hook's `context` from the plugin's usual one, for hooks that have another.
        """
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        for implementation in reversed(caller.get_hookimpls()):
            plugin = self._found[implementation.plugin_name]
            usual = self.contexts.get(plugin.name)
            given = {**arguments, "context": usual if context_of is None or usual is None else context_of(usual)}
            values = [given[name] for name in implementation.argnames]
            yield plugin, partial(implementation.function, *values)

    def answers(self, hook: str, **arguments: Any) -> Iterator[tuple[FoundPlugin, Any]]:
        """What each answers, one call for each step of the iteration. Raises PluginFailed for an exception."""
        for plugin, call in self.calls(hook, **arguments):
            with failures_named(plugin, hook):
                answer = call()
            yield plugin, answer

    def items(self, hook: str, kind: type[T], **arguments: Any) -> list[tuple[FoundPlugin, T]]:
        """The elements of all answers (None counts as an empty one), each of them a `kind`."""
        found: list[tuple[FoundPlugin, T]] = []
        for plugin, answer in self.answers(hook, **arguments):
            if isinstance(answer, kind):
                raise PluginFailed(f"{plugin}: {hook} answered one {kind.__name__}; it must be a list, as [it]")
            with failures_named(plugin, hook):
                elements = [] if answer is None else list(answer)
                wrong = next((said for element in elements if (said := _unfit(element, kind)) is not None), None)
            if wrong is not None:
                raise PluginFailed(f"{plugin}: {hook} answered {wrong}")
            found += [(plugin, element) for element in elements]
        return found

    def _register(self, plugin: LoadedPlugin) -> None:
        attributes = {name: self._manager.parse_hookimpl_opts(plugin.content, name) for name in dir(plugin.content)}
        marked = {name: dict(options) for name, options in attributes.items() if options is not None}
        self.ranges[plugin.found.name] = declared_range(plugin)  # first: another version may have other hooks
        check_hooks(plugin, marked, self._specs)
        try:
            self._manager.register(plugin.content, plugin.found.name)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            raise ConfigurationError(f"{plugin.found} can't be registered: {cause(error)}") from error
        self._found[plugin.found.name] = plugin.found


def _unfit(element: object, kind: type) -> str | None:
    """What is wrong with an element, as the end of a sentence; None for one that is a `kind`."""
    if inspect.isclass(element):
        return f"the class {element.__name__}; it must be an instance, {element.__name__}()"
    if isinstance(element, kind):
        return None
    name, members = type(element).__name__, [name for name in vars(kind) if not name.startswith("_")]
    missing = [member for member in members if not hasattr(element, member)]
    if not getattr(kind, "_is_protocol", False) or len(missing) in (0, len(members)):
        return f"{name}; it must be {kind.__name__}"
    return f"{name}, which has no {' and no '.join(missing)}; a {kind.__name__} has {', '.join(members)}"
