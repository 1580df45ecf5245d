"""Faults, each planted in a copy of the real files, and each found where it is."""

from typing import NamedTuple

import pytest

from local.infra_checks.code import Code
from tests.infra.kit import Clone

APP = "infra/modules/app.bicep"
DATA = "infra/modules/storage-data.bicep"
EVENTS = "infra/modules/events.bicep"
HOST = "infra/modules/storage-host.bicep"
MAIN = "infra/main.bicep"
PARAMETERS = "infra/main.parameters.json"
RETENTION = "infra/modules/retention.bicep"
PEOPLE = "infra/modules/roles-people.bicep"
RIGHTS = "infra/modules/upload-rights.bicep"
ROLES = "infra/modules/roles-app.bicep"
SETTINGS = "infra/modules/app-settings.bicep"
VAULT = "infra/modules/vault.bicep"

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ASSIGNMENT = "'Microsoft.Authorization/roleAssignments@2022-04-01'"
NAMES = "shared/names.py"
NEVER = (
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_RUN_FROM_PACKAGE",
)


class Fault(NamedTuple):
    """One text in the place of another, and what the gate must say: at which file, by which rule, with which word."""

    what: str
    file: str
    old: str
    new: str
    rule: str
    word: str
    at: str


def faults(file: str, rule: str, *planted: tuple[str, str, str, str], at: str = "") -> list[Fault]:
    """Faults of one file: what, the old text, the new one, the word of the finding. `at`: where it is reported."""
    return [Fault(what, file, old, new, rule, word, at or file) for what, old, new, word in planted]


