"""Properties that keep an account, a vault, a site closed. They are written down, because some defaults are open."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from local.infra_checks.deployment import Deployed
from local.infra_checks.findings import Finding
from local.infra_checks.grants import REGISTRATION
from local.infra_checks.values import Value, get_value, is_known

RULE: Final = "baseline"


@dataclass(frozen=True, slots=True)
class Must:
    """A property and the values that it may have, or none for any. `absent`: leaving it out is as good."""

    path: str
    values: tuple[Value, ...]
    why: str
    absent: bool = False


TLS: Final = ("1.2", "1.3")
SIGN_IN: Final = "Microsoft.Web/sites/config authsettingsV2"
OPEN: Final[Value] = ["/api/health", "/api/callbacks/*"]
"""Health returns one word. A callback brings its own token, which the code checks."""
PROVIDERS: Final = "properties.identityProviders"
ENTRA: Final = f"{PROVIDERS}.azureActiveDirectory"
OTHERS: Final = ("apple", "azureStaticWebApps", "facebook", "gitHub", "google", "legacyMicrosoftAccount", "twitter")
AZURE_CLI: Final = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
ISSUER: Final = "«environment().authentication.loginEndpoint»«tenant().tenantId»/v2.0"
BASELINE: Final[Mapping[str, tuple[Must, ...]]] = {
    "Microsoft.Storage/storageAccounts": (
        Must("properties.allowSharedKeyAccess", (False,), "a key opens everything, and says of nobody who it was"),
        Must("properties.allowBlobPublicAccess", (False,), "no blob is for everybody"),
        Must("properties.isLocalUserEnabled", (False,), "a local user comes by a password"),
        Must("properties.allowCrossTenantReplication", (False,), "no blob is copied into another tenant"),
        Must("properties.networkAcls.bypass", ("AzureServices",), "Event Grid comes as a trusted service"),
        Must("properties.minimumTlsVersion", ("TLS1_2", "TLS1_3"), "older TLS can be read by others"),
        Must("properties.supportsHttpsTrafficOnly", (True,), "plain http can be read by others", absent=True),
    ),
    "Microsoft.Storage/storageAccounts/blobServices": (
        Must("properties.deleteRetentionPolicy.enabled", (True,), "what was deleted by mistake comes back"),
        Must("properties.containerDeleteRetentionPolicy.enabled", (True,), "what was deleted by mistake comes back"),
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (
        Must("properties.publicAccess", ("None",), "no container is for everybody", absent=True),
    ),
    "Microsoft.KeyVault/vaults": (
        Must("properties.enableRbacAuthorization", (True,), "rights by role, where they can be seen"),
        Must("properties.enablePurgeProtection", (True,), "a lost PSEUDONYM_KEY orphans every account"),
        Must("properties.accessPolicies", ([],), "rights by role only", absent=True),
    ),
    "Microsoft.Web/sites": (
        Must("properties.httpsOnly", (True,), "plain http can be read by others"),
        Must("properties.keyVaultReferenceIdentity", (), "the app's settings are read from the vault by it"),
        Must("properties.functionAppConfig.runtime.name", ("python",), "the app is written in it"),
        Must("properties.functionAppConfig.runtime.version", ("3.13",), "the runtime library is pinned for it"),
        Must("properties.siteConfig.minTlsVersion", TLS, "older TLS can be read by others"),
        Must("properties.siteConfig.ftpsState", ("Disabled",), "nobody publishes by FTP"),
        Must("properties.siteConfig.scmMinTlsVersion", TLS, "older TLS can be read by others", absent=True),
        Must("properties.siteConfig.remoteDebuggingEnabled", (False,), "nobody debugs production", absent=True),
    ),
    "Microsoft.Web/serverfarms": (Must("sku.name", ("FC1",), "the app is made for Flex Consumption"),),
    SIGN_IN: (
        Must("properties.platform.enabled", (True,), "people are known by the token that the platform has checked"),
        Must("properties.globalValidation.requireAuthentication", (True,), "nobody gets in without one"),
        Must("properties.globalValidation.unauthenticatedClientAction", ("Return401", "Return403"), "nobody gets in"),
        Must("properties.globalValidation.excludedPaths", (OPEN,), "every other path asks who is there"),
        Must("properties.httpSettings.requireHttps", (True,), "a token in plain http can be taken"),
        Must("properties.login.tokenStore.enabled", (False,), "the app keeps no token of anybody", absent=True),
        Must(f"{ENTRA}.enabled", (True,), "it is the only way in"),
        Must(f"{ENTRA}.registration.openIdIssuer", (ISSUER,), "tokens of the council's own tenant alone"),
        Must(f"{ENTRA}.registration.clientId", (REGISTRATION,), "the registration that infra.sign_in made"),
        Must(
            f"{ENTRA}.registration.clientSecretSettingName",
            ("OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",),
            "the managed identity vouches, and there is no secret",
        ),
        Must(
            f"{ENTRA}.validation.allowedAudiences",
            ([f"api://{REGISTRATION}", REGISTRATION],),
            "a token for another app is none for this one",
        ),
        Must(
            f"{ENTRA}.validation.defaultAuthorizationPolicy.allowedApplications",
            ([REGISTRATION, AZURE_CLI],),
            "nobody's token comes by another app",
        ),
        *(Must(f"{PROVIDERS}.{each}.enabled", (False,), "people of one tenant only", absent=True) for each in OTHERS),
    ),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": (
        Must("properties.allow", (False,), "nobody publishes by a password"),
    ),
    "Microsoft.Insights/components": (
        Must("properties.DisableLocalAuth", (True,), "telemetry comes by identity, not by whoever has the key"),
    ),
    "Microsoft.OperationalInsights/workspaces": (
        Must("properties.features.disableLocalAuth", (True,), "logs come by identity, not by whoever has the key"),
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies": (
        Must("properties.allowProtectedAppendWrites", (False,), "what is written once stays as it is"),
        Must("properties.allowProtectedAppendWritesAll", (False,), "what is written once stays as it is", absent=True),
    ),
    "Microsoft.EventGrid/systemTopics": (
        Must("identity.type", ("SystemAssigned",), "behind a firewall only this one is a trusted service"),
    ),
    "Microsoft.Insights/diagnosticSettings": (Must("properties.workspaceId", (), "logs that go nowhere help nobody"),),
    "Microsoft.Insights/scheduledQueryRules": (
        Must("properties.actions.actionGroups", (), "an alarm that rings nowhere is none"),
        Must("properties.enabled", (True,), "an alarm that is off is none", absent=True),
    ),
    "Microsoft.Insights/metricAlerts": (
        Must("properties.actions", (), "an alarm that rings nowhere is none"),
        Must("properties.enabled", (True,), "an alarm that is off is none"),
    ),
}


CLOSED: Final[Mapping[str, tuple[Must, ...]]] = {
    "Microsoft.Storage/storageAccounts": (
        Must("properties.networkAcls.defaultAction", ("Deny",), "it is to be closed"),
    ),
    "Microsoft.KeyVault/vaults": (Must("properties.networkAcls.defaultAction", ("Deny",), "it is to be closed"),),
    "Microsoft.Web/sites": (Must("properties.virtualNetworkSubnetId", (), "the app gets to storage and vault by it"),),
}
"""The further rules if `privateNetwork` is true."""
BY_TYPE: Final = {kind.lower(): musts for kind, musts in BASELINE.items()}
NEEDED: Final[Mapping[str, str]] = {
    SIGN_IN: "without it the app would believe anybody",
    "Microsoft.KeyVault/vaults": "secrets are nowhere else",
    "Microsoft.Authorization/locks": "tables that were deleted cannot be restored",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies": "the nightly copies need it",
    "Microsoft.Storage/storageAccounts/managementPolicies": "what is about people is deleted by it in time",
}
"""Resources without which the rest is not safe."""


def check_baseline(deployed: Sequence[Deployed]) -> Iterator[Finding]:
    """Every resource that has a baseline, as it would be deployed. And those that must not be missing."""
    for each in deployed:
        yield from _list_missed(each, BY_TYPE)
    there = {kind.lower() for each in deployed if each.certain and not each.existing for kind in _list_kinds(each)}
    for kind, why in NEEDED.items():
        if kind.lower() not in there:
            yield Finding("infra/main.bicep", 1, RULE, f"no {kind} is declared", f"declare one: {why}")


def check_closed(deployed: Sequence[Deployed]) -> Iterator[Finding]:
    """Check the same resources as they would be with a private network."""
    by_type = {kind.lower(): musts for kind, musts in CLOSED.items()}
    for each in deployed:
        yield from _list_missed(each, by_type)


def _list_missed(each: Deployed, by_type: Mapping[str, tuple[Must, ...]]) -> Iterator[Finding]:
    for must in _list_musts(each, by_type):
        value = get_value(dict(each.properties), *must.path.split("."))
        fine = value in must.values if must.values else bool(value)
        if not fine and not (value is None and must.absent):
            mend = f"set it to {_spell_values(must.values)}" if must.values else "set it"
            yield each.finding(RULE, _describe_wrong(each, must, value), f"{mend}: {must.why}")


def _list_kinds(each: Deployed) -> tuple[str, str]:
    """Return the names of a resource: by its type alone, and by type and name."""
    return each.type, f"{each.type} {each.name}"


def _list_musts(each: Deployed, by_type: Mapping[str, tuple[Must, ...]]) -> tuple[Must, ...]:
    if each.existing:
        return ()
    return tuple(must for kind in _list_kinds(each) for must in by_type.get(kind.lower(), ()))


def _describe_wrong(each: Deployed, must: Must, value: Value) -> str:
    if value is None:
        return f"`{each.symbol}` leaves {must.path} to the platform"
    if not is_known(value):
        return f"{must.path} of `{each.symbol}` depends on {value}"
    return f"{must.path} of `{each.symbol}` is {_spell_values((value,))}"


def _spell_values(values: tuple[Value, ...]) -> str:
    return " or ".join(str(value).lower() if isinstance(value, bool) else f"`{value}`" for value in values)
