"""`GET /`: what this host runs, for a person with a browser."""

from collections.abc import Mapping, Sequence
from html import escape

from local.host.bindings import HttpTrigger, QueueTrigger, TimerTrigger
from local.host.runtime import Function

_STYLE = "body{font:16px/1.5 sans-serif;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}"


def render_page(functions: Sequence[Function], depths: Mapping[str, int | None]) -> str:
    """The page; `depths` by queue name, with none for a queue that is not there."""
    rows = "".join(f"<tr><td>{escape(each.name)}<td>{escape(_describe_state(each))}" for each in functions)
    queues = "".join(f"<tr><td>{escape(name)}<td>{'-' if depth is None else depth}" for name, depth in depths.items())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Local functions host</title><style>{_STYLE}</style>"
        f"<h1>Local functions host</h1><h2>Functions</h2><table><tr><th>Name<th>Runs{rows}</table>"
        f"<h2>Queues</h2><table><tr><th>Name<th>Messages, about{queues}</table></html>"
    )


def _describe_state(function: Function) -> str:
    return ("disabled: " if function.disabled else "") + describe_trigger(function)


def describe_trigger(function: Function) -> str:
    """Return in a few words what makes the function run."""
    match function.bindings.trigger:
        case QueueTrigger(queue=queue):
            return f"queue {queue}"
        case TimerTrigger(schedule=schedule):
            return f"timer {schedule}"
        case HttpTrigger(route=route, methods=methods):
            return f"http {'|'.join(sorted(methods)) or 'any method'} {route}"
