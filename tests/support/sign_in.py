"""What the platform's sign-in adds to a request."""

import base64
import json

CALLER = "9d4f1a9e-0000-4000-8000-000000000001"


def signed_in(*roles: str, typ: str = "roles") -> dict[str, str]:
    """The headers that the platform adds for somebody with these roles."""
    claims = [{"typ": typ, "val": role} for role in roles]
    principal = base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()
    return {"x-ms-client-principal-id": CALLER, "x-ms-client-principal": principal}
