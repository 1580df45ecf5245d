"""`ops doctor`: everything that has to be in place, and how to mend what is not."""

import json
import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from ops.answers_doctor import Report
from ops.client import LOOPBACK, Answer, NoAnswerError, NotReachableError, clean_address
from ops.shell import FINDINGS, HERE, AsJson, Authority, Url, app_at, commands, print_answer, show_waiting
from ops.show_doctor import make_examination

ROOT: Final = Path(__file__).resolve().parent.parent
MODULE: Final = "shared.runtime.doctor"
SETTINGS_FILE: Final = "local.settings.json"
SECONDS: Final = 180
EXAMINED: Final = (0, FINDINGS)


class For(StrEnum):
    """The purpose for which everything is checked."""

    ASSESS = "assess"
    WAVE = "wave"
    CLOSED = "closed"


@commands.command()
def doctor(
    purpose: Annotated[For, typer.Option("--for", help="assess: to look only. wave: to move. closed: all is moved.")],
    authority: Authority = "",
    as_json: AsJson = False,
    here: Annotated[
        bool, typer.Option("--here", help="Do not ask the app: look from here, by this shell's settings.")
    ] = False,
    url: Url = HERE,
) -> None:
    """Check everything that has to be in place, and say how to repair what is not.

    The doctor checks settings, councils' profiles, storage, clock, directory
    (sign-in, rights, attributes, room), message service (key, templates, reply-
    to), certificate and canary. It changes nothing and sends nothing to
    anybody. The app runs the checks, with its own credentials. If an app on
    this machine does not answer, the same checks run in a process here.

    Exit status: 0 nothing to mend, 1 it could not be run, 2 findings.

    Examples:
      ops doctor --for assess
      ops doctor --for wave --authority south-norfolk
      ops doctor --for wave --json | jq -r '.checks[] | select(.mend != "") | .name'
      ops doctor --for wave --here
    """
    answer = _by_process(purpose, authority) if here else _by_app(purpose, authority, url)
    print_answer(answer, as_json, make_examination(answer.read))
    if answer.read.findings:
        raise typer.Exit(FINDINGS)


def _by_app(purpose: For, authority: str, url: str) -> Answer[Report]:
    """Return what the app finds. If an app of this machine does not answer, return what a process here finds."""
    params = {"for": purpose.value} | ({"authority": authority} if authority else {})
    with app_at(url) as app:
        try:
            return show_waiting("The app is looking", lambda: app.get(Report, "doctor", params))
        except NotReachableError:
            if urlsplit(clean_address(url)).hostname not in LOOPBACK:
                raise
    _print_warning(f"No app answers at {clean_address(url)}: the same checks run here, in a process of their own.")
    return _by_process(purpose, authority)


def _by_process(purpose: For, authority: str) -> Answer[Report]:
    # What goes wrong is told in the same way as by the app's commands.
    with app_at(HERE):
        return show_waiting("A process here is looking", lambda: _examine_here(purpose, authority))


def _examine_here(purpose: For, authority: str) -> Answer[Report]:
    """Run the app's own checks without the app. Nothing of the app is imported here."""
    command = [sys.executable, "-m", MODULE, "--for", purpose.value, "--json", "--authority", authority]
    environment = {**_local_settings(), **os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"The checks did not end within {SECONDS} seconds. Run them again.") from None
    if done.returncode not in EXAMINED:
        last = done.stderr.strip().splitlines()[-1:] or ["It said nothing."]
        raise NoAnswerError(f"The checks could not be run here: {last[0]}")
    try:
        return Answer(Report.model_validate_json(done.stdout), json.loads(done.stdout))
    except ValidationError:
        raise NoAnswerError("The checks ran here, but what they said cannot be read. Is this checkout whole?") from None


def _local_settings() -> dict[str, str]:
    """Return the settings file of an app on this machine, which the environment overrides."""
    try:
        values = json.loads((ROOT / SETTINGS_FILE).read_text(encoding="utf-8-sig")).get("Values", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return {str(name): str(value) for name, value in values.items()}


def _print_warning(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(Text(sentence, style="yellow"), soft_wrap=True)
