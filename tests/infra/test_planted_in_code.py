"""The code changes and the Bicep does not: what is then found, read from a changed copy of the code."""

from tests.infra.kit import Clone

COUNCIL = "south-norfolk"


def test_a_queue_that_only_the_code_names_is_found_with_its_poison(clone: Clone) -> None:
    clone.plant("shared/names.py", "QUEUES: Final = (", 'QUEUES: Final = ("say-goodbye", ')
    found = [(each.rule, each.wrong) for each in clone.findings()]
    assert found == [
        ("names", f"the queue `{name}` is named in the code and not declared in infra")
        for name in ("say-goodbye-poison", "say-goodbye")
    ]


def test_a_table_and_a_container_that_only_the_code_names_are_found(clone: Clone) -> None:
    clone.plant("shared/names.py", "TABLES: Final = (", 'TABLES: Final = ("Ghosts", ')
    clone.plant("shared/names.py", "CONTAINERS: Final = (", 'CONTAINERS: Final = ("cellar", ')
    assert [each.wrong.split("`")[1] for each in clone.findings()] == ["cellar", "Ghosts"]


def test_a_setting_that_only_the_code_reads_is_found(clone: Clone) -> None:
    field = "    notify_url: str = Field("
    clone.plant("shared/settings/settings.py", field, f'    mood: str = Field(validation_alias="APP_MOOD")\n{field}')
    (found,) = clone.findings()
    assert (found.rule, found.wrong) == ("settings", "shared/settings/settings.py reads `APP_MOOD`, and it is not set")


def test_a_setting_with_a_safe_default_may_be_left_out(clone: Clone) -> None:
    field = "    notify_url: str = Field("
    clone.plant(
        "shared/settings/settings.py", field, f'    mood: str = Field("good", validation_alias="APP_MOOD")\n{field}'
    )
    assert clone.findings() == []


def test_a_council_that_only_has_a_profile_is_found_with_its_notify_key(clone: Clone) -> None:
    profile = (clone.folder / f"authorities/{COUNCIL}.toml").read_text(encoding="utf-8")
    clone.append("authorities/broadland.toml", profile)
    found = [(each.rule, each.wrong) for each in clone.findings()]
    assert ("settings", "`NOTIFY_API_KEY_BROADLAND` is not set") in found
    assert any(rule == "names" and "'broadland'" in wrong for rule, wrong in found)


def test_a_binding_by_another_connection_or_setting_is_found(clone: Clone) -> None:
    clone.append(
        "functions/stage_rows.py",
        """

@blueprint.queue_trigger(arg_name="message", queue_name="%SIDE_QUEUE%", connection="SideStorage")
async def side(message: func.QueueMessage) -> None:
    \"\"\"A function that infra does not know.\"\"\"
""",
    )
    wrong = [each.wrong for each in clone.findings()]
    assert "function side is bound by %SIDE_QUEUE%, and it is not set" in wrong
    assert "`SideStorage__queueServiceUri` is not set" in wrong


def test_code_that_cannot_be_imported_is_a_finding(clone: Clone) -> None:
    clone.append("shared/names.py", "\nraise RuntimeError('half written')\n")
    (found,) = clone.findings()
    assert (found.rule, found.wrong) == ("code", "the code cannot be imported: RuntimeError: half written")
