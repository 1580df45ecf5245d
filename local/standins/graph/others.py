"""Groups and applications. Nobody creates any here, but the answers show who may, as Graph's do."""

from local.standins.graph.calls import Call, Reply
from local.standins.graph.errors import required_of
from local.standins.graph.permissions import need_applications, need_groups
from local.standins.graph.state import Directory


def create_group(directory: Directory, _call: Call) -> Reply:
    """``POST /groups``: 403 without the permission, else 400, as for a body without a name."""
    need_groups(directory.rules)
    raise required_of("displayName", "Group")


def create_application(directory: Directory, _call: Call) -> Reply:
    """Handle ``POST /applications`` in the same way."""
    need_applications(directory.rules)
    raise required_of("displayName", "Application")
