"""A program that each version of mediaflow can run over the same documents: DIRECTORY DATABASE_URL WHAT [WORD...].

WHAT is `stored` (an asset of those bytes is made), `work` (in those stages) or `look`. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.plugin import MediaflowError
from tests.services.pipeline import Pipeline
from tests.services.world import make_world


def main(directory: str, url: str, what: str, *words: Any) -> dict[str, Any]:
    world = make_world(Path(directory), database_url=url)
    pipeline, database = Pipeline(world), world.runtime.database
    try:
        if what == "stored":
            pipeline.stored(words[0].encode())
        elif what == "work":
            pipeline.work(*words)
        return {
            "knows": SCHEMA_VERSION,
            "states": {asset.sha256: asset.state for asset in database.assets.find({})},
            "failures": sum(task.failures for task in database.tasks.find({})),
        }
    except MediaflowError as error:
        return {"knows": SCHEMA_VERSION, "refused": str(error)}
    finally:
        world.runtime.close()


if __name__ == "__main__":
    print("\n" + json.dumps(main(*sys.argv[1:])))
