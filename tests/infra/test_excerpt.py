"""How azmcp's answer becomes the excerpt: what is kept of a type, and which types."""

from local.infra_checks.excerpt import Kept, Said, add_resource, spell_type
from local.infra_checks.shapes import make_shape


def a_property(name: str, kind: str, flags: str = "") -> Said:
    return {"name": name, "type": kind, "description": "left out", "flags": flags}


def an_object(name: str, *properties: Said) -> Said:
    return {"$type": "Object", "name": name, "properties": list(properties)}


def test_only_types_that_can_be_reached_are_kept_without_descriptions() -> None:
    body = an_object("Acme/traps", a_property("id", "string", "ReadOnly"), a_property("spring", "Spring[]", "Required"))
    said = [
        {"$type": "Resource", "name": "Acme/traps@2026-01-01", "bodyType": body},
        an_object("Spring", a_property("force", "soft | hard")),
        an_object("Anvil", a_property("weight", "int")),
    ]
    file: Kept = {"resources": {}, "types": {}}
    add_resource(file, said[0], said)
    assert file == {
        "resources": {
            "Acme/traps@2026-01-01": {"properties": {"id": "string; read-only", "spring": "Spring[]; required"}}
        },
        "types": {"Spring": {"properties": {"force": "'soft' | 'hard'"}}},
    }


def test_a_list_of_words_with_any_other_word_is_a_list_of_texts() -> None:
    assert spell_type("get | list | string[]", {}) == "string[]"
    assert spell_type("get | string", {}) == "'get' | string"


def test_a_choice_adds_the_properties_of_what_is_chosen() -> None:
    said = {
        "properties": {"name": "string"},
        "choice": "kind",
        "choices": {"Queue": {"properties": {"kind": "'Queue'; required", "queueName": "string"}}},
    }
    outline = make_shape(said, {}).chosen("Queue")
    assert outline is not None
    assert set(outline.properties) == {"name", "kind", "queueName"}
    assert make_shape(said, {}).chosen("Heap") is None
