from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from jobs.telemetry import logs, trace
from jobs.telemetry.trace import TraceContext


def line(message: str, *args: object, **more: Any) -> dict[str, Any]:
    """What a record becomes, written here and now."""
    record = logging.LogRecord("room.file", logging.WARNING, __file__, 1, message, args, more.pop("exc_info", None))
    vars(record).update(more)
    text = logs.json_formatter().format(record)
    assert "\n" not in text
    fields: dict[str, Any] = json.loads(text)
    return fields


def test_a_line_is_one_object() -> None:
    written = line("job %s: %d", "job_1", 3)
    moment = written.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert written == {"level": "WARNING", "logger": "room.file", "message": "job job_1: 3"}


def test_lines_of_a_block_carry_its_fields_and_those_around_it() -> None:
    with logs.bound(job_id="job_1", attempt=1), trace.within(TraceContext.new()) as _:
        context = trace.current()
        assert context is not None
        with logs.bound(attempt=None, phase="teacher"):
            inner = line("inner")
        outer = line("outer")
    assert inner["job_id"] == outer["job_id"] == "job_1"
    assert (inner["trace_id"], inner["span_id"]) == (context.trace_id, context.span_id)
    assert "attempt" not in inner
    assert inner["phase"] == "teacher"
    assert outer["attempt"] == 1
    assert "phase" not in outer
    assert "job_id" not in line("after")


def test_a_thread_takes_them_along() -> None:
    found: list[dict[str, Any]] = []
    with logs.bound(job_id="job_1"):
        with_them = threading.Thread(target=logs.carried(lambda: found.append(line("x"))))
        without = threading.Thread(target=lambda: found.append(line("x")))
    for thread in (with_them, without):
        thread.start()
        thread.join()
    assert [item.get("job_id") for item in found] == ["job_1", None]


def test_an_exception_is_one_field() -> None:
    try:
        raise ValueError("what was\nwrong")
    except ValueError:
        written = line("failed", exc_info=sys.exc_info())
    assert written["exception"].startswith("Traceback")
    assert written["exception"].endswith("ValueError: what was\nwrong")


def test_what_libraries_hang_on_a_record_stays_out() -> None:
    written = line("Uvicorn running", color_message="\x1b[1mUvicorn\x1b[0m", data={"args": ["secret"]})
    assert set(written) == {"timestamp", "level", "logger", "message"}


def test_strange_characters_break_no_line() -> None:
    text = 'CR\r LF\n \u2028 \x1b[31m "quoted" \ud800'
    assert line("%s", text)["message"] == text


def test_a_process_writes_as_its_settings_say(tmp_path: Path) -> None:
    program = (
        "import logging, jobs.telemetry.logs, jobs.settings; jobs.telemetry.logs.configure(jobs.settings.Settings());"
        "logging.getLogger('x').info('quiet'); logging.getLogger('y').warning('loud')"
    )
    root, about = Path(__file__).parents[3], {"KD_HOME": str(tmp_path), "KD_LOG_LEVEL": "warning"}

    def run(**more: str) -> list[str]:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=root, env=about | more, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()

    (text,) = run()
    assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING y: loud", text)
    (as_json,) = run(KD_LOG_FORMAT="json")
    assert json.loads(as_json)["message"] == "loud"
    assert [json.loads(text)["level"] for text in run(KD_LOG_FORMAT="json", KD_LOG_LEVEL="info")] == ["INFO", "WARNING"]
