"""What `main.bicep` would deploy.

Modules are followed, loops unrolled, and names and properties computed if possible.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tree_sitter import Node

from local.infra_checks.evaluation import evaluate_loop, evaluate_node
from local.infra_checks.findings import Finding
from local.infra_checks.template import Declaration, Template, find_entry, get_body, get_text, list_entries, unquote_key
from local.infra_checks.values import Reference, Unknown, Value, is_known


@dataclass(frozen=True, slots=True)
class Deployed:
    """One resource. `certain` is false if a condition or an empty list keeps it out by default."""

    type: str
    version: str
    name: str
    within: tuple[str, ...]
    properties: Mapping[str, Value]
    existing: bool
    certain: bool
    template: Template
    node: Node

    @property
    def symbol(self) -> str:
        """The name by which the file speaks of it."""
        return get_text(self.node.named_children[0])

    def finding(self, rule: str, wrong: str, mend: str) -> Finding:
        """Something that is wrong with it."""
        return self.template.source.finding(self.node, rule, wrong, mend)


@dataclass(frozen=True, slots=True)
class Missed:
    """An expression that asks an object for what it does not have."""

    template: Template
    node: Node
    name: str
    has: tuple[str, ...]


@dataclass(slots=True)
class Instance:
    """A template with its arguments: `main.bicep`, or one use of a module."""

    templates: Mapping[Path, Template]
    template: Template
    arguments: Mapping[str, Value]
    missed: list[Missed] = field(default_factory=list)
    _values: dict[str, Value] = field(default_factory=dict)
    _modules: dict[tuple[str, str], "Instance | None"] = field(default_factory=dict)

    def resources(self, *, certain: bool = True) -> Iterator[Deployed]:
        """Every resource, those of modules too."""
        for declared in self.template.of("resource"):
            for turn, happens in self.turns(declared, Locals(self, {})):
                yield from self._list_deployed(declared, turn, certain=certain and happens)
        for declared in self.template.of("module"):
            for turn, happens in self.turns(declared, Locals(self, {})):
                module = self.module(declared, turn)
                if module is not None:
                    yield from module.resources(certain=certain and happens)

    def turns(self, declared: Declaration, scope: "Locals") -> Iterator[tuple["Locals", bool]]:
        """Each time that a resource or module is deployed, and whether it is by default."""
        yield from _list_turns(declared.value, scope, happens=True)

    def _list_deployed(
        self, declared: Declaration, scope: "Locals", within: tuple[str, ...] = (), *, certain: bool
    ) -> Iterator[Deployed]:
        inner = scope.with_locals({each.name: self.reference(each, scope) for each in declared.nested})
        properties = {
            unquote_key(key): evaluate_node(value, inner) for key, value in list_entries(get_body(declared.value))
        }
        above = self._find_above(properties.get("parent")) or within
        name = str(properties.get("name", Unknown("name")))
        kind, _, version = declared.type_and_version.partition("@")
        yield Deployed(kind, version, name, above, properties, declared.existing, certain, self.template, declared.node)
        for each in declared.nested:
            for turn, happens in self.turns(each, inner):
                yield from self._list_deployed(each, turn, (*above, name), certain=certain and happens)

    def _find_above(self, parent: Value) -> tuple[str, ...]:
        """The names of the resources that hold one, outermost first."""
        if not isinstance(parent, Reference):
            return ()
        return (*self._find_above(parent.ask("parent")), str(parent.ask("name")))

    def named(self, name: str) -> Value:
        """Return the value of a symbol of this template."""
        if name not in self._values:
            self._values[name] = Unknown(name)  # should it lead back to itself
            self._values[name] = self._name_resource(name)
        return self._values[name]

    def _name_resource(self, name: str) -> Value:
        declared = self.template.names.get(name)
        if declared is None or declared.kind in {"type", "function"}:
            return Unknown(name)
        if declared.kind in {"resource", "module"}:
            return self.reference(declared, Locals(self, {}))
        if declared.kind == "parameter" and name in self.arguments:
            return self.arguments[name]
        return Unknown(name) if declared.value is None else evaluate_node(declared.value, Locals(self, {}))

    def reference(self, declared: Declaration, scope: "Locals") -> Reference:
        """A resource or module, to be asked for its properties."""

        def ask(key: str) -> Value:
            return self._read_asked(declared, scope, key)

        def item(index: Value) -> Value:
            turns = list(self.turns(declared, scope))
            known_index = isinstance(index, int) and index < len(turns)
            return self.reference(_take_single(declared), turns[index if known_index else 0][0])  # type: ignore[index]

        return Reference(declared.name, declared, ask, item)

    def _read_asked(self, declared: Declaration, scope: "Locals", key: str) -> Value:
        for each in declared.nested:
            if key == f"::{each.name}":
                return self.reference(each, scope)
        if declared.kind == "module" and key == "outputs":
            module = self.module(declared, scope)
            return Unknown(f"{declared.name}.outputs") if module is None else module.outputs()
        value = find_entry(get_body(declared.value), key) if key in {"name", "parent"} else None
        if value is not None:
            return evaluate_node(value, scope)
        if key == "parent":
            return None if declared.parent is None else self.reference(declared.parent, scope)
        return Unknown(f"{self.template.source.path.stem}/{declared.name}.{key}")

    def module(self, declared: Declaration, scope: "Locals") -> "Instance | None":
        """One use of a module; None if its file is missing."""
        given = find_entry(get_body(declared.value), "params")
        arguments = evaluate_node(given, scope) if given is not None else {}
        key = (declared.name, repr(sorted(scope.local)) + repr(arguments))
        if key not in self._modules:
            template = self.templates.get((self.folder / declared.path).resolve())
            named = arguments if isinstance(arguments, dict) else {}
            self._modules[key] = None if template is None else Instance(self.templates, template, named, self.missed)
        return self._modules[key]

    def outputs(self) -> Value:
        """The outputs by name."""
        scope = Locals(self, {})
        return {
            name: Unknown(name) if each.value is None else evaluate_node(each.value, scope)
            for name, each in self.template.outputs.items()
        }

    @property
    def folder(self) -> Path:
        """The folder of the template."""
        return self.template.source.path.parent


@dataclass(frozen=True, slots=True)
class Locals:
    """A template's names, and over them the variables of loops, lambdas and nested resources."""

    instance: Instance
    local: Mapping[str, Value]

    @property
    def folder(self) -> Path:
        """The folder of the template."""
        return self.instance.folder

    def named(self, name: str) -> Value:
        """Return the value of a symbol."""
        return self.local[name] if name in self.local else self.instance.named(name)

    def lacks(self, node: Node, name: str, values: Mapping[str, Value]) -> None:
        """Take note that an expression asks an object for what it does not have."""
        self.instance.missed.append(Missed(self.instance.template, node, name, tuple(values)))

    def with_locals(self, more: Mapping[str, Value]) -> "Locals":
        """Return the same scope with more names."""
        return replace(self, local={**self.local, **more})


def _list_turns(value: Node | None, scope: Locals, *, happens: bool) -> Iterator[tuple[Locals, bool]]:
    if value is not None and value.type == "for_statement":
        inner = value.named_children[-1]
        for more, certain in evaluate_loop(value, scope):
            yield from _list_turns(inner, scope.with_locals(more), happens=happens and certain)
    elif value is not None and value.type == "if_statement":
        condition, inner = value.named_children[0], value.named_children[-1]
        answer = evaluate_node(condition, scope)
        yield from _list_turns(inner, scope, happens=happens and not (is_known(answer) and not answer))
    else:
        yield scope, happens


def _take_single(declared: Declaration) -> Declaration:
    """Return one resource of a loop, or the one behind a condition."""
    return replace(declared, value=get_body(declared.value))
