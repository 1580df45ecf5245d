"""The host dies at every effect of a canary, before it and after it: it ends as if it had not."""

from collections.abc import Callable

import pytest

from shared.model.safeguards.canary import Canary
from shared.ports import Ports
from tests.simulation.test_crash import Death
from tests.support import timeless
from tests.support.canaries import Story
from tests.support.watched import watched


def _passing(_story: Story) -> None:
    """All is well."""


def _flag_survives(story: Story) -> None:
    story.set_directory(password_reset="flag")
    story.people.clears = False


def _blocked(story: Story) -> None:
    story.world.directory.bin_holds_addresses = True


STORIES: dict[str, tuple[Callable[[Story], None], str]] = {
    "it passes": (_passing, "passed"),
    "the flag survives": (_flag_survives, "failed"),
    "a deleted user blocks its address": (_blocked, "failed"),
}


async def _run(prepare: Callable[[Story], None], death: Death) -> tuple[Story, Canary]:
    story = Story()
    prepare(story)

    def wrap(ports: Ports) -> Ports:
        return watched(ports, story.world.tables, death.life())

    story.world.wrap = wrap
    return story, await story.run()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", STORIES)
def test_a_crash_at_any_effect_changes_nothing_in_the_end(name: str, *, after: bool) -> None:
    prepare, verdict = STORIES[name]
    whole = Death()
    _, undisturbed = timeless.run(_run(prepare, whole))
    assert undisturbed.verdict == verdict
    for at, effect in enumerate(whole.effects, 1):
        story, canary = timeless.run(_run(prepare, Death(at, after)))
        assert (canary.verdict, len(canary.made)) == (verdict, len(undisturbed.made)), effect
        assert story.world.directory.users == {}, effect
        assert set(canary.answers) == set(undisturbed.answers), effect
