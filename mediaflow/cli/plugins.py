"""`mediaflow plugins`: what is installed, and what it adds."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from mediaflow.client.output import console, json_option, print_json, table


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List the plugins: where they come from, the hooks that they implement, and what they offer."""
    from mediaflow import registry

    listing = registry.load(os.environ)[1].listing()
    if as_json:
        print_json([asdict(plugin) for plugin in listing])
        return
    rows = table("Plugin", "Distribution", "Made for API", "Offers", "Hooks")
    for plugin in listing:
        offered = {
            "steps": plugin.steps,
            "manifests": plugin.manifests,
            "storages": plugin.storages,
            "profiles": plugin.profiles,
            "settings": plugin.settings,
            "metrics": plugin.metrics,
            "periodic work": plugin.periodics,
        }
        rows.add_row(
            plugin.name,
            f"{plugin.distribution} {plugin.version}",
            plugin.api or "any",
            "; ".join(f"{kind} {', '.join(names)}" for kind, names in offered.items() if names),
            ", ".join(hook.removeprefix("mediaflow_") for hook in plugin.hooks),
        )
    console().print(rows)