FAULTS = [
    *faults(
        DATA,
        "syntax",
        ("a bracket too few", "var tables = [", "var tables = ", "cannot be read"),
    ),
    *faults(
        VAULT,
        "syntax",
        ("a keyword that is none", "resource vault ", "resourse vault ", "cannot be read"),
    ),
    *faults(
        DATA,
        "schema",
        ("a misspelt property", "minimumTlsVersion:", "minimumTlsVersoin:", "minimumTlsVersoin"),
        ("a required property that is missing", "  kind: 'StorageV2'\n", "", "lacks `kind`"),
    ),
    *faults(
        RETENTION,
        "schema",
        ("a misspelt property in depth", "blobTypes:", "blobTyps:", "blobTyps"),
    ),
    *faults(
        APP,
        "schema",
        ("a misspelt property of another case", "httpsOnly:", "httpsonly:", "httpsonly"),
        ("text where truth is wanted", "httpsOnly: true", "httpsOnly: 'true'", "is string"),
    ),
    *faults(
        RIGHTS,
        "schema",
        ("a misspelt property of an existing one", "  name: dataAccountName", "  nam: dataAccountName", "nam"),
    ),
    *faults(
        HOST,
        "schema",
        ("a misspelt property in a variable", "  action: 'Allow'", "  acton: 'Allow'", "acton"),
        ("an API version that nobody knows", "storageAccounts@2025-01-01", "storageAccounts@2031-01-01", "2031-01-01"),
    ),
    *faults(
        VAULT,
        "schema",
        ("a value that is not allowed", "name: 'standard'", "name: 'cheap'", "cheap"),
        (
            "a read-only property",
            "    enableSoftDelete: true",
            "    hsmPoolResourceId: 'x'\n    enableSoftDelete: true",
            "read-only",
        ),
        ("a resource type that nobody knows", "Microsoft.KeyVault/vaults@", "Microsoft.KeyVault/volts@", "volts"),
    ),
    *faults(
        EVENTS,
        "schema",
        ("a choice that is none", "endpointType: 'StorageQueue'", "endpointType: 'StorageHeap'", "StorageHeap"),
    ),
    *faults(
        DATA,
        "symbols",
        ("a name that is not declared", "name: redundancy", "name: redundance", "`redundance` is not declared"),
    ),
    *faults(
        MAIN,
        "symbols",
        ("a function that there is not", "toLower(uniqueString(", "toLower(uniqeString(", "uniqeString"),
        ("a decorator that there is not", "@minLength(1)", "@minimumLength(1)", "minimumLength"),
        ("an output that there is not", "storageData.outputs.name", "storageData.outputs.nom", "nom"),
    ),
    *faults(
        VAULT,
        "symbols",
        (
            "a parameter that nobody uses",
            "param location string",
            "param location string\nparam idle string = ''",
            "idle",
        ),
    ),
    *faults(
        RIGHTS,
        "symbols",
        (
            "a loop's variable that there is not",
            "principalId: uploader.principalId",
            "principalId: uplaoder.principalId",
            "uplaoder",
        ),
    ),
    *faults(
        MAIN,
        "modules",
        ("a module that is not there", "'modules/vault.bicep'", "'modules/volt.bicep'", "modules/volt.bicep"),
        (
            "a parameter too many",
            "    uploaders: uploaders",
            "    uploaders: uploaders\n    more: true",
            "no parameter `more`",
        ),
        ("a parameter too few", "    uploaders: uploaders\n", "", "does not pass `uploaders`"),
        (
            "a parameter of another kind",
            "    uploaders: uploaders\n",
            "    uploaders: 'somebody'\n",
            "is array, and this is string",
        ),
    ),
    *faults(
        MAIN,
        "nesting",
        ("a module without a scope", "  name: 'vault'\n  scope: group\n", "  name: 'vault'\n", "module `vault`"),
    ),
    *faults(
        DATA,
        "nesting",
        ("a parent of the wrong type", "parent: queueService", "parent: tableService", "parent of `queue`"),
        ("a queue without a parent", "  parent: queueService\n", "", "parts"),
        at=DATA,
    ),
    *faults(
        PARAMETERS,
        "parameters",
        ("a parameter for azd that is none", '"exportDays"', '"exportDay"', "exportDay"),
        ("a parameter that azd does not fill", '    "location": { "value": "${AZURE_LOCATION}" },\n', "", "location"),
    ),
    *faults(
        RIGHTS,
        "roles",
        ("a right to upload for everybody", "blobs:path]", "blobs:tags]", "condition of `mayUpload`"),
        (
            "a right to upload into every folder",
            "StringLike \\'${uploader.authority}/*\\'",
            "StringLike \\'*\\'",
            "condition of `mayUpload`",
        ),
        (
            "a right to list every folder",
            "StringStartsWith \\'${uploader.authority}/\\'",
            "StringStartsWith \\'\\'",
            "condition of `mayUpload`",
        ),
        (
            "a right to upload for one council that is always the same",
            "StringLike \\'${uploader.authority}/*",
            "StringLike \\'south-norfolk/*",
            "condition of `mayUpload`",
        ),
        ("a half of a condition that is enough", ") AND ((!(", ") OR ((!(", "condition of `mayUpload`"),
        ("a right to upload for another list", "in uploaders:", "in [{ principalId: 'x', authority: 'y' }]:", "`x`"),
        ("a condition without a version", "    conditionVersion: '2.0'\n", "", "has no version"),
        (
            "a role that is not on the list",
            "exportUploader.name)\n    principalId",
            f"'{OWNER}')\n    principalId",
            OWNER,
        ),
        ("a role of our own that deletes", "blobs/write'\n", "blobs/delete'\n", "other dataActions"),
        ("a role of our own that deletes containers", "containers/read'\n", "containers/*'\n", "other actions"),
        ("a role of our own for everywhere", "      group\n", "      subscription().id\n", "given elsewhere"),
        ("a role of our own without a reason", "resource exportUploader", "resource anotherRole", "role of our own"),
        ("a right on the whole group", "  scope: exports\n", "", "everything in the group"),
        ("an assignment that says not to whom", "    principalType: uploader.principalType\n", "", "principalType"),
    ),
    *faults(
        EVENTS,
        "roles",
        (
            "an assignment with a name of its own",
            "name: guid(queue.id, topic.id, senderRole)",
            "name: newGuid()",
            "guid()",
        ),
    ),
    *faults(
        ROLES,
        "roles",
        (
            "an owner of all blobs",
            "  scope: reports\n",
            "  scope: data\n",
            "Storage Blob Data Owner on `storageAccounts stdata`",
        ),
        ("a writer of uploads", "scope: backups\n", "scope: exports\n", "on `containers stdata/default/exports`"),
        ("a right of the host on the wrong account", "  scope: host\n", "  scope: data\n", "hostBlobs"),
        ("a right on the whole vault's group", "  scope: vault\n", "", "everything in the group"),
    ),
    *faults(
        ROLES,
        "roles",
        (
            "a right that nobody is given any more",
            f"usesQueues {ASSIGNMENT} = {{",
            f"usesQueues {ASSIGNMENT} = if (false) {{",
            "nothing gives",
        ),
        at=MAIN,
    ),
    *faults(
        PEOPLE,
        "roles",
        (
            "a watcher who writes",
            "queueReader)\n    principalId",
            "tableReader)\n    principalId",
            "Storage Table Data Reader on",
        ),
        ("a watcher who sees lists of people", "    condition: namesNobody\n", "", "condition of `readsReports`"),
        ("a watcher who sees rows", "name: 'Accounts'", "name: 'Rows'", "tables stdata/default/Rows"),
        ("a keeper who is a watcher", "in keepers:", "in operators:", "`an operator` the role Key Vault"),
    ),
    *faults(
        MAIN,
        "roles",
        (
            "rights that go to another account",
            "dataAccountName: storageData.outputs.name\n    uploaders",
            "dataAccountName: storageHost.outputs.name\n    uploaders",
            "containers sthost/default/exports",
        ),
        at=RIGHTS,
    ),
    *faults(
        HOST,
        "words",
        (
            "keys handed out",
            "output id string = account.id",
            "output id string = account.listKeys().keys[0].value",
            "listKeys",
        ),
        (
            "a signature handed out",
            "output id string = account.id",
            "output id string = listAccountSas(account.id, '2025-01-01', {}).accountSasToken",
            "listAccountSas",
        ),
    ),
    *faults(
        SETTINGS,
        "words",
        (
            "a connection string with a key",
            "AzureWebJobsStorage__credential: 'managedidentity'",
            "Other: 'AccountName=a;AccountKey=b'",
            "a key of a storage account",
        ),
        (
            "a setting that the plan refuses",
            "  DIRECTORY_KIND: 'b2c'",
            "  DIRECTORY_KIND: 'b2c'\n  FUNCTIONS_WORKER_RUNTIME: 'python'",
            "FUNCTIONS_WORKER_RUNTIME",
        ),
        (
            "another setting that it refuses",
            "  DIRECTORY_KIND: 'b2c'",
            "  DIRECTORY_KIND: 'b2c'\n  WEBSITE_CONTENTSHARE: 'x'",
            "WEBSITE_CONTENTSHARE",
        ),
    ),
    *faults(
        SETTINGS,
        "words",
        *(
            (
                f"{setting}, which must not be set",
                "  DIRECTORY_KIND: 'b2c'",
                f"  DIRECTORY_KIND: 'b2c'\n  {setting}: 'true'",
                f"`{setting}`",
            )
            for setting in NEVER
        ),
        (
            "telemetry of the runtime in place of our own",
            "PYTHON_ENABLE_OPENTELEMETRY:",
            "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY:",
            "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
        ),
    ),
    *faults(
        SETTINGS,
        "settings",
        (
            "a setting that must not be there, hidden in a text",
            "union(settings, councilKeys)",
            """union(settings, councilKeys, json('{"WEBSITE_RUN_FROM_PACKAGE":"1"}'))""",
            "`WEBSITE_RUN_FROM_PACKAGE` is set",
        ),
        (
            "telemetry without a sampler",
            "  OTEL_TRACES_SAMPLER: 'parentbased_always_on'\n",
            "",
            "`OTEL_TRACES_SAMPLER`",
        ),
        ("a sampler that drops", "'parentbased_always_on'", "'always_off'", "`OTEL_TRACES_SAMPLER` is `always_off`"),
        ("telemetry left to the host", "  PYTHON_ENABLE_OPENTELEMETRY: 'true'\n", "", "`PYTHON_ENABLE_OPENTELEMETRY`"),
        ("addresses in spans", "flask,httpx,", "flask,", "`OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`"),
        ("telemetry by a key", ";Authorization=AAD", "", "`APPLICATIONINSIGHTS_AUTHENTICATION_STRING`"),
        (
            "sign-in for people of any tenant",
            "WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId",
            "WEBSITE_AUTH_AAD_ALLOWED_TENANTS: directoryTenantId",
            "`WEBSITE_AUTH_AAD_ALLOWED_TENANTS`",
        ),
    ),
    *faults(
        APP,
        "words",
        (
            "a property that it refuses",
            "minTlsVersion: '1.2'",
            "minTlsVersion: '1.2'\n      linuxFxVersion: 'PYTHON|3.13'",
            "linuxFxVersion",
        ),
    ),
    *faults(
        "infra/modules/sign-in.bicep",
        "baseline",
        ("a sign-in that lets everybody in", "requireAuthentication: true", "requireAuthentication: false", "is false"),
        ("a whole app before sign-in", "'/api/callbacks/*'", "'/api/*'", "excludedPaths"),
        ("one path more before sign-in", "'/api/health'\n", "'/api/health'\n        '/api/status'\n", "excludedPaths"),
        ("callbacks that nobody can send", "        '/api/callbacks/*'\n", "", "excludedPaths"),
        ("people of every tenant", "${tenant().tenantId}/v2.0", "common/v2.0", "openIdIssuer"),
        (
            "tokens for another app",
            "            registration\n          ]\n          default",
            "            azureCli\n          ]\n          default",
            "allowedAudiences",
        ),
        (
            "tokens by any app",
            "              azureCli\n",
            "              azureCli\n              'any'\n",
            "allowedApplications",
        ),
        ("a token in plain http", "requireHttps: true", "requireHttps: false", "requireHttps"),
        (
            "another way in",
            "    identityProviders: {\n",
            "    identityProviders: {\n      google: {\n        enabled: true\n      }\n",
            "google",
        ),
    ),
    *faults(
        "infra/modules/sign-in.bicep",
        "baseline",
        ("a sign-in that is not there", "  name: 'authsettingsV2'\n", "  name: 'web'\n", "authsettingsV2"),
        at=MAIN,
    ),
    *faults(
        APP,
        "azd",
        ("a site that azd cannot find", "'azd-service-name': 'app'", "'azd-service-name': 'api'", "`api`"),
    ),
    *faults(
        DATA,
        "members",
        (
            "a property that no resource has",
            "account.properties.primaryEndpoints.blob",
            "account.properties.primaryEndpoint.blob",
            "primaryEndpoint",
        ),
    ),
    *faults(
        VAULT,
        "members",
        ("an answer that no function gives", "tenant().tenantId", "tenant().tenant", "tenant"),
    ),
    *faults(
        DATA,
        "baseline",
        (
            "keys that open an account",
            "allowSharedKeyAccess: false",
            "allowSharedKeyAccess: true",
            "allowSharedKeyAccess",
        ),
        ("a public container", "publicAccess: 'None'", "publicAccess: 'Blob'", "publicAccess"),
        ("an account that stays open", "closed ? 'Deny' : 'Allow'", "closed ? 'Allow' : 'Allow'", "defaultAction"),
        ("local users", "isLocalUserEnabled: false", "isLocalUserEnabled: true", "isLocalUserEnabled"),
        (
            "a copy that can be written on",
            "allowProtectedAppendWrites: false",
            "allowProtectedAppendWrites: true",
            "Append",
        ),
        ("public blobs", "allowBlobPublicAccess: false", "allowBlobPublicAccess: true", "allowBlobPublicAccess"),
    ),
    *faults(
        HOST,
        "baseline",
        ("keys left to the default", "    allowSharedKeyAccess: false\n", "", "allowSharedKeyAccess"),
        ("old TLS", "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'", "TLS1_0"),
    ),
    *faults(
        MAIN,
        "baseline",
        (
            "an app outside the network",
            "subnetId: privateNetwork ? network.outputs.appSubnetId : ''",
            "subnetId: ''",
            "Subnet",
        ),
        at=APP,
    ),
    *faults(
        DATA,
        "baseline",
        ("data that can be deleted", "2020-05-01' = if (lockData) {", "2020-05-01' = if (!lockData) {", "locks"),
        at=MAIN,
    ),
    *faults(
        VAULT,
        "baseline",
        ("a vault that stays open", "closed ? 'Deny' : 'Allow'", "'Allow'", "defaultAction"),
        (
            "a vault that can be purged",
            "enablePurgeProtection: true",
            "enablePurgeProtection: false",
            "enablePurgeProtection",
        ),
    ),
    *faults(
        DATA,
        "names",
        ("a queue that is not declared", "  'stage-rows'\n", "", "queue `stage-rows`"),
        ("a poison queue that is not declared", "  'notify-customer-poison'\n", "", "`notify-customer-poison`"),
        ("a table that is not declared", "  'Rows'\n", "", "table `Rows`"),
        ("a container that is not declared", "  'reports'\n", "", "container `reports`"),
        at=NAMES,
    ),
    *faults(
        DATA,
        "names",
        ("a queue that no code names", "  'stage-rows'\n", "  'stage-rows'\n  'leftover'\n", "`leftover`"),
        ("a container that no code names", "  'reports'\n", "  'reports'\n  'attic'\n", "`attic`"),
    ),
    *faults(
        EVENTS,
        "names",
        ("uploads told to another queue", "queueName: 'receive-export'", "queueName: 'stage-rows'", "uploads are told"),
        ("uploads of another container", "/containers/exports/", "/containers/uploads/", "listens to"),
        ("dead letters that go nowhere", "blobContainerName: 'dead-letters'", "blobContainerName: 'limbo'", "limbo"),
    ),
    *faults(
        RETENTION,
        "names",
        ("a lifecycle rule for no container", "'exports/'", "'export/'", "container `export`"),
        (
            "a misspelt tag",
            "name: 'personal'\n                  op",
            "name: 'persnal'\n                  op",
            "persnal",
        ),
        ("a tag of another value", "value: 'true'", "value: 'yes'", "asks for the tag"),
    ),
    *faults(
        RETENTION,
        "names",
        (
            "a rule for lists of people that is off",
            "name: 'personalReports'\n          enabled: true",
            "name: 'personalReports'\n          enabled: false",
            "no rule deletes the reports that list people",
        ),
        (
            "uploads that are kept for ever",
            "name: 'exports'\n          enabled: true",
            "name: 'exports'\n          enabled: false",
            "in `exports`",
        ),
        ("copies that are kept for ever", "'backups/'", "'backups/tables/'", "in `backups`"),
        at=MAIN,
    ),
    *faults(
        MAIN,
        "names",
        ("a council without a profile", "  'south-norfolk'\n", "  'south-norfolk'\n  'broadland'\n", "broadland"),
    ),
    *faults(
        SETTINGS,
        "settings",
        ("a setting that the app needs", "  DIRECTORY_TENANT: directoryTenant\n", "", "`DIRECTORY_TENANT`"),
        ("a setting with an empty default", "  DIRECTORY_CLIENT_ID: directoryClientId\n", "", "`DIRECTORY_CLIENT_ID`"),
        (
            "a secret that is written down",
            "PSEUDONYM_KEY: '${reference}pseudonym-key)'",
            "PSEUDONYM_KEY: 'deadbeef'",
            "vault",
        ),
        (
            "a setting that nobody reads",
            "  DIRECTORY_KIND: 'b2c'",
            "  DIRECTORY_KIND: 'b2c'\n  DIRECTORY_MOOD: 'good'",
            "DIRECTORY_MOOD",
        ),
        ("half a connection", "  MigrationStorage__clientId: identityClientId\n", "", "MigrationStorage__clientId"),
        (
            "an address of another service",
            "MigrationStorage__tableServiceUri: dataTableEndpoint",
            "MigrationStorage__tableServiceUri: dataQueueEndpoint",
            "MigrationStorage__tableServiceUri",
        ),
    ),
    *faults(
        VAULT,
        "policies",
        (
            "a suppression without a reason",
            "CKV_AZURE_109: closed where",
            "CKV_AZURE_109 // closed where",
            "without a reason",
        ),
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_planted_fault_is_found(fault: Fault, clone: Clone, said: Code) -> None:
    clone.plant(fault.file, fault.old, fault.new)
    found = clone.findings(said)
    hits = [each for each in found if (each.file, each.rule) == (fault.at, fault.rule)]
    assert any(fault.word in each.wrong for each in hits), "\n".join(map(str, found))


def test_a_finding_names_the_line(clone: Clone, said: Code) -> None:
    clone.plant(VAULT, "enableSoftDelete:", "enableSoftDelet:")
    lines = (clone.folder / VAULT).read_text(encoding="utf-8").splitlines()
    (found,) = clone.findings(said)
    assert "enableSoftDelet:" in lines[found.line - 1]
    assert found.mend == "did you mean `enableSoftDelete`?"


def test_a_file_that_nothing_leads_to_is_found(clone: Clone, said: Code) -> None:
    clone.append("infra/modules/idle.bicep", "output nothing string = ''\n")
    assert [(each.file, each.rule) for each in clone.findings(said)] == [("infra/modules/idle.bicep", "modules")]


def test_a_role_given_only_where_a_switch_is_on_is_found(clone: Clone, said: Code) -> None:
    clone.append(
        RIGHTS,
        f"""
param generous bool = false
resource toAll 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (generous) {{
  name: guid(account.id, 'everybody')
  scope: account
  properties: {{
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{OWNER}')
    principalId: 'somebody'
    principalType: 'Group'
  }}
}}
""",
    )
    assert {each.rule for each in clone.findings(said)} == {"roles"}


def test_a_queue_under_a_switch_that_is_off_is_not_declared(clone: Clone, said: Code) -> None:
    clone.plant(
        DATA,
        "queues@2025-01-01' = [for item in concat(queues, poisonQueues): {",
        "queues@2025-01-01' = [for item in (closed ? concat(queues, poisonQueues) : queues): {",
    )
    missing = [each.wrong for each in clone.findings(said) if each.rule == "names"]
    assert len(missing) == len(said.poison)


def test_a_checkov_file_that_suppresses_from_afar_is_found(clone: Clone, said: Code) -> None:
    clone.append(".checkov.yaml", "skip-check: [CKV_AZURE_1]\n")
    assert [(each.file, each.rule) for each in clone.findings(said)] == [(".checkov.yaml", "policies")]
