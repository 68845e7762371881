"""What a process is to run, handed over in a file. No torch: a worker writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from kd_engine.jobspec import AnySpec, parse_spec
from kd_engine.schema.run_request import RunOptions

REQUEST_FILE = "request.json"


class RunRequest(NamedTuple):
    """A spec and what its run is given besides."""

    spec: AnySpec
    options: RunOptions

    def write(self, folder: Path) -> None:
        """Leaves it in `folder`."""
        request = {"spec": self.spec.to_json(), "options": self.options.to_json()}
        (folder / REQUEST_FILE).write_text(json.dumps(request))

    @classmethod
    def read(cls, folder: Path) -> RunRequest:
        """What `write` left."""
        request = json.loads((folder / REQUEST_FILE).read_text())
        return cls(parse_spec(request["spec"]), RunOptions.from_json(request["options"]))
